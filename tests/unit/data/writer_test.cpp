#include "hdf5_fixtures.hpp"

#include <muster/base/error.hpp>
#include <muster/data/table.hpp>
#include <muster/data/writer.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace muster::data {
namespace {

namespace fs = std::filesystem;
using test::Hdf5Fixtures;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<float> ascending(std::size_t count, float first = 0) {
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), first);
    return values;
}

std::vector<float> read_all(const fs::path& file, const std::string& name) {
    const Table table = Table::open(file, {.columns = {column<float>(name)}});
    std::vector<float> values(table.rows() * table.column(name).row_elements());
    table.read_rows(name, 0, table.rows(), std::span(values));
    return values;
}

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
        names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

class Writer : public testing::Test {
protected:
    ShardSummary
    write_shard(const fs::path& path, std::uint32_t shard, std::size_t rows, float first) {
        ShardWriter writer(path, shard, {new_column<float>("x", {2})}, {.replace = true});
        if (rows > 0) {
            writer.append({block("x", ascending(2 * rows, first))});
        }
        return writer.finish();
    }

    Hdf5Fixtures fixtures;
};

TEST_F(Writer, RowsComeBackWhateverTheSizeOfBlocks) {
    const auto path = fixtures.path("new.h5");
    NewColumn x = new_column<float>("x", {3});
    x.chunk_rows = 10;
    FileWriter writer(path, {x, new_column<std::int64_t>("group/y")});
    float first = 0;
    for (const std::size_t rows : {1U, 9U, 10U, 25U, 3U, 0U, 40U, 7U}) {
        const std::vector<std::int64_t> y(rows, static_cast<std::int64_t>(rows));
        writer.append({block("group/y", y), block("x", ascending(3 * rows, first))});
        first += static_cast<float>(3 * rows);
    }
    EXPECT_EQ(writer.rows(), 95);
    writer.finish();
    EXPECT_EQ(read_all(path, "x"), ascending(3 * 95));
    const Table table = Table::open(path);
    EXPECT_EQ(table.column("x").chunk, (std::vector<std::uint64_t>{10, 3}));
    EXPECT_THAT(table.column("group/y").chunk, ElementsAre(95)) << "one chunk of all rows";
}

TEST_F(Writer, NothingIsVisibleBeforeItIsFinished) {
    const auto path = fixtures.path("new.h5");
    {
        FileWriter writer(path, {new_column<float>("x")});
        writer.append({block("x", ascending(10))});
        EXPECT_FALSE(fs::exists(path));
    }
    EXPECT_THAT(names_in(fixtures.path("")), IsEmpty()) << "and nothing is left of it";
}

TEST_F(Writer, AFileWithoutRowsHasItsColumns) {
    const auto path = fixtures.path("none.h5");
    FileWriter writer(path, {new_column<double>("x", {4, 4})});
    writer.finish();
    const Table table = Table::open(path);
    EXPECT_EQ(table.rows(), 0);
    EXPECT_THAT(table.column("x").shape, ElementsAre(0, 4, 4));
}

