#pragma once

#include <muster/core/detail/client.hpp>
#include <muster/core/serialize.hpp>
#include <muster/core/view.hpp>

#include <chrono>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster {

/// A value that a task will make, or that put() has stored.
///
/// A handle: copying it is cheap, and the value lives until the last handle on any rank is gone.
/// It may be an argument of a task (then the task waits for the value, and the caller does not),
/// an element of a vector that is, or part of any value that travels.
///
/// Threads: different handles may be used at the same time, also if they name the same object.
template <class T>
class Future {
public:
    using value_type = T;

    Future() = default;

    Future(const Future& other) noexcept : block_(other.block_), index_(other.index_) {
        if (block_) {
            block_->acquire(index_);
        }
    }

    Future(Future&& other) noexcept
        : block_(std::move(other.block_)), index_(std::exchange(other.index_, 0)) {}

    Future& operator=(Future other) noexcept {
        std::swap(block_, other.block_);
        std::swap(index_, other.index_);
        return *this;
    }

    ~Future() {
        if (block_) {
            block_->release(index_);
        }
    }

    /// False for a default-constructed or moved-from future.
    [[nodiscard]] bool valid() const noexcept { return block_ != nullptr; }

    /// True once the task is done, with a value or without. Never blocks.
    [[nodiscard]] bool ready() const {
        const auto& state = slot().state;
        if (state.load(std::memory_order_acquire) == detail::SlotState::pending) {
            block_->client()->poll();
        }
        return state.load(std::memory_order_acquire) != detail::SlotState::pending;
    }

    /// Waits for the value and returns a copy of it; a second call decodes it again.
    ///
    /// In a task, its CPUs are lent to others meanwhile (never its GPUs or memory).
    /// @throws TaskError if the task failed or was cancelled; Error if the run has ended.
    T get() const {
        auto& ready = slot();
        await(ready);
        if constexpr (!std::is_void_v<T>) {
            return detail::decode_object<T>(ready.value);
        }
    }

    /// Waits as get() does, and reads the value where it lies: a vector or string of numbers.
    /// @return View<T>
    auto view() const requires detail::is_viewable<T> {
        auto& ready = slot();
        await(ready);
        return View<T>(ready.value);
    }

    /// The object's name, as logs write it.
    [[nodiscard]] ObjectId id() const {
        (void)slot();
        return block_->id(index_);
    }

    /// Private to the library: takes over one slot of a block.
    Future(std::shared_ptr<detail::FutureBlock> block, std::uint64_t index)
        : block_(std::move(block)), index_(index) {
        block_->acquire(index_);
    }

    [[nodiscard]] const std::shared_ptr<detail::FutureBlock>& block() const { return block_; }

    [[nodiscard]] std::uint64_t index() const { return index_; }

private:
    void await(detail::FutureSlot& ready) const {
        if (block_->client().get() != nullptr) {
            block_->client()->wait_value(*block_, index_);
        }
        if (ready.state.load(std::memory_order_acquire) != detail::SlotState::value) {
            detail::throw_failure(ready, *block_, index_);
        }
    }

    [[nodiscard]] detail::FutureSlot& slot() const {
        if (!block_) {
            throw Error(
                "this future is empty (default-constructed or moved from): it names no task",
                ErrorCode::usage);
        }
        return block_->slot(index_);
    }

    std::shared_ptr<detail::FutureBlock> block_;
    std::uint64_t index_ = 0;
};

// A future inside a value travels by name; the receiver asks the owner for the rest.

template <class T>
void muster_encode(Writer& writer, const Future<T>& future) {
    const ObjectId id = future.id();
    detail::check_same_run(*future.block());
    future.block()->client()->escape(id);
    encode(writer, future.block()->client()->run_id());
    encode(writer, id);
}

template <class T>
void muster_decode(Reader& reader, Future<T>& future) {
    const auto run_id = decode<std::uint64_t>(reader);
    const auto id = decode<ObjectId>(reader);
    auto& client = detail::current_client();
    if (run_id != client.run_id()) {
        throw Error("a future of another run was found in a value (" + to_string(id) +
                        "): futures do not outlive their run; store values instead",
                    ErrorCode::object_lost);
    }
    future = Future<T>(client.borrow(id), 0);
}

/// Asks that a task not be run, or stop: one that has not started is cancelled for certain, a
/// running one sees this_task().stop_token. Its future then throws TaskError, unless it finishes
/// with a value all the same.
///
/// With one that waits for its arguments, the tasks that make these are cancelled, too, if nothing
/// else needs them: no future of theirs is left, and no other task takes their result.
template <class T>
void cancel(const Future<T>& future) {
    const ObjectId id = future.id();
    future.block()->client()->cancel(id);
}

/// Gives a value's memory back before its last future is gone: at once, or when the tasks that were
/// given it are done. `future` is empty afterwards; others of the same value find that it is gone
/// (Error, object_lost), unless they have read it. No effect on a task that is not done, but that
/// `future` is empty. Not in isolated tasks. @throws Error (usage) there, and for an empty future.
template <class T>
void free(Future<T>& future) {
    const ObjectId id = future.id();
    future.block()->client()->free(id);
    future = {};
}

