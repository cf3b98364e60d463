#include "body.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace muster::test {
namespace {

int pass(int value) {
    return value;
}

std::string needs(const TaskOptions& options) {
    return thrown_by<Error>([&] { (void)task<&pass>.with(options)(1); });
}

} // namespace

MUSTER_BODY(TheClusterSaysWhatItIs) {
    const auto info = cluster();
    EXPECT_GE(info.nodes, 1);
    EXPECT_EQ(index(info.rank), 0);
    EXPECT_GE(index(info.coordinator), 0);
    EXPECT_LT(index(info.coordinator), info.ranks);
    EXPECT_FALSE(info.coordinator_reason.empty());
    EXPECT_EQ(info.capacity.cpus, Amount{2 * info.ranks});
    ASSERT_EQ(info.capacity.custom.size(), 2U);
    EXPECT_EQ(info.capacity.custom[0], (std::pair<std::string, Amount>("license", info.ranks)));
    for (int rank = 0; rank < info.ranks; ++rank) {
        EXPECT_EQ(task<&where>.with({.placement = on_rank(rank)})().get(), rank);
        const auto coordinator =
            task<[] { return index(cluster().coordinator); }>.with({.placement = on_rank(rank)})();
        EXPECT_EQ(coordinator.get(), index(info.coordinator));
    }
}

MUSTER_BODY(ThisTaskKnowsItself) {
    const auto id = task<[] { return this_task().id; }>();
    EXPECT_EQ(id.get(), id.id());
    EXPECT_EQ(task<[] { return this_task().attempt; }>().get(), 1U);
    EXPECT_FALSE(task<[] { return this_task().stop_token.stop_requested(); }>().get());
    EXPECT_TRUE(task<[] { return this_task().stop_token.stop_possible(); }>().get());
    EXPECT_EQ(thrown_by<Error>([] { (void)this_task(); }), "this_task() is called outside a task");
}

MUSTER_BODY(PlacementIsKept) {
    for (int i = 0; i < 3 * rank_count(); ++i) {
        EXPECT_EQ(task<&where>.with({.placement = rank_at(i)})().get(), i % rank_count());
    }
    for (int node = 0; node < cluster().nodes; ++node) {
        EXPECT_GE(task<&where>.with({.placement = on_node(node)})().get(), 0);
    }
}

MUSTER_BODY(SpreadUsesEveryRankAndPackOnlyWhatItNeeds) {
    std::vector<Future<int>> spread_out;
    std::vector<Future<int>> packed;
    for (int i = 0; i < rank_count(); ++i) {
        spread_out.push_back(task<&wait_for_stop>.with({.placement = spread})());
    }
    for (auto& future : spread_out) {
        // Running at the same time: each is asked to stop only when all were placed. A task that
        // did not run yet would be cancelled, so its rank is not known then.
        EXPECT_FALSE(future.ready());
    }
    for (auto& future : spread_out) {
        cancel(future);
    }
    (void)wait(spread_out);
    for (int i = 0; i < 4 * rank_count(); ++i) {
        packed.push_back(task<&where>.with({.cpus = 0.5, .placement = pack})());
    }
    for (auto& future : packed) {
        EXPECT_LT(future.get(), rank_count());
    }
}

MUSTER_BODY(FractionsOfCpusAddUp) {
    std::vector<Future<int>> futures;
    for (int i = 0; i < 40; ++i) {
        futures.push_back(task<&pass>.with({.cpus = 0.1})(i));
        futures.push_back(task<&pass>.with({.cpus = 0.3333})(i));
        futures.push_back(task<&pass>.with({.cpus = 2})(i));
        futures.push_back(task<&pass>.with({.cpus = 0})(i));
    }
    for (std::size_t i = 0; i < futures.size(); ++i) {
        EXPECT_EQ(futures[i].get(), static_cast<int>(i / 4));
    }
}

MUSTER_BODY(CustomResourcesAreCounted) {
    std::vector<Future<int>> futures;
    for (int i = 0; i < 30; ++i) {
        futures.push_back(task<&pass>.with({.resources = {{"license", 1}}})(i));
        futures.push_back(task<&pass>.with({.resources = {{"license", 0.5}, {"slot", 2}}})(i));
        futures.push_back(task<&pass>.with({.memory = 1_MiB})(i));
    }
    for (std::size_t i = 0; i < futures.size(); ++i) {
        EXPECT_EQ(futures[i].get(), static_cast<int>(i / 3));
    }
}

