#include "cluster.hpp"

#include <gtest/gtest.h>

namespace muster::sched {
namespace {

using testing::cpu_class;

wire::TaskClass actor_class(std::uint32_t function, Amount cpus) {
    auto task_class = cpu_class(function, cpus);
    task_class.actor = true;
    return task_class;
}

TEST(SchedulerWithActors, LeasesNoneAhead) {
    Cluster cluster({cpus(2)});
    cluster.submit(actor_class(1, 1), 5);
    EXPECT_EQ(by_rank(cluster.dispatch()).at(Rank{0}), 2U);
}

TEST(SchedulerWithActors, PutsAnyNumberThatTakesNothingOnARank) {
    Cluster cluster({cpus(1), cpus(1)});
    cluster.submit(actor_class(1, 0), 2000);
    const auto counts = by_rank(cluster.dispatch());
    EXPECT_EQ(counts.at(Rank{0}), 1000U);
    EXPECT_EQ(counts.at(Rank{1}), 1000U);
}

TEST(SchedulerWithActors, ReservesNoRankThatHostsAnActor) {
    Cluster cluster({cpus(2)});
    cluster.submit(actor_class(1, 1), 1);
    const auto lives = cluster.dispatch();
    ASSERT_EQ(lives.size(), 1U);
    cluster.submit(actor_class(2, 2), 1); // waits for as long as the other lives
    EXPECT_TRUE(cluster.dispatch().empty());
    cluster.submit(cpu_class(3), 1); // whoever has the handle may wait for this one
    EXPECT_EQ(cluster.dispatch().size(), 1U);
    cluster.finish(lives.front());
}

} // namespace
} // namespace muster::sched