TEST_F(Writer, FiltersAreApplied) {
    const auto path = fixtures.path("small.h5");
    FileWriter writer(
        path,
        {new_column<std::int32_t>(
            "x", {}, {.codec = Codec::deflate, .level = 6, .shuffle = true, .fletcher32 = true})});
    writer.append({block("x", std::vector<std::int32_t>(100'000, 7))});
    writer.finish();
    EXPECT_LT(fs::file_size(path), 10'000);
    const Table table = Table::open(path);
    std::vector<std::string> names;
    for (const Filter& filter : table.column("x").filters) {
        names.push_back(filter.name);
    }
    EXPECT_THAT(names, ElementsAre("shuffle", "deflate", "fletcher32"));
}

TEST_F(Writer, TheSameRowsGiveTheSameBytes) {
    for (const std::string name : {"a.h5", "b.h5"}) {
        FileWriter writer(fixtures.path(name), {new_column<float>("x")});
        writer.append({block("x", ascending(1000))});
        writer.finish();
    }
    const auto bytes = [&](const std::string& name) {
        std::ifstream file(fixtures.path(name), std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    EXPECT_EQ(bytes("a.h5"), bytes("b.h5"));
}

TEST_F(Writer, AReaderSeesTheOldFileOrTheNew) {
    const auto path = fixtures.path("x.h5");
    for (const float first : {0.0F, 100.0F}) {
        FileWriter writer(path, {new_column<float>("x")}, {.replace = true});
        writer.append({block("x", ascending(3, first))});
        if (first > 0) {
            EXPECT_EQ(read_all(path, "x"), ascending(3));
        }
        writer.finish();
    }
    EXPECT_EQ(read_all(path, "x"), ascending(3, 100));
}

TEST_F(Writer, ShardsOfAnySizeAreOneTable) {
    const auto path = fixtures.path("x.h5");
    // Written in any order, committed in any order.
    const ShardSummary third = write_shard(path, 3, 40, 20);
    const ShardSummary zeroth = write_shard(path, 0, 3, 0);
    const ShardSummary second = write_shard(path, 2, 7, 6);
    const ShardSummary first = write_shard(path, 1, 0, 0);
    EXPECT_FALSE(fs::exists(path));
    const Committed committed = commit(path, std::array{second, third, first, zeroth});
    EXPECT_EQ(committed.generation, 1);
    EXPECT_EQ(committed.rows, 50);
    EXPECT_THAT(committed.removed, IsEmpty());
    EXPECT_EQ(read_all(path, "x"), ascending(100));
    EXPECT_THAT(leftovers(path), IsEmpty());
}

TEST_F(Writer, OnlyEmptyShardsAreATableWithoutRows) {
    const auto path = fixtures.path("x.h5");
    commit(path, std::array{write_shard(path, 0, 0, 0), write_shard(path, 1, 0, 0)});
    EXPECT_THAT(Table::open(path).column("x").shape, ElementsAre(0, 2));
}

TEST_F(Writer, TheFolderMayBeMoved) {
    fs::create_directory(fixtures.path("before"));
    const auto path = fixtures.path("before/x.h5");
    commit(path, std::array{write_shard(path, 0, 5, 0)});
    fs::rename(fixtures.path("before"), fixtures.path("after"));
    EXPECT_EQ(read_all(fixtures.path("after/x.h5"), "x"), ascending(10));
}

TEST_F(Writer, AShardThatIsMissingIsAnErrorAndNotZeros) {
    const auto path = fixtures.path("x.h5");
    const ShardSummary shard = write_shard(path, 0, 5, 1);
    commit(path, std::array{shard});
    fs::remove(path.string() + ".shards/" + shard.file);
    EXPECT_THROW(read_all(path, "x"), Error);
}

TEST_F(Writer, AReaderOfTheVersionBeforeGoesOnReading) {
    const auto path = fixtures.path("x.h5");
    commit(path, std::array{write_shard(path, 0, 5, 0)});
    const Table before = Table::open(path, {.columns = {column<float>("x")}});
    commit(path, std::array{write_shard(path, 0, 5, 1000)}, {.replace = true});
    std::vector<float> values(10);
    before.read_rows("x", 0, 5, std::span(values));
    EXPECT_EQ(values, ascending(10));
    EXPECT_EQ(read_all(path, "x"), ascending(10, 1000));
}

TEST_F(Writer, OlderVersionsAndInterruptedWritersAreRemovedByTheNextCommit) {
    const auto path = fixtures.path("x.h5");
    commit(path, std::array{write_shard(path, 0, 1, 0)});
    commit(path, std::array{write_shard(path, 0, 1, 1)}, {.replace = true});
    fixtures.write_text("x.h5.part-0123abcd", "of a commit that was killed");
    fixtures.write_text("x.h5.shards/g2-00001-0123abcd.h5.part-0123abcd", "of a writer that was");
    fixtures.write_text("x.h5.shards/notes.txt", "of somebody else");
    fixtures.write_text("y.h5.part-0123abcd", "of another table");
    const auto late = write_shard(path, 0, 2, 2); // an attempt that nobody commits
    const auto found = leftovers(path);
    ASSERT_EQ(found.size(), 2);
    EXPECT_THAT(found[0].what, HasSubstr("not finished"));
    const auto committed = commit(path, std::array{write_shard(path, 0, 1, 4)}, {.replace = true});
    EXPECT_EQ(committed.generation, 3);
    EXPECT_EQ(committed.removed.size(), 4) << "the first version, two parts, and the attempt";
    EXPECT_FALSE(fs::exists(path.string() + ".shards/" + late.file));
    EXPECT_EQ(names_in(path.string() + ".shards").size(), 3) << "two versions and the notes";
    EXPECT_TRUE(fs::exists(fixtures.path("y.h5.part-0123abcd")));
    EXPECT_EQ(read_all(path, "x"), ascending(2, 4));
}

TEST_F(Writer, ATaskMayReturnASummary) {
    const auto path = fixtures.path("x.h5");
    const ShardSummary summary = write_shard(path, 0, 5, 0);
    ShardSummary copy = summary;
    EXPECT_EQ(copy, summary);
    static_assert(std::is_aggregate_v<ShardSummary> && std::is_aggregate_v<NewColumn>);
}

TEST(ChunkChoice, IsNearOneMebibyteAndSaysWhy) {
    EXPECT_EQ(choose_chunk(new_column<std::uint8_t>("x", {28, 28})).rows, 1337);
    EXPECT_THAT(choose_chunk(new_column<std::uint8_t>("x", {28, 28})).reason,
                HasSubstr("1337 rows of 784 bytes, together 1023.6 KiB"));
    EXPECT_EQ(choose_chunk(new_column<float>("x", {1024, 1024})).rows, 1);
    EXPECT_THAT(choose_chunk(new_column<float>("x", {1024, 1024})).reason,
                HasSubstr("one row, which has 4.0 MiB"));
    EXPECT_EQ(choose_chunk(new_column<std::string>("x")).rows, 65'536);
}

} // namespace
} // namespace muster::data
