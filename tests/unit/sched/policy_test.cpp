#include "cluster.hpp"

#include <gtest/gtest.h>

namespace muster::sched {
namespace {

using testing::cpu_class;

wire::TaskClass placed(Placement placement) {
    auto task_class = cpu_class(1);
    task_class.placement = placement;
    return task_class;
}

/// The rank of each slot, in the order in which they were opened.
std::vector<Rank> ranks_of(const std::vector<wire::Grant>& grants) {
    std::vector<Rank> ranks;
    for (const auto& grant : grants) {
        ranks.push_back(grant.worker);
    }
    return ranks;
}

TEST(Policy, AutomaticTakesTheRankWithMostFreeCpus) {
    Cluster cluster({cpus(1), cpus(3), cpus(2)});
    cluster.submit(placed({}), 4);
    EXPECT_EQ(ranks_of(cluster.dispatch()), (std::vector{Rank{1}, Rank{1}, Rank{2}, Rank{0}}));
}

TEST(Policy, PackFillsOneRankThenTheNextOnItsNode) {
    Cluster cluster({cpus(2), cpus(2), cpus(2), cpus(2)}, 2);
    cluster.submit(placed(pack), 4);
    EXPECT_EQ(ranks_of(cluster.dispatch()), (std::vector{Rank{0}, Rank{0}, Rank{1}, Rank{1}}));
}

TEST(Policy, SpreadTakesTheRankWithFewestOfTheKind) {
    Cluster cluster({cpus(8), cpus(2), cpus(2)});
    cluster.submit(placed(spread), 5);
    EXPECT_EQ(ranks_of(cluster.dispatch()),
              (std::vector{Rank{0}, Rank{1}, Rank{2}, Rank{0}, Rank{1}}));
}

TEST(Policy, AffinityStaysOnItsRankOrNode) {
    Cluster cluster({cpus(1), cpus(1), cpus(1), cpus(1)}, 2);
    cluster.submit(placed(on_node(1)), 2);
    EXPECT_EQ(ranks_of(cluster.dispatch()), (std::vector{Rank{2}, Rank{3}}));
    cluster.submit(placed(on_rank(1)), 1);
    EXPECT_EQ(ranks_of(cluster.dispatch()), std::vector{Rank{1}});
}

TEST(Policy, TasksThatDemandNothingAreSpread) {
    Cluster cluster({cpus(1), cpus(1)});
    cluster.submit(cpu_class(1, 0), 4);
    EXPECT_EQ(ranks_of(cluster.dispatch()), (std::vector{Rank{0}, Rank{1}, Rank{0}, Rank{1}}));
}

TEST(Policy, CustomResourcesDecideWhereATaskFits) {
    Cluster cluster({cpus(4), Resources{1, {}, {}, {{"license", 1}}}});
    auto licensed = cpu_class(1);
    licensed.demand.custom = {{"license", 1}};
    cluster.submit(licensed, 2);
    EXPECT_EQ(ranks_of(cluster.dispatch()), std::vector{Rank{1}});
}

} // namespace
} // namespace muster::sched
