#include "kernel/gather.hpp"
#include "kernel/grouping.hpp"
#include "kernel/keys.hpp"
#include "kernel/sums.hpp"

#include <muster/base/random.hpp>
#include <muster/data/shuffle.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace muster::data::kernel {
namespace {

template <class T>
void expect_sorted_as_the_library_does(const std::vector<T>& values) {
    Block block;
    block.add("v", values);
    for (const bool descending : {false, true}) {
        std::vector<std::uint32_t> expected(values.size());
        std::iota(expected.begin(), expected.end(), 0U);
        std::stable_sort(expected.begin(), expected.end(), [&](auto a, auto b) {
            return descending ? values[a] > values[b] : values[a] < values[b];
        });
        EXPECT_EQ(sorted_order(Keys(block, {SortKey("v", descending)}, "sort")), expected);
    }
}

TEST(Keys, OrderNumbersOfEveryTypeAsTheyAre) {
    Random random(1);
    const auto numbers = [&]<class T>(T) {
        std::vector<T> values{
            std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max(), 0, 1};
        for (int i = 0; i < 300; ++i) {
            values.push_back(static_cast<T>(random.next() % 100));
            if constexpr (std::is_floating_point_v<T>) {
                values.push_back(static_cast<T>(random.normal()));
            } else {
                values.push_back(static_cast<T>(random.next()));
            }
        }
        expect_sorted_as_the_library_does(values);
    };
    numbers(std::int8_t{});
    numbers(std::uint8_t{});
    numbers(std::int16_t{});
    numbers(std::uint32_t{});
    numbers(std::int32_t{});
    numbers(std::int64_t{});
    numbers(std::uint64_t{});
    numbers(float{});
    numbers(double{});
    expect_sorted_as_the_library_does(std::vector<double>{
        std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), 0});
    expect_sorted_as_the_library_does(std::vector<std::string>{"b", "", "a", "ab", "b", "\xff"});
}

TEST(Keys, BoundsAreFoundInSortedBlocks) {
    Block block;
    block.add("v", std::vector<int>{1, 1, 2, 4, 4, 4, 9});
    Block bounds;
    bounds.add("v", std::vector<int>{0, 1, 3, 4, 10});
    const Keys bound_keys(bounds, {"v"}, "sort");
    std::vector<std::uint64_t> found;
    for (std::uint64_t i = 0; i < 5; ++i) {
        found.push_back(lower_bound(block, {"v"}, bound_keys, i));
    }
    EXPECT_EQ(found, (std::vector<std::uint64_t>{0, 0, 3, 3, 7}));
}

TEST(Groups, AreTheSameWhetherFoundByTableOrByHash) {
    for (const std::int64_t spread : {1LL, 1'000'003LL}) {
        std::vector<std::int64_t> values;
        Random random(2);
        for (int i = 0; i < 2000; ++i) {
            values.push_back(spread * static_cast<std::int64_t>(random.below(500)));
        }
        Block block;
        block.add("v", values);
        const Groups groups = group_rows(Keys(block, {"v"}, "group_by"));
        for (std::size_t row = 0; row < values.size(); ++row) {
            const std::uint32_t first = groups.first[groups.of_row[row]];
            EXPECT_EQ(values[first], values[row]);
            EXPECT_LE(first, row);
        }
        std::sort(values.begin(), values.end());
        values.erase(std::unique(values.begin(), values.end()), values.end());
        EXPECT_EQ(groups.first.size(), values.size());
    }
}

TEST(Sums, OfAnyLengthAreThoseOfALoop) {
    std::vector<float> values;
    double expected = 0;
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(sum_of<double>(std::span<const float>(values)), expected);
        values.push_back(static_cast<float>(i) / 4);
        expected += i / 4.0;
    }
    const std::vector<std::int8_t> small(100, -3);
    EXPECT_EQ(sum_of<double>(std::span(small)), -300);
    EXPECT_EQ(static_cast<std::int64_t>(sum_of<std::uint64_t>(std::span(small))), -300);
}

TEST(Gather, FillsInForRowsThatAreNot) {
    Block block;
    block.add("x", std::vector<float>{1})
        .add("n", std::vector<int>{7})
        .add("s", std::vector<std::string>{"s"});
    const std::vector<RowRef> rows{{}, {0, 0}, {}};
    const Block made = gather({&block, 1}, rows);
    EXPECT_TRUE(std::isnan(made.column<float>("x")[0]));
    EXPECT_EQ(made.column<float>("x")[1], 1);
    EXPECT_EQ(made.column<int>("n")[2], 0);
    EXPECT_EQ(made.texts("s")[1], "s");
    EXPECT_EQ(made.texts("s")[2], "");
}

TEST(Permutation, TellsThePositionOfEachElement) {
    for (const std::uint64_t size : {1U, 2U, 3U, 10U, 1000U, 4097U}) {
        const Permutation order(size, 3, 1);
        for (std::uint64_t position = 0; position < size; ++position) {
            EXPECT_EQ(order.position_of(order(position)), position);
        }
    }
}

} // namespace
} // namespace muster::data::kernel
