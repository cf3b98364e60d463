#pragma once

#include <muster/train/checkpoint.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace muster::train {

/// What a rank has written of a checkpoint.
struct WrittenCheckpoint {
    SavedCheckpoint saved;                      ///< Complete, if there is no shard.
    std::optional<data::ArrayShard> shard = {}; ///< This rank's, of one that is not.
    std::vector<data::Attribute> notes = {};    ///< Of rank 0: for the stitched file.
};

/// Makes one checkpoint of the shards of all ranks, visible at once. Called on one rank, when all
/// have written theirs.
/// @param rank_0  What rank 0 has written: its notes and metrics count.
/// @param shards  One for each rank.
void commit_checkpoint(const WrittenCheckpoint& rank_0, std::span<const data::ArrayShard> shards);

struct CheckpointWriterOptions {
    std::filesystem::path folder;
    int rank = 0;
    /// Called on the writer's thread when a file is safe on disk. What it throws counts as a
    /// failure of the save.
    std::function<void(const WrittenCheckpoint&)> done = {};
};

/// Saves a rank's state while training goes on: save() copies it, and a thread writes the copy.
///
/// Of a state without sharded arrays rank 0 writes the one file, and other ranks do nothing at all.
/// Of one with such arrays every rank writes a shard, and whoever `done` tells calls
/// commit_checkpoint() when all are there.
///
/// Copying takes some threads, as many as this one has CPUs, at most 8; writing takes one.
///
/// Memory: as much again as this rank writes, kept from save to save, so that only the first has to
/// ask the system for it. One save is under way at a time: a second waits for the first. A save
/// that fails leaves the checkpoints of before, and its error is thrown by the next save() or
/// wait().
///
/// Threads: save() and wait() from one. Destroying it waits for the save under way.
class CheckpointWriter {
public:
    /// Makes the folder if it is not there. @throws Error if it cannot.
    explicit CheckpointWriter(CheckpointWriterOptions options);
    ~CheckpointWriter();
    CheckpointWriter(const CheckpointWriter&) = delete;
    CheckpointWriter& operator=(const CheckpointWriter&) = delete;

    /// Returns when the state is copied: it may change from then on.
    /// @throws Error of the save before; UsageError for a state that cannot be saved.
    void save(const State& state, const Metrics& metrics = {});

    /// Until all is written. @throws Error of the save that failed, once.
    void wait();

private:
    /// A copy of a state, in memory that is used again.
    struct Copy {
        struct Free {
            void operator()(std::byte* memory) const noexcept;
        };

        struct Block {
            std::unique_ptr<std::byte, Free> bytes;
            std::size_t capacity = 0;
        };

        std::vector<State::Entry> entries; ///< Their values point into the blocks.
        std::vector<Block> blocks;
        std::vector<data::Attribute> notes;
        bool is_sharded = false;
        SavedCheckpoint saved;
    };

    void take(const State& state, const Metrics& metrics);
    void wait_until_idle(std::unique_lock<std::mutex>& lock);
    void work(const std::stop_token& stop);
    [[nodiscard]] WrittenCheckpoint write() const;

    CheckpointWriterOptions options_;
    Copy copy_;        ///< The caller's while idle, else the thread's.
    std::mutex mutex_; ///< Guards what follows.
    std::condition_variable_any changed_;
    bool is_busy_ = false;
    std::exception_ptr failure_;
    std::jthread thread_; ///< Last: ends before what it uses.
};

} // namespace muster::train
