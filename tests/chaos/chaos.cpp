// chaos <results> <seed> <kind>...
//
// A driver that knows beforehand what every result must be, for chaos_test.py, which kills and
// stops its ranks meanwhile. Kinds of work: map large nested gang actor isolated.
//
// Prints "ready" when the cluster stands, and at the end one line:
//   checked <n> wrong <n> lost <n> twice <n> coordinators <n>

#include <muster/base/random.hpp>
#include <muster/core/muster.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <iostream>
#include <iterator>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

// Large enough to stay where they are made, and to be on their way for a while.
constexpr std::size_t large_count = 40'000;
constexpr int map_count = 60;
constexpr int rounds_ahead = 3;
constexpr std::size_t large_kept = 12;
constexpr int actor_calls = 8;
constexpr int isolated_count = 4;

// A task may be unlucky more often than the default allows: ranks die as fast as they can be
// killed.
constexpr std::uint32_t retries = 100;

struct Numbered {
    std::uint64_t number = 0;
    std::uint64_t value = 0;
};

// About 0.3 ms of work.
std::uint64_t mix(std::uint64_t number) {
    std::uint64_t value = number;
    for (int i = 0; i < 200'000; ++i) {
        value = muster::mix64(value + static_cast<std::uint64_t>(i));
    }
    return value;
}

Numbered numbered(std::uint64_t number) {
    return {number, mix(number)};
}

std::uint64_t large_element(std::uint64_t seed, std::size_t i) {
    return seed * 31 + i;
}

std::vector<std::uint64_t> make_large(std::uint64_t seed) {
    std::vector<std::uint64_t> values(large_count);
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = large_element(seed, i);
    }
    return values;
}

