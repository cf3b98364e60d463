#include "hdf5_fixtures.hpp"
#include "small_disk.hpp"

#include <muster/base/error.hpp>
#include <muster/data/table.hpp>
#include <muster/data/writer.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

namespace muster::data {
namespace {

namespace fs = std::filesystem;
using test::Hdf5Fixtures;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// The message of the Error that `call` throws. HDF5 must print nothing of its own meanwhile.
template <class Call>
std::string message_of(const Call& call) {
    testing::internal::CaptureStderr();
    std::string message = "nothing was thrown";
    try {
        call();
    } catch (const Error& error) {
        message = error.what();
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_THAT(message, Not(HasSubstr("\n"))) << "an error is one sentence";
    return message;
}

std::size_t open_descriptors() {
    const fs::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

class BadWrite : public testing::Test {
protected:
    std::string declaring(std::vector<NewColumn> columns) {
        return message_of([&] { FileWriter(fixtures.path("x.h5"), columns); });
    }

    std::string appending(std::initializer_list<ColumnBlock> blocks) {
        FileWriter writer(fixtures.path("x.h5"),
                          {new_column<float>("x", {2}), new_column<int>("y")});
        return message_of([&] { writer.append(blocks); });
    }

    bool is_empty() { return fs::is_empty(fixtures.path("")); }

    Hdf5Fixtures fixtures;
    std::vector<float> x{1, 2, 3, 4};
    std::vector<int> y{1, 2};
};

TEST_F(BadWrite, GoodOnesDoNotThrow) {
    EXPECT_EQ(appending({block("x", x), block("y", y)}), "nothing was thrown");
}

TEST_F(BadWrite, ColumnsThatCannotBeAreRefusedBeforeAnythingIsMade) {
    EXPECT_THAT(declaring({}), HasSubstr("declare at least one"));
    EXPECT_THAT(declaring({new_column<float>("x"), new_column<int>("x")}),
                HasSubstr("two columns 'x'"));
    for (const std::string name : {"", "/x", "x/", "a//b", "./x", "a/./b"}) {
        EXPECT_THAT(declaring({new_column<float>(name)}), HasSubstr("is no name for a column"))
            << name;
    }
    EXPECT_THAT(declaring({new_column<float>("a"), new_column<float>("a/b")}),
                HasSubstr("'a' is a column"));
    EXPECT_THAT(declaring({new_column<float>("x", {3, 0})}), HasSubstr("3 x 0"));
    EXPECT_THAT(declaring({new_column<float>("x", {1U << 20U, 1U << 20U, 1U << 31U})}),
                HasSubstr("more than the 4 GiB"));
    EXPECT_THAT(declaring({new_column<float>("x", {}, {.codec = Codec::deflate, .level = 11})}),
                AllOf(HasSubstr("level 11 of deflate"), HasSubstr("0 to 9")));
    EXPECT_THAT(declaring({new_column<float>("x", {}, {.level = 1})}), HasSubstr("none has none"));
    EXPECT_THAT(declaring({new_column<std::string>("x", {}, {.shuffle = true})}),
                HasSubstr("is text of any length"));
    NewColumn huge = new_column<float>("x");
    huge.chunk_rows = 1ULL << 40U;
    EXPECT_THAT(declaring({huge}), HasSubstr("ask for at most 1073741823"));
    NewColumn text = new_column<float>("x");
    text.type = ElementType::fixed_string;
    EXPECT_THAT(declaring({text}), HasSubstr("string_bytes"));
    EXPECT_TRUE(is_empty());
}

TEST_F(BadWrite, ACodecThatIsNotThereIsAnErrorWithAdvice) {
    EXPECT_THAT(declaring({new_column<float>("x", {}, {.codec = Codec::zstd})}),
                AllOf(HasSubstr("no filter for zstd (32015)"), HasSubstr("HDF5_PLUGIN_PATH")));
    EXPECT_TRUE(is_empty());
}

TEST_F(BadWrite, BlocksThatDoNotFitNameTheColumn) {
    EXPECT_THAT(appending({block("x", x)}), HasSubstr("nothing was given for column 'y'"));
    EXPECT_THAT(appending({block("x", x), block("z", y)}),
                AllOf(HasSubstr("no column 'z'"), HasSubstr("'x', 'y'")));
    EXPECT_THAT(appending({block("x", x), block("y", std::vector{1})}),
                HasSubstr("2 rows for column 'x' but 1 for 'y'"));
    EXPECT_THAT(appending({block("x", std::vector<float>(3)), block("y", y)}),
                HasSubstr("no whole number of rows of column 'x'"));
    EXPECT_THAT(appending({block("x", std::vector<double>(4)), block("y", y)}),
                HasSubstr("column 'x' is float32, but float64 values"));
    EXPECT_THAT(appending({block("x", x), block("x", x), block("y", y)}),
                HasSubstr("3 blocks for 2 columns"));
    EXPECT_TRUE(is_empty());
}

TEST_F(BadWrite, ARefusedBlockDoesNotHarmTheOthers) {
    const auto path = fixtures.path("x.h5");
    FileWriter writer(path, {new_column<int>("y")});
    EXPECT_THAT(message_of([&] { writer.append({block("z", y)}); }), HasSubstr("no column 'z'"));
    writer.append({block("y", y)});
    writer.finish();
    EXPECT_EQ(Table::open(path).rows(), 2);
    EXPECT_THAT(message_of([&] { writer.append({block("y", y)}); }), HasSubstr("was finished"));
}

TEST_F(BadWrite, PlacesThatCannotBeWrittenTo) {
    const auto to = [](const fs::path& path) {
        return message_of([&] { FileWriter(path, {new_column<float>("x")}); });
    };
    EXPECT_THAT(to(fixtures.path("none/x.h5")), HasSubstr("there is no folder"));
    EXPECT_THAT(to(fixtures.path("")), HasSubstr("folder"));
    fixtures.write_text("x.h5", "precious");
    EXPECT_THAT(to(fixtures.path("x.h5")), HasSubstr("it exists; allow that it is replaced"));
    EXPECT_EQ(fs::file_size(fixtures.path("x.h5")), 8);
}

TEST_F(BadWrite, AFileThatAppearsMeanwhileIsKept) {
    const auto path = fixtures.path("x.h5");
    FileWriter writer(path, {new_column<int>("y")});
    writer.append({block("y", y)});
    fixtures.write_text("x.h5", "precious");
    EXPECT_THAT(message_of([&] { writer.finish(); }), HasSubstr("has appeared since"));
    EXPECT_EQ(fs::file_size(path), 8);
}

TEST_F(BadWrite, AFullDiskIsASentenceAndLeavesTheOldFile) {
    const auto path = fixtures.write_digits("x.h5", 10);
    const auto before = open_descriptors();
    for (const rlim_t bytes : {1UL, 3'000UL, 20'000UL, 300'000UL}) {
        const test::SmallDisk disk(bytes);
        const std::string message = message_of([&] {
            NewColumn column = new_column<double>("x");
            column.chunk_rows = 1000;
            FileWriter writer(path, {column, new_column<double>("y")}, {.replace = true});
            const std::vector<double> values(10'000, 1.5);
            for (int i = 0; i < 10; ++i) {
                writer.append({block("x", values), block("y", values)});
            }
            writer.finish();
        });
        EXPECT_THAT(message,
                    AllOf(HasSubstr("x.h5': File too large"), HasSubstr("before is unchanged")))
            << bytes;
    }
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(Table::open(path).rows(), 10);
    EXPECT_EQ(std::distance(fs::directory_iterator(fixtures.path("")), {}), 1) << "nothing is left";
}

TEST_F(BadWrite, AFullDiskWhileStitchingLeavesTheOldTable) {
    const auto path = fixtures.path("x.h5");
    const auto write = [&](std::uint32_t shard) {
        ShardWriter writer(path, shard, {new_column<int>("y")}, {.replace = true});
        writer.append({block("y", y)});
        return writer.finish();
    };
    commit(path, std::array{write(0)});
    const std::array shards{write(0), write(1)};
    const auto before = open_descriptors();
    {
        const test::SmallDisk disk(200);
        EXPECT_THAT(message_of([&] { commit(path, shards, {.replace = true}); }),
                    HasSubstr("File too large"));
    }
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(Table::open(path).rows(), 2);
    commit(path, shards, {.replace = true});
    EXPECT_EQ(Table::open(path).rows(), 4);
}

TEST_F(BadWrite, CommitNamesWhatDoesNotBelongTogether) {
    const auto path = fixtures.path("x.h5");
    const auto write = [&](std::uint32_t shard, const std::string& name) {
        ShardWriter writer(path, shard, {new_column<int>(name)}, {.replace = true});
        writer.append({block(name, y)});
        return writer.finish();
    };
    const auto committing = [&](std::vector<ShardSummary> shards) {
        return message_of([&] { commit(path, shards, {.replace = true}); });
    };
    const ShardSummary zeroth = write(0, "y");
    EXPECT_THAT(committing({}), HasSubstr("no shard to make"));
    EXPECT_THAT(committing({zeroth, zeroth}), HasSubstr("two summaries of shard 0"));
    EXPECT_THAT(committing({zeroth, write(2, "y")}), HasSubstr("shard 1 is missing"));
    EXPECT_THAT(committing({zeroth, write(1, "z")}), HasSubstr("other columns than shard 0"));
    ShardSummary lost = zeroth;
    lost.file = "g1-00000-00000000.h5";
    EXPECT_THAT(committing({lost}), HasSubstr("is not there: No such file"));
    ShardSummary longer = zeroth;
    longer.file_bytes += 1;
    EXPECT_THAT(committing({longer}), HasSubstr("were written"));
    EXPECT_FALSE(fs::exists(path));
    EXPECT_EQ(committing({zeroth}), "nothing was thrown");
    EXPECT_THAT(committing({zeroth}), HasSubstr("somebody else has committed meanwhile"));
    EXPECT_EQ(Table::open(path).rows(), 2);
    EXPECT_THAT(message_of([&] { commit(path, std::array{write(0, "y")}); }),
                HasSubstr("it exists"));
}

} // namespace
} // namespace muster::data
