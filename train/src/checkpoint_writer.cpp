#include "snapshot_memory.hpp"

#include <muster/base/error.hpp>
#include <muster/train/checkpoint_writer.hpp>

#include <fmt/format.h>

#include <iostream>
#include <set>
#include <utility>

namespace muster::train {
namespace {

namespace fs = std::filesystem;

std::vector<data::Attribute> all_notes(std::vector<data::Attribute> notes,
                                       const SavedCheckpoint& saved) {
    notes.push_back({"muster_checkpoint", std::int64_t{1}});
    notes.push_back({"step", static_cast<std::int64_t>(saved.step)});
    for (const auto& [name, value] : saved.metrics) {
        notes.push_back({"metric." + name, value});
    }
    return notes;
}

} // namespace

void commit_checkpoint(const WrittenCheckpoint& rank_0, std::span<const data::ArrayShard> shards) {
    const fs::path path = rank_0.saved.path;
    data::ArrayFileWriter writer(
        path, {.replace = true, .attributes = all_notes(rank_0.notes, rank_0.saved)});
    writer.stitch(shards);
    writer.finish();
    // What is left of a save of the same step that was interrupted, or done before.
    std::set<std::string> needed;
    for (const data::ArrayShard& shard : shards) {
        needed.insert(shard.file);
    }
    std::error_code error;
    std::vector<fs::path> others;
    for (fs::directory_iterator at(path.string() + ".shards", error), end; !error && at != end;
         at.increment(error)) {
        if (!needed.contains(at->path().filename().string())) {
            others.push_back(at->path());
        }
    }
    for (const fs::path& other : others) {
        fs::remove(other, error);
    }
}

CheckpointWriter::CheckpointWriter(CheckpointWriterOptions options) : options_(std::move(options)) {
    std::error_code error;
    fs::create_directories(options_.folder, error);
    if (error) {
        throw Error(fmt::format("cannot make the folder '{}' for checkpoints: {}",
                                options_.folder.string(),
                                error.message()));
    }
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

CheckpointWriter::~CheckpointWriter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !is_busy_; });
    if (failure_) { // nobody has asked any more
        try {
            std::rethrow_exception(failure_);
        } catch (const std::exception& error) {
            std::cerr << "error: a checkpoint was not saved: " << error.what() << '\n';
        } catch (...) {
            std::cerr << "error: a checkpoint was not saved\n";
        }
    }
}

void CheckpointWriter::wait_until_idle(std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [&] { return !is_busy_; });
    if (failure_) {
        std::rethrow_exception(std::exchange(failure_, nullptr));
    }
}

void CheckpointWriter::wait() {
    std::unique_lock lock(mutex_);
    wait_until_idle(lock);
}

void CheckpointWriter::save(const State& state, const Metrics& metrics) {
    std::unique_lock lock(mutex_);
    wait_until_idle(lock);
    if (!state.is_sharded() && options_.rank != 0) {
        return;
    }
    take(state, metrics);
    is_busy_ = true;
    changed_.notify_all();
}

void CheckpointWriter::Copy::Free::operator()(std::byte* memory) const noexcept {
    free_snapshot(memory);
}

void CheckpointWriter::take(const State& state, const Metrics& metrics) {
    copy_.entries.clear();
    for (const State::Entry& entry : state.entries()) {
        if (entry.is_sharded || options_.rank == 0) {
            copy_.entries.push_back(entry);
        }
    }
    copy_.blocks.resize(copy_.entries.size());
    std::vector<CopyJob> jobs;
    for (std::size_t i = 0; i < copy_.entries.size(); ++i) {
        std::span<const std::byte>& values = copy_.entries[i].values;
        Copy::Block& block = copy_.blocks[i];
        if (block.capacity < values.size()) {
            block.bytes.reset(); // first, so that there are not both
            block.bytes.reset(allocate_snapshot(values.size()));
            block.capacity = values.size();
        }
        jobs.push_back({values, block.bytes.get()});
        values = {block.bytes.get(), values.size()};
    }
    copy_all(jobs);
    copy_.notes = state.notes();
    copy_.is_sharded = state.is_sharded();
    copy_.saved = {state.step(), checkpoint_path(options_.folder, state.step()).string(), metrics};
}

WrittenCheckpoint CheckpointWriter::write() const {
    const SavedCheckpoint& saved = copy_.saved;
    if (copy_.is_sharded) {
        data::ArrayShardWriter shard(saved.path, static_cast<std::uint32_t>(options_.rank));
        for (const State::Entry& entry : copy_.entries) {
            shard.write(entry.piece.array, entry.piece.slab, entry.values);
        }
        return {saved, shard.finish(), copy_.notes};
    }
    data::ArrayFileWriter file(saved.path,
                               {.replace = true, .attributes = all_notes(copy_.notes, saved)});
    for (const State::Entry& entry : copy_.entries) {
        file.write(entry.piece.array, entry.values);
    }
    file.finish();
    return {saved, std::nullopt, {}};
}

void CheckpointWriter::work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [&] { return is_busy_; })) {
        lock.unlock();
        std::exception_ptr failure;
        try {
            const WrittenCheckpoint written = write();
            if (options_.done) {
                options_.done(written);
            }
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        failure_ = failure;
        is_busy_ = false;
        changed_.notify_all();
    }
}

} // namespace muster::train
