#include "hdf5_fixtures.hpp"

#include <muster/base/error.hpp>
#include <muster/data/batch_loader.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace muster::data {
namespace {

const std::vector<ColumnSpec> digits{column<float>("images"), column<std::uint8_t>("labels")};

class Loader : public testing::Test {
protected:
    test::Hdf5Fixtures fixtures;
    Table table = Table::open(fixtures.write_digits("digits.h5", 40));
    std::vector<std::uint64_t> part{1, 2, 3, 5, 8, 13, 21, 34, 39};
};

/// Read by the caller, or ahead of it by one thread or several; in each order.
class LoaderBy : public Loader, public testing::WithParamInterface<std::tuple<int, Order>> {
protected:
    [[nodiscard]] BatchOptions options() const {
        return {.batch_size = 4,
                .seed = 1,
                .order = std::get<Order>(GetParam()),
                .threads = std::get<int>(GetParam())};
    }
};

TEST_P(LoaderBy, GivesEachRowOfThePartOnceAnEpochWithItsValues) {
    BatchOptions wanted = options();
    wanted.epochs = 3;
    wanted.rows = part;
    BatchLoader loader(table, digits, wanted);
    std::vector<std::vector<std::uint64_t>> seen(3);
    std::uint64_t step = 0;
    while (const auto batch = loader.next()) {
        EXPECT_EQ(batch->step(), step);
        EXPECT_EQ(batch->epoch(), step / 3);
        EXPECT_EQ(batch->number(), step % 3);
        EXPECT_EQ(batch->size(), batch->number() < 2 ? 4U : 1U);
        EXPECT_EQ(batch->global_size(), batch->size());
        const auto images = batch->column<float>("images");
        const auto labels = batch->column<std::uint8_t>("labels");
        ASSERT_EQ(images.size(), batch->size() * 784);
        ASSERT_EQ(labels.size(), batch->size());
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(images.data()) % 64, 0U);
        for (std::size_t i = 0; i < batch->size(); ++i) {
            const std::uint64_t row = batch->rows()[i];
            EXPECT_EQ(labels[i], row % 10);
            EXPECT_EQ(images[i * 784], static_cast<float>(row * 784 % 10));
            EXPECT_EQ(images[i * 784 + 783], static_cast<float>((row * 784 + 783) % 10));
            seen[batch->epoch()].push_back(row);
        }
        ++step;
    }
    EXPECT_EQ(step, 9U);
    EXPECT_EQ(std::get<Order>(GetParam()) == Order::stored, seen[0] == seen[1]);
    for (auto& rows : seen) {
        std::sort(rows.begin(), rows.end());
        EXPECT_EQ(rows, part);
    }
}

TEST_P(LoaderBy, GoesOnAtAnyStepOnAnyNumberOfShards) {
    BatchLoader whole(table, digits, options());
    std::vector<std::vector<std::uint64_t>> expected;
    for (std::uint64_t step = 0; step < 25; ++step) {
        const auto batch = whole.next();
        expected.emplace_back(batch->rows().begin(), batch->rows().end());
    }
    for (std::uint64_t first = 0; first < 25; ++first) {
        std::vector<std::vector<std::uint64_t>> joined(25 - first);
        const auto shards = static_cast<std::uint32_t>(first % 5 + 1);
        for (std::uint32_t rank = 0; rank < shards; ++rank) {
            BatchOptions wanted = options();
            wanted.shard = {.rank = rank, .world = shards};
            wanted.first_step = first;
            BatchLoader loader(table, digits, wanted);
            for (auto& rows : joined) {
                const auto batch = loader.next();
                rows.insert(rows.end(), batch->rows().begin(), batch->rows().end());
            }
        }
        EXPECT_EQ(
            joined,
            std::vector(expected.begin() + static_cast<std::ptrdiff_t>(first), expected.end()))
            << "from step " << first << " on " << shards << " shards";
    }
    whole.seek(3);
    EXPECT_TRUE(std::ranges::equal(whole.next()->rows(), expected[3]));
    EXPECT_TRUE(std::ranges::equal(whole.read(20).rows(), expected[20]));
}

INSTANTIATE_TEST_SUITE_P(
    ,
    LoaderBy,
    testing::Combine(testing::Values(0, 1, 3),
                     testing::Values(Order::stored, Order::shuffled, Order::shuffled_by_block)));

