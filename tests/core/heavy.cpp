#include "suspending.hpp"

#include <fstream>
#include <ranges>
#include <string>

/// Bodies that take seconds or gigabytes: a program of their own.
namespace muster::test {
namespace {

int add_one(int x) {
    return x + 1;
}

int spawn_more(int count) {
    int done = 0;
    for (int i = 0; i < count; ++i) {
        done += task<&add_one>(i).get() == i + 1 ? 1 : 0;
    }
    return done;
}

std::vector<std::uint64_t> made_of(std::size_t count) {
    std::vector<std::uint64_t> values(count);
    for (std::size_t i = 0; i < count; ++i) {
        values[i] = i * 7;
    }
    return values;
}

bool is_made_of(const std::vector<std::uint64_t>& values, std::size_t count) {
    bool right = values.size() == count;
    for (std::size_t i = 0; i < values.size(); ++i) {
        right = right && values[i] == i * 7;
    }
    return right;
}

std::size_t free_kibibytes() {
    std::ifstream file("/proc/meminfo");
    std::string key;
    std::size_t value = 0;
    std::string rest;
    while (file >> key >> value && key != "MemAvailable:") {
        std::getline(file, rest);
    }
    return value;
}

} // namespace

MUSTER_BODY(TenThousandSuspendedTasksHoldNoThread) {
    expect_no_thread_for_each_of(10'000);
}

MUSTER_BODY(TwoHundredThousandTasksOneByOneWhileTasksSubmitTasks) {
    constexpr int count = 200'000;
    std::vector<Future<int>> spawners;
    for (int i = 0; i < 2 * rank_count(); ++i) {
        spawners.push_back(task<&spawn_more>.with({.placement = rank_at(i)})(500));
    }
    std::vector<Future<int>> futures;
    futures.reserve(count);
    for (int i = 0; i < count; ++i) {
        futures.push_back(task<&add_one>(i));
    }
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(futures[static_cast<std::size_t>(i)].get(), i + 1);
    }
    for (auto& spawner : spawners) {
        EXPECT_EQ(spawner.get(), 500);
    }
}

MUSTER_BODY(AMapOfAHundredThousand) {
    auto futures = map<&add_one>(std::views::iota(0, 100'000));
    std::int64_t sum = 0;
    for (auto& future : as_completed(futures)) {
        sum += future.get();
    }
    EXPECT_EQ(sum, std::int64_t{100'000} * 100'001 / 2);
}

MUSTER_BODY(AValueOfMoreThanTwoGibibytesTravels) {
    constexpr std::size_t count = (std::size_t{1} << 28) + 12'345; // 2 GiB and a little
    // The vector, its encoding, the copy that travels, and the vector made of it.
    constexpr std::size_t needed_kibibytes = std::size_t{12} << 20;
    if (free_kibibytes() < needed_kibibytes) {
        GTEST_SKIP() << "needs 12 GiB of free memory, there are " << (free_kibibytes() >> 20);
    }
    if (rank_count() > 2) {
        GTEST_SKIP() << "moves gigabytes: on one and two ranks only";
    }
    auto big = task<&made_of>.with({.placement = rank_at(1)})(count);
    EXPECT_TRUE(task<&is_made_of>.with({.placement = on_rank(0)})(big, count).get());
}

MUSTER_BODY(AHundredMebibytesGoToAnIsolatedTaskAndBack) {
    constexpr std::size_t count = (std::size_t{100} << 20) / sizeof(std::uint64_t);
    const TaskOptions options{.placement = rank_at(1), .isolate = true};
    const auto big = task<&made_of>.with(options)(count);
    EXPECT_TRUE(task<&is_made_of>.with(options)(big, count).get());
    EXPECT_TRUE(task<&is_made_of>.with(options)(put(made_of(count)), count).get());
    EXPECT_EQ(big.get(), made_of(count));
}

} // namespace muster::test
