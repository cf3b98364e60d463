#include "arena/extents.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace muster::arena {
namespace {

TEST(Extents, TheSmallestThatFitsIsTakenAndNeighboursGrowTogether) {
    Extents extents(0, 1000);
    const auto a = extents.take(100);
    const auto b = extents.take(300);
    const auto c = extents.take(100);
    const auto d = extents.take(200);
    ASSERT_TRUE(a && b && c && d);
    EXPECT_EQ(*b, (Extent{100, 300, false}));
    extents.give_back(*b);
    extents.give_back(*d); // joins the 300 at the end
    EXPECT_EQ(extents.take(250), (Extent{100, 250, false}));
    EXPECT_EQ(extents.take(51), (Extent{500, 51, false}));
    extents.give_back({100, 250, false});
    extents.give_back({400, 100, false});
    extents.give_back({500, 51, false});
    extents.give_back(*a);
    EXPECT_EQ(extents.take(1000), (Extent{0, 1000, false}));
    EXPECT_EQ(extents.take(1), std::nullopt);
}

TEST(Extents, WarmRangesGoFirstAndStayApart) {
    Extents extents(0, 1000);
    (void)extents.take(100);
    extents.give_back({0, 100, true});
    EXPECT_EQ(extents.warm_bytes(), 100U);
    EXPECT_EQ(extents.take(60), (Extent{0, 60, true}));
    EXPECT_EQ(extents.take(60), (Extent{100, 60, false})); // 40 warm bytes are too few
    EXPECT_EQ(extents.take(40), (Extent{60, 40, true}));
    extents.give_back({0, 60, true});
    EXPECT_EQ(extents.take_warm(), (Extent{0, 60, true}));
    EXPECT_EQ(extents.take_warm(), std::nullopt);
    extents.give_back({0, 60, false});
    EXPECT_EQ(extents.warm_bytes(), 0U);
    extents.check_invariants();
}

TEST(Extents, ManyTakenAndGivenBackNeverOverlapAndComeTogetherAgain) {
    constexpr std::uint64_t end = 4096;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Random random(seed);
        Extents extents(0, end);
        std::vector<Extent> taken;
        std::vector<int> users(end);
        std::uint64_t taken_bytes = 0;
        for (int step = 0; step < 1000; ++step) {
            if (random.below(2) == 0) {
                const auto extent = extents.take(1 + random.below(200));
                if (extent) {
                    for (std::uint64_t i = 0; i < extent->size; ++i) {
                        ASSERT_EQ(++users[extent->offset + i], 1);
                    }
                    taken.push_back(*extent);
                    taken_bytes += extent->size;
                }
            } else if (!taken.empty()) {
                std::swap(taken[random.below(taken.size())], taken.back());
                Extent extent = taken.back();
                taken.pop_back();
                for (std::uint64_t i = 0; i < extent.size; ++i) {
                    --users[extent.offset + i];
                }
                taken_bytes -= extent.size;
                extent.warm = random.below(2) == 0;
                extents.give_back(extent);
            }
            if (random.below(20) == 0) {
                if (auto warm = extents.take_warm()) {
                    warm->warm = false;
                    extents.give_back(*warm);
                }
            }
            extents.check_invariants();
            ASSERT_EQ(extents.free_bytes(), end - taken_bytes);
        }
        for (Extent extent : taken) {
            extent.warm = false;
            extents.give_back(extent);
        }
        while (auto warm = extents.take_warm()) {
            warm->warm = false;
            extents.give_back(*warm);
        }
        EXPECT_EQ(extents.take(end), (Extent{0, end, false}));
    }
}

} // namespace
} // namespace muster::arena
