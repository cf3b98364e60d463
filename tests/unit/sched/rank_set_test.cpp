#include "sched/free_index.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <set>
#include <tuple>
#include <vector>

namespace muster::sched {
namespace {

TEST(RankSet, IsTheSetThatStdSetIs) {
    Random random(7);
    for (const std::int64_t ranks : {1, 63, 64, 65, 4097, 300'000}) {
        RankSet set;
        std::set<Rank> expected;
        for (int i = 0; i < 2000; ++i) {
            const Rank rank{static_cast<std::int32_t>(random.between(0, ranks - 1))};
            if (random.below(3) == 0) {
                set.erase(rank);
                expected.erase(rank);
            } else {
                set.insert(rank);
                expected.insert(rank);
            }
            const Rank asked{static_cast<std::int32_t>(random.between(0, ranks - 1))};
            ASSERT_EQ(set.contains(asked), expected.contains(asked));
            ASSERT_EQ(set.size(), expected.size());
            ASSERT_EQ(set.empty(), expected.empty());
            const auto place = set.upper_bound(asked);
            const auto expected_place = expected.upper_bound(asked);
            ASSERT_EQ(place == set.end(), expected_place == expected.end());
            if (expected_place != expected.end()) {
                ASSERT_EQ(*place, *expected_place);
            }
        }
        EXPECT_EQ(std::vector<Rank>(set.begin(), set.end()),
                  std::vector<Rank>(expected.begin(), expected.end()));
    }
}

TEST(FreeIndex, GoesFromTheRankWithMostFreeToTheOneWithLeast) {
    Random random(3);
    FreeIndex index;
    std::vector<Amount> free(200);
    for (std::int32_t i = 0; i < 200; ++i) {
        index.insert(Amount{}, Rank{i});
    }
    for (int step = 0; step < 3000; ++step) {
        const auto i = static_cast<std::size_t>(random.below(200));
        const Amount to = Amount{static_cast<int>(random.below(6)) - 1};
        index.move(Rank{static_cast<std::int32_t>(i)}, free[i], to);
        free[i] = to;
    }
    std::set<std::tuple<Amount, Rank>> expected; // by what is not free
    for (std::int32_t i = 0; i < 200; ++i) {
        expected.emplace(Amount{} - free[static_cast<std::size_t>(i)], Rank{i});
    }
    EXPECT_EQ(index.most(), Amount{} - std::get<0>(*expected.begin()));
    auto place = expected.begin();
    for (const auto& [amount, rank] : index) {
        ASSERT_NE(place, expected.end());
        EXPECT_EQ((std::tuple{Amount{} - amount, rank}), *place);
        ++place;
    }
    EXPECT_EQ(place, expected.end());
}

} // namespace
} // namespace muster::sched
