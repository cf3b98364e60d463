#pragma once

#include <muster/base/ids.hpp>
#include <muster/core/buffer.hpp>
#include <muster/core/error.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

/// The state behind futures: shared between user threads, which wait, and the progress thread,
/// which answers. Private to the library; futures of one submission share one block.
namespace muster::detail {

class Client;

/// What a slot knows of its object. Goes up only, except kept_elsewhere -> value.
enum class SlotState : std::uint32_t {
    pending = 0,
    kept_elsewhere = 1, ///< Done; the bytes are in a store and come when asked for.
    value = 2,
    failed = 3,
    abandoned = 4, ///< The run ended first.
};

/// Why there is no value: what TaskError is made of.
struct SlotFailure {
    std::vector<TaskFailure> chain;
    ErrorCode code = ErrorCode::task_failed;
};

struct FutureSlot {
    std::atomic<SlotState> state{SlotState::pending};
    std::atomic<std::uint32_t> handles{0};
    Buffer value; ///< Written before `state` says value.
    std::unique_ptr<SlotFailure> failure;
};

/// Collects which of several futures are done, for wait() and as_completed().
class Watcher {
public:
    void notify(std::size_t index);

    /// The run is over: next() waits no more.
    void end();

    /// The index of one that is done, in order of completion; nothing when the deadline passes
    /// first, or the run ends. Threads: one waits.
    [[nodiscard]] std::optional<std::size_t>
    next(std::optional<std::chrono::steady_clock::time_point> deadline);

private:
    std::mutex mutex_; ///< Guards what follows.
    std::condition_variable changed_;
    std::deque<std::size_t> ready_;
    bool ended_ = false;
};

class FutureBlock : public std::enable_shared_from_this<FutureBlock> {
public:
    /// Objects `stride` ids apart: a gang takes as many as it has members.
    FutureBlock(std::shared_ptr<Client> client,
                ObjectId first,
                std::uint64_t count,
                std::uint64_t stride = 1);

    [[nodiscard]] ObjectId id(std::uint64_t index) const {
        return advance(first_, index * stride_);
    }

    [[nodiscard]] std::uint64_t count() const { return count_; }

    [[nodiscard]] const std::shared_ptr<Client>& client() const { return client_; }

    [[nodiscard]] FutureSlot& slot(std::uint64_t index) { return slots_[index]; }

    void acquire(std::uint64_t index) noexcept;
    /// The last handle's end tells the owner that the object is not needed here.
    void release(std::uint64_t index) noexcept;

    /// Called once per slot by the progress thread (and once more for kept_elsewhere -> value).
    void resolve(std::uint64_t index, SlotState state);

    /// `watcher` hears `tag` once the slot is not pending; at once if it is so already.
    void watch(std::uint64_t index, std::shared_ptr<Watcher> watcher, std::size_t tag);

private:
    std::shared_ptr<Client> client_;
    ObjectId first_;
    std::uint64_t count_;
    std::uint64_t stride_;
    std::unique_ptr<FutureSlot[]> slots_;

    std::atomic<bool> watched_{false}; ///< Set once, by the first watch().
    std::mutex mutex_;                 ///< Guards watchers_.
    std::multimap<std::uint64_t, std::pair<std::shared_ptr<Watcher>, std::size_t>> watchers_;
};

} // namespace muster::detail
