#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace muster {
namespace {

// Pinned, because seeds that people wrote down must go on meaning the same.
TEST(Random, GivesTheSameSequenceForEver) {
    Random random(42);
    const std::array<std::uint64_t, 3> drawn{random.next(), random.next(), random.next()};
    Random again(42);
    EXPECT_EQ(drawn[0], again.next());
    constexpr std::uint64_t first = Random(1).next();
    static_assert(first != Random(2).next());
    EXPECT_EQ(mix64(1), 0x5692161d100b05e5ULL);
}

TEST(Random, StreamsOfASeedDiffer) {
    EXPECT_NE(Random(1, 0).next(), Random(1, 1).next());
    EXPECT_NE(Random(1, 0).next(), Random(2, 0).next());
}

// 60,000 draws over 6 values: each count is binomial with mean 10,000 and deviation 91, so ten
// deviations are never reached by chance (and the seed is fixed).
TEST(Random, BelowIsUniform) {
    Random random(7);
    std::array<int, 6> counts{};
    for (int i = 0; i < 60'000; ++i) {
        ++counts[random.below(6)];
    }
    for (const int count : counts) {
        EXPECT_NEAR(count, 10'000, 910);
    }
}

TEST(Random, BetweenIncludesBothEnds) {
    Random random(3);
    std::array<bool, 3> seen{};
    for (int i = 0; i < 200; ++i) {
        const auto value = random.between(-1, 1);
        ASSERT_GE(value, -1);
        ASSERT_LE(value, 1);
        seen[static_cast<std::size_t>(value + 1)] = true;
    }
    EXPECT_TRUE(seen[0] && seen[1] && seen[2]);
}

// Half of log-uniform draws fall below the geometric mean; 10,000 draws have a deviation of 50.
TEST(Random, LogUniformIsUniformInTheExponent) {
    Random random(5);
    int low = 0;
    for (int i = 0; i < 10'000; ++i) {
        const double value = random.log_uniform(1e-4, 1e-1);
        ASSERT_GE(value, 1e-4);
        ASSERT_LT(value, 1e-1);
        low += value < std::sqrt(1e-5) ? 1 : 0;
    }
    EXPECT_NEAR(low, 5'000, 500);
}

// The mean of 100,000 standard normals has a deviation of 0.0032, their variance one of 0.0045.
TEST(Random, NormalHasMeanZeroAndVarianceOne) {
    Random random(9);
    double sum = 0;
    double squares = 0;
    constexpr int draws = 100'000;
    for (int i = 0; i < draws; ++i) {
        const double value = random.normal();
        sum += value;
        squares += value * value;
    }
    EXPECT_NEAR(sum / draws, 0.0, 0.032);
    EXPECT_NEAR(squares / draws, 1.0, 0.045);
}

TEST(Random, ShuffleKeepsEveryElement) {
    std::vector<int> items(100);
    std::iota(items.begin(), items.end(), 0);
    Random(11).shuffle(std::span<int>(items));
    EXPECT_FALSE(std::is_sorted(items.begin(), items.end()));
    std::sort(items.begin(), items.end());
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(items[static_cast<std::size_t>(i)], i);
    }
}

} // namespace
} // namespace muster
