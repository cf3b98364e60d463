#include "hdf5_fixtures.hpp"
#include "small_disk.hpp"

#include <muster/base/error.hpp>
#include <muster/train/checkpoint_writer.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace muster::train {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::vector<float> counting(std::size_t count, float first = 0) {
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), first);
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

class Checkpoints : public testing::Test {
protected:
    test::Hdf5Fixtures fixtures;
    fs::path folder = fixtures.path("run");

    [[nodiscard]] fs::path path(std::uint64_t step) const { return checkpoint_path(folder, step); }
};

TEST_F(Checkpoints, HaveArraysNotesBytesAndMetrics) {
    const auto weights = counting(12);
    const std::array<std::byte, 3> opaque{std::byte{0}, std::byte{7}, std::byte{255}};
    {
        CheckpointWriter writer({.folder = folder});
        writer.save(State(41)
                        .array("model/weights", std::span(weights), {3, 4})
                        .bytes("generator", opaque)
                        .note("schedule", std::string("cosine"))
                        .note("rates", std::vector<double>{0.1, 0.01}),
                    {{"loss", 0.25}});
    }
    const Checkpoint checkpoint(path(41));
    EXPECT_EQ(checkpoint.step(), 41U);
    EXPECT_EQ(checkpoint.metrics(), (Metrics{{"loss", 0.25}}));
    std::vector<float> read(12);
    checkpoint.read("model/weights", std::span(read));
    EXPECT_EQ(read, weights);
    EXPECT_TRUE(std::ranges::equal(checkpoint.bytes("generator"), opaque));
    EXPECT_EQ(checkpoint.note<std::string>("schedule"), "cosine");
    EXPECT_EQ(checkpoint.note<std::vector<double>>("rates"), (std::vector<double>{0.1, 0.01}));
    EXPECT_THAT(message_of([&] { (void)checkpoint.note<double>("schedule"); }),
                HasSubstr("of another type"));
    EXPECT_THAT(message_of([&] { (void)checkpoint.note<double>("rate"); }),
                HasSubstr("has no note 'rate'"));
    checkpoint.verify();
}

TEST_F(Checkpoints, HaveWhatTheStateWasWhenItWasSaved) {
    CheckpointWriter writer({.folder = folder});
    std::vector<float> weights = counting(100'000);
    for (std::uint64_t step = 1; step <= 5; ++step) {
        writer.save(State(step).array("w", std::span<const float>(weights)));
        for (float& weight : weights) { // while it is written
            weight += 1;
        }
    }
    writer.wait();
    for (std::uint64_t step = 1; step <= 5; ++step) {
        std::vector<float> read(weights.size());
        Checkpoint(path(step)).read("w", std::span(read));
        EXPECT_EQ(read, counting(100'000, static_cast<float>(step - 1)));
    }
}

TEST_F(Checkpoints, OfRanksThatShareAnArrayAreReadOnOtherNumbersOfRanks) {
    const auto all = counting(20 * 3);
    for (const std::uint64_t ranks : {1U, 2U, 3U, 4U, 7U}) {
        std::vector<data::ArrayShard> shards(ranks);
        WrittenCheckpoint rank_0;
        for (std::uint64_t rank = 0; rank < ranks; ++rank) {
            const std::uint64_t first = 20 * rank / ranks;
            const std::uint64_t rows = 20 * (rank + 1) / ranks - first;
            CheckpointWriter writer({.folder = folder,
                                     .rank = static_cast<int>(rank),
                                     .done = [&](const WrittenCheckpoint& written) {
                                         shards[rank] = written.shard.value();
                                         if (rank == 0) {
                                             rank_0 = written;
                                         }
                                     }});
            writer.save(State(ranks)
                            .slab("moments",
                                  std::span(all).subspan(first * 3, rows * 3),
                                  {20, 3},
                                  {{first, 0}, {rows, 3}})
                            .array("bias", std::span(all).first(4))
                            .note("rank", static_cast<std::int64_t>(rank)));
            writer.wait();
        }
        EXPECT_FALSE(fs::exists(path(ranks))) << "nobody sees it before it is complete";
        commit_checkpoint(rank_0, shards);
        const Checkpoint checkpoint(path(ranks));
        checkpoint.verify();
        EXPECT_EQ(checkpoint.note<std::int64_t>("rank"), 0);
        for (const std::uint64_t readers : {1U, 2U, 3U, 5U}) {
            std::vector<float> joined;
            for (std::uint64_t reader = 0; reader < readers; ++reader) {
                const std::uint64_t first = 20 * reader / readers;
                const std::uint64_t rows = 20 * (reader + 1) / readers - first;
                std::vector<float> slab(rows * 3);
                checkpoint.read("moments", {{first, 0}, {rows, 3}}, std::span(slab));
                joined.insert(joined.end(), slab.begin(), slab.end());
            }
            EXPECT_EQ(joined, all) << ranks << " wrote, " << readers << " read";
        }
    }
}

TEST_F(Checkpoints, OfAFullDiskLeaveTheOneBeforeAndSaySo) {
    const auto weights = counting(100'000);
    CheckpointWriter writer({.folder = folder});
    writer.save(State(1).array("w", std::span(weights).first(100)));
    writer.wait();
    {
        const test::SmallDisk disk(20'000);
        writer.save(State(2).array("w", std::span(weights)));
        EXPECT_THAT(
            message_of([&] { writer.wait(); }),
            HasSubstr("cannot write array 'w' of '" + path(2).string() + "': File too large"));
    }
    EXPECT_EQ(find_checkpoints(folder).size(), 1U);
    writer.save(State(3).array("w", std::span(weights)));
    writer.wait();
    EXPECT_EQ(find_checkpoints(folder).back().step, 3U) << "and there is room again";
}

TEST_F(Checkpoints, ThatCannotBeOpenedAreLeftOut) {
    const auto weights = counting(1000);
    CheckpointWriter writer({.folder = folder});
    for (std::uint64_t step = 1; step <= 2; ++step) {
        writer.save(State(step).array("w", std::span(weights)));
    }
    writer.wait();
    fs::resize_file(path(2), fs::file_size(path(2)) / 2);
    testing::internal::CaptureStderr();
    const auto found = find_checkpoints(folder);
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(path(2).string()));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.front().step, 1U);
}

} // namespace
} // namespace muster::train
