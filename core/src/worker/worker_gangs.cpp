// The part of the worker that ends gangs.

#include "worker/worker.hpp"

#include <algorithm>
#include <utility>

namespace muster::worker {

using Kind = wire::FailureRecord::Kind;

void Worker::cancel(TaskId id, wire::Actions& actions) {
    if (tasks_.at(id).released) {
        fail(id, Kind::released, "not run: another member of its gang has failed", actions);
    } else if (halted_ && !tasks_.at(id).stopped) {
        fail(id, Kind::ended, "not started: the run is ending", actions);
    } else {
        fail(id, Kind::cancelled, "cancelled before it ran", actions);
    }
}

bool Worker::seat_members(Pool& pool, wire::Actions& actions) {
    bool waits = false;
    for (const wire::ClassIndex index : pool.gang_classes) {
        give_slots(index, actions);
        const ClassState& state = classes_[index];
        waits = waits || (state.wants_slot(config_.slots_per_class_max) &&
                          make_room(pool, state.definition.demand, nullptr, actions));
    }
    return waits;
}

wire::GangFailed Worker::cancelled_member(const Task& task, TaskId id) const {
    wire::GangFailed message{task.gang->id, task.member, {}};
    message.failure.kind = Kind::cancelled;
    message.failure.message = "the gang was cancelled";
    message.failure.task = id;
    message.failure.rank = config_.self;
    message.failure.host = config_.host;
    message.failure.member = task.member;
    return message;
}

// The ranks of the others hear of a member that failed by itself; of those that it released, they
// have heard by the same word.
void Worker::leave_gang(const Task& task,
                        TaskId id,
                        const wire::Outcome& outcome,
                        wire::Actions& actions) {
    if (!task.gang) {
        return;
    }
    const auto place = gangs_.find(task.gang->id);
    std::erase(place->second, id);
    ended_members_.push_back({place->first, task.member, place->second.empty()});
    if (place->second.empty()) {
        gangs_.erase(place);
    }
    if (outcome.kind == wire::Outcome::Kind::value ||
        outcome.failure.front().kind == Kind::released) {
        return;
    }
    tell_members(*task.gang, task.member, outcome.failure.front(), actions);
}

void Worker::tell_members(const wire::Gang& gang,
                          std::int32_t member,
                          const wire::FailureRecord& failure,
                          wire::Actions& actions) {
    wire::GangFailed message{gang.id, member, failure};
    message.failure.member = member;
    std::vector<Rank> told = gang.members;
    std::sort(told.begin(), told.end());
    told.erase(std::unique(told.begin(), told.end()), told.end());
    for (const Rank rank : told) {
        actions.push_back(wire::SendMessage{rank, message});
    }
}

void Worker::on_gang_failed(const wire::GangFailed& message, wire::Actions& actions) {
    const auto place = gangs_.find(message.gang);
    if (place == gangs_.end()) {
        return;
    }
    for (const TaskId id : std::vector<TaskId>(place->second)) {
        Task& task = tasks_.at(id);
        if (std::exchange(task.released, true)) {
            continue;
        }
        if (classes_[task.task_class].fetching.erase(id) > 0) {
            cancel(id, actions);
        } else {
            actions.push_back(wire::StopTask{task.task_class, id});
        }
    }
}

} // namespace muster::worker
