#include "block_cache.hpp"
#include "file_index.hpp"
#include "hdf5_fixtures.hpp"

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/data/batch_loader.hpp>
#include <muster/data/node_cache.hpp>
#include <muster/data/table.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <numeric>
#include <thread>

namespace muster::data {
namespace {

using test::Hdf5Dataset;
using test::Hdf5Fixtures;
using testing::AllOf;
using testing::HasSubstr;

class Reading : public testing::Test {
protected:
    Hdf5Fixtures fixtures;
};

std::vector<double> values_of(const Hdf5Dataset& dataset) {
    const std::uint64_t elements = std::accumulate(
        dataset.shape.begin(), dataset.shape.end(), std::uint64_t{1}, std::multiplies<>());
    const std::uint64_t row = dataset.shape[0] == 0 ? 0 : elements / dataset.shape[0];
    std::vector<double> values(elements, 0.0);
    for (std::uint64_t i = 0; i < elements; ++i) {
        if (i / std::max<std::uint64_t>(row, 1) < dataset.rows_written) {
            values[i] = static_cast<double>(dataset.first) + static_cast<double>(i % 10);
        }
    }
    return values;
}

Hdf5Dataset random_dataset(Random& random) {
    Hdf5Dataset dataset{.name = "x", .shape = {1 + random.below(200)}};
    for (std::uint64_t axes = random.below(4); axes > 0; --axes) {
        dataset.shape.push_back(1 + random.below(7));
    }
    dataset.type = static_cast<ElementType>(random.below(10));
    dataset.is_big_endian = random.below(3) == 0;
    dataset.first = static_cast<int>(random.below(100));
    if (random.below(4) != 0) {
        for (const std::uint64_t length : dataset.shape) {
            dataset.chunk.push_back(1 + random.below(length));
        }
        if (random.below(2) == 0) { // whole rows
            std::copy(dataset.shape.begin() + 1, dataset.shape.end(), dataset.chunk.begin() + 1);
        }
        dataset.filters.clear();
        for (const char* const filter : {"shuffle", "deflate", "fletcher32"}) {
            if (random.below(2) == 0) {
                dataset.filters.push_back(filter);
            }
        }
        if (random.below(4) == 0) {
            std::reverse(dataset.filters.begin(), dataset.filters.end());
        }
    }
    if (random.below(4) == 0) {
        dataset.rows_written = random.below(dataset.shape[0] + 1);
    }
    return dataset;
}

TEST_F(Reading, GivesTheValuesHowEverTheyAreStoredAndAskedFor) {
    Random random(11);
    for (int i = 0; i < 400; ++i) {
        const Hdf5Dataset dataset = random_dataset(random);
        SCOPED_TRACE(fmt::format("file {}: {} of {} chunk {} filters {}",
                                 i,
                                 to_string(dataset.type),
                                 fmt::join(dataset.shape, "x"),
                                 fmt::join(dataset.chunk, "x"),
                                 fmt::join(dataset.filters, "+")));
        const auto file = fixtures.write("x.h5", {dataset});
        const std::vector<double> expected = values_of(dataset);
        const Table table =
            Table::open(file, {.memory_bytes_max = random.below(2) == 0 ? 0U : 1U << 20U});
        const std::uint64_t row = table.column("x").row_elements();
        const std::uint64_t rows = table.rows();
        for (int read = 0; read < 4; ++read) {
            const std::uint64_t first = random.below(rows);
            const std::uint64_t count = random.below(rows - first + 1);
            std::vector<double> values(count * row);
            if (dataset.type == ElementType::int64 || dataset.type == ElementType::uint64) {
                break; // not all fit
            }
            table.read_rows("x", first, count, std::span(values));
            ASSERT_TRUE(std::equal(values.begin(),
                                   values.end(),
                                   expected.begin() + static_cast<std::ptrdiff_t>(first * row)));
            std::vector<std::uint64_t> wanted(random.below(50));
            for (std::uint64_t& of : wanted) {
                of = random.below(rows);
            }
            values.resize(wanted.size() * row);
            table.gather("x", wanted, std::span(values));
            for (std::size_t at = 0; at < values.size(); ++at) {
                ASSERT_EQ(values[at], expected[wanted[at / row] * row + at % row]);
            }
        }
        if (dataset.type == ElementType::uint64) {
            std::vector<std::uint64_t> values(rows * row);
            table.read_rows("x", 0, rows, std::span(values));
            ASSERT_TRUE(std::equal(values.begin(), values.end(), expected.begin()));
        }
        const auto starts = table.block_starts("x");
        ASSERT_EQ(starts.front(), 0U);
        ASSERT_TRUE(std::is_sorted(starts.begin(), starts.end()));
        ASSERT_LT(starts.back(), rows);
    }
}

TEST_F(Reading, SeveralFilesAreOneTableInOrder) {
    std::vector<std::filesystem::path> files;
    std::vector<std::uint8_t> expected;
    for (const int rows : {3, 0, 7, 1, 300}) {
        const auto number = static_cast<int>(files.size());
        files.push_back(fixtures.write(
            fmt::format("part-{}.h5", number),
            {{.name = "x",
              .shape = {static_cast<std::uint64_t>(rows), 4},
              .chunk = {std::clamp<std::uint64_t>(static_cast<std::uint64_t>(rows), 1, 5), 4},
              .first = 10 * number}}));
        for (int i = 0; i < 4 * rows; ++i) {
            expected.push_back(static_cast<std::uint8_t>(10 * number + i % 10));
        }
    }
    for (const Table& table :
         {Table::open_files(files),
          Table::open(fixtures.path("part-*.h5")),
          Table::open(fixtures.path("part-?.h5"), {.columns = {column<std::uint8_t>("/x")}})}) {
        ASSERT_EQ(table.rows(), 311U);
        EXPECT_THAT(table.file(), AllOf(HasSubstr("part-0.h5"), HasSubstr("and 4 more files")));
        std::vector<std::uint8_t> values(311 * 4);
        table.read_rows("x", 0, 311, std::span(values));
        EXPECT_EQ(values, expected);
        std::vector<std::uint64_t> rows(311);
        std::iota(rows.rbegin(), rows.rend(), std::uint64_t{0});
        table.gather("x", rows, std::span(values));
        for (std::size_t i = 0; i < values.size(); ++i) {
            ASSERT_EQ(values[i], expected[rows[i / 4] * 4 + i % 4]);
        }
    }
}

TEST_F(Reading, FilesThatDifferAreNoTable) {
    const auto message = [&](Hdf5Dataset second) {
        fixtures.write("a.h5", {{.name = "x", .shape = {5, 2}}});
        fixtures.write("b.h5", {std::move(second)});
        try {
            (void)Table::open(fixtures.path("[ab].h5"));
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("nothing was thrown");
    };
    EXPECT_EQ(message({.name = "x", .shape = {5, 2}}), "nothing was thrown");
    EXPECT_THAT(message({.name = "x", .shape = {5, 2}, .type = ElementType::int32}),
                AllOf(HasSubstr("'x' has rows of 2 uint8 in"),
                      HasSubstr("rows of 2 int32 in"),
                      HasSubstr("b.h5")));
    EXPECT_THAT(message({.name = "x", .shape = {5, 3}}), HasSubstr("rows of 3 uint8"));
    EXPECT_THAT(message({.name = "y", .shape = {5, 2}}), HasSubstr("no dataset 'x'; it has 'y'"));
    try {
        (void)Table::open(fixtures.path("none-*.h5"));
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("no file matches"));
    }
}

TEST_F(Reading, AVirtualDatasetIsReadAsWhatItIsMadeOf) {
    fixtures.write("one.h5", {{.name = "x", .shape = {30, 4}, .chunk = {8, 4}}});
    fixtures.write("two.h5", {{.name = "x", .shape = {5, 4}, .first = 40}});
    const auto inner = fixtures.write_virtual("inner.h5", {"one.h5", "two.h5"}, {30, 5}, 4);
    const auto file = fixtures.write_virtual("outer.h5", {"two.h5", "inner.h5"}, {5, 35}, 4);
    const Table table = Table::open(file);
    ASSERT_EQ(table.rows(), 40U);
    EXPECT_EQ(table.column("x").layout, StorageLayout::virtual_dataset);
    std::vector<std::uint8_t> values(160);
    table.read_rows("x", 0, 40, std::span(values));
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t row = i / 4;
        const std::size_t from = row < 5 ? 0 : row < 35 ? 20 : 140;
        EXPECT_EQ(values[i], (row < 5 || row >= 35 ? 40 : 0) + (i - from) % 10) << i;
    }
    EXPECT_GT(table.statistics().chunks_decoded, 0U) << "not by HDF5";
    std::filesystem::remove(fixtures.path("two.h5"));
    try {
        (void)Table::open(inner);
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("inner.h5"), HasSubstr("two.h5")));
    }
    fixtures.write("short.h5", {{.name = "x", .shape = {29, 4}}});
    try {
        (void)Table::open(fixtures.write_virtual("of_short.h5", {"short.h5"}, {30}, 4));
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("short.h5"), HasSubstr("which has 29")));
    }
}

