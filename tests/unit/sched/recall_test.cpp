#include "cluster.hpp"

#include <gtest/gtest.h>

namespace muster::sched {
namespace {

using testing::cpu_class;
using namespace std::chrono_literals;

/// Rank 0 runs one task and has one ahead; rank 1 has just become idle.
struct Lopsided {
    Cluster cluster{{cpus(1), cpus(1)}};
    std::vector<wire::Grant> busy;

    Lopsided() {
        cluster.submit(cpu_class(1), 4);
        for (const auto& grant : cluster.dispatch()) {
            if (grant.worker == Rank{1}) {
                cluster.finish(grant);
            } else {
                busy.push_back(grant);
            }
        }
        EXPECT_EQ(busy.size(), 2U);
        EXPECT_TRUE(cluster.dispatch().empty());
    }

    void give_back(const std::vector<wire::ReturnedTask>& tasks) {
        cluster->on_returned(Rank{0}, {cpu_class(1), tasks});
        cluster->check_invariants();
    }
};

TEST(Recall, AsksForTasksAheadWhenARankIsIdle) {
    Lopsided lopsided;
    const auto recalls = lopsided.cluster.recalls();
    ASSERT_EQ(recalls.size(), 1U);
    EXPECT_EQ(recalls[0].first, Rank{0});
    EXPECT_EQ(recalls[0].second.count, 1U);
    // One at a time.
    EXPECT_TRUE(lopsided.cluster.dispatch().empty());
    EXPECT_TRUE(lopsided.cluster.recalls().empty());
}

TEST(Recall, GivesWhatCameBackToTheIdleRank) {
    Lopsided lopsided;
    lopsided.give_back({{lopsided.busy[1].lease, lopsided.busy[1].range.first}});
    const auto grants = lopsided.cluster.dispatch();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].worker, Rank{1});
    EXPECT_EQ(grants[0].range, lopsided.busy[1].range);
    EXPECT_NE(grants[0].lease, lopsided.busy[1].lease);
}

TEST(Recall, DoesNotAskARankAgainThatHadNothingUntilItMakesProgress) {
    Lopsided lopsided;
    lopsided.give_back({});
    EXPECT_TRUE(lopsided.cluster.dispatch().empty());
    EXPECT_TRUE(lopsided.cluster.recalls().empty());
    // What it was asked for may come unasked, once it is there.
    lopsided.give_back({{lopsided.busy[1].lease, lopsided.busy[1].range.first}});
    EXPECT_EQ(lopsided.cluster.dispatch().size(), 1U);
}

TEST(Recall, PutsReturnedTasksBackToTheFrontInTheirOrder) {
    Cluster cluster({cpus(1)});
    const auto range = cluster.submit(cpu_class(1), 1000);
    const auto first = cluster.dispatch();
    cluster.finish(first[0], 1, 100us);
    const auto ahead = cluster.dispatch();
    ASSERT_EQ(ahead.size(), 1U);
    std::vector<wire::ReturnedTask> tasks;
    for (std::uint64_t i = ahead[0].range.count; i > 0; --i) {
        tasks.push_back({ahead[0].lease, advance(ahead[0].range.first, i - 1)});
    }
    cluster->on_returned(Rank{0}, {cpu_class(1), tasks});
    cluster->check_invariants();
    EXPECT_EQ(cluster.dispatch().at(0).range.first, ahead[0].range.first);
    EXPECT_EQ(range.count, 1000U);
}

} // namespace
} // namespace muster::sched
