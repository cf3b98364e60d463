#include "hdf5_fixtures.hpp"

#include <muster/base/error.hpp>
#include <muster/data/batch_loader.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace muster::data {
namespace {

class Loader : public testing::Test {
protected:
    test::Hdf5Fixtures fixtures;
    Table table = Table::open(fixtures.write_digits("digits.h5", 40));
    std::vector<std::uint64_t> part{1, 2, 3, 5, 8, 13, 21, 34, 39};
};

TEST_F(Loader, GivesEachRowOfThePartOnceAnEpoch) {
    const BatchLoader loader(table, part, {.batch_size = 4, .seed = 1});
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
        std::vector<std::uint64_t> seen;
        for (std::uint64_t batch = 0; batch < loader.batches(); ++batch) {
            const auto rows = loader.rows(epoch, batch);
            EXPECT_EQ(rows.size(), batch < 2 ? 4U : 1U);
            seen.insert(seen.end(), rows.begin(), rows.end());
        }
        std::sort(seen.begin(), seen.end());
        EXPECT_EQ(seen, part);
    }
}

TEST_F(Loader, ReadsTheColumnsOfABatchInTheSameOrder) {
    const BatchLoader loader(table, part, {.batch_size = 4, .seed = 1});
    std::vector<float> images;
    std::vector<std::uint8_t> labels;
    for (std::uint64_t batch = 0; batch < loader.batches(); ++batch) {
        const auto rows = loader.rows(0, batch);
        loader.read("images", rows, images);
        loader.read("labels", rows, labels);
        ASSERT_EQ(labels.size(), rows.size());
        ASSERT_EQ(images.size(), rows.size() * 784);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            EXPECT_EQ(labels[i], rows[i] % 10);
            EXPECT_EQ(images[i * 784], static_cast<float>(rows[i] * 784 % 10));
        }
    }
}

TEST_F(Loader, ReadsABatchInPiecesOnSeveralRanks) {
    const BatchLoader whole(table, part, {.batch_size = 4, .seed = 1});
    for (std::uint64_t step = 0; step < 2 * whole.batches(); ++step) {
        std::vector<std::int32_t> expected;
        whole.read("images", whole.rows(step), expected);
        std::vector<std::int32_t> joined;
        for (std::uint32_t rank = 0; rank < 3; ++rank) {
            const BatchLoader loader(
                table, part, {.batch_size = 4, .seed = 1, .shard = {.rank = rank, .world = 3}});
            std::vector<std::int32_t> images;
            loader.read("images", loader.rows(step), images);
            joined.insert(joined.end(), images.begin(), images.end());
        }
        EXPECT_EQ(joined, expected) << "step " << step;
    }
}

TEST_F(Loader, RefusesRowsTheTableLacks) {
    EXPECT_THROW(BatchLoader(table, {3, 40}, {}), Error);
}

} // namespace
} // namespace muster::data
