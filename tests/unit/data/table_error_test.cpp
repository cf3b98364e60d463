#include "hdf5_fixtures.hpp"

#include <muster/base/error.hpp>
#include <muster/data/table.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>

namespace muster::data {
namespace {

using test::Hdf5Fixtures;
using testing::AllOf;
using testing::HasSubstr;
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

class BadTable : public testing::Test {
protected:
    std::string opening(const std::filesystem::path& file) {
        return message_of([&] {
            static_cast<void>(Table::open(file,
                                          {.columns = {column<float>("images", {{28, 28}}),
                                                       column<std::uint8_t>("labels", {{}})}}));
        });
    }

    Hdf5Fixtures fixtures;
};

TEST_F(BadTable, GoodFileOpens) {
    EXPECT_EQ(opening(fixtures.write_digits("good.h5", 20)), "nothing was thrown");
}

TEST_F(BadTable, MissingFileIsNamedWithTheSystemsReason) {
    EXPECT_THAT(
        opening(fixtures.path("none.h5")),
        AllOf(HasSubstr("none.h5'"), HasSubstr("No such file"), HasSubstr("check the path")));
}

TEST_F(BadTable, DirectoryIsNotAFile) {
    EXPECT_THAT(opening(fixtures.path("")), HasSubstr("Is a directory"));
}

TEST_F(BadTable, TextIsNotHdf5) {
    EXPECT_THAT(opening(fixtures.write_text("notes.h5", "label,pixels\n1,0 0 0\n")),
                AllOf(HasSubstr("notes.h5' is not an HDF5 file"), HasSubstr("written by HDF5")));
    EXPECT_THAT(opening(fixtures.write_text("empty.h5", "")), HasSubstr("it is empty"));
}

TEST_F(BadTable, TruncatedFileIsCalledSo) {
    const auto file = fixtures.write_digits("short.h5", 200);
    std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
    EXPECT_THAT(
        opening(file),
        AllOf(HasSubstr("short.h5'"), HasSubstr("truncated file"), HasSubstr("copy it again")));
}

TEST_F(BadTable, FileCutInsideItsHeaderIsRefused) {
    const auto file = fixtures.write_digits("header.h5", 20);
    std::filesystem::resize_file(file, 20);
    EXPECT_THAT(opening(file), AllOf(HasSubstr("header.h5'"), HasSubstr("cut off at its end")));
}

TEST_F(BadTable, DamagedChunkIsNamedWithItsOffsetWhenItIsRead) {
    const auto file =
        fixtures.write("damaged.h5", {{.name = "x", .shape = {4000, 9}, .chunk = {4000, 9}}});
    {
        // The only chunk is the bulk of the file and near its end; the header is in front.
        std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
        bytes.seekp(static_cast<std::streamoff>(std::filesystem::file_size(file)) - 60);
        bytes << std::string(50, '\xff');
    }
    const Table table = Table::open(file);
    std::vector<float> values(5 * 9);
    EXPECT_THAT(message_of([&] { table.read_rows("x", 10, 5, std::span(values)); }),
                AllOf(HasSubstr("a chunk of dataset 'x' at offset "),
                      HasSubstr("damaged.h5' is damaged: deflate")));
}

TEST_F(BadTable, MissingDatasetIsAnsweredWithThoseThereAre) {
    const auto file = fixtures.write(
        "other.h5", {{.name = "labels", .shape = {5}}, {.name = "set/pictures", .shape = {5}}});
    EXPECT_THAT(opening(file),
                AllOf(HasSubstr("other.h5' has no dataset 'images'"),
                      HasSubstr("it has 'labels', 'set/pictures'")));
    EXPECT_THAT(opening(fixtures.write("bare.h5", {})), HasSubstr("nor any other"));
}

TEST_F(BadTable, GroupIsNoDataset) {
    const auto file = fixtures.write("group.h5", {{.name = "images/a", .shape = {5}}});
    EXPECT_THAT(opening(file), HasSubstr("no dataset 'images'; it has 'images/a'"));
}

TEST_F(BadTable, WrongShapeIsShownBesideTheRightOne) {
    const auto flat = fixtures.write(
        "flat.h5", {{.name = "images", .shape = {5, 784}}, {.name = "labels", .shape = {5}}});
    EXPECT_THAT(opening(flat),
                AllOf(HasSubstr("dataset 'images' has shape 5 x 784"),
                      HasSubstr("rows of 28 x 28 are needed")));
    const auto one_hot = fixtures.write(
        "one_hot.h5",
        {{.name = "images", .shape = {5, 28, 28}}, {.name = "labels", .shape = {5, 10}}});
    EXPECT_THAT(opening(one_hot), HasSubstr("rows of one value are needed"));
}

TEST_F(BadTable, SingleValueIsNoColumn) {
    const auto file = fixtures.write("single.h5", {{.name = "images", .shape = {}}});
    EXPECT_THAT(opening(file), HasSubstr("dataset 'images' is a single value"));
}

TEST_F(BadTable, WrongTypeIsNamed) {
    const auto labels_of = [&](ElementType type) {
        return fixtures.write("type.h5",
                              {{.name = "images", .shape = {5, 28, 28}},
                               {.name = "labels", .shape = {5}, .type = type}});
    };
    EXPECT_THAT(opening(labels_of(ElementType::float32)),
                AllOf(HasSubstr("dataset 'labels' holds float32 values"),
                      HasSubstr("cannot be read as uint8")));
    EXPECT_THAT(opening(labels_of(ElementType::unsupported)),
                HasSubstr("holds string of 4 bytes values"));
}

TEST_F(BadTable, ColumnsOfDifferentLengthDoNotMakeATable) {
    const auto file = fixtures.write(
        "lengths.h5", {{.name = "images", .shape = {5, 28, 28}}, {.name = "labels", .shape = {6}}});
    const auto says_both = AllOf(HasSubstr("'images' has 5 rows"), HasSubstr("'labels' has 6"));
    EXPECT_THAT(opening(file), says_both);
    EXPECT_THAT(message_of([&] { static_cast<void>(Table::open(file)); }), says_both);
}

TEST_F(BadTable, RowsOutsideTheTableAreRefused) {
    const Table table = Table::open(fixtures.write_digits("good.h5", 20));
    std::array<float, 2> values{};
    const std::array<std::uint64_t, 2> rows{3, 20};
    const auto says_row = AllOf(HasSubstr("row 20 of dataset 'labels'"), HasSubstr("20 rows"));
    EXPECT_THAT(message_of([&] { table.read_rows("labels", 19, 2, std::span(values)); }), says_row);
    EXPECT_THAT(message_of([&] { table.gather("labels", rows, std::span(values)); }), says_row);
    EXPECT_THAT(message_of([&] { table.read_rows("labels", ~0ULL, 2, std::span(values)); }),
                HasSubstr("20 rows"));
}

TEST_F(BadTable, OutputOfTheWrongSizeIsRefused) {
    const Table table = Table::open(fixtures.write_digits("good.h5", 20));
    std::vector<float> values(100);
    EXPECT_THAT(message_of([&] { table.read_rows("images", 0, 2, std::span(values)); }),
                AllOf(HasSubstr("are 1568 values"), HasSubstr("room for 100")));
}

TEST_F(BadTable, UnknownColumnIsAnsweredWithTheOpenOnes) {
    const Table table =
        Table::open(fixtures.write_digits("good.h5", 20), {.columns = {column<float>("labels")}});
    EXPECT_THAT(message_of([&] { static_cast<void>(table.column("images")); }),
                AllOf(HasSubstr("column 'images'"), HasSubstr("its columns are 'labels'")));
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator descriptors("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(descriptors), end(descriptors)));
}

TEST_F(BadTable, OpeningLeaksNoDescriptorWhetherItSucceedsOrFails) {
    const auto good = fixtures.write_digits("good.h5", 20);
    const auto lacking = fixtures.write("lacking.h5", {{.name = "labels", .shape = {5}}});
    const auto truncated = fixtures.write_digits("short.h5", 200);
    std::filesystem::resize_file(truncated, std::filesystem::file_size(truncated) / 2);
    const auto text = fixtures.write_text("notes.h5", "no");
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 20; ++i) {
        for (const auto& file : {good, lacking, truncated, text}) {
            static_cast<void>(opening(file));
        }
        const Table table = Table::open(good);
        const Table copy = table;
        std::vector<float> values(784);
        copy.read_rows("images", 3, 1, std::span(values));
    }
    EXPECT_EQ(open_descriptors(), before);
}

} // namespace
} // namespace muster::data
