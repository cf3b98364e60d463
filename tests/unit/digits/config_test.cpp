#include "digits_sweep/config.hpp"

#include <gtest/gtest.h>

#include <set>

namespace digits {
namespace {

TEST(SampleConfig, DrawsFromTheWholeSpaceAndNotOutsideIt) {
    std::set<int> batch_sizes;
    std::set<int> layers;
    std::set<int> widths;
    int below_geometric_mean = 0;
    constexpr int draws = 400;
    for (int id = 0; id < draws; ++id) {
        const TrialConfig config = sample_config(3, id);
        EXPECT_EQ(config.id, id);
        EXPECT_GE(config.learning_rate, 1e-4);
        EXPECT_LT(config.learning_rate, 1e-1);
        below_geometric_mean += config.learning_rate < 3.162e-3 ? 1 : 0;
        batch_sizes.insert(config.batch_size);
        layers.insert(config.layers);
        widths.insert(config.width);
    }
    EXPECT_EQ(batch_sizes, (std::set{32, 64, 128}));
    EXPECT_EQ(layers, (std::set{1, 2, 3}));
    EXPECT_EQ(widths, (std::set{64, 128, 256}));
    // Log-uniform: half of the draws, with a deviation of sqrt(400) / 2 = 10; five of them.
    EXPECT_NEAR(below_geometric_mean, draws / 2, 50);
}

TEST(SampleConfig, DependsOnSeedAndIdOnly) {
    EXPECT_EQ(sample_config(1, 5).learning_rate, sample_config(1, 5).learning_rate);
    EXPECT_EQ(sample_config(1, 5).seed, sample_config(1, 5).seed);
    EXPECT_NE(sample_config(1, 5).learning_rate, sample_config(1, 6).learning_rate);
    EXPECT_NE(sample_config(1, 5).learning_rate, sample_config(2, 5).learning_rate);
}

TEST(ParameterCount, CountsWeightsAndBiasesOfEveryLayer) {
    EXPECT_EQ(parameter_count({.layers = 1, .width = 64}), 785U * 64 + 65 * 10);
    EXPECT_EQ(parameter_count({.layers = 3, .width = 128}), 785U * 128 + 2 * 129 * 128 + 129 * 10);
}

} // namespace
} // namespace digits