TEST_F(Reading, ChunksAreDecodedOnceWhileTheyFitInMemory) {
    const auto file = fixtures.write(
        "x.h5",
        {{.name = "x", .shape = {1000, 1000}, .type = ElementType::float32, .chunk = {100, 1000}}});
    const auto decoded = [&](std::uint64_t memory, Order order) {
        const Table table = Table::open(file, {.memory_bytes_max = memory});
        BatchLoader loader(
            table,
            {column<float>("x")},
            {.batch_size = 10, .order = order, .window_blocks = 2, .threads = 3, .epochs = 2});
        std::uint64_t rows = 0;
        while (const auto batch = loader.next()) {
            rows += batch->size();
        }
        EXPECT_EQ(rows, 2000U);
        return table.statistics().chunks_decoded;
    };
    EXPECT_EQ(decoded(100 << 20, Order::shuffled), 10U) << "all chunks fit";
    EXPECT_LE(decoded(2 << 20, Order::shuffled_by_block), 20U) << "five fit; once an epoch";
    EXPECT_GT(decoded(1 << 20, Order::shuffled), 500U);
    EXPECT_THROW(decoded(1 << 20, Order::shuffled_by_block), UsageError) << "no room for windows";
}

TEST_F(Reading, AFileThatChangesUnderneathIsAnError) {
    const Hdf5Dataset dataset{.name = "x", .shape = {50, 100}, .type = ElementType::float64};
    const auto file = fixtures.write("x.h5", {dataset});
    std::vector<double> values(100);
    const auto message = [&](const Table& table) {
        try {
            table.read_rows("x", 20, 1, std::span(values));
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("nothing was thrown");
    };
    const Table grown = Table::open(file, {.memory_bytes_max = 0});
    EXPECT_EQ(message(grown), "nothing was thrown");
    std::ofstream(file, std::ios::app) << "more";
    EXPECT_THAT(message(grown), HasSubstr("grew while it was being read"));
    const Table replaced = Table::open(fixtures.write("y.h5", {dataset}), {.memory_bytes_max = 0});
    std::filesystem::rename(file, fixtures.path("y.h5"));
    EXPECT_THAT(message(replaced), HasSubstr("was replaced"));
}

TEST_F(Reading, AnIndexSavesOpeningTheFilesAgain) {
    const auto index = fixtures.path("files.index");
    for (int i = 0; i < 5; ++i) {
        fixtures.write(fmt::format("part-{}.h5", i),
                       {{.name = "x", .shape = {20, 3}, .chunk = {6, 3}, .first = i},
                        {.name = "y", .shape = {20}}});
    }
    const auto sum = [&](const TableOptions& options) {
        const Table table = Table::open(fixtures.path("part-*.h5"), options);
        std::vector<int> values(table.rows() * 3);
        table.read_rows("x", 0, table.rows(), std::span(values));
        return std::accumulate(values.begin(), values.end(), 0);
    };
    const int expected = sum({});
    EXPECT_EQ(sum({.index_file = index}), expected);
    ASSERT_TRUE(std::filesystem::exists(index));
    const auto written = std::filesystem::last_write_time(index);
    // What cannot be opened any more cannot have been asked: only the stamp still fits.
    const auto file = fixtures.path("part-2.h5");
    const auto stamp = std::filesystem::last_write_time(file);
    {
        std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
        bytes << "not HDF5";
    }
    std::filesystem::last_write_time(file, stamp);
    EXPECT_EQ(sum({.index_file = index}), expected);
    EXPECT_EQ(std::filesystem::last_write_time(index), written);
    EXPECT_THROW((void)sum({}), Error);
    fixtures.write("part-2.h5", {{.name = "x", .shape = {2, 3}}, {.name = "y", .shape = {2}}});
    EXPECT_EQ(sum({.index_file = index}), sum({}));
    // A damaged index is no index.
    std::ofstream(index, std::ios::binary | std::ios::app) << "x";
    EXPECT_EQ(sum({.index_file = index}), sum({}));
    EXPECT_THROW((void)sum({.index_file = fixtures.path("none/files.index")}), Error);
}

TEST(FileIndexBytes, ComeBackAsTheyWereAndNothingElseDoes) {
    FileDescriptions files;
    for (int i = 0; i < 4; ++i) {
        DatasetDescription dataset;
        dataset.column = {.name = "x",
                          .shape = {10, 3},
                          .type = ElementType::int16,
                          .type_text = "int16",
                          .chunk = {4, 3},
                          .layout = StorageLayout::chunked,
                          .element_bytes = 2,
                          .is_swapped = true,
                          .filters = {{1, "deflate", {6}}},
                          .stored_bytes = 77};
        dataset.storage.kind = Storage::Kind::chunked;
        dataset.storage.chunks = {{100, 20, 0}, {120, 9, 1}, {}};
        dataset.storage.fill_value = {std::byte{1}, std::byte{2}};
        DatasetDescription made_of;
        made_of.column = {.name = "v",
                          .shape = {10},
                          .type = ElementType::uint8,
                          .type_text = "uint8",
                          .chunk = {},
                          .layout = StorageLayout::virtual_dataset,
                          .element_bytes = 1};
        made_of.storage.opaque_reason = "its layout is virtual";
        made_of.pieces = {{0, 4, "a.h5", "x", 3}, {4, 6, "b.h5", "x", 0}};
        files[fmt::format("file-{}.h5", i)] = {
            .stamp = {1, 2, 3, -4}, .is_complete = i % 2 == 0, .datasets = {dataset, made_of}};
    }
    const std::vector<std::byte> bytes = encode_index(files);
    EXPECT_EQ(decode_index(bytes), files);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_THROW((void)decode_index(std::span(bytes).first(size)), Error);
    }
}

