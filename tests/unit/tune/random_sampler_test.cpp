#include <muster/tune/random_sampler.hpp>

#include <gmock/gmock.h>

#include <set>

namespace muster::tune {
namespace {

const SearchSpace space{{"rate", loguniform(1e-4, 1e-1)}, {"layers", randint(1, 4)}};

TEST(RandomSampler, DependsOnSeedAndTrialOnly) {
    const RandomSampler sampler(space, 7);
    const RandomSampler again(space, 7);
    const Configuration fifth = sampler.sample(5);
    (void)again.sample(9);
    EXPECT_EQ(again.sample(5), fifth);
    EXPECT_NE(again.sample(6), fifth);
    EXPECT_NE(RandomSampler(space, 8).sample(5), fifth);
}

TEST(RandomSampler, LeavesOtherParametersAloneWhenOneIsAdded) {
    const SearchSpace larger{
        {"width", choice({64, 128})}, {"layers", randint(1, 4)}, {"rate", loguniform(1e-4, 1e-1)}};
    for (std::size_t trial = 0; trial < 20; ++trial) {
        const Configuration before = RandomSampler(space, 3).sample(trial);
        const Configuration after = RandomSampler(larger, 3).sample(trial);
        EXPECT_EQ(after.get<double>("rate"), before.get<double>("rate"));
        EXPECT_EQ(after.get<int>("layers"), before.get<int>("layers"));
    }
}

TEST(RandomSampler, KeepsTheOrderOfTheSpace) {
    const Configuration configuration = RandomSampler(space, 1).sample(0);
    ASSERT_EQ(configuration.items().size(), 2U);
    EXPECT_EQ(configuration.items()[0].name, "rate");
    EXPECT_EQ(configuration.items()[1].name, "layers");
}

TEST(RandomSampler, DrawsParametersAndTrialsIndependently) {
    const SearchSpace twins{{"a", uniform(0, 1)}, {"b", uniform(0, 1)}};
    std::set<double> values;
    double product = 0;
    for (std::size_t trial = 0; trial < 1000; ++trial) {
        const Configuration c = RandomSampler(twins, 4).sample(trial);
        values.insert({c.get<double>("a"), c.get<double>("b")});
        product += (c.get<double>("a") - 0.5) * (c.get<double>("b") - 0.5);
    }
    EXPECT_EQ(values.size(), 2000U);
    // The mean product of independent centred uniforms has deviation 1 / (12 sqrt(1000)).
    EXPECT_LT(std::abs(product / 1000), 5 / (12 * 31.6));
}

TEST(RandomSampler, IsTheSameOnEveryPlatform) {
    // Written down once; a change here changes everybody's studies.
    const SearchSpace exact{{"layers", randint(0, 1'000'000)}, {"name", choice({"a", "b", "c"})}};
    EXPECT_EQ(to_string(RandomSampler(exact, 42).sample(7)), "layers=814267 name=b");
}

} // namespace
} // namespace muster::tune
