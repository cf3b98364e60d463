#include "cluster.hpp"

#include <gtest/gtest.h>

#include <string>

namespace muster::sched {
namespace {

/// A table of ranks, and what a gang wants of it.
struct Case {
    const char* name;
    std::vector<std::pair<int, Amount>> ranks; ///< Node and free CPUs of each.
    std::int32_t members = 0;
    Amount cpus = 1;
    bool distinct = true;
    std::vector<std::int32_t> expected;
    Placement placement{};
    std::vector<int> busy{};
    std::vector<int> reserved{};
};

class PickGang : public ::testing::TestWithParam<Case> {};

TEST_P(PickGang, SeatsMembers) {
    const Case& c = GetParam();
    RankTable table(static_cast<std::int32_t>(c.ranks.size()));
    for (std::int32_t r = 0; r < table.size(); ++r) {
        const auto& [node, free] = c.ranks[static_cast<std::size_t>(r)];
        table.insert(Rank{r}, NodeId{node}, cpus(8)); // what is free may be less
        table.charge(Rank{r}, cpus(8 - free), 1);
    }
    const std::vector<Usage> usage(c.ranks.size());
    std::vector<bool> reserved(c.ranks.size());
    std::vector<bool> busy(c.ranks.size());
    for (const int r : c.reserved) {
        reserved[static_cast<std::size_t>(r)] = true;
    }
    for (const int r : c.busy) {
        busy[static_cast<std::size_t>(r)] = true;
    }
    const Resources demand = cpus(c.cpus);
    const PlacementView view{table, usage, demand, c.placement, 256, reserved};
    std::vector<std::int32_t> picked;
    for (const Rank rank : pick_gang(view, c.members, c.distinct, busy)) {
        picked.push_back(index(rank));
    }
    EXPECT_EQ(picked, c.expected);
}

using Ranks = std::vector<std::pair<int, Amount>>;
using None = std::vector<std::int32_t>;

const Ranks one_node{{0, 2}, {0, 2}, {0, 2}, {0, 2}};
const Ranks two_nodes{{0, 2}, {0, 2}, {0, 2}, {1, 2}, {1, 2}};

INSTANTIATE_TEST_SUITE_P(
    Gangs,
    PickGang,
    ::testing::Values(
        Case{"EachOnARankOfItsOwn", one_node, 3, 1, true, {0, 1, 2}},
        Case{"AllRanks", one_node, 4, 2, true, {0, 1, 2, 3}},
        Case{"MoreThanThereAreRanks", one_node, 5, 1, true, None{}},
        Case{"MoreThanAnyRankHas", one_node, 1, 3, true, None{}},
        Case{"TheNodeThatHoldsAllAndHasLeastRoom", two_nodes, 2, 1, true, {3, 4}},
        Case{"TheOnlyNodeThatHoldsAll", two_nodes, 3, 1, true, {0, 1, 2}},
        Case{"TwoNodesIfOneIsNotEnough", two_nodes, 4, 1, true, {0, 1, 2, 3}},
        Case{"AsFewNodesAsPossible",
             {{0, 1}, {1, 1}, {1, 1}, {1, 1}, {2, 1}, {2, 1}},
             5,
             1,
             true,
             {1, 2, 3, 4, 5}},
        Case{"MembersOfANodeNextToOneAnother",
             {{0, 1}, {1, 1}, {0, 1}, {1, 1}},
             4,
             1,
             true,
             {0, 2, 1, 3}},
        Case{"TheFreestRanksOfANodeInOrder", {{0, 1}, {0, 3}, {0, 2}, {0, 3}}, 2, 1, true, {1, 3}},
        Case{"RanksThatAreFull", {{0, 0}, {0, 1}, {0, 0}, {0, 1}}, 2, 1, true, {1, 3}},
        Case{"BusyRanksAreLeftOut", one_node, 2, 1, true, {2, 3}, {}, {0, 1}},
        Case{"TooManyAreBusy", one_node, 2, 1, true, None{}, {}, {0, 1, 2}},
        Case{"ReservedRanksAreLeftOut", one_node, 2, 1, true, {0, 3}, {}, {}, {1, 2}},
        Case{"OnItsNode", two_nodes, 2, 1, true, {0, 1}, on_node(0)},
        Case{"NotEnoughOnItsNode", two_nodes, 3, 1, true, None{}, on_node(1)},
        Case{"OnItsRank", two_nodes, 1, 1, true, {4}, on_rank(4)},
        Case{"TwoOnOneRankAreTooMany", two_nodes, 2, 1, true, None{}, on_rank(4)},
        Case{"ThreadsOfTheOnlyRank", {{0, 2}}, 2, 1, false, {0, 0}},
        Case{"ManySmallThreads", {{0, 2}}, 8, Amount{0.25}, false, {0, 0, 0, 0, 0, 0, 0, 0}},
        Case{"MoreThreadsThanCpus", {{0, 2}}, 3, 1, false, None{}},
        Case{"ThreadsThatNeedNothing", {{0, 0}}, 3, 0, false, {0, 0, 0}},
        Case{"MoreThreadsThanSlots", {{0, 0}}, 257, 0, false, None{}}),
    [](const auto& test) { return std::string(test.param.name); });

} // namespace
} // namespace muster::sched
