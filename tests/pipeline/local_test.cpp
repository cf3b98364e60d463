#include "body.hpp"

#include <string>
#include <tuple>

namespace muster::test {
namespace {

class PipelineLocal : public testing::TestWithParam<std::tuple<int, Body>> {};

TEST_P(PipelineLocal, Body) {
    const auto& [ranks, body] = GetParam();
    set_environment();
    EXPECT_EQ(run(0, nullptr, body.run, {.local_ranks = ranks}), 0);
}

std::string name_of(const testing::TestParamInfo<std::tuple<int, Body>>& info) {
    const auto& [ranks, body] = info.param;
    return std::string(body.name) + "On" + std::to_string(ranks);
}

INSTANTIATE_TEST_SUITE_P(Pipeline,
                         PipelineLocal,
                         testing::Combine(testing::Values(1, 3), testing::ValuesIn(bodies())),
                         name_of);

} // namespace
} // namespace muster::test