MUSTER_BODY(ALicenseIsHeldByOneTaskAtATime) {
    // Both of a rank's CPUs are there, but only one license: the second waits for the first.
    auto holder =
        task<&wait_for_stop>.with({.resources = {{"license", 1}}, .placement = on_rank(0)})();
    auto second = task<&where>.with({.resources = {{"license", 1}}, .placement = on_rank(0)})();
    // Of a higher priority, since a rank is kept for what waits longest.
    EXPECT_EQ(task<&where>.with({.priority = 1, .placement = on_rank(0)})().get(), 0);
    EXPECT_FALSE(second.ready());
    cancel(holder);
    EXPECT_EQ(second.get(), 0);
}

MUSTER_BODY(HigherPrioritiesRunFirst) {
    // While a gate holds the whole rank, tasks gather; then they run one by one.
    const auto place = on_rank(rank_count() - 1);
    auto gate = task<&wait_for_stop>.with({.cpus = 2, .priority = 20, .placement = place})();
    auto begin = put(0);
    std::vector<Future<std::int64_t>> times;
    const auto stamp = task<[](int /*after*/) {
        return std::int64_t{std::chrono::steady_clock::now().time_since_epoch().count()};
    }>;
    for (int priority = 0; priority < 5; ++priority) {
        times.push_back(stamp.with({.cpus = 2, .priority = priority, .placement = place})(begin));
    }
    // One that needs no CPU goes the same way: when it is back, the others are queued.
    (void)task<&where>.with({.cpus = 0, .priority = 10, .placement = place})().get();
    cancel(gate);
    for (std::size_t i = 1; i < times.size(); ++i) {
        EXPECT_GT(times[i - 1].get(), times[i].get()) << "priority " << i - 1 << " ran first";
    }
}

MUSTER_BODY(WhatNoRankHasIsRefusedAtTheCall) {
    const std::string ranks = std::to_string(rank_count() - 1);
    const auto function = std::string("task ") + needs({.cpus = 64}).substr(5);
    EXPECT_TRUE(contains(function, "needs 64 cpus: the most any rank has is 2 of cpus (rank 0 on "))
        << function;
    EXPECT_TRUE(
        contains(needs({.gpus = 0.5}), "needs 1 cpu, 0.5 gpus: the most any rank has is 0 of gpus"))
        << needs({.gpus = 0.5});
    EXPECT_TRUE(
        contains(needs({.memory = 10'000_GiB}), "9.77 TiB memory: the most any rank has is "))
        << needs({.memory = 10'000_GiB});
    EXPECT_TRUE(contains(needs({.memory = 10'000'000_GiB}), "more than any rank can have"))
        << needs({.memory = 10'000'000_GiB});
    EXPECT_TRUE(
        contains(needs({.resources = {{"license", 2}}}), "the most any rank has is 1 of license"))
        << needs({.resources = {{"license", 2}}});
    EXPECT_TRUE(contains(needs({.resources = {{"telescope", 1}}}),
                         "the most any rank has is 0 of telescope"))
        << needs({.resources = {{"telescope", 1}}});
    EXPECT_TRUE(contains(needs({.placement = on_rank(99)}),
                         "it is placed on rank 99, but there are only ranks 0 to " + ranks))
        << needs({.placement = on_rank(99)});
    EXPECT_TRUE(contains(needs({.placement = on_rank(-1)}), "it is placed on rank -1"));
    EXPECT_TRUE(contains(needs({.placement = on_node(99)}),
                         "it is placed on node 99, but there are only nodes 0 to "))
        << needs({.placement = on_node(99)});
    EXPECT_TRUE(
        contains(needs({.cpus = 3, .placement = on_rank(0)}), "the most rank 0 has is 2 of cpus"))
        << needs({.cpus = 3, .placement = on_rank(0)});
    EXPECT_TRUE(contains(needs({.cpus = -1}), "a demand cannot be negative"));
    EXPECT_TRUE(contains(needs({.resources = {{"slot", -0.5}}}), "a demand cannot be negative"));
    try {
        (void)map<&pass>(std::vector{1, 2}, {.cpus = 64});
        ADD_FAILURE() << "no exception";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::infeasible);
    }
    // In a task as in the driver.
    const auto inside = task<[] { (void)task<&pass>.with({.cpus = 64})(1); }>();
    EXPECT_TRUE(contains(thrown_by<TaskError>([&] { inside.get(); }), "needs 64 cpus"));
}

} // namespace muster::test
