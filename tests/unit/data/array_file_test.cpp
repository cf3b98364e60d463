#include "hdf5_fixtures.hpp"
#include "small_disk.hpp"

#include <muster/base/error.hpp>
#include <muster/data/array_file.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

namespace muster::data {
namespace {

namespace fs = std::filesystem;
using test::Hdf5Fixtures;
using testing::HasSubstr;

std::vector<double> counting(std::size_t count) {
    std::vector<double> values(count);
    std::iota(values.begin(), values.end(), 0.5);
    return values;
}

template <class Call>
std::string message_of(const Call& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "nothing was thrown";
}

/// Turns a byte of the file that has this value there, once.
void damage(const fs::path& file, double value) {
    std::ifstream in(file, std::ios::binary);
    std::string all((std::istreambuf_iterator<char>(in)), {});
    const std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
    const std::size_t at = all.find(bytes);
    ASSERT_NE(at, std::string::npos);
    all[at] = static_cast<char>(all[at] ^ 1);
    std::ofstream(file, std::ios::binary) << all;
}

class ArrayFiles : public testing::Test {
protected:
    Hdf5Fixtures fixtures;

    /// A 7 x 5 array in pieces of rows, as so many writers have them.
    fs::path write_in_pieces(int writers) {
        const fs::path path = fixtures.path("sharded.h5");
        const ArrayInfo info{"model/weights", ElementType::float64, {7, 5}};
        const auto all = counting(35);
        std::vector<ArrayShard> shards;
        for (int writer = 0; writer < writers; ++writer) {
            const auto first = static_cast<std::uint64_t>(7 * writer / writers);
            const auto last = static_cast<std::uint64_t>(7 * (writer + 1) / writers);
            ArrayShardWriter shard(path, static_cast<std::uint32_t>(writer));
            shard.write(info,
                        {{first, 0}, {last - first, 5}},
                        std::as_bytes(std::span(all).subspan(first * 5, (last - first) * 5)));
            shards.push_back(shard.finish());
        }
        ArrayFileWriter whole(path, {.replace = true, .attributes = {{"step", std::int64_t{12}}}});
        whole.stitch(shards);
        whole.finish();
        return path;
    }
};

TEST_F(ArrayFiles, AreReadAsTheyWereWritten) {
    const auto values = counting(24);
    const std::vector<std::int32_t> counts{1, -2, 3};
    const std::vector<float> none;
    ArrayFileWriter writer(fixtures.path("a.h5"),
                           {.attributes = {{"step", std::int64_t{7}},
                                           {"name", std::string("digits")},
                                           {"rates", std::vector<double>{0.1, 0.2}}}});
    writer.write("model/weights", std::span(values), {2, 3, 4});
    writer.write("counts", std::span(counts));
    writer.write("none", std::span(none), {0, 3});
    writer.finish();

    const auto file = ArrayFile::open(fixtures.path("a.h5"));
    EXPECT_EQ(file.arrays().size(), 3U);
    EXPECT_EQ(file.array("model/weights").shape, (std::vector<std::uint64_t>{2, 3, 4}));
    EXPECT_EQ(file.read<double>("model/weights"), values);
    EXPECT_EQ(file.read<std::int32_t>("counts"), counts);
    EXPECT_TRUE(file.read<float>("none").empty());
    EXPECT_EQ(file.attributes().size(), 3U);
    std::vector<double> slab(4);
    file.read("model/weights", {{0, 1, 2}, {2, 1, 2}}, std::span(slab));
    EXPECT_EQ(slab, (std::vector<double>{6.5, 7.5, 18.5, 19.5}));
    file.verify();
    EXPECT_THAT(message_of([&] { (void)file.read<float>("counts"); }),
                HasSubstr("array 'counts' of '"));
    EXPECT_THAT(message_of([&] { (void)file.array("wieghts"); }),
                HasSubstr("it has: counts, model/weights, none"));
}

TEST_F(ArrayFiles, OfSeveralWritersAreReadInAnySlabs) {
    for (const int writers : {1, 2, 3, 7, 9}) {
        const auto file = ArrayFile::open(write_in_pieces(writers));
        EXPECT_EQ(file.read<double>("model/weights"), counting(35));
        for (std::uint64_t readers = 1; readers <= 5; ++readers) {
            std::vector<double> joined;
            for (std::uint64_t reader = 0; reader < readers; ++reader) {
                const std::uint64_t first = 7 * reader / readers;
                const std::uint64_t rows = 7 * (reader + 1) / readers - first;
                std::vector<double> slab(rows * 5);
                file.read("model/weights", {{first, 0}, {rows, 5}}, std::span(slab));
                joined.insert(joined.end(), slab.begin(), slab.end());
            }
            EXPECT_EQ(joined, counting(35)) << writers << " writers, " << readers << " readers";
        }
        std::vector<double> column(7);
        file.read("model/weights", {{0, 3}, {7, 1}}, std::span(column));
        EXPECT_EQ(column, (std::vector<double>{3.5, 8.5, 13.5, 18.5, 23.5, 28.5, 33.5}));
        file.verify();
    }
}

TEST_F(ArrayFiles, RefusePiecesThatOverlapOrLeaveGaps) {
    const fs::path path = fixtures.path("x.h5");
    const ArrayInfo info{"w", ElementType::float64, {4}};
    const auto values = counting(2);
    const auto piece = [&](std::uint32_t shard, std::uint64_t first) {
        ArrayShardWriter writer(path, shard);
        writer.write(info, {{first}, {2}}, std::as_bytes(std::span(values)));
        return writer.finish();
    };
    const auto stitching = [&](const std::vector<ArrayShard>& shards) {
        return message_of([&] { ArrayFileWriter(path).stitch(shards); });
    };
    EXPECT_THAT(stitching({piece(0, 0)}), HasSubstr("have 2 of the 4 elements of array 'w'"));
    EXPECT_THAT(stitching({piece(0, 0), piece(1, 1)}),
                HasSubstr("the element at [1] of array 'w'"));
    EXPECT_FALSE(fs::exists(path));
}

TEST_F(ArrayFiles, NameTheFileAndTheArrayThatIsDamaged) {
    const auto values = counting(100);
    const fs::path path = fixtures.path("a.h5");
    ArrayFileWriter writer(path);
    writer.write("good", std::span(values).first(10));
    writer.write("bad", std::span(values).subspan(20));
    writer.finish();
    damage(path, 77.5);
    const auto file = ArrayFile::open(path);
    EXPECT_EQ(file.read<double>("good").size(), 10U);
    const auto expected = HasSubstr("array 'bad' of '" + path.string() + "' is damaged");
    EXPECT_THAT(message_of([&] { (void)file.read<double>("bad"); }), expected);
    EXPECT_THAT(message_of([&] { file.verify(); }), expected);
    std::vector<double> slab(2);
    EXPECT_THAT(message_of([&] {
                    file.read("bad", {{0}, {2}}, std::span(slab));
                }),
                expected)
        << "also where another part of it is damaged";
}

TEST_F(ArrayFiles, NameThePieceThatIsDamagedOrGone) {
    const fs::path path = write_in_pieces(2);
    std::vector<fs::path> shards;
    for (const auto& entry : fs::directory_iterator(path.string() + ".shards")) {
        shards.push_back(entry.path());
    }
    std::sort(shards.begin(), shards.end());
    damage(shards.at(1), 34.5);
    const auto file = ArrayFile::open(path);
    std::vector<double> slab(15);
    file.read("model/weights", {{0, 0}, {3, 5}}, std::span(slab)); // the other writer's
    EXPECT_THAT(message_of([&] { (void)file.read<double>("model/weights"); }),
                HasSubstr("is damaged (its piece in 'sharded.h5.shards/g1-00001-"));
    fs::remove(shards.at(0));
    EXPECT_THAT(message_of([&] { (void)ArrayFile::open(path).read<double>("model/weights"); }),
                HasSubstr("which is not there any more"))
        << "HDF5 itself would read zeros";
    remove_array_file(path);
    EXPECT_TRUE(fs::is_empty(fixtures.path("")));
}

TEST_F(ArrayFiles, LeaveTheOneBeforeWhenTheDiskIsFull) {
    const fs::path path = fixtures.path("a.h5");
    const auto values = counting(10'000);
    {
        ArrayFileWriter writer(path);
        writer.write("w", std::span(values).first(10));
        writer.finish();
    }
    {
        const test::SmallDisk disk(20'000);
        ArrayFileWriter writer(path, {.replace = true});
        EXPECT_THAT(message_of([&] { writer.write("w", std::span(values)); }),
                    HasSubstr("cannot write array 'w' of '" + path.string() + "': File too large"));
    }
    EXPECT_EQ(ArrayFile::open(path).read<double>("w").size(), 10U);
    EXPECT_EQ(std::distance(fs::directory_iterator(fixtures.path("")), {}), 1) << "no part is left";
}

TEST_F(ArrayFiles, RefuseWhatIsNoArray) {
    const auto values = counting(4);
    const auto writing = [&](const ArrayInfo& info) {
        return message_of([&] {
            ArrayFileWriter(fixtures.path("x.h5")).write(info, std::as_bytes(std::span(values)));
        });
    };
    EXPECT_THAT(writing({"w", ElementType::string, {4}}), HasSubstr("is of type string"));
    EXPECT_THAT(writing({"", ElementType::float64, {4}}), HasSubstr("no name"));
    EXPECT_THAT(writing({"w", ElementType::float64, {}}), HasSubstr("has 0 axes"));
    EXPECT_THAT(writing({"w", ElementType::float64, {5}}), HasSubstr("32 bytes of memory"));
}

} // namespace
} // namespace muster::data
