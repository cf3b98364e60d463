#include "body.hpp"

#include <string>

namespace muster::test {
namespace {

int fibonacci(int n) {
    if (n < 2) {
        return n;
    }
    auto a = task<&fibonacci>(n - 1);
    auto b = task<&fibonacci>(n - 2);
    return a.get() + b.get();
}

int depth(int levels) {
    return levels == 0 ? 0
                       : 1 + task<&depth>.with({.placement = rank_at(levels)})(levels - 1).get();
}

std::vector<int> path(int levels) {
    std::vector<int> ranks{where()};
    if (levels > 0) {
        const auto rest = task<&path>.with({.placement = rank_at(where() + 1)})(levels - 1).get();
        ranks.insert(ranks.end(), rest.begin(), rest.end());
    }
    return ranks;
}

int square(int x) {
    return x * x;
}

int sum_of_squares(int count) {
    std::vector<int> numbers;
    for (int i = 0; i < count; ++i) {
        numbers.push_back(i);
    }
    auto squares = map<&square>(numbers);
    int sum = 0;
    for (auto& value : as_completed(squares)) {
        sum += value.get();
    }
    const auto [done, pending] = wait(squares);
    return pending.empty() && done.size() == numbers.size() ? sum : -1;
}

int wait_for_both(int value) {
    auto a = task<&square>.with({.cpus = 2})(value);
    auto b = task<&square>.with({.cpus = 2})(value);
    return a.get() + b.get();
}

} // namespace

MUSTER_BODY(TasksSubmitTasksAndWaitForThem) {
    EXPECT_EQ(task<&fibonacci>(11).get(), 89);
}

MUSTER_BODY(WaitingTasksMayBeMoreThanTheCpus) {
    EXPECT_EQ(task<&depth>(60).get(), 60);
    std::vector<Future<int>> many;
    for (int i = 0; i < 8; ++i) {
        many.push_back(task<&depth>.with({.placement = rank_at(i)})(12));
    }
    for (auto& value : many) {
        EXPECT_EQ(value.get(), 12);
    }
}

MUSTER_BODY(ThreeLevelsGoRoundTheRanks) {
    const auto ranks = task<&path>.with({.placement = on_rank(0)})(3).get();
    ASSERT_EQ(ranks.size(), 4U);
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        EXPECT_EQ(ranks[i], static_cast<int>(i) % rank_count());
    }
}

MUSTER_BODY(MapAndAsCompletedWorkInsideTasks) {
    std::vector<Future<int>> sums;
    for (int i = 0; i < 6; ++i) {
        sums.push_back(task<&sum_of_squares>.with({.placement = rank_at(i)})(40));
    }
    for (auto& sum : sums) {
        EXPECT_EQ(sum.get(), 39 * 40 * 79 / 6);
    }
}

MUSTER_BODY(AWaitingTaskLendsAllItsCpus) {
    std::vector<Future<int>> all;
    for (int i = 0; i < 2 * rank_count() + 2; ++i) {
        all.push_back(task<&wait_for_both>.with({.cpus = 2})(i));
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].get(), 2 * square(static_cast<int>(i)));
    }
}

} // namespace muster::test
