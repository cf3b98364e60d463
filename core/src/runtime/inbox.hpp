#pragma once

#include "rank/rank_machine.hpp"

#include <muster/core/detail/future_block.hpp>

#include <algorithm>
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
    /// What join() made of a task.
    struct Joined {
        detail::FuturePlace place; ///< Of its future; none if it is to be posted.
        bool crowded = false;      ///< Another of its kind is before it: more may follow.
    };

    /// Any thread. Lone tasks that follow one another faster than they are taken become one
    /// submission, as if they had been mapped: what is done for each submission is then done once
    /// for many. `task` (a submission of one, without an id yet) joins the event posted last if
    /// that is a submission of its kind whose futures have room; else nothing happens.
    Joined join(owner::Submission& task) {
        const std::lock_guard lock(mutex_);
        owner::Submission* last = last_submission();
        if (last == nullptr || last->futures == nullptr || !same_kind(*last, task)) {
            return {};
        }
        const auto block = std::static_pointer_cast<detail::FutureBlock>(last->futures);
        const std::uint64_t position = last->tasks.size();
        const auto& dependencies = task.tasks.front().dependencies;
        const auto is_of_it = [&](ObjectId object) {
            return object >= block->id(0) && object < block->id(position);
        };
        // A task of a submission does not depend on another of it.
        if (position == block->count() ||
            std::any_of(dependencies.begin(), dependencies.end(), is_of_it)) {
            return {.place = {}, .crowded = true};
        }
        last->tasks.push_back(std::move(task.tasks.front()));
        return {.place = {block, position}, .crowded = true};
    }

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
    [[nodiscard]] owner::Submission* last_submission() {
        if (events_.empty()) {
            return nullptr;
        }
        auto* event = std::get_if<rank::Event>(&events_.back());
        auto* submitted = event == nullptr ? nullptr : std::get_if<rank::TasksSubmitted>(event);
        return submitted == nullptr ? nullptr : &submitted->submission;
    }

    [[nodiscard]] static bool same_kind(const owner::Submission& a, const owner::Submission& b) {
        return a.task_class == b.task_class && a.name == b.name && a.retry == b.retry &&
               a.timeout == b.timeout && a.deadline == b.deadline;
    }

    std::atomic<bool> has_events_{false};
    std::mutex mutex_; ///< Guards what follows.
    std::vector<LocalEvent> events_;
    bool urgent_ = false; ///< Somebody sees to it that the leader is awake.
};

} // namespace muster::runtime
