#pragma once

#include "rank/rank_machine.hpp"

#include <muster/core/detail/future_block.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

namespace muster::runtime {

/// A thread waits for the bytes of a resolved future.
struct ValueWanted {
    std::shared_ptr<detail::FutureBlock> block;
    std::uint64_t index = 0;
};

using LocalEvent = std::variant<rank::Event, ValueWanted>;

/// How every other thread of a rank reaches its progress thread: a queue, taken in batches.
class Inbox {
public:
    /// Any thread. @return true if the inbox was empty: the progress thread may have to be woken.
    bool post(LocalEvent event) {
        const std::lock_guard lock(mutex_);
        const bool was_empty = events_.empty();
        events_.push_back(std::move(event));
        has_events_.store(true, std::memory_order_release);
        return was_empty;
    }

    /// Progress thread. Swaps out everything posted so far; `taken` must be empty.
    void take(std::vector<LocalEvent>& taken) {
        if (!has_events_.load(std::memory_order_acquire)) {
            return;
        }
        const std::lock_guard lock(mutex_);
        taken.swap(events_);
        has_events_.store(false, std::memory_order_release);
    }

private:
    std::atomic<bool> has_events_{false};
    std::mutex mutex_; ///< Guards events_.
    std::vector<LocalEvent> events_;
};

} // namespace muster::runtime
