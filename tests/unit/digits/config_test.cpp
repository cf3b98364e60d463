#include "digits_sweep/config.hpp"

#include <muster/tune/random_sampler.hpp>

#include <gtest/gtest.h>

#include <set>

namespace digits {
namespace {

TEST(SearchSpaceOfDigits, IsReadIntoTheConfigurationOfATrial) {
    const muster::tune::RandomSampler sampler(search_space(), 3);
    std::set<int> batch_sizes;
    std::set<int> layers;
    std::set<int> widths;
    std::set<std::uint64_t> seeds;
    for (std::size_t trial = 0; trial < 100; ++trial) {
        const TrialConfig config = trial_config(sampler.sample(trial), 3, trial);
        EXPECT_GE(config.learning_rate, 1e-3);
        EXPECT_LT(config.learning_rate, 1.0);
        batch_sizes.insert(config.batch_size);
        layers.insert(config.layers);
        widths.insert(config.width);
        seeds.insert(config.seed);
    }
    EXPECT_EQ(batch_sizes, (std::set{32, 64, 128}));
    EXPECT_EQ(layers, (std::set{1, 2, 3}));
    EXPECT_EQ(widths, (std::set{64, 128, 256}));
    EXPECT_EQ(seeds.size(), 100U);
}

TEST(TrialConfig, HasASeedThatDependsOnTheSearchAndTheTrialOnly) {
    const auto configuration = muster::tune::RandomSampler(search_space(), 1).sample(0);
    EXPECT_EQ(trial_config(configuration, 1, 5).seed, trial_config(configuration, 1, 5).seed);
    EXPECT_NE(trial_config(configuration, 1, 5).seed, trial_config(configuration, 1, 6).seed);
    EXPECT_NE(trial_config(configuration, 1, 5).seed, trial_config(configuration, 2, 5).seed);
}

TEST(ParameterCount, CountsWeightsAndBiasesOfEveryLayer) {
    EXPECT_EQ(parameter_count({.layers = 1, .width = 64}), 785U * 64 + 65 * 10);
    EXPECT_EQ(parameter_count({.layers = 3, .width = 128}), 785U * 128 + 2 * 129 * 128 + 129 * 10);
}

} // namespace
} // namespace digits
