#include <muster/base/parse.hpp>

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(ParseAmount, IsExactToFourDigits) {
    EXPECT_EQ(parse_amount("0.3333").value_or_throw().units(), 3333);
    EXPECT_EQ(parse_amount("12.05").value_or_throw().units(), 120'500);
    EXPECT_EQ(parse_amount("7").value_or_throw(), Amount{7});
    for (const auto* text : {"", ".", "1.", "1.23456", "1e3", "+1", " 1", "1.-5", "99999999999"}) {
        EXPECT_FALSE(parse_amount(text)) << text;
    }
}

TEST(ParseBytes, KnowsPowersOf1024) {
    EXPECT_EQ(parse_bytes("512").value_or_throw(), Bytes{512});
    EXPECT_EQ(parse_bytes("512 B").value_or_throw(), Bytes{512});
    EXPECT_EQ(parse_bytes("1073741824").value_or_throw(), 1_GiB);
    EXPECT_EQ(parse_bytes("549755813888B").value_or_throw(), 512_GiB);
    EXPECT_EQ(parse_bytes("1.5G").value_or_throw(), 1536_MiB);
    EXPECT_EQ(parse_bytes("3K").value_or_throw(), 3_KiB);
    EXPECT_EQ(parse_bytes("2MiB").value_or_throw(), 2_MiB);
    EXPECT_EQ(parse_bytes("1TiB").value_or_throw(), 1024_GiB);
    for (const auto* text : {"", "GiB", "1XB", "1 G B", "-1", "99999999T"}) {
        EXPECT_FALSE(parse_bytes(text)) << text;
    }
}

} // namespace
} // namespace muster
