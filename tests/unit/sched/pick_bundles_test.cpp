#include "cluster.hpp"

#include <gtest/gtest.h>

#include <string>

namespace muster::sched {
namespace {

/// What ranks have room for, and what a group wants of it.
struct Case {
    const char* name;
    std::vector<std::pair<int, Amount>> ranks; ///< Node and CPUs of each.
    std::vector<Amount> bundles;
    Strategy strategy{};
    std::optional<std::vector<std::int32_t>> expected;
    std::vector<int> placed{}; ///< By bundle; -1: wants a place. Empty: all do.
    std::vector<int> excluded{};
};

class PickBundles : public ::testing::TestWithParam<Case> {};

TEST_P(PickBundles, FindsPlaces) {
    const Case& c = GetParam();
    RankTable table(static_cast<std::int32_t>(c.ranks.size()));
    std::vector<Room> room;
    for (std::int32_t r = 0; r < table.size(); ++r) {
        const auto& [node, amount] = c.ranks[static_cast<std::size_t>(r)];
        table.insert(Rank{r}, NodeId{node}, cpus(8));
        room.push_back(Room::all_of(cpus(amount)));
    }
    std::vector<bool> excluded(c.ranks.size());
    for (const int r : c.excluded) {
        excluded[static_cast<std::size_t>(r)] = true;
    }
    std::vector<Resources> bundles;
    std::vector<std::optional<Rank>> placed(c.bundles.size());
    for (std::size_t b = 0; b < c.bundles.size(); ++b) {
        bundles.push_back(cpus(c.bundles[b]));
        if (!c.placed.empty() && c.placed[b] >= 0) {
            placed[b] = Rank{c.placed[b]};
        }
    }
    const auto picked = pick_bundles({table, room, excluded, bundles, c.strategy, placed});
    std::optional<std::vector<std::int32_t>> found;
    if (picked) {
        found.emplace();
        for (const Rank rank : *picked) {
            found->push_back(index(rank));
        }
    }
    EXPECT_EQ(found, c.expected);
}

using Ranks = std::vector<std::pair<int, Amount>>;
using Found = std::vector<std::int32_t>;

const Ranks one_node{{0, 2}, {0, 2}, {0, 2}};
const Ranks two_nodes{{0, 2}, {0, 2}, {1, 2}, {1, 4}};

INSTANTIATE_TEST_SUITE_P(
    Groups,
    PickBundles,
    ::testing::Values(
        Case{"PackUsesOneNodeAndItsRanksInTurn",
             two_nodes,
             {1, 1, 1},
             Strategy::pack,
             Found{0, 1, 0}},
        Case{"PackTakesTheTightestNode", {{0, 4}, {1, 2}}, {1, 1}, Strategy::pack, Found{1, 1}},
        Case{"PackFillsUpWhereTurnsDoNotFit",
             {{0, 3}, {0, 2}},
             {2, 2, 1},
             Strategy::pack,
             Found{0, 1, 0}},
        Case{"PackOverflowsToAnotherNode",
             two_nodes,
             {4, 2, 2, 2},
             Strategy::pack,
             Found{3, 0, 1, 2}},
        Case{"PackGoesOnWhereBundlesLieAlready",
             two_nodes,
             {1, 1},
             Strategy::pack,
             Found{3, 2},
             {3, -1}},
        Case{"PackFindsNothingIfOneDoesNotFit", two_nodes, {1, 5}, Strategy::pack, std::nullopt},
        Case{"StrictPackNeedsOneNode", two_nodes, {2, 2, 2}, Strategy::strict_pack, Found{3, 2, 3}},
        Case{"StrictPackRefusesTwo", two_nodes, {4, 2, 2}, Strategy::strict_pack, std::nullopt},
        Case{"StrictPackStaysWhereItIs",
             {{0, 4}, {1, 1}, {1, 1}},
             {1, 1},
             Strategy::strict_pack,
             Found{1, 2},
             {1, -1}},
        Case{"StrictPackStaysThoughThereIsNoRoom",
             {{0, 4}, {1, 0}, {1, 0}},
             {1, 1},
             Strategy::strict_pack,
             std::nullopt,
             {1, -1}},
        Case{"SpreadUsesNodesInTurn", two_nodes, {1, 1, 1}, Strategy::spread, Found{0, 3, 1}},
        Case{"SpreadUsesRanksOfOneNode", one_node, {1, 1, 1}, Strategy::spread, Found{0, 1, 2}},
        Case{"SpreadDoublesUpWhereItMust",
             one_node,
             {1, 1, 1, 1},
             Strategy::spread,
             Found{0, 1, 2, 0}},
        Case{"SpreadLeavesOutExcludedRanks",
             one_node,
             {1, 1},
             Strategy::spread,
             Found{0, 2},
             {},
             {1}},
        Case{"StrictSpreadUsesANodeEach", two_nodes, {1, 1}, Strategy::strict_spread, Found{3, 0}},
        Case{"StrictSpreadRefusesMoreThanNodes",
             two_nodes,
             {1, 1, 1},
             Strategy::strict_spread,
             std::nullopt},
        Case{"StrictSpreadAvoidsNodesOfOthers",
             two_nodes,
             {1, 1},
             Strategy::strict_spread,
             Found{3, 0},
             {3, -1}},
        Case{"StrictSpreadMakesWayForTheLargeOne",
             {{0, 4}, {1, 2}, {2, 1}},
             {1, 2, 4},
             Strategy::strict_spread,
             Found{2, 1, 0}},
        Case{"BundlesOfNothingGoAnywhere", one_node, {0, 0}, Strategy::spread, Found{0, 1}}),
    [](const auto& one) { return std::string(one.param.name); });

// GPUs go where there are no CPUs, and the other way round: only one matching fits.
TEST(PickBundlesByMatching, FindsTheOneThatFits) {
    RankTable table(2);
    table.insert(Rank{0}, NodeId{0}, gpus(2, 1));
    table.insert(Rank{1}, NodeId{1}, gpus(1, 2));
    const std::vector<Room> room{Room::all_of(gpus(2, 1)), Room::all_of(gpus(1, 2))};
    const std::vector<bool> none(2);
    const std::vector<Resources> bundles{gpus(1, 1), gpus(2, 1)};
    const std::vector<std::optional<Rank>> placed(2);
    const auto picked = pick_bundles({table, room, none, bundles, Strategy::strict_spread, placed});
    EXPECT_EQ(picked, (std::vector<Rank>{Rank{1}, Rank{0}}));
}

// A third of each GPU is free on the first rank: together as much as the bundle wants, and of no
// use.
TEST(PickBundles, WantsGpusAndNotTheirSum) {
    RankTable table(2);
    table.insert(Rank{0}, NodeId{0}, gpus(8, 3));
    table.insert(Rank{1}, NodeId{0}, gpus(1, 1));
    std::vector<Room> room{Room::all_of(gpus(8, 3)), Room::all_of(gpus(1, 1))};
    for (int i = 0; i < 3; ++i) {
        room[0].take(gpus(0, 0.6667));
    }
    const std::vector<bool> none(2);
    const std::vector<std::optional<Rank>> placed(2);
    const std::vector<Resources> bundles{gpus(1, 0.3), gpus(1, 0.5)};
    const auto picked = pick_bundles({table, room, none, bundles, Strategy::spread, placed});
    EXPECT_EQ(picked, (std::vector<Rank>{Rank{0}, Rank{1}}));
}

} // namespace
} // namespace muster::sched
