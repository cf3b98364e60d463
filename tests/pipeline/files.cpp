#include "body.hpp"
#include "directory.hpp"
#include "records.hpp"

#include <algorithm>
#include <complex>

// Tables that are written and read.

namespace muster::test {
namespace {

using data::Block;

/// Of every type that a column may have.
Block every_type(std::int64_t first, std::int64_t rows) {
    std::vector<std::int64_t> ids;
    std::vector<std::int8_t> bytes;
    std::vector<std::uint16_t> shorts;
    std::vector<float> images;
    std::vector<bool> bits;
    std::vector<std::complex<double>> signals;
    std::vector<std::string> texts;
    for (std::int64_t id = first; id < first + rows; ++id) {
        ids.push_back(id);
        bytes.push_back(static_cast<std::int8_t>(id));
        shorts.push_back(static_cast<std::uint16_t>(3 * id));
        for (int i = 0; i < 6; ++i) {
            images.push_back(static_cast<float>(id) + 0.5F * static_cast<float>(i));
        }
        bits.push_back(id % 3 == 0);
        signals.emplace_back(id, -id);
        texts.push_back(std::string(static_cast<std::size_t>(id % 5), 't') + std::to_string(id));
    }
    Block block;
    block.add("id", ids).add("byte", bytes).add("short", shorts).add("image", images, {2, 3});
    block.add("bit", bits).add("signal", signals).add("text", texts);
    return block;
}

bool equal(const Block& a, const Block& b) {
    return a.fields().size() == b.fields().size() &&
           to_buffer(a.select({"id", "byte", "short", "image", "bit", "signal", "text"})) ==
               to_buffer(b.select({"id", "byte", "short", "image", "bit", "signal", "text"}));
}

} // namespace

MUSTER_BODY(TablesAreReadAsTheyWereWritten) {
    const Directory directory;
    const auto file = directory.path / "table.h5";
    std::vector<Block> blocks;
    for (std::int64_t i = 0; i < 10; ++i) {
        blocks.push_back(every_type(100 * i, 100));
    }
    const auto rows = data::from_blocks(blocks);
    EXPECT_EQ(rows.write_hdf5(file, {.shard_bytes = 20'000}), 1000U);
    EXPECT_TRUE(equal(data::read(file).take(2000), every_type(0, 1000)));
    EXPECT_TRUE(
        equal(data::read(file, {.first_row = 250, .rows = 33}).take(2000), every_type(250, 33)));
    // In other blocks, back through a sort.
    EXPECT_TRUE(equal(
        data::read(file).with({.block_bytes = 3'000}).random_shuffle(4).sort({"id"}).take(2000),
        every_type(0, 1000)));
    const auto sums = data::read(file).aggregate({data::sum("short"), data::mean("image")});
    EXPECT_EQ(sums.column<std::uint64_t>("sum(short)")[0], 3U * 999 * 500);
    EXPECT_DOUBLE_EQ(sums.column<double>("mean(image)")[0], 499.5 + 1.25);
    EXPECT_EQ(data::read(file).count(), 1000U);
    EXPECT_EQ(data::read(file, {.columns = {"bit", "text"}}).take(1).fields().size(), 2U);
}

MUSTER_BODY(TablesAreWrittenWholeOrNotAtAll) {
    const Directory directory;
    const auto file = directory.path / "table.h5";
    EXPECT_EQ(data::range(1000).write_hdf5(file), 1000U);
    const std::string taken = thrown_by<Error>([&] { (void)data::range(5).write_hdf5(file); });
    EXPECT_TRUE(contains(taken, "table.h5")) << taken;
    EXPECT_EQ(data::read(file).count(), 1000U);
    EXPECT_EQ(data::range(5).write_hdf5(file, {.replace = true}), 5U);
    EXPECT_EQ(data::read(file).count(), 5U);
    EXPECT_EQ(data::range(0).write_hdf5(file, {.replace = true}), 0U);
    EXPECT_EQ(data::read(file).count(), 0U);
    EXPECT_TRUE(contains(
        thrown_by<Error>([&] { (void)data::from_blocks({}).write_hdf5(directory.path / "b.h5"); }),
        "there are no rows"));
}

MUSTER_BODY(FilesThatAreNoneAreNamed) {
    const Directory directory;
    const std::string missing =
        thrown_by<Error>([&] { (void)data::read(directory.path / "missing.h5").take(1); });
    EXPECT_TRUE(contains(missing, "missing.h5")) << missing;
    const auto file = directory.path / "table.h5";
    (void)data::range(10).write_hdf5(file);
    const std::string column =
        thrown_by<Error>([&] { (void)data::read(file, {.columns = {"price"}}).take(1); });
    EXPECT_TRUE(contains(column, "price")) << column;
    EXPECT_TRUE(contains(column, "id")) << column;
}

} // namespace muster::test