TEST_F(Loader, BatchesMayBeHeldAndOutliveTheirLoader) {
    std::vector<Batch> held;
    {
        BatchLoader loader(table, digits, {.batch_size = 4, .order = Order::stored});
        for (int i = 0; i < 10; ++i) {
            held.push_back(*loader.next());
        }
    }
    for (std::uint64_t i = 0; i < held.size(); ++i) {
        EXPECT_EQ(held[i].column<std::uint8_t>("labels")[0], 4 * i % 10);
    }
}

TEST_F(Loader, DropsOrPadsTheTail) {
    BatchLoader drops(
        table,
        digits,
        {.rows = part, .batch_size = 4, .tail = Tail::drop, .threads = 0, .epochs = 1});
    BatchLoader pads(table,
                     digits,
                     {.rows = part, .batch_size = 4, .tail = Tail::pad, .threads = 0, .epochs = 1});
    std::uint64_t dropped = 0;
    while (const auto batch = drops.next()) {
        dropped += batch->size();
    }
    EXPECT_EQ(dropped, 8U);
    std::vector<std::uint64_t> padded;
    while (const auto batch = pads.next()) {
        EXPECT_EQ(batch->size(), 4U);
        padded.insert(padded.end(), batch->rows().begin(), batch->rows().end());
    }
    ASSERT_EQ(padded.size(), 12U);
    EXPECT_TRUE(std::equal(padded.begin() + 9, padded.end(), padded.begin()));
}

TEST_F(Loader, OfNoRowsHasNoBatches) {
    BatchLoader loader(table, digits, {.rows = std::vector<std::uint64_t>{}});
    EXPECT_FALSE(loader.next());
    EXPECT_EQ(loader.batches(), 0U);
}

TEST_F(Loader, RefusesWhatTheTableLacks) {
    EXPECT_THROW(BatchLoader(table, digits, {.rows = {{3, 40}}}), Error);
    EXPECT_THROW(BatchLoader(table, {column<int>("names")}), Error);
    EXPECT_THROW(BatchLoader(table, {}), UsageError);
    EXPECT_THROW(BatchLoader(table, {column("labels")}), UsageError) << "as what?";
    EXPECT_THROW(BatchLoader(table, {column<std::string>("labels")}), Error);
    EXPECT_THROW(BatchLoader(table, {column<std::int8_t>("labels")}), Error) << "it may not fit";
    BatchLoader loader(table, digits, {.threads = 0});
    const auto batch = loader.next();
    EXPECT_THROW((void)batch->column<double>("images"), UsageError);
    EXPECT_THROW((void)batch->column<float>("labels2"), UsageError);
}

TEST_F(Loader, AFileThatIsCutOffIsAnErrorOfNextAndOfEveryCallAfterIt) {
    const auto file = fixtures.write(
        "large.h5", {{.name = "x", .shape = {4000, 300}, .type = ElementType::float32}});
    const Table large = Table::open(file);
    for (const int threads : {0, 2}) {
        BatchLoader loader(
            large, {column<float>("x")}, {.order = Order::stored, .threads = threads});
        std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
        for (int call = 0; call < 3; ++call) {
            try {
                for (int i = 0; i < 62; ++i) {
                    (void)loader.next();
                }
                ADD_FAILURE() << "nothing was thrown";
            } catch (const Error& error) {
                EXPECT_THAT(error.what(), testing::HasSubstr("was cut off"));
                EXPECT_THAT(error.what(), testing::HasSubstr("large.h5"));
            }
        }
    }
}

TEST_F(Loader, ValuesThatAreNoNumbersAreKeptRefusedOrReplaced) {
    const auto file = fixtures.write_not_a_number("nan.h5", 100, 37);
    const Table with_nan = Table::open(file);
    const auto sum = [&](NanPolicy policy) {
        BatchLoader loader(with_nan,
                           {column<double>("x")},
                           {.order = Order::stored,
                            .nan = policy,
                            .nan_replacement = 5,
                            .threads = 1,
                            .epochs = 1});
        double total = 0;
        while (const auto batch = loader.next()) {
            for (const double value : batch->column<double>("x")) {
                total += value;
            }
        }
        return total;
    };
    EXPECT_TRUE(std::isnan(sum(NanPolicy::keep)));
    EXPECT_EQ(sum(NanPolicy::replace), 99.0 + 5.0) << "all others are 1";
    try {
        (void)sum(NanPolicy::refuse);
        ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("row 37 of dataset 'x' is not a number"));
    }
}

} // namespace
} // namespace muster::data
