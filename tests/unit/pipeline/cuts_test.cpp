#include "plan/cuts.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <numeric>

namespace muster::data::plan {
namespace {

TEST(Cuts, PiecesAreCompleteAndDifferByARow) {
    for (const std::uint64_t rows : {0U, 1U, 7U, 100U, 101U}) {
        for (const std::uint64_t bytes : {1U, 30U, 1000U}) {
            const Pieces all = pieces(rows, 10, bytes);
            std::uint64_t next = 0;
            for (std::uint64_t i = 0; i < all.size(); ++i) {
                EXPECT_EQ(all[i].first, next);
                EXPECT_LE(all[i].rows, std::max<std::uint64_t>(1, bytes / 10));
                EXPECT_GE(all[i].rows + 1, all[0].rows);
                next += all[i].rows;
            }
            EXPECT_EQ(next, rows);
        }
    }
    EXPECT_EQ(pieces(5, 0, 100).size(), 1U); // rows of nothing
    EXPECT_EQ(Pieces(2, 3)[2].rows, 0U);
    const std::uint64_t many = std::uint64_t{1} << 62;
    EXPECT_EQ(pieces(many, 8, 8)[many - 1].first, many - 1);
}

TEST(Cuts, LocateFindsEveryRowOnce) {
    Random random(1);
    for (int repetition = 0; repetition < 100; ++repetition) {
        std::vector<std::uint64_t> blocks(random.below(8));
        for (auto& rows : blocks) {
            rows = random.below(4);
        }
        const std::uint64_t total = std::accumulate(blocks.begin(), blocks.end(), std::uint64_t{0});
        std::vector<std::pair<std::uint32_t, std::uint64_t>> expected;
        for (std::size_t block = 0; block < blocks.size(); ++block) {
            for (std::uint64_t row = 0; row < blocks[block]; ++row) {
                expected.emplace_back(static_cast<std::uint32_t>(block), row);
            }
        }
        std::vector<std::pair<std::uint32_t, std::uint64_t>> found;
        const Pieces all(total, 1 + random.below(5));
        for (std::uint64_t i = 0; i < all.size(); ++i) {
            for (const Cut& cut : locate(blocks, all[i])) {
                EXPECT_GT(cut.rows, 0U);
                for (std::uint64_t row = 0; row < cut.rows; ++row) {
                    found.emplace_back(cut.block, cut.first + row);
                }
            }
        }
        EXPECT_EQ(found, expected);
    }
}

TEST(Cuts, MergesFitTheMemoryOfTheirWorkers) {
    EXPECT_EQ(merge_parts(0, 100, 1000, 4), 1U);
    EXPECT_EQ(merge_parts(1000, 100, 100'000, 4), 10U);
    for (const std::uint64_t workers : {1U, 3U, 16U}) {
        const std::uint64_t parts = merge_parts(1'000'000, 500'000, 64'000, workers);
        EXPECT_LE(2 * workers * (1'000'000 / parts), 64'000U + 2 * workers);
    }
    EXPECT_GE(merge_parts(10, 1, 0, 0), 1U);
}

TEST(Window, AllowsWhatFitsAndAlwaysOne) {
    Window window(1000, 4, 100);
    EXPECT_TRUE(window.has_room(0));
    EXPECT_TRUE(window.has_room(7));
    EXPECT_FALSE(window.has_room(8)); // two for each worker
    window.grow();
    EXPECT_TRUE(window.has_room(8));
    EXPECT_FALSE(window.has_room(9)); // or fewer would fit
    window.observe(300);
    EXPECT_TRUE(window.has_room(2));
    EXPECT_FALSE(window.has_room(3));
    window.observe(50); // the largest counts
    EXPECT_FALSE(window.has_room(3));
    window.observe(5000);
    EXPECT_TRUE(window.has_room(0));
    EXPECT_FALSE(window.has_room(1));
}

TEST(Window, GrowsOnlyWhileBlocksAreSmallTogether) {
    Window window(std::uint64_t{1} << 40, 2, std::uint64_t{2} << 20);
    EXPECT_FALSE(window.has_room(4));
    for (int i = 0; i < 100; ++i) {
        window.grow();
    }
    EXPECT_TRUE(window.has_room(7));
    EXPECT_FALSE(window.has_room(8)); // 16 MiB
    window.observe(std::uint64_t{64} << 20);
    EXPECT_TRUE(window.has_room(3)); // two for each worker, however large
    EXPECT_FALSE(window.has_room(4));
}

} // namespace
} // namespace muster::data::plan
