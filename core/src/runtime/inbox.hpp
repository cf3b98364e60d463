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

/// How every thread of a rank reaches the one that drives it: a queue, taken in batches.
class Inbox {
public:
    /// Any thread. @return true if nothing urgent was in it: the leader may have to be woken.
    bool post(LocalEvent&& event) {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
        has_events_.store(true, std::memory_order_release);
        return !std::exchange(urgent_, true);
    }

    /// Any thread. Nobody is woken: it is taken with the next event, or when the leader's sleep,
    /// which is bounded, is over.
    void post_unhurried(LocalEvent&& event) {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
        has_events_.store(true, std::memory_order_release);
    }

    /// The leader. Swaps out everything posted so far; `taken` must be empty.
    void take(std::vector<LocalEvent>& taken) {
        if (!has_events_.load(std::memory_order_acquire)) {
            return;
        }
        const std::lock_guard lock(mutex_);
        taken.swap(events_);
        urgent_ = false;
        has_events_.store(false, std::memory_order_release);
    }

private:
    std::atomic<bool> has_events_{false};
    std::mutex mutex_; ///< Guards what follows.
    std::vector<LocalEvent> events_;
    bool urgent_ = false; ///< Somebody sees to it that the leader is awake.
};

} // namespace muster::runtime
