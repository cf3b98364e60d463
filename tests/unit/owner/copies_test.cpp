// Where ranks fetch a value that many of them need.

#include "owner/copies.hpp"

#include <gtest/gtest.h>

#include <map>

namespace muster::owner {
namespace {

std::vector<NodeId> nodes_of(std::int32_t ranks, std::int32_t ranks_per_node) {
    std::vector<NodeId> nodes;
    for (std::int32_t rank = 0; rank < ranks; ++rank) {
        nodes.push_back(NodeId{rank / ranks_per_node});
    }
    return nodes;
}

TEST(Copies, NodesFormATreeWithTwoBelowEach) {
    constexpr std::int32_t ranks = 1000;
    const auto nodes = nodes_of(ranks, 1);
    Copies copies;
    std::map<Rank, int> below;
    std::map<Rank, int> depth{{Rank{0}, 0}};
    for (std::int32_t rank = 1; rank < ranks; ++rank) {
        copies.add(Rank{rank}, nodes);
        const Rank source = copies.source(Rank{rank}, Rank{0}, nodes);
        ASSERT_TRUE(depth.contains(source)) << rank << " would wait for a later one";
        depth[Rank{rank}] = depth[source] + 1;
        ++below[source];
        EXPECT_LE(below[source], 2);
        EXPECT_LE(depth[Rank{rank}], 9);
    }
    EXPECT_EQ(copies.ranks().size(), 999U);
}

TEST(Copies, ANodeFetchesOnce) {
    const auto nodes = nodes_of(32, 8);
    Copies copies;
    const Rank holder{3};
    for (const std::int32_t rank : {9, 30, 1, 8, 31, 17, 0, 16, 24, 15}) {
        copies.add(Rank{rank}, nodes);
    }
    const auto source = [&](std::int32_t rank) {
        return index(copies.source(Rank{rank}, holder, nodes));
    };
    EXPECT_EQ(source(1), 3);
    EXPECT_EQ(source(0), 3);
    EXPECT_EQ(source(9), 3);
    EXPECT_EQ(source(8), 9);
    EXPECT_EQ(source(15), 9);
    EXPECT_EQ(source(30), 3);
    EXPECT_EQ(source(31), 30);
    EXPECT_EQ(source(24), 30);
    EXPECT_EQ(source(17), 9);
    EXPECT_EQ(source(16), 17);
}

TEST(Copies, LostRanksAreNotAsked) {
    const auto nodes = nodes_of(12, 2);
    Copies copies;
    for (std::int32_t rank = 2; rank < 12; ++rank) {
        copies.add(Rank{rank}, nodes);
    }
    copies.remove(Rank{2});
    for (std::int32_t rank = 3; rank < 12; ++rank) {
        const Rank source = copies.source(Rank{rank}, Rank{0}, nodes);
        EXPECT_NE(source, Rank{2}) << rank;
        EXPECT_LT(index(source), rank);
    }
    EXPECT_FALSE(copies.ranks().contains(Rank{2}));
}

TEST(Copies, WithoutNodesEachRankIsOne) {
    Copies copies;
    for (std::int32_t rank = 1; rank < 5; ++rank) {
        copies.add(Rank{rank}, {});
    }
    EXPECT_EQ(copies.source(Rank{1}, Rank{0}, {}), Rank{0});
    EXPECT_EQ(copies.source(Rank{2}, Rank{0}, {}), Rank{0});
    EXPECT_EQ(copies.source(Rank{3}, Rank{0}, {}), Rank{1});
    EXPECT_EQ(copies.source(Rank{4}, Rank{0}, {}), Rank{1});
}

} // namespace
} // namespace muster::owner
