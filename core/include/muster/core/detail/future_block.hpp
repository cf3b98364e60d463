#pragma once

#include <muster/base/ids.hpp>
#include <muster/core/buffer.hpp>
#include <muster/core/detail/key_digest.hpp>
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

/// Hears which of several futures are done.
class Watcher {
public:
    Watcher() = default;
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    virtual ~Watcher() = default;

    /// Any thread; under a lock of what it watches, so it must not wait, nor watch anything.
    virtual void notify(std::size_t index) = 0;

    /// The run is over, and nothing else will be heard.
    virtual void end() {}
};

/// Collects which of several futures are done, for wait() and as_completed().
class CompletionQueue final : public Watcher {
public:
    void notify(std::size_t index) override;

    /// The run is over: next() waits no more.
    void end() override;

    /// The index of one that is done, in order of completion; nothing when the deadline passes
    /// first, or the run ends. Threads: one waits.
    [[nodiscard]] std::optional<std::size_t>
    next(std::optional<std::chrono::steady_clock::time_point> deadline);

    [[nodiscard]] bool has_next() const;

    /// `watcher` hears 0 once there is a next one; at once if there is. Threads: the one that
    /// waits.
    void watch(std::shared_ptr<Watcher> watcher);

private:
    mutable std::mutex mutex_; ///< Guards what follows.
    std::condition_variable changed_;
    std::deque<std::size_t> ready_;
    std::shared_ptr<Watcher> watcher_;
    bool ended_ = false;
};

class FutureBlock : public std::enable_shared_from_this<FutureBlock> {
public:
    /// Objects `stride` ids apart: a gang takes as many as it has members. There may be fewer than
    /// `count` of them: see runtime::Inbox::join().
    FutureBlock(std::shared_ptr<Client> client,
                ObjectId first,
                std::uint64_t count,
                std::uint64_t stride = 1);

    [[nodiscard]] ObjectId id(std::uint64_t index) const {
        return advance(first_, index * stride_);
    }

    /// Of slots.
    [[nodiscard]] std::uint64_t count() const { return count_; }

    /// How far apart their ids are.
    [[nodiscard]] std::uint64_t stride() const { return stride_; }

    [[nodiscard]] const std::shared_ptr<Client>& client() const { return client_; }

    [[nodiscard]] FutureSlot& slot(std::uint64_t index) {
        return many_slots_ ? many_slots_[index] : one_slot_;
    }

    void acquire(std::uint64_t index) noexcept;
    /// The last handle's end lets go of the value and tells the owner that nobody needs the object
    /// here.
    void release(std::uint64_t index) noexcept;

    [[nodiscard]] std::uint64_t index_of(ObjectId object) const {
        return distance(first_, object) / stride_;
    }

    /// Makes the block one of keyed tasks. Before anybody else has it.
    void set_keys(std::vector<KeyDigest> keys);

    /// Of a keyed task; else null.
    [[nodiscard]] const KeyDigest* key(std::uint64_t index) const {
        return keys_.empty() ? nullptr : &keys_[index];
    }

    /// The journal holds a handle of this slot until the progress thread calls let_go(), so that
    /// the value comes to be. Before anybody else has the block; the submitter's future follows.
    void hold(std::uint64_t index);
    /// @return whether the journal held it.
    bool let_go(std::uint64_t index);

    [[nodiscard]] bool is_held(std::uint64_t index) const {
        return !held_.empty() && held_[index] != 0;
    }

    /// Its values were there from the start: put().
    void set_stored() { stored_ = true; }

    /// What stands for the slot's value in the key of a task that takes it: a keyed task's key, the
    /// digest of a stored value, or nothing, as if that value contains futures.
    [[nodiscard]] std::optional<KeyDigest> input_digest(std::uint64_t index);

    /// Called once per slot by the progress thread (and once more for kept_elsewhere -> value).
    void resolve(std::uint64_t index, SlotState state);

    /// `watcher` hears `tag` once the slot is not pending; at once if it is so already.
    void watch(std::uint64_t index, std::shared_ptr<Watcher> watcher, std::size_t tag);

    /// As watch(), but once the slot's bytes are here, which it asks for, or never will be.
    void watch_value(std::uint64_t index, std::shared_ptr<Watcher> watcher, std::size_t tag);

private:
    struct Entry {
        std::shared_ptr<Watcher> watcher;
        std::size_t tag = 0;
        bool wants_value = false;
    };

    void add(std::uint64_t index, Entry entry);

    std::shared_ptr<Client> client_;
    ObjectId first_;
    std::uint64_t count_;
    std::uint64_t stride_;
    std::unique_ptr<FutureSlot[]> many_slots_; ///< Unless there is one.
    FutureSlot one_slot_;

    std::vector<KeyDigest> keys_;    ///< By index, of keyed tasks.
    std::vector<std::uint8_t> held_; ///< By index; see hold().
    bool stored_ = false;

    std::atomic<bool> watched_{false}; ///< Set once, by the first watch().
    std::mutex mutex_;                 ///< Guards what follows.
    std::optional<KeyDigest> stored_digest_;
    std::multimap<std::uint64_t, Entry> watchers_;
};

/// Where the futures of a submission are: its first is the block's `first`th, the others follow.
struct FuturePlace {
    std::shared_ptr<FutureBlock> block;
    std::uint64_t first = 0;
};

} // namespace muster::detail
