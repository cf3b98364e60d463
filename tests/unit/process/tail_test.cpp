#include "process/tail.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

namespace muster::process {
namespace {

TEST(Tail, KeepsEverythingUpToItsLimit) {
    Tail tail(5);
    tail.append("ab");
    tail.append("cde");
    EXPECT_EQ(tail.dropped(), 0U);
    EXPECT_EQ(tail.take(), "abcde");
}

TEST(Tail, KeepsTheLastBytesAndCountsTheRest) {
    Tail tail(3);
    tail.append("abcd");
    tail.append("e");
    EXPECT_EQ(tail.dropped(), 2U);
    EXPECT_EQ(tail.take(), "cde");
}

TEST(Tail, OfLimitZeroOnlyCounts) {
    Tail tail(0);
    tail.append("abc");
    EXPECT_EQ(tail.dropped(), 3U);
    EXPECT_EQ(tail.take(), "");
}

TEST(Tail, AgreesWithKeepingItAll) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        Random random(seed);
        const auto limit = random.below(20);
        Tail tail(limit);
        std::string all;
        for (auto pieces = random.below(30); pieces > 0; --pieces) {
            const std::string piece(random.below(30), static_cast<char>('a' + random.below(26)));
            tail.append(piece);
            all += piece;
        }
        const auto kept = std::min<std::size_t>(all.size(), limit);
        EXPECT_EQ(tail.dropped(), all.size() - kept) << "seed " << seed;
        EXPECT_EQ(tail.take(), all.substr(all.size() - kept)) << "seed " << seed;
    }
}

} // namespace
} // namespace muster::process
