#include "trace/tracer.hpp"

#include <muster/base/log.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <utility>

namespace muster::trace {
namespace {

constexpr std::chrono::seconds write_interval{1};
constexpr int running_every = 5; // writes

std::atomic<std::uint64_t> tracers{0};

/// Which lane of which tracer a thread used last. By number: another may be where one was.
struct Used {
    std::uint64_t tracer = 0;
    Lane* lane = nullptr;
};

thread_local Used used;
thread_local Lane* lane_of_task = nullptr;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

} // namespace

Lane*& current_lane() noexcept {
    return lane_of_task;
}

void Lane::change_chunk() {
    chunk_ = tracer_.change(chunk_, number_);
    used_ = 0;
}

std::uint32_t Lane::number_of(const std::string& name) {
    return tracer_.number_of(name);
}

Result<std::unique_ptr<Tracer>>
Tracer::open(const std::string& directory, look::TraceHeader header, const look::Names& functions) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    const std::string path = fmt::format(
        "{}/{:016x}-{:06}{}", directory, header.run_id, header.rank, look::trace_suffix);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return Failure{
            ErrorCode::usage,
            fmt::format("MUSTER_TRACE is \"{}\": {}: {}", directory, path, std::strerror(errno))};
    }
    header.monotonic_ns = nanoseconds(std::chrono::steady_clock::now());
    header.realtime_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
    std::unique_ptr<Tracer> tracer(new Tracer(fd, path));
    tracer->write_block(look::BlockType::header, 0, bytes_of(look::encode_header(header)));
    tracer->write_block(look::BlockType::names, 0, look::encode_names(functions));
    // Signals are for others.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    tracer->writer_ = std::thread([&of = *tracer] { of.write(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return tracer;
}

Tracer::Tracer(int fd, std::string path) : fd_(fd), path_(std::move(path)), id_(++tracers) {
}

Tracer::~Tracer() {
    if (writer_.joinable()) {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
            wanted_.notify_one();
        }
        writer_.join();
    }
    ::close(fd_);
}

Lane* Tracer::lane() {
    if (used.tracer != id_) {
        const std::lock_guard lock(mutex_);
        lanes_.push_back(
            std::make_unique<Lane>(*this, static_cast<std::uint32_t>(lanes_.size()) + 1));
        used = {id_, lanes_.back().get()};
    }
    return used.lane;
}

std::uint32_t Tracer::number_of(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto number = look::own_names_begin + static_cast<std::uint32_t>(names_.size());
    const auto [place, is_new] = names_.try_emplace(name, number);
    if (is_new) {
        new_names_.emplace_back(number, name);
    }
    return place->second;
}

Chunk* Tracer::change(Chunk* full, std::uint32_t lane) {
    std::unique_lock lock(mutex_);
    if (full != nullptr) {
        open_.erase(std::find(open_.begin(), open_.end(), full));
        full_.push_back(full);
        wanted_.notify_one();
    }
    changed_.wait(lock, [&] { return !free_.empty() || chunks_.size() < chunks_max; });
    if (free_.empty()) {
        chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
        free_.push_back(chunks_.back().get());
    }
    Chunk* const chunk = free_.back();
    free_.pop_back();
    chunk->count.store(0, std::memory_order_relaxed);
    chunk->written = 0;
    chunk->lane = lane;
    open_.push_back(chunk);
    return chunk;
}

void Tracer::flush(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(mutex_);
    const std::uint64_t number = ++flushes_wanted_;
    wanted_.notify_one();
    changed_.wait_for(lock, timeout, [&] { return flushes_done_ >= number; });
}

void Tracer::set_running(std::function<std::vector<Record>()> running) {
    const std::lock_guard lock(running_mutex_);
    running_ = std::move(running);
}

void Tracer::forget_running() {
    const std::lock_guard lock(running_mutex_);
    running_ = nullptr;
}

void Tracer::write() {
    std::unique_lock lock(mutex_);
    int writes = 0;
    while (true) {
        const bool called = wanted_.wait_for(lock, write_interval, [this] {
            return ending_ || !full_.empty() || flushes_wanted_ > flushes_done_;
        });
        const std::uint64_t flushes = flushes_wanted_;
        const bool last = ending_;
        const bool with_running =
            !last && (flushes > flushes_done_ || (!called && ++writes % running_every == 0));
        write_round(lock, with_running);
        flushes_done_ = flushes;
        changed_.notify_all();
        if (last) {
            lock.unlock();
            write_block(look::BlockType::end, 0, {});
            return;
        }
    }
}

void Tracer::write_round(std::unique_lock<std::mutex>& lock, bool with_running) {
    const auto full = std::exchange(full_, {});
    const auto open = open_;
    lock.unlock();
    // What lanes have noted by now has its names there.
    std::vector<std::pair<Chunk*, std::uint32_t>> counts;
    for (Chunk* const chunk : full) {
        counts.emplace_back(chunk, chunk->count.load(std::memory_order_acquire));
    }
    for (Chunk* const chunk : open) {
        counts.emplace_back(chunk, chunk->count.load(std::memory_order_acquire));
    }
    lock.lock();
    const auto names = std::exchange(new_names_, {});
    lock.unlock();
    if (!names.empty()) {
        write_block(look::BlockType::names, 0, look::encode_names(names));
    }
    for (const auto& [chunk, count] : counts) {
        if (count > chunk->written) {
            write_block(look::BlockType::records,
                        chunk->lane,
                        std::as_bytes(std::span(chunk->records.data() + chunk->written,
                                                count - chunk->written)));
            chunk->written = count;
        }
    }
    if (with_running) {
        const std::lock_guard guard(running_mutex_);
        if (running_) {
            const auto records = running_();
            if (!records.empty()) {
                write_block(look::BlockType::records, 0, std::as_bytes(std::span(records)));
            }
        }
    }
    lock.lock();
    free_.insert(free_.end(), full.begin(), full.end());
}

void Tracer::write_block(look::BlockType type,
                         std::uint32_t lane,
                         std::span<const std::byte> content) {
    if (failed_) {
        return;
    }
    std::array<std::byte, look::block_head_bytes> head{};
    look::encode_block_head(head, type, lane, content);
    std::array<iovec, 2> parts{
        iovec{head.data(), head.size()},
        iovec{const_cast<std::byte*>(content.data()), content.size()},
    };
    std::size_t at = 0;
    while (at < parts.size()) {
        const ssize_t written =
            ::writev(fd_, parts.data() + at, static_cast<int>(parts.size() - at));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            failed_ = true;
            log::error("trace",
                       "trace_ends file=\"{}\" why=\"{}\" : what comes is not in it",
                       path_,
                       std::strerror(errno));
            return;
        }
        auto left = static_cast<std::size_t>(written);
        while (at < parts.size() && left >= parts[at].iov_len) {
            left -= parts[at++].iov_len;
        }
        if (at < parts.size()) {
            parts[at].iov_base = static_cast<char*>(parts[at].iov_base) + left;
            parts[at].iov_len -= left;
        }
    }
}

} // namespace muster::trace
