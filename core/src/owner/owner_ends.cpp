// The part of the owner that ends tasks before they have ended by themselves: cancelled, or late.

#include "owner/owner.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/duration.hpp>

#include <fmt/format.h>

#include <utility>

namespace muster::owner {

void Owner::stop_attempt(TaskId task, const Item& item, wire::Actions& actions) {
    if (item.gang == nullptr) {
        actions.push_back(wire::SendMessage{item.worker, wire::Stop{task, item.lease}});
        return;
    }
    for (std::size_t m = 0; m < item.gang->members.size(); ++m) {
        actions.push_back(wire::SendMessage{item.gang->members[m],
                                            wire::Stop{advance(task, m), advance(item.lease, m)}});
    }
}

bool Owner::wanted(const Item& item) {
    return item.holds > 0 || item.pinned || item.uses > 0 || item.lineage > 0;
}

void Owner::cancel(TaskId task, wire::Actions& actions) {
    if (owner_of(task) != config_.self) {
        actions.push_back(wire::SendMessage{owner_of(task), wire::Cancel{task}});
        return;
    }
    // A worklist, not recursion: what only one task needs may be a long chain.
    std::deque<TaskId> cancelling{task};
    while (!cancelling.empty()) {
        const TaskId next = cancelling.front();
        cancelling.pop_front();
        const Place place = find(next);
        if (place.block == nullptr || place.item().state == State::done || place.item().replaying) {
            continue;
        }
        Item& item = place.item();
        if (item.state == State::granted) {
            if (!std::exchange(item.cancelling, true)) {
                stop_attempt(next, item, actions);
            }
            continue;
        }
        const auto dependencies = item.task.dependencies;
        complete(next, place, cancelled(next, place), actions);
        for (const ObjectId object : dependencies) {
            const Place other = find(object);
            if (owner_of(object) == config_.self && other.block != nullptr &&
                other.item().state != State::done && !wanted(other.item())) {
                cancelling.push_back(advance(object, 0 - other.member));
            }
        }
    }
}

bool Owner::kill_actor(ObjectId actor, wire::Actions& actions) {
    const Place place = find(actor);
    if (place.block == nullptr || place.item().dropped) {
        return false; // it is not submitted yet, or gone
    }
    MUSTER_ASSERT(place.block->task_class.actor);
    if (place.item().state != State::done) {
        cancel(actor, actions);
        return false;
    }
    wire::Outcome& outcome = place.item().outcome;
    if (outcome.kind == wire::Outcome::Kind::failed) {
        return false;
    }
    actions.push_back(wire::SendMessage{outcome.holder, wire::ActorDestroy{actor, true}});
    outcome = failure(wire::FailureRecord::Kind::system, actor, place, "the actor was killed");
    forget_lineage(place); // it is not made again
    return true;
}

void Owner::expire(TaskId task, Place place, wire::Actions& actions) {
    const Item& item = place.item();
    const std::string limit = format_duration(place.block->deadline);
    std::string text = fmt::format("it had not started {} after it was submitted", limit);
    if (item.state == State::granted) {
        text = fmt::format("it was not done {} after it was submitted, and has been asked to stop",
                           limit);
        stop_attempt(task, item, actions);
    }
    complete(task,
             place,
             failure(wire::FailureRecord::Kind::timed_out, task, place, std::move(text)),
             actions);
}

void Owner::expire_late(wire::Actions& actions) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now_) {
        const ObjectId first = deadlines_.begin()->second;
        deadlines_.erase(deadlines_.begin());
        const auto block = blocks_.find(first);
        if (block == blocks_.end()) {
            continue;
        }
        const std::uint64_t count = block->second.items.size();
        const std::uint64_t stride = block->second.task_class.stride();
        for (std::uint64_t i = 0; i < count; ++i) {
            // The block may go with the last of them.
            const TaskId task = advance(first, i * stride);
            const Place place = find(task);
            if (place.block != nullptr && place.item().state != State::done) {
                expire(task, place, actions);
            }
        }
    }
}

void Owner::on_not_started(const wire::NotStarted& message, wire::Actions& actions) {
    for (const auto& range : message.ranges) {
        for (std::uint64_t i = 0; i < range.count; ++i) {
            const TaskId task = advance(range.first, i);
            const Place place = find(task);
            if (place.block == nullptr || place.member > 0 || place.item().state == State::done) {
                continue;
            }
            complete(task,
                     place,
                     failure(wire::FailureRecord::Kind::ended,
                             task,
                             place,
                             "not started: the run is ending"),
                     actions);
        }
    }
}

void Owner::halt() {
    halted_ = true;
    // The coordinator gives back what is ready.
    for (const auto& [time, task] : std::exchange(delayed_, {})) {
        if (const Place place = find(task);
            place.block != nullptr && place.item().state == State::delayed) {
            make_ready(task, place);
        }
    }
}

} // namespace muster::owner
