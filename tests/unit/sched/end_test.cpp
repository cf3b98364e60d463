#include "cluster.hpp"

namespace muster::sched {
namespace {

using testing::cpu_class;
using testing::sent;

TEST(Scheduler, ThatDrainsGrantsNothing) {
    Cluster cluster({cpus(1)});
    cluster.submit(cpu_class(1), 1);
    ASSERT_EQ(cluster.dispatch().size(), 1U);
    cluster->drain();
    cluster.submit(cpu_class(1), 5);
    cluster.submit(cpu_class(2, 0), 5);
    EXPECT_TRUE(cluster.dispatch().empty());
    EXPECT_TRUE(cluster->describe().draining);
}

TEST(Scheduler, ThatHaltsGivesWhatIsReadyBackToItsOwners) {
    Cluster cluster({cpus(1), cpus(1)});
    const auto running = cluster.submit(cpu_class(1), 1);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 1U);
    cluster->drain();
    const auto first = cluster.submit(cpu_class(1, 2), 5);
    const auto second = cluster.submit(cpu_class(2), 3);
    cluster->on_submit({cpu_class(3), {{make_object_id(Rank{1}, 1), 4}}});
    cluster->halt();
    wire::Actions actions;
    cluster->dispatch(actions);
    cluster->check_invariants();
    const auto given_up = sent<wire::NotStarted>(actions);
    ASSERT_EQ(given_up.size(), 2U);
    EXPECT_EQ(given_up[0].first, Rank{0});
    EXPECT_EQ(given_up[0].second.ranges, (std::vector{first, second}));
    EXPECT_EQ(given_up[1].first, Rank{1});
    EXPECT_EQ(given_up[1].second.ranges.at(0).count, 4U);

    // What comes later goes the same way; what runs is waited for.
    cluster.submit(cpu_class(1), 1);
    cluster->on_returned(Rank{0}, {cpu_class(1), {{grants[0].lease, running.first}}});
    actions.clear();
    cluster->dispatch(actions);
    ASSERT_EQ(sent<wire::NotStarted>(actions).size(), 1U);
    EXPECT_TRUE(sent<wire::Grant>(actions).empty());
    EXPECT_TRUE(cluster->idle());
}

TEST(Scheduler, SaysWhatWaitsForRoom) {
    Cluster cluster({cpus(4), cpus(8)});
    auto gang = cpu_class(7, 4);
    gang.ranks = 2;
    cluster.submit(cpu_class(1, 6), 1);
    ASSERT_EQ(cluster.dispatch().size(), 1U); // on rank 1
    const auto large = cluster.submit(cpu_class(2, 8, 1), 3);
    cluster.submit(gang, 2);
    auto bound = cpu_class(3, 3);
    bound.placement = on_rank(1);
    cluster.submit(bound, 1);
    EXPECT_TRUE(cluster.dispatch().empty());
    const auto status = cluster->describe();
    EXPECT_FALSE(status.draining);
    EXPECT_EQ(status.classes, 3U);
    ASSERT_EQ(status.queued.size(), 3U);
    EXPECT_EQ(status.queued[0].function, FunctionId{2}); // its priority is higher
    EXPECT_EQ(status.queued[0].tasks, 3U);
    EXPECT_EQ(status.queued[0].oldest, large.first);
    EXPECT_EQ(status.queued[0].ranks_eligible, 1);
    EXPECT_EQ(status.queued[0].ranks_with_room, 0);
    EXPECT_EQ(status.queued[0].most_free, Rank{1});
    EXPECT_EQ(status.queued[0].free.cpus, Amount{2});
    EXPECT_EQ(status.queued[1].members, 2);
    EXPECT_EQ(status.queued[1].tasks, 1U);
    EXPECT_EQ(status.queued[1].ranks_with_room, 1);
    EXPECT_EQ(status.queued[1].ranks_eligible, 2);
    EXPECT_EQ(status.queued[2].most_free, Rank{1});
    EXPECT_EQ(status.queued[2].ranks_eligible, 1);
}

} // namespace
} // namespace muster::sched
