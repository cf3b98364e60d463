#include "cluster.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace muster::sched {
namespace {

using testing::cpu_class;
using testing::sent;
using namespace std::chrono_literals;

TEST(Scheduler, TellsEveryRankWhenTheLastOneHasRegistered) {
    Scheduler scheduler({.self = Rank{0}, .term = Term{1}, .world_size = 3});
    wire::Actions actions;
    scheduler.on_register(Rank{0}, {NodeId{0}, "a", cpus(2)}, actions);
    scheduler.on_register(Rank{2}, {NodeId{1}, "b", cpus(4)}, actions);
    EXPECT_TRUE(actions.empty());
    EXPECT_EQ(scheduler.missing_registrations(8), std::vector{Rank{1}});
    scheduler.on_register(Rank{1}, {NodeId{0}, "a", cpus(2)}, actions);
    const auto formed = sent<wire::ClusterFormed>(actions);
    ASSERT_EQ(formed.size(), 3U);
    EXPECT_EQ(formed[0].second.nodes, 2);
    ASSERT_EQ(formed[0].second.capacities.size(), 2U);
    EXPECT_EQ(formed[0].second.capacities[0].ranks, 2);
    EXPECT_EQ(formed[0].second.capacities[1].host, "b");
    EXPECT_EQ(formed[0].second.alike, (std::vector<wire::AlikeRanks>{{2, 0}, {1, 1}}));
}

TEST(Scheduler, GrantsOneTaskPerSlotAndOneAheadWhileTimesAreUnknown) {
    Cluster cluster({cpus(2), cpus(2)});
    cluster.submit(cpu_class(1), 100);
    const auto counts = by_rank(cluster.dispatch());
    EXPECT_EQ(counts.at(Rank{0}), 4U);
    EXPECT_EQ(counts.at(Rank{1}), 4U);
    EXPECT_TRUE(cluster.dispatch().empty());
}

TEST(Scheduler, LeasesMoreAheadTheShorterTasksAre) {
    Cluster cluster({cpus(1)});
    cluster.submit(cpu_class(1), 100'000);
    const auto first = cluster.dispatch();
    ASSERT_FALSE(first.empty());
    cluster.finish(first.front(), 1, 10us);
    const auto more = by_rank(cluster.dispatch());
    EXPECT_NEAR(static_cast<double>(more.at(Rank{0})), 4ms / 10us, 5.0);
}

TEST(Scheduler, HandsOutTheLastTasksEvenly) {
    Cluster cluster({cpus(1), cpus(1), cpus(1), cpus(1)});
    cluster.submit(cpu_class(1), 4);
    for (const auto& grant : cluster.dispatch()) {
        cluster.finish(grant, 1, 1us);
    }
    cluster.submit(cpu_class(1), 40);
    for (const auto& [rank, count] : by_rank(cluster.dispatch())) {
        EXPECT_LE(count, 10U) << to_string(rank);
    }
}

TEST(Scheduler, GoesByPriorityThenDepthThenAge) {
    Cluster cluster({cpus(1)});
    const auto old = cluster.submit(cpu_class(1), 1);
    const auto young = cluster.submit(cpu_class(2), 1);
    const auto deep = cluster.submit(cpu_class(3, 1, 0, 2), 1);
    const auto urgent = cluster.submit(cpu_class(4, 1, 1), 1);
    std::vector<wire::Range> order;
    for (int i = 0; i < 4; ++i) {
        const auto grants = cluster.dispatch();
        ASSERT_EQ(grants.size(), 1U);
        order.push_back(grants[0].range);
        cluster.finish(grants[0]);
    }
    EXPECT_EQ(order, (std::vector{urgent, deep, old, young}));
    EXPECT_TRUE(cluster->idle());
}

TEST(Scheduler, LeasesNothingAheadWhereAClassThatGoesFirstWaits) {
    Cluster cluster({cpus(4), cpus(4)});
    cluster.submit(cpu_class(1, 3), 6); // two run, two are ahead, two wait
    cluster.submit(cpu_class(2, 1), 10);
    std::uint64_t small = 0;
    for (const auto& grant : cluster.dispatch()) {
        small += sequence_of(grant.range.first) > 6 ? grant.range.count : 0;
    }
    EXPECT_EQ(small, 1U); // a slot on the rank that is not reserved, and nothing ahead
}

TEST(Scheduler, ReservesARankForADemandThatFitsNowhereYet) {
    Cluster cluster({cpus(4), cpus(4)});
    cluster.submit(cpu_class(1, 3), 2);
    const auto running = cluster.dispatch();
    ASSERT_EQ(by_rank(running).size(), 2U);
    cluster.submit(cpu_class(2, 4, 1), 1);
    cluster.submit(cpu_class(3, 1), 100);
    // One rank is kept free for the large one; on the other the small ones use what is left.
    const auto small = by_rank(cluster.dispatch());
    ASSERT_EQ(small.size(), 1U);
    cluster.finish(running[0]);
    cluster.finish(running[1]);
    const auto large = cluster.dispatch();
    ASSERT_FALSE(large.empty());
    EXPECT_NE(large[0].worker, small.begin()->first);
}

TEST(Scheduler, DoesNotReserveARankWhereATaskIsBlocked) {
    Cluster cluster({gpus(4, 1)});
    auto wants_gpu = cpu_class(1, 1, 1);
    wants_gpu.demand.gpus = 1;
    cluster.submit(wants_gpu, 2);
    const auto running = cluster.dispatch();
    ASSERT_EQ(running.size(), 1U);
    cluster.submit(cpu_class(2), 1); // say, what the running one waits for
    EXPECT_TRUE(cluster.dispatch().empty());
    cluster.lend(running[0]);
    EXPECT_EQ(cluster.dispatch().size(), 1U);
}

TEST(Scheduler, CpusLentAreUsedAndTakenBack) {
    Cluster cluster({cpus(1)});
    cluster.submit(cpu_class(1), 1);
    const auto parent = cluster.dispatch();
    cluster.submit(cpu_class(2, 1, 0, 1), 1);
    EXPECT_TRUE(cluster.dispatch().empty());
    cluster.lend(parent[0]);
    const auto child = cluster.dispatch();
    ASSERT_EQ(child.size(), 1U);
    cluster.lend(parent[0], true); // resumed while the child still runs: the rank is over its CPUs
    cluster.finish(child[0]);
    cluster.finish(parent[0]);
    EXPECT_TRUE(cluster->idle());
}

TEST(Scheduler, ChargesATaskAheadThatStartedOnALentCpuAndLendsIt) {
    Cluster cluster({cpus(1)});
    cluster.submit(cpu_class(1), 2);
    const auto grants = cluster.dispatch(); // one slot, one ahead
    ASSERT_EQ(grants.size(), 2U);
    cluster.lend(grants[0]);
    cluster.lend(grants[1]);
    // Both wait; still only one CPU is there for others.
    cluster.submit(cpu_class(2, 1, 0, 1), 5);
    const auto children = cluster.dispatch();
    EXPECT_EQ(by_rank(children).at(Rank{0}), 2U); // one and one ahead
    cluster.finish(children[0]);
}

TEST(Scheduler, SuspendedTasksDoNotCountAmongTheSlotsOfAClass) {
    const std::int64_t slots_max = Scheduler::Config{}.slots_per_class_and_rank_max;
    for (const bool suspended : {false, true}) {
        Cluster cluster({{1, {}, 1'000'000, {}}});
        auto holds_memory = cpu_class(1);
        holds_memory.demand.memory = 1;
        cluster.submit(holds_memory, static_cast<std::uint64_t>(slots_max) + 2);
        std::int64_t waiting = 0;
        std::optional<wire::Grant> last;
        for (auto grants = cluster.dispatch(); !grants.empty(); grants = cluster.dispatch()) {
            ASSERT_EQ(grants.size(), 1U); // the rank has one CPU, which each of them lends
            last = grants[0];
            cluster.lend(*last, false, suspended);
            ++waiting;
        }
        EXPECT_EQ(waiting, suspended ? slots_max + 2 : slots_max);
        cluster.lend(*last, true, suspended);
        cluster.finish(*last);
        EXPECT_EQ(cluster.dispatch().size(), suspended ? 0U : 1U);
    }
}

TEST(Scheduler, LeasesNothingAheadThatHoldsMoreThanCpus) {
    Cluster cluster({gpus(4, 2)});
    auto wants_gpu = cpu_class(1);
    wants_gpu.demand.gpus = 1;
    cluster.submit(wants_gpu, 10);
    EXPECT_EQ(by_rank(cluster.dispatch()).at(Rank{0}), 2U);
}

TEST(Scheduler, IgnoresReportsOfLeasesItDoesNotKnow) {
    Cluster cluster({cpus(1)});
    cluster->on_progress({{{make_lease_id(Term{1}, 99), 1, 1ms}}});
    cluster->on_lent({make_lease_id(Term{1}, 99), false});
    cluster->on_returned(Rank{0}, {cpu_class(1), {{make_lease_id(Term{1}, 99), TaskId{5}}}});
    cluster->check_invariants();
    EXPECT_TRUE(cluster.dispatch().empty());
}

TEST(Scheduler, DeclinedTasksFreeTheirSlots) {
    Cluster cluster({cpus(1)});
    cluster.submit(cpu_class(1), 1);
    const auto grants = cluster.dispatch();
    cluster->on_progress({{{grants[0].lease, 1, Duration{}}}});
    EXPECT_TRUE(cluster->idle());
}

} // namespace
} // namespace muster::sched
