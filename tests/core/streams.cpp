// Tasks that yield values, taken while they run.

#include "body.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace muster::test {
namespace {

Generator<int> count_up(int from, int to) {
    for (int i = from; i < to; ++i) {
        co_yield i;
    }
}

std::atomic<int> made{0};

int made_here() {
    return made;
}

std::array<std::atomic<int>, 8> counts; // of streams, which may be threads of one process

Generator<int> count_and_tell(int stream, int to) {
    for (int i = 0; i < to; ++i) {
        ++counts.at(static_cast<std::size_t>(stream));
        co_yield i;
    }
}

int count_of(int stream) {
    return counts.at(static_cast<std::size_t>(stream)).exchange(0);
}

Generator<std::vector<double>> rows(std::vector<double> base, const std::string& name, int count) {
    for (int i = 0; i < count; ++i) {
        base.push_back(static_cast<double>(name.size()));
        co_yield base;
    }
}

Generator<int> fail_after(int count) {
    for (int i = 0; i < count; ++i) {
        co_yield i;
    }
    throw std::out_of_range("row " + std::to_string(count));
}

Generator<int> sum_as_it_comes(std::vector<int> parts) {
    int sum = 0;
    for (const int part : parts) {
        sum += task<[](int value) { return value * 10; }>(part).get();
        co_yield sum;
    }
}

int seven() {
    return 7;
}

struct Guard {
    std::string file;

    ~Guard() {
        if (!file.empty()) {
            ++made;
        }
    }
};

Generator<int> for_ever() {
    const Guard guard{"held"};
    for (int i = 0;; ++i) {
        co_yield i;
    }
}

Coroutine<int> add_all(int to) {
    auto stream = task<&count_up>(0, to);
    int sum = 0;
    for (;;) {
        auto next = stream.take();
        const auto value = co_await next;
        if (!value) {
            break;
        }
        sum += *value;
    }
    co_return sum;
}

template <class Body>
int code_of(Body body) {
    try {
        body();
    } catch (const Error& error) {
        return static_cast<int>(error.code());
    }
    return 0;
}

} // namespace

MUSTER_BODY(AStreamGivesWhatItsTaskYieldsInOrder) {
    for (int i = 0; i < rank_count(); ++i) {
        std::vector<int> seen;
        for (const int value : task<&count_up>.with({.placement = rank_at(i)})(3, 40)) {
            seen.push_back(value);
        }
        ASSERT_EQ(seen.size(), 37U);
        EXPECT_EQ(seen.front(), 3);
        EXPECT_EQ(seen.back(), 39);
        EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    }
    auto none = task<&count_up>(5, 5);
    EXPECT_FALSE(none.next());
    EXPECT_FALSE(none.next());
    EXPECT_EQ(code_of([&] { (void)none.take(); }), static_cast<int>(ErrorCode::usage));
    EXPECT_FALSE(Stream<int>().next());
}

MUSTER_BODY(ATaskRunsAheadOfItsStreamSoFarAndNoFurther) {
    for (int i = 0; i < rank_count(); ++i) {
        const auto count = task<&count_of>.with({.cpus = 0, .placement = rank_at(i)});
        (void)count(i).get(); // of another run in this process
        auto stream =
            task<&count_and_tell>.with({.cpus = 0, .placement = rank_at(i), .ahead = 3})(i, 100);
        int made_so_far = 0;
        for (int taken = 0; taken < 10; ++taken) {
            while (made_so_far < taken + 3) {
                made_so_far += count(i).get();
            }
            for (int look = 0; look < 5; ++look) { // it has all the time in the world for more
                made_so_far += count(i).get();
            }
            EXPECT_EQ(made_so_far, taken + 3);
            EXPECT_EQ(*stream.next(), taken);
        }
    }
}

MUSTER_BODY(AStreamOfLargeValuesAndItsArguments) {
    const auto base = put(std::vector<double>(20'000, 1.5));
    int count = 0;
    for (const auto& row : task<&rows>(base, "abc", 5)) {
        ++count;
        ASSERT_EQ(row.size(), 20'000U + static_cast<std::size_t>(count));
        EXPECT_EQ(row.front(), 1.5);
        EXPECT_EQ(row.back(), 3.0);
    }
    EXPECT_EQ(count, 5);
    const auto one = task<&seven>();
    auto sums = task<&sum_as_it_comes>(std::vector{one, task<&seven>()});
    EXPECT_EQ(*sums.next(), 70);
    EXPECT_EQ(*sums.next(), 140);
    EXPECT_FALSE(sums.next());
}

MUSTER_BODY(WhatAGeneratorThrowsComesAfterItsValues) {
    auto stream = task<&fail_after>(5);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(*stream.next(), i);
    }
    try {
        (void)stream.next();
        ADD_FAILURE() << "it threw nothing";
    } catch (const TaskError& error) {
        EXPECT_NE(std::string(error.what()).find("row 5"), std::string::npos) << error.what();
    }
    EXPECT_FALSE(stream.next());
}

MUSTER_BODY(AStreamThatIsLeftEndsItsTask) {
    made = 0;
    for (int i = 0; i < 3; ++i) {
        auto stream = task<&for_ever>.with({.placement = rank_at(0)})();
        EXPECT_EQ(*stream.next(), 0);
        auto moved = std::move(stream);
        EXPECT_EQ(*moved.next(), 1);
        EXPECT_FALSE(stream.next()); // NOLINT(bugprone-use-after-move): it is empty
    }
    const auto made_there = task<&made_here>.with({.cpus = 0, .placement = rank_at(0)});
    while (made_there().get() < 3) { // also on one CPU: what it had is free again
        std::this_thread::yield();
    }
}

MUSTER_BODY(StreamsAreTakenByTasksAndCoroutinesAndManyAtOnce) {
    EXPECT_EQ(task<&add_all>(20).get(), 190);
    std::vector<Stream<int>> streams;
    for (int i = 0; i < 5; ++i) {
        streams.push_back(task<&count_up>.with({.cpus = 0})(i * 100, i * 100 + 30));
    }
    for (int k = 0; k < 30; ++k) {
        for (int i = 0; i < 5; ++i) {
            EXPECT_EQ(*streams[static_cast<std::size_t>(i)].next(), i * 100 + k);
        }
    }
    EXPECT_EQ(*task<&count_up>.with({.isolate = true})(9, 12).next(), 9);
}

MUSTER_BODY(AGeneratorRefusesOptionsThatItCannotHave) {
    for (const TaskOptions& options : {TaskOptions{.ranks = 2},
                                       TaskOptions{.timeout = std::chrono::seconds{1}},
                                       TaskOptions{.key = "k"},
                                       TaskOptions{.ahead = 0}}) {
        EXPECT_EQ(code_of([&] { (void)task<&count_up>.with(options)(0, 1); }),
                  static_cast<int>(ErrorCode::usage));
    }
}

} // namespace muster::test
