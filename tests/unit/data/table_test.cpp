#include "hdf5_fixtures.hpp"

#include <muster/data/table.hpp>

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <thread>

namespace muster::data {
namespace {

using test::Hdf5Dataset;
using test::Hdf5Fixtures;

/// The values that the fixtures write: flat index % 10.
template <class T>
std::vector<T> expected(std::span<const std::uint64_t> rows, std::uint64_t row_elements) {
    std::vector<T> values;
    for (const std::uint64_t row : rows) {
        for (std::uint64_t i = 0; i < row_elements; ++i) {
            values.push_back(static_cast<T>((row * row_elements + i) % 10));
        }
    }
    return values;
}

std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t count) {
    std::vector<std::uint64_t> rows(count);
    std::iota(rows.begin(), rows.end(), first);
    return rows;
}

/// Read from the file each time, or held in memory: the same answers.
class TableInMemoryOf : public testing::TestWithParam<std::uint64_t> {
protected:
    Hdf5Fixtures fixtures;
    std::filesystem::path file = fixtures.write(
        "table.h5",
        {{.name = "cube", .shape = {50, 3, 2}, .type = ElementType::int16, .chunk = {7, 3, 2}},
         {.name = "group/weights", .shape = {50}, .type = ElementType::float64},
         {.name = "labels", .shape = {50}},
         {.name = "network_order",
          .shape = {50},
          .type = ElementType::int16,
          .is_big_endian = true},
         {.name = "version", .shape = {}}});
    TableOptions options{.memory_bytes_max = GetParam()};
};

TEST_P(TableInMemoryOf, DescribesItsColumns) {
    const Table table = Table::open(file, options);
    EXPECT_EQ(table.rows(), 50U);
    ASSERT_EQ(table.columns().size(), 4U) << "a single value is no column";
    const Column& cube = table.column("cube");
    EXPECT_EQ(cube.shape, (std::vector<std::uint64_t>{50, 3, 2}));
    EXPECT_EQ(cube.chunk, (std::vector<std::uint64_t>{7, 3, 2}));
    EXPECT_EQ(cube.type, ElementType::int16);
    EXPECT_EQ(cube.row_elements(), 6U);
    EXPECT_EQ(table.column("group/weights").type, ElementType::float64);
    EXPECT_TRUE(table.column("group/weights").chunk.empty());
}

TEST_P(TableInMemoryOf, ReadsRowsInARow) {
    const Table table = Table::open(file, options);
    std::vector<std::int16_t> values(20 * 6);
    table.read_rows("cube", 11, 20, std::span(values));
    EXPECT_EQ(values, expected<std::int16_t>(range(11, 20), 6));
}

TEST_P(TableInMemoryOf, GathersRowsInAnyOrderAndMoreThanOnce) {
    const Table table = Table::open(file, options);
    const std::vector<std::uint64_t> rows{49, 3, 4, 5, 0, 3, 21, 20, 48, 49};
    std::vector<std::int16_t> values(rows.size() * 6);
    table.gather("cube", rows, std::span(values));
    EXPECT_EQ(values, expected<std::int16_t>(rows, 6));
}

TEST_P(TableInMemoryOf, WidensWhatItReads) {
    const Table table = Table::open(
        file,
        {.columns = {column<float>("labels"), column<double>("cube"), column<int>("network_order")},
         .memory_bytes_max = options.memory_bytes_max});
    const std::vector<std::uint64_t> rows{7, 1, 30};
    std::vector<float> labels(3);
    std::vector<double> cube(18);
    std::vector<std::int64_t> wide(3);
    std::vector<int> network_order(3);
    table.gather("labels", rows, std::span(labels));
    table.gather("labels", rows, std::span(wide));
    table.gather("cube", rows, std::span(cube));
    table.gather("network_order", rows, std::span(network_order));
    EXPECT_EQ(labels, expected<float>(rows, 1));
    EXPECT_EQ(wide, expected<std::int64_t>(rows, 1));
    EXPECT_EQ(cube, expected<double>(rows, 6));
    EXPECT_EQ(network_order, expected<int>(rows, 1));
}

TEST_P(TableInMemoryOf, ReadsNothingWhenAskedForNothing) {
    const Table table = Table::open(file, options);
    table.read_rows("labels", 50, 0, std::span<float>());
    table.gather("labels", {}, std::span<float>());
}

TEST_P(TableInMemoryOf, CanBeReadFromSeveralThreads) {
    const Table table = Table::open(file, options);
    std::array<std::vector<float>, 4> results;
    {
        std::vector<std::jthread> threads;
        for (std::uint64_t t = 0; t < results.size(); ++t) {
            threads.emplace_back([&table, &result = results[t], t] {
                const std::vector<std::uint64_t> rows = range(t * 10, 20);
                for (int repeat = 0; repeat < 20; ++repeat) {
                    result.assign(rows.size() * 6, -1.0F);
                    table.gather("cube", rows, std::span(result));
                }
            });
        }
    }
    for (std::uint64_t t = 0; t < results.size(); ++t) {
        EXPECT_EQ(results[t], expected<float>(range(t * 10, 20), 6));
    }
}

// Everything from the file; only the first column, of 600 bytes, in memory; everything in memory.
INSTANTIATE_TEST_SUITE_P(Bytes, TableInMemoryOf, testing::Values(0, 700, 1 << 20));

TEST(ElementTypes, WidenOnlyWhereNoValueIsLost) {
    EXPECT_TRUE(widens(ElementType::uint8, ElementType::uint8));
    EXPECT_TRUE(widens(ElementType::uint8, ElementType::int16));
    EXPECT_TRUE(widens(ElementType::uint8, ElementType::float32));
    EXPECT_TRUE(widens(ElementType::uint32, ElementType::float64));
    EXPECT_TRUE(widens(ElementType::float32, ElementType::float64));
    EXPECT_FALSE(widens(ElementType::uint8, ElementType::int8));
    EXPECT_FALSE(widens(ElementType::int8, ElementType::uint64));
    EXPECT_FALSE(widens(ElementType::int32, ElementType::float32));
    EXPECT_FALSE(widens(ElementType::int64, ElementType::float64));
    EXPECT_FALSE(widens(ElementType::float64, ElementType::float32));
    EXPECT_FALSE(widens(ElementType::float32, ElementType::int64));
    EXPECT_FALSE(widens(ElementType::unsupported, ElementType::unsupported));
}

TEST(Table, OpensAFileWithoutRows) {
    Hdf5Fixtures fixtures;
    const Table table = Table::open(fixtures.write("none.h5", {{.name = "x", .shape = {0, 3}}}));
    EXPECT_EQ(table.rows(), 0U);
    table.read_rows("x", 0, 0, std::span<float>());
}

} // namespace
} // namespace muster::data