TEST(BlockCacheOfAProcess, FillsEachBlockOnceHoweverManyThreadsAsk) {
    constexpr std::uint64_t keys = 64;
    const auto cache = BlockCache::make_private(8192, keys * 8192);
    ASSERT_EQ(cache->slots(), keys);
    std::array<std::atomic<int>, keys> filled{};
    std::vector<std::jthread> threads;
    for (unsigned thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            Random random(thread);
            for (std::size_t i = 0; i < 5000; ++i) {
                const std::uint64_t key = random.below(keys);
                for (bool done = false; !done;) {
                    auto answer = cache->acquire(key);
                    switch (answer.state) {
                    case BlockCache::State::claimed:
                        std::fill_n(answer.pin.bytes().data(), 8192, std::byte(key));
                        ++filled[key];
                        answer.pin.publish();
                        [[fallthrough]];
                    case BlockCache::State::ready:
                        EXPECT_EQ(answer.pin.bytes()[i % 8192], std::byte(key));
                        done = true;
                        break;
                    case BlockCache::State::busy:
                        cache->wait(answer.generation);
                        break;
                    case BlockCache::State::full:
                        ADD_FAILURE() << "there is a slot for each";
                        done = true;
                    }
                }
            }
        });
    }
    threads.clear();
    for (const auto& count : filled) {
        EXPECT_EQ(count, 1);
    }
}

