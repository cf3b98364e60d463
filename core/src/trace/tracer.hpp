#pragma once

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/base/result.hpp>
#include <muster/look/trace_file.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace muster::trace {

using look::Event;
using look::Record;

class Tracer;

/// Records of one thread that are on their way to the file. The thread adds, the writer takes.
struct Chunk {
    static constexpr std::uint32_t records_max = 16'384; // 512 KiB

    std::atomic<std::uint32_t> count{0};
    std::uint32_t written = 0; ///< The writer's.
    std::uint32_t lane = 0;
    std::array<Record, records_max> records;
};

/// Where one thread notes what happens. Its own: no lock is taken but once per chunk.
class Lane {
public:
    Lane(Tracer& tracer, std::uint32_t number) : tracer_(tracer), number_(number) {}

    void add(const Record& record) {
        if (chunk_ == nullptr || used_ == Chunk::records_max) {
            change_chunk();
        }
        chunk_->records[used_] = record;
        chunk_->count.store(++used_, std::memory_order_release);
    }

    /// The number of a name that is no function's.
    [[nodiscard]] std::uint32_t number_of(const std::string& name);

private:
    void change_chunk();

    Tracer& tracer_;
    std::uint32_t number_;
    std::uint32_t used_ = 0;
    Chunk* chunk_ = nullptr;
};

/// A rank's trace while it is written: a file, a thread that writes it, and lanes for the threads
/// that note something. Nothing is left out: if the file cannot keep up, lanes wait for it.
///
/// If the file fails (a full disk), that is said once on standard error, and the trace ends there.
class Tracer {
public:
    /// Makes `directory` if it is missing, and a file in it named by run and rank.
    [[nodiscard]] static Result<std::unique_ptr<Tracer>>
    open(const std::string& directory, look::TraceHeader header, const look::Names& functions);

    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;
    /// Ends it in order. No lane is used any more.
    ~Tracer();

    /// The calling thread's.
    [[nodiscard]] Lane* lane();

    /// Before an end that runs no destructors: writes what has been noted. Not longer than that.
    void flush(std::chrono::nanoseconds timeout);

    /// Who says, every few seconds and at last, what runs for long: so that a run that is killed
    /// leaves word of it. Called on the writer's thread. Before the first lane is used.
    void set_running(std::function<std::vector<Record>()> running);
    /// It is not called any more.
    void forget_running();

private:
    friend class Lane;

    static constexpr std::size_t chunks_max = 256; ///< 128 MiB on their way to a slow file.

    Tracer(int fd, std::string path);
    [[nodiscard]] Chunk* change(Chunk* full, std::uint32_t lane);
    [[nodiscard]] std::uint32_t number_of(const std::string& name);
    void write();
    void write_round(std::unique_lock<std::mutex>& lock, bool with_running);
    void write_block(look::BlockType type, std::uint32_t lane, std::span<const std::byte> content);

    const int fd_;
    const std::string path_;
    const std::uint64_t id_; ///< Of all tracers that this process ever had.
    bool failed_ = false;    ///< The writer's.

    std::mutex mutex_; ///< Guards what follows.
    std::condition_variable wanted_;
    std::condition_variable changed_;
    std::vector<std::unique_ptr<Lane>> lanes_;
    std::vector<std::unique_ptr<Chunk>> chunks_; ///< All there are.
    std::vector<Chunk*> open_;                   ///< A lane adds to them.
    std::vector<Chunk*> full_;
    std::vector<Chunk*> free_;
    std::map<std::string, std::uint32_t> names_;
    look::Names new_names_;
    std::uint64_t flushes_wanted_ = 0;
    std::uint64_t flushes_done_ = 0;
    bool ending_ = false;

    std::mutex running_mutex_; ///< Guards the function, and is held while it is called.
    std::function<std::vector<Record>()> running_;

    std::thread writer_;
};

[[nodiscard]] inline std::int64_t nanoseconds(TimePoint time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

[[nodiscard]] inline Record clock_record(TimePoint at, Duration offset, Duration round_trip) {
    return {.event = Event::clock,
            .id = static_cast<std::uint64_t>(offset.count()),
            .begin = nanoseconds(at),
            .value = static_cast<std::uint64_t>(round_trip.count())};
}

[[nodiscard]] inline Record
transfer_record(Rank from, std::uint64_t bytes, TimePoint begin, TimePoint end) {
    return {.event = Event::transfer,
            .number = static_cast<std::uint32_t>(index(from)),
            .id = bytes,
            .begin = nanoseconds(begin),
            .value = static_cast<std::uint64_t>((end - begin).count())};
}

/// Of a thread that may run a task; for what knows no client. Null: it notes nothing.
[[nodiscard]] Lane*& current_lane() noexcept;

} // namespace muster::trace
