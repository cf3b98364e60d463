#include "sweep/occurrences.hpp"

#include <gtest/gtest.h>

#include <map>

namespace muster::launcher::sweep {
namespace {

TEST(Occurrences, CountsAsAMapDoes) {
    Occurrences counted;
    std::map<std::uint64_t, std::uint32_t> expected;
    std::uint64_t number = 1;
    for (int i = 0; i < 20'000; ++i) {
        number = number * 6364136223846793005U + 1442695040888963407U;
        const std::uint64_t hash = (number >> 33U) % 5'000 * 0x9e3779b97f4a7c15U;
        EXPECT_EQ(counted.add(hash), ++expected[hash]);
    }
    EXPECT_EQ(counted.add(0), ++expected[0]) << "nought is a number like others";
}

} // namespace
} // namespace muster::launcher::sweep