/// How far the task has come, and what keeps it from running: a sentence for people.
///
///     "train (0:17) is ready, and waits for 2 gpus; the most that is free is 1 gpus on rank 3; 4
///     tasks go before it"
///
/// Asks the rank that submitted it, then the coordinator or the rank that has it: some tens of
/// microseconds. Not in isolated tasks. @throws Error (usage) there, and for an empty future.
template <class T>
[[nodiscard]] std::string explain(const Future<T>& future) {
    const ObjectId id = future.id();
    return future.block()->client()->explain(id);
}

/// When wait() returns: after `count` futures are done (default: all), or when `timeout` has
/// passed.
struct WaitOptions {
    std::size_t count = static_cast<std::size_t>(-1);
    std::optional<std::chrono::nanoseconds> timeout{};
};

template <class T>
struct WaitResult {
    std::vector<Future<T>> done;    ///< In order of completion.
    std::vector<Future<T>> pending; ///< In the order given.
};

/// Waits for some of several futures. Costs no message.
template <class T>
WaitResult<T> wait(const std::vector<Future<T>>& futures, WaitOptions options = {}) {
    using Clock = std::chrono::steady_clock;
    std::optional<Clock::time_point> deadline;
    const auto now = Clock::now();
    if (options.timeout && *options.timeout < Clock::time_point::max() - now) {
        deadline = now + std::chrono::duration_cast<Clock::duration>(*options.timeout);
    }
    auto queue = std::make_shared<detail::CompletionQueue>();
    for (std::size_t i = 0; i < futures.size(); ++i) {
        (void)futures[i].id();
        futures[i].block()->watch(futures[i].index(), queue, i);
    }
    const std::size_t wanted = std::min(options.count, futures.size());
    std::vector<bool> is_done(futures.size());
    WaitResult<T> result;
    while (result.done.size() < wanted) {
        const auto next = futures.front().block()->client()->wait_any(*queue, deadline);
        if (!next) {
            break;
        }
        is_done[*next] = true;
        result.done.push_back(futures[*next]);
    }
    for (std::size_t i = 0; i < futures.size(); ++i) {
        if (!is_done[i]) {
            result.pending.push_back(futures[i]);
        }
    }
    return result;
}

template <class T>
class AsCompleted;

/// What AsCompleted::next() gives, to be awaited by a Coroutine.
template <class T>
struct NextCompleted {
    AsCompleted<T>& range;
};

/// A range over futures in the order in which they are done; advancing waits for the next.
///
///     for (auto& loss : muster::as_completed(losses)) { use(loss.get()); }
///
/// Refers to the vector it was made from, which must outlive it.
template <class T>
class AsCompleted {
public:
    explicit AsCompleted(std::vector<Future<T>>& futures)
        : futures_(futures), queue_(std::make_shared<detail::CompletionQueue>()) {
        for (std::size_t i = 0; i < futures_.size(); ++i) {
            (void)futures_[i].id();
            futures_[i].block()->watch(futures_[i].index(), queue_, i);
        }
    }

    class Iterator {
    public:
        using value_type = Future<T>;
        using difference_type = std::ptrdiff_t;

        Iterator() = default;

        explicit Iterator(AsCompleted* range) : range_(range) {}

        Future<T>& operator*() const { return range_->futures_[range_->current_]; }

        Future<T>* operator->() const { return &**this; }

        Iterator& operator++() {
            range_->advance();
            return *this;
        }

        void operator++(int) { ++*this; }

        friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.at_end(); }

    private:
        [[nodiscard]] bool at_end() const {
            return range_ == nullptr || range_->given_ > range_->futures_.size();
        }

        AsCompleted* range_ = nullptr;
    };

    Iterator begin() {
        advance();
        return Iterator(this);
    }

    std::default_sentinel_t end() const { return {}; }

    /// Index of the present one in the vector.
    [[nodiscard]] std::size_t index() const { return current_; }

    /// In a coroutine, in place of iterating: `co_await completed.next()` points to the next one
    /// that is done, and is null after the last.
    [[nodiscard]] NextCompleted<T> next() { return {*this}; }

    // Private to the library, for next().
    [[nodiscard]] std::size_t remaining() const {
        return given_ < futures_.size() ? futures_.size() - given_ : 0;
    }

    [[nodiscard]] const std::vector<Future<T>>& futures() const { return futures_; }

    [[nodiscard]] detail::CompletionQueue& queue() { return *queue_; }

    Future<T>& take_next() {
        advance();
        return futures_[current_];
    }

private:
    void advance() {
        if (given_++ < futures_.size()) {
            current_ = *futures_.front().block()->client()->wait_any(*queue_, std::nullopt);
        }
    }

    std::vector<Future<T>>& futures_;
    std::shared_ptr<detail::CompletionQueue> queue_;
    std::size_t given_ = 0; ///< Elements given so far, the end included.
    std::size_t current_ = 0;
};

template <class T>
AsCompleted<T> as_completed(std::vector<Future<T>>& futures) {
    return AsCompleted<T>(futures);
}

} // namespace muster
