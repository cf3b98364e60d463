#include "transport/contract.hpp"
#include "transport/sim_world.hpp"

#include <gtest/gtest.h>

namespace muster::transport::contract {
namespace {

using Parameters = std::tuple<std::size_t, std::int32_t>; // index of the body, ranks

class SimulatedTransport : public testing::TestWithParam<Parameters> {};

TEST_P(SimulatedTransport, KeepsTheContract) {
    const auto [body, ranks] = GetParam();
    EXPECT_EQ(run_in_simulation(bodies()[body], ranks, 1), "");
}

INSTANTIATE_TEST_SUITE_P(Simulation,
                         SimulatedTransport,
                         testing::Combine(testing::Range<std::size_t>(0, bodies().size()),
                                          testing::Values(1, 2, 3, 7)),
                         [](const testing::TestParamInfo<Parameters>& test) {
                             return fmt::format("{}On{}",
                                                bodies()[std::get<0>(test.param)].name,
                                                std::get<1>(test.param));
                         });

TEST(SimulatedTransportLoss, SurvivorsOfALostRankGoOn) {
    for (const std::int32_t ranks : {1, 2, 3, 7}) {
        EXPECT_EQ(run_in_simulation(lost_rank(), ranks, 1), "") << ranks << " ranks";
    }
}

} // namespace
} // namespace muster::transport::contract