std::uint64_t sum_of(const std::vector<std::uint64_t>& values) {
    return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

std::uint64_t sum_of_large(std::uint64_t seed) {
    return seed * 31 * large_count + large_count * (large_count - 1) / 2;
}

// A tree of tasks: how many leaves it has, weighted by their place.
std::uint64_t tree(std::uint64_t place, int depth) {
    if (depth == 0) {
        return place + 1;
    }
    const auto left = muster::task<&tree>.with({.retries = retries})(2 * place, depth - 1);
    const auto right = muster::task<&tree>.with({.retries = retries})(2 * place + 1, depth - 1);
    return left.get() + right.get();
}

std::uint64_t tree_sum(std::uint64_t place, int depth) {
    const std::uint64_t leaves = std::uint64_t{1} << static_cast<unsigned>(depth);
    return leaves * (place * leaves + 1) + leaves * (leaves - 1) / 2;
}

// The members agree on the largest of seed + rank in every element, and then add those up.
std::uint64_t gang(muster::Communicator& ranks, std::uint64_t seed) {
    std::vector<std::int64_t> data(5'000, static_cast<std::int64_t>(seed) + ranks.rank());
    for (int i = 0; i < 5; ++i) {
        ranks.all_reduce(std::span(data), muster::ReduceOp::max);
    }
    ranks.all_reduce(std::span(data));
    const bool equal =
        std::ranges::all_of(data, [&](std::int64_t value) { return value == data.front(); });
    return equal ? static_cast<std::uint64_t>(data.front()) : 0;
}

class Counter {
public:
    std::uint64_t add(std::uint64_t amount) {
        sum_ += amount;
        return sum_;
    }

    [[nodiscard]] std::uint64_t save() const { return sum_; }

    void load(std::uint64_t saved) { sum_ = saved; }

private:
    std::uint64_t sum_ = 0;
};

class Driver {
public:
    Driver(std::uint64_t results, std::uint64_t seed, std::set<std::string> kinds)
        : wanted_(results), kinds_(std::move(kinds)), random_(seed) {}

    int run() {
        std::cout << "ready " << muster::cluster().ranks << " ranks" << std::endl;
        if (kinds_.contains("actor")) {
            counter_ = muster::spawn<Counter>(
                {.placement = muster::spread, .max_restarts = 100, .replay = true});
        }
        std::set<muster::Rank> coordinators;
        std::deque<Round> rounds;
        while (checked_ < wanted_ || !rounds.empty()) {
            while (rounds.size() < rounds_ahead && submitted_ < wanted_) {
                rounds.push_back(submit());
            }
            check(rounds.front());
            rounds.pop_front();
            coordinators.insert(muster::cluster().coordinator);
        }
        if (counter_.valid()) {
            expect("the actor's count", counter_.call<&Counter::add>(0), count_);
        }
        std::cout << "checked " << checked_ << " wrong " << wrong_ << " lost " << lost_ << " twice "
                  << twice_ << " coordinators " << coordinators.size() << std::endl;
        return wrong_ + lost_ + twice_ == 0 ? 0 : 1;
    }

private:
    struct Expected {
        muster::Future<std::uint64_t> future;
        std::uint64_t value = 0;
        std::string what;
    };

    struct Round {
        std::uint64_t first = 0;
        std::vector<muster::Future<Numbered>> map;
        std::vector<Expected> single;
        std::vector<std::pair<muster::Future<std::vector<std::uint64_t>>, std::uint64_t>> gangs;
    };

    Round submit() {
        const std::uint64_t number = round_++;
        Round round;
        round.first = number * map_count;
        if (kinds_.contains("map")) {
            std::vector<std::uint64_t> numbers(map_count);
            std::iota(numbers.begin(), numbers.end(), round.first);
            round.map = muster::map<&numbered>(numbers, {.retries = retries});
        }
        if (kinds_.contains("large")) {
            large_.push_back({number,
                              muster::task<&make_large>.with(
                                  {.placement = muster::spread, .retries = retries})(number)});
            if (large_.size() > large_kept) {
                large_.pop_front();
            }
            const auto& [seed, values] = large_[random_.below(large_.size())];
            add(round,
                "sum of large",
                muster::task<&sum_of>.with({.retries = retries})(values),
                sum_of_large(seed));
            // Chained, so that what is lost in the middle has to be made again.
            add(round,
                "mix of sum of large",
                muster::task<&mix>.with({.retries = retries})(
                    muster::task<&sum_of>.with({.retries = retries})(values)),
                mix(sum_of_large(seed)));
        }
        if (kinds_.contains("nested")) {
            add(round,
                "tree",
                muster::task<&tree>.with({.retries = retries})(number, 3),
                tree_sum(number, 3));
        }
        if (kinds_.contains("gang") && number % 3 == 0) {
            round.gangs.emplace_back(
                muster::task<&gang>.with({.cpus = 0, .ranks = 2, .retries = retries})(number),
                2 * (number + 1));
        }
        if (kinds_.contains("isolated")) {
            for (int i = 0; i < isolated_count; ++i) {
                const std::uint64_t one = number * isolated_count + static_cast<std::uint64_t>(i);
                add(round,
                    "isolated mix",
                    muster::task<&mix>.with({.retries = retries, .isolate = true})(one),
                    mix(one));
            }
        }
        if (counter_.valid()) {
            for (int i = 0; i < actor_calls; ++i) {
                const std::uint64_t amount = 1 + random_.below(100);
                count_ += amount;
                add(round, "running count", counter_.call<&Counter::add>(amount), count_);
            }
        }
        submitted_ += round.map.size() + round.single.size() + 2 * round.gangs.size();
        return round;
    }

    void
    add(Round& round, std::string what, muster::Future<std::uint64_t> future, std::uint64_t value) {
        round.single.push_back({std::move(future), value, std::move(what)});
    }

    void check(Round& round) {
        std::vector<int> seen(map_count);
        for (auto& future : muster::as_completed(round.map)) {
            guarded("a task of the map", [&] {
                const Numbered result = future.get();
                const std::uint64_t place = result.number - round.first;
                if (place >= seen.size() || result.value != mix(result.number)) {
                    complain("a task of the map gave a wrong value");
                    ++wrong_;
                } else if (seen[place]++ > 0) {
                    complain("a task of the map was delivered twice");
                    ++twice_;
                }
            });
        }
        for (auto& [future, value, what] : round.single) {
            expect(what, future, value);
        }
        for (auto& [future, member_sum] : round.gangs) {
            guarded("a gang", [&, sum = member_sum] {
                const auto results = future.get();
                if (results.size() != 2 || results[0] != results[1] || results[0] != sum) {
                    complain("a gang gave a wrong value");
                    ++wrong_;
                }
            });
            ++checked_;
        }
    }

    void expect(const std::string& what,
                const muster::Future<std::uint64_t>& future,
                std::uint64_t value) {
        guarded(what, [&] {
            if (const std::uint64_t got = future.get(); got != value) {
                complain(what + " gave " + std::to_string(got) + ", not " + std::to_string(value));
                ++wrong_;
            }
        });
    }

    template <class Check>
    void guarded(const std::string& what, Check&& check) {
        ++checked_;
        try {
            check();
        } catch (const muster::Error& error) {
            complain(what + " is lost: " + error.what());
            ++lost_;
        }
    }

    void complain(const std::string& text) {
        if (++complaints_ <= 5) {
            std::cerr << "chaos: " << text << std::endl;
        }
    }

    std::uint64_t wanted_;
    std::set<std::string> kinds_;
    muster::Random random_;
    std::uint64_t round_ = 0;
    std::uint64_t submitted_ = 0;
    std::deque<std::pair<std::uint64_t, muster::Future<std::vector<std::uint64_t>>>> large_;
    muster::ActorHandle<Counter> counter_;
    std::uint64_t count_ = 0;

    std::uint64_t checked_ = 0;
    std::uint64_t wrong_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t twice_ = 0;
    int complaints_ = 0;
};

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        if (argc < 4) {
            throw muster::UsageError("usage: chaos <results> <seed> <kind>...");
        }
        return Driver(std::stoull(argv[1]),
                      std::stoull(argv[2]),
                      std::set<std::string>(argv + 3, argv + argc))
            .run();
    });
}
