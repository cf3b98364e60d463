// counter replay|isolated|plain <save every> <kills>
//
// A driver that makes 2,000 calls of an actor and kills the actor's rank meanwhile, for
// counter_test.py. Each call adds one and returns the count, so that what every call must give is
// known: with replay its number, whatever was lost; `isolated` is with replay, too, by actors that
// have processes of their own. A task makes 500 calls as well, of a second actor, to which both
// add. Wants MUSTER_DRIVER_CPUS=0.
//
// Prints one line:
//   calls <n> value <n> right <n> wrong <n> restarted <n> missing <n> hosts <n>

#include <muster/core/muster.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int driver_calls = 2'000;
constexpr int task_calls = 500;

class Counter {
public:
    explicit Counter(std::int64_t start) : count_(start) {}

    std::int64_t add(std::int64_t by) { return count_ += by; }

    [[nodiscard]] muster::Rank rank() const { return muster::cluster().rank; }

    [[nodiscard]] std::int64_t save() const { return count_; }

    void load(std::int64_t saved) { count_ = saved; }

private:
    std::int64_t count_;
};

using Handle = muster::ActorHandle<Counter>;

std::int64_t add_many(Handle counter, int count) {
    std::vector<muster::Future<std::int64_t>> added;
    for (int i = 0; i < count; ++i) {
        added.push_back(counter.call<&Counter::add>(1));
    }
    std::int64_t done = 0;
    for (auto& one : added) {
        one.get();
        ++done;
    }
    return done;
}

struct Tally {
    int right = 0;
    int wrong = 0;
    int restarted = 0;

    void expect(const muster::Future<std::int64_t>& future, std::int64_t value) {
        try {
            (future.get() == value ? right : wrong) += 1;
        } catch (const muster::Error& error) {
            if (error.code() != muster::ErrorCode::restarted) {
                throw;
            }
            ++restarted;
        }
    }
};

void kill_rank(muster::Rank rank) {
    const auto pid = muster::task<[] { return ::getpid(); }>.with(
        {.cpus = 0, .placement = muster::on_rank(muster::index(rank))})();
    ::kill(pid.get(), SIGKILL);
}

int drive(const std::string& how, std::uint32_t save_every, int kills) {
    const bool replay = how != "plain";
    // CPUs, of which the driver's rank has none: so it hosts neither actor, and is not killed.
    const muster::ActorOptions options{.cpus = 0.1,
                                       .max_restarts = 3,
                                       .isolate = how == "isolated",
                                       .save_every = save_every,
                                       .replay = replay};
    const Handle counter = muster::spawn<Counter>(options, 0);
    const Handle both = muster::spawn<Counter>(options, 0);
    muster::Future<std::int64_t> elsewhere;
    if (replay) {
        // Another caller; on the driver's rank, which is not killed.
        elsewhere = muster::task<&add_many>.with({.cpus = 0, .placement = muster::on_rank(0)})(
            both, task_calls);
    }
    std::set<muster::Rank> hosts;
    std::vector<muster::Future<std::int64_t>> counts;
    std::vector<muster::Future<std::int64_t>> both_counts;
    const int stretch = driver_calls / (kills + 1);
    for (int i = 0; i < driver_calls; ++i) {
        if (i % stretch == 0 && i > 0 && static_cast<int>(hosts.size()) < kills) {
            const muster::Rank host = counter.call<&Counter::rank>().get();
            if (host == muster::Rank{0}) {
                throw muster::UsageError("the driver's rank hosts an actor: MUSTER_DRIVER_CPUS=0");
            }
            hosts.insert(host);
            for (int more = 0; more < 100; ++more) {
                counts.push_back(counter.call<&Counter::add>(1)); // under way when it goes
            }
            kill_rank(host);
            i += 100;
        }
        counts.push_back(counter.call<&Counter::add>(1));
        if (replay) {
            both_counts.push_back(both.call<&Counter::add>(1));
        }
    }
    Tally tally;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        tally.expect(counts[i], static_cast<std::int64_t>(i) + 1);
    }
    std::int64_t missing = 0;
    if (replay) {
        for (auto& one : both_counts) {
            one.get();
        }
        missing = static_cast<std::int64_t>(both_counts.size()) + elsewhere.get() -
                  both.call<&Counter::add>(0).get();
    }
    hosts.insert(counter.call<&Counter::rank>().get());
    std::cout << "calls " << counts.size() << " value " << counter.call<&Counter::add>(0).get()
              << " right " << tally.right << " wrong " << tally.wrong << " restarted "
              << tally.restarted << " missing " << missing << " hosts " << hosts.size()
              << std::endl;
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        if (argc != 4) {
            throw muster::UsageError("usage: counter replay|isolated|plain <save every> <kills>");
        }
        return drive(argv[1], static_cast<std::uint32_t>(std::stoul(argv[2])), std::stoi(argv[3]));
    });
}
