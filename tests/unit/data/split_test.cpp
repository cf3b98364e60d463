#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/data/split.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace muster::data {
namespace {

/// 500 of each digit, in order of digit.
std::vector<std::int64_t> sorted_digits() {
    std::vector<std::int64_t> labels(5000);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        labels[i] = static_cast<std::int64_t>(i / 500);
    }
    return labels;
}

const std::vector<PartSize> three_parts{{"training", 3500}, {"validation", 500}, {"test", 1000}};

TEST(StratifiedSplit, GivesEachPartItsSizeAndTheSameShareOfEachLabel) {
    const std::vector<std::int64_t> labels = sorted_digits();
    const std::vector<Part> parts = stratified_split(labels, three_parts, 1);
    ASSERT_EQ(parts.size(), 3U);
    for (std::size_t p = 0; p < parts.size(); ++p) {
        EXPECT_EQ(parts[p].name, three_parts[p].name);
        EXPECT_EQ(parts[p].rows.size(), three_parts[p].rows);
        std::map<std::int64_t, std::uint64_t> counts;
        for (const std::uint64_t row : parts[p].rows) {
            ++counts[labels[row]];
        }
        for (const auto& [label, count] : counts) {
            EXPECT_EQ(count, three_parts[p].rows / 10) << "label " << label;
        }
    }
}

TEST(StratifiedSplit, DependsOnTheSeedOnly) {
    const std::vector<std::int64_t> labels = sorted_digits();
    EXPECT_EQ(stratified_split(labels, three_parts, 1)[2].rows,
              stratified_split(labels, three_parts, 1)[2].rows);
    EXPECT_NE(stratified_split(labels, three_parts, 1)[2].rows,
              stratified_split(labels, three_parts, 2)[2].rows);
}

TEST(StratifiedSplit, IsDisjointCompleteAndBalancedForAnyLabelsAndSizes) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Random random(seed);
        std::vector<std::int64_t> labels(random.below(300));
        const std::uint64_t label_count = 1 + random.below(8);
        for (std::int64_t& label : labels) {
            label = static_cast<std::int64_t>(random.below(label_count)) - 3;
        }
        std::vector<PartSize> sizes;
        std::uint64_t left = labels.size();
        for (const char* name : {"a", "b", "c"}) {
            sizes.push_back({name, random.below(left + 1)});
            left -= sizes.back().rows;
        }
        sizes.push_back({"rest", left});

        std::vector<int> uses(labels.size(), 0);
        std::map<std::int64_t, std::uint64_t> totals;
        for (const std::int64_t label : labels) {
            ++totals[label];
        }
        for (const Part& part : stratified_split(labels, sizes, seed)) {
            EXPECT_TRUE(std::is_sorted(part.rows.begin(), part.rows.end()));
            std::map<std::int64_t, std::uint64_t> counts;
            for (const std::uint64_t row : part.rows) {
                ++uses.at(row);
                ++counts[labels[row]];
            }
            for (const auto& [label, total] : totals) {
                const double ideal = static_cast<double>(total) *
                                     static_cast<double>(part.rows.size()) /
                                     static_cast<double>(labels.size());
                // One row of rounding for each of the four parts taken so far.
                EXPECT_LT(std::abs(static_cast<double>(counts[label]) - ideal), 4.0)
                    << "seed " << seed;
            }
        }
        EXPECT_TRUE(std::all_of(uses.begin(), uses.end(), [](int n) { return n == 1; }))
            << "seed " << seed;
    }
}

TEST(StratifiedSplit, RefusesSizesThatDoNotAddUp) {
    const std::vector<std::int64_t> labels(10, 0);
    const std::vector<PartSize> too_few{{"a", 4}, {"b", 5}};
    const std::vector<PartSize> too_many{{"a", 4}, {"b", 7}};
    EXPECT_THROW(static_cast<void>(stratified_split(labels, too_few, 0)), UsageError);
    EXPECT_THROW(static_cast<void>(stratified_split(labels, too_many, 0)), UsageError);
}

} // namespace
} // namespace muster::data
