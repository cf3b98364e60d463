#include <muster/data/shuffle.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <vector>

namespace muster::data {
namespace {

std::vector<std::uint64_t> order(std::uint64_t size, std::uint64_t seed, std::uint64_t epoch) {
    const Permutation permutation(size, seed, epoch);
    std::vector<std::uint64_t> elements;
    for (std::uint64_t position = 0; position < size; ++position) {
        elements.push_back(permutation(position));
    }
    return elements;
}

class PermutationOfSize : public testing::TestWithParam<std::uint64_t> {};

TEST_P(PermutationOfSize, TakesEveryElementOnce) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        std::vector<std::uint64_t> elements = order(GetParam(), seed, seed / 3);
        std::sort(elements.begin(), elements.end());
        for (std::uint64_t i = 0; i < GetParam(); ++i) {
            ASSERT_EQ(elements[i], i) << "seed " << seed;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Sizes, PermutationOfSize, testing::Values(0, 1, 2, 3, 10, 1000, 4097));

TEST(Permutation, ChangesWithSeedAndWithEpoch) {
    EXPECT_NE(order(1000, 1, 0), order(1000, 2, 0));
    EXPECT_NE(order(1000, 1, 0), order(1000, 1, 1));
    EXPECT_EQ(order(1000, 1, 5), order(1000, 1, 5));
}

TEST(Permutation, IsTheSameOnEveryPlatform) {
    // Written down once; a change here changes the order of everybody's training.
    EXPECT_EQ(order(10, 42, 7), (std::vector<std::uint64_t>{1, 3, 5, 8, 2, 9, 0, 4, 6, 7}));
    EXPECT_EQ(Permutation(std::uint64_t{1} << 63U, 1, 1)(12345), 8052369475172821697ULL);
}

TEST(Permutation, ReachesEveryOrderOfThreeAboutEquallyOften) {
    constexpr int draws = 6000;
    std::map<std::vector<std::uint64_t>, int> counts;
    for (std::uint64_t seed = 0; seed < draws; ++seed) {
        ++counts[order(3, seed, 0)];
    }
    // Chi-square with 5 degrees of freedom exceeds 25.7 with probability 1e-4.
    double chi_square = 0;
    for (const auto& [elements, count] : counts) {
        chi_square += (count - draws / 6.0) * (count - draws / 6.0) / (draws / 6.0);
    }
    EXPECT_EQ(counts.size(), 6U);
    EXPECT_LT(chi_square, 25.7);
}

TEST(Permutation, SendsAPositionAnywhereWithEqualChance) {
    constexpr std::uint64_t size = 40;
    constexpr int draws = 8000;
    for (const std::uint64_t position : {0ULL, 1ULL, 17ULL, 39ULL}) {
        std::array<int, size> counts{};
        for (std::uint64_t epoch = 0; epoch < draws; ++epoch) {
            ++counts[Permutation(size, 9, epoch)(position)];
        }
        double chi_square = 0;
        for (const int count : counts) {
            const double expected = double{draws} / size;
            chi_square += (count - expected) * (count - expected) / expected;
        }
        // Chi-square with 39 degrees of freedom exceeds 80 with probability 1e-4.
        EXPECT_LT(chi_square, 80) << "position " << position;
    }
}

TEST(Permutation, LeavesNoTraceOfTheOldOrderInTheNewOne) {
    constexpr std::uint64_t size = 4097;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const std::vector<std::uint64_t> elements = order(size, seed, 0);
        const double mean = (double{size} - 1) / 2;
        double covariance = 0;
        double variance = 0;
        for (std::uint64_t i = 0; i < size; ++i) {
            const double centred = static_cast<double>(i) - mean;
            covariance += centred * (static_cast<double>(elements[i]) - mean);
            variance += centred * centred;
        }
        // The rank correlation of a random permutation is nearly normal with deviation
        // 1 / sqrt(size - 1) = 1 / 64 (Kendall, "Rank Correlation Methods", section 5.3);
        // 4.5 deviations happen once in 150,000 draws.
        EXPECT_LT(std::abs(covariance / variance), 4.5 / 64) << "seed " << seed;
    }
}

} // namespace
} // namespace muster::data