TEST(BlockCacheOfAProcess, MakesRoomByWhatWasUsedTheLongestAgoAndIsNotPinned) {
    const auto cache = BlockCache::make_private(4096, 3 * 4096);
    const auto fill = [&](std::uint64_t key) {
        auto answer = cache->acquire(key);
        EXPECT_EQ(answer.state, BlockCache::State::claimed) << key;
        answer.pin.publish();
        return std::move(answer.pin);
    };
    const auto is_ready = [&](std::uint64_t key) {
        return cache->acquire_ready(key).state == BlockCache::State::ready;
    };
    auto one = fill(1);
    (void)fill(2);
    (void)fill(3);
    EXPECT_TRUE(is_ready(2));
    (void)fill(4);
    EXPECT_TRUE(is_ready(1)) << "pinned";
    EXPECT_TRUE(is_ready(2));
    EXPECT_FALSE(is_ready(3));
    {
        const auto claimed = cache->acquire(5); // and given up
        EXPECT_EQ(claimed.state, BlockCache::State::claimed);
        EXPECT_EQ(cache->acquire(5).state, BlockCache::State::busy);
    }
    EXPECT_FALSE(is_ready(5));
    auto two = fill(6);
    auto three = fill(7);
    EXPECT_EQ(cache->acquire(8).state, BlockCache::State::full);
}

TEST(BlockCacheOfANode, IsTakenOverFromAProcessThatDied) {
    const auto cache = BlockCache::make_shared(4096, 2 * 4096, 99);
    const CachePlace place = cache->place();
    const pid_t child = ::fork();
    if (child == 0) {
        // Dies with a block that it pins and one that it was filling.
        const auto own = BlockCache::open_shared(place, 4096, 2 * 4096, 1);
        auto filled = own->acquire(1);
        std::fill_n(filled.pin.bytes().data(), 4096, std::byte{7});
        filled.pin.publish();
        const auto claimed = own->acquire(2);
        ::_exit(claimed.state == BlockCache::State::claimed ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    auto one = cache->acquire(1);
    EXPECT_EQ(one.state, BlockCache::State::ready);
    EXPECT_EQ(one.pin.bytes()[4095], std::byte{7});
    auto two = cache->acquire(2);
    EXPECT_EQ(two.state, BlockCache::State::claimed) << "nobody alive fills it";
    two.pin.publish();
    one.pin = {};
    EXPECT_EQ(cache->acquire(3).state, BlockCache::State::claimed) << "the dead pin nothing";
    EXPECT_THROW(BlockCache::open_shared({place.process, place.descriptor, 98}, 4096, 8192, 1),
                 Error);
    EXPECT_THROW(BlockCache::open_shared(place, 8192, 4 * 8192, 1), Error);
    EXPECT_THROW(BlockCache::open_shared({place.process, 9999, 99}, 4096, 8192, 1), Error);
}

} // namespace
} // namespace muster::data
