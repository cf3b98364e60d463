#include "transport/contract.hpp"
#include "transport/local.hpp"
#include "transport/local_world.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace muster::transport::contract {
namespace {

using Parameters = std::tuple<std::size_t, std::int32_t>; // index of the body, ranks

class LocalTransport : public testing::TestWithParam<Parameters> {};

TEST_P(LocalTransport, KeepsTheContract) {
    const auto [body, ranks] = GetParam();
    EXPECT_EQ(run_on_threads(bodies()[body], ranks), "");
}

INSTANTIATE_TEST_SUITE_P(Threads,
                         LocalTransport,
                         testing::Combine(testing::Range<std::size_t>(0, bodies().size()),
                                          testing::Values(1, 2, 3, 7)),
                         [](const testing::TestParamInfo<Parameters>& test) {
                             return fmt::format("{}On{}",
                                                bodies()[std::get<0>(test.param)].name,
                                                std::get<1>(test.param));
                         });

TEST(LocalTransport, SurvivorsOfALostRankGoOn) {
    for (const std::int32_t ranks : {1, 2, 3, 7}) {
        EXPECT_EQ(run_on_threads(lost_rank(), ranks), "") << ranks << " ranks";
    }
}

TEST(LocalWorld, ForgetsWhatIsUnderWayInBothDirections) {
    auto endpoints = make_local_world(2);
    Transport& self = *endpoints[0];
    std::array<std::byte, 3> memory{};
    self.send_bulk(Rank{1}, 1, {});
    self.receive_bulk(Rank{1}, 2, memory);
    endpoints[1]->send(Rank{0}, memory);
    endpoints[1]->send_bulk(Rank{0}, 3, {});
    self.forget(Rank{1});
    EXPECT_FALSE(self.sends_pending());
    self.send_bulk(Rank{1}, 4, {});
    EXPECT_FALSE(self.sends_pending());
    EXPECT_FALSE(wake_from_another_thread(self).size() > 0); // polls, and nothing is reported
}

TEST(LocalWorld, WakeEndsASleep) {
    const auto endpoints = make_local_world(1);
    EXPECT_EQ(wake_from_another_thread(*endpoints[0]), std::vector<std::string>{});
}

TEST(LocalWorld, NamesRanksAndPutsThemOnOneNode) {
    const auto endpoints = make_local_world(3);
    ASSERT_EQ(endpoints.size(), 3U);
    for (std::int32_t rank = 0; rank < 3; ++rank) {
        const World& world = endpoints[static_cast<std::size_t>(rank)]->world();
        EXPECT_EQ(world.rank, Rank{rank});
        EXPECT_EQ(world.size, 3);
        EXPECT_EQ(world.node_of, std::vector<NodeId>(3, NodeId{0}));
        EXPECT_EQ(world.host_of.size(), 3U);
    }
}

TEST(LocalWorld, DropsWhatIsSentToAClosedRank) {
    auto endpoints = make_local_world(2);
    endpoints[1]->close(false);
    endpoints[1].reset();
    endpoints[0]->send(Rank{1}, std::array<std::byte, 3>{});
    endpoints[0]->send_bulk(Rank{1}, 1, {});
    EXPECT_TRUE(endpoints[0]->sends_pending());
    endpoints[0]->close(false);
}

} // namespace
} // namespace muster::transport::contract
