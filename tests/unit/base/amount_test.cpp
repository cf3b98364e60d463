#include <muster/base/amount.hpp>

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(Amount, TenTenthsAreOne) {
    Amount sum;
    for (int i = 0; i < 10; ++i) {
        sum += Amount{0.1};
    }
    EXPECT_EQ(sum, Amount{1});
}

TEST(Amount, RoundsToTheNearestTenThousandthInBothDirections) {
    EXPECT_EQ(Amount{0.33333}.units(), 3333);
    EXPECT_EQ(Amount{0.66666}.units(), 6667);
    EXPECT_EQ(Amount{-0.66666}.units(), -6667);
}

TEST(Amount, IsWrittenWithoutTrailingZeros) {
    EXPECT_EQ(to_string(Amount{2}), "2");
    EXPECT_EQ(to_string(Amount{0.5}), "0.5");
    EXPECT_EQ(to_string(Amount{0.33333}), "0.3333");
    EXPECT_EQ(to_string(Amount{}), "0");
    EXPECT_EQ(to_string(Amount{-1.25}), "-1.25");
}

TEST(Bytes, HaveLiteralsAndReadableText) {
    EXPECT_EQ((2_GiB).count, std::uint64_t{2} << 30);
    EXPECT_EQ(to_string(2_GiB), "2 GiB");
    EXPECT_EQ(to_string(Bytes{1536}), "1.5 KiB");
    EXPECT_EQ(to_string(Bytes{17}), "17 B");
}

} // namespace
} // namespace muster
