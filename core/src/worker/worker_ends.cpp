// What the worker does at the end, of its tasks' time or of the run; and what it says of its rank
// when somebody asks what waits on whom.

#include "worker/worker.hpp"

#include <muster/base/duration.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::worker {

void Worker::describe(wire::Status& status) const {
    for (const ClassState& state : classes_) {
        status.fetching += state.fetching.size();
        status.held += state.queued > state.slots ? state.queued - state.slots : 0;
        status.blocked += state.blocked;
    }
    status.actors = actors_.size();
    status.capacity = config_.capacity;
    status.free = own_.free;
}

void Worker::explain(wire::TaskStatus& status) const {
    using Stage = wire::TaskStatus::Stage;
    const auto place = tasks_.find(status.task);
    if (place == tasks_.end()) {
        return;
    }
    const Task& task = place->second;
    status.stage = task.missing > 0 ? Stage::fetching
                   : task.blocked   ? Stage::blocked
                                    : Stage::held; // or running: the executors know
}

void Worker::on_timed_out(TaskId id, Duration timeout, wire::Actions& actions) {
    const auto place = tasks_.find(id);
    if (place == tasks_.end() || place->second.orphaned || place->second.released) {
        return; // it has returned, or nobody waits for it
    }
    Task& task = place->second;
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    auto& record = outcome.failure.emplace_back();
    record.kind = wire::FailureRecord::Kind::timed_out;
    record.message = fmt::format("it ran for longer than {}, and has been asked to stop",
                                 format_duration(timeout));
    record.task = id;
    record.function = classes_[task.task_class].definition.function;
    record.name = task.name;
    record.rank = config_.self;
    record.host = config_.host;
    record.attempt = task.attempt;
    if (task.gang) {
        record.member = task.member;
        tell_members(
            *task.gang, task.member, record, actions); // they leave; it does when it returns
    }
    finished_[task.owner].push_back({id, task.lease, std::move(outcome)});
    task.orphaned = true;
    task.stopped = true;
    actions.push_back(wire::StopTask{task.task_class, id});
}

void Worker::refuse(Rank owner,
                    const wire::TaskSpec& spec,
                    LeaseId lease,
                    const wire::Gang* gang,
                    std::int32_t member,
                    wire::Actions& actions) {
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    auto& record = outcome.failure.emplace_back();
    const Task& earlier = tasks_.at(spec.id);
    record.kind = wire::FailureRecord::Kind::timed_out;
    record.message = "not run: an earlier attempt, which timed out here, has not stopped yet";
    record.task = spec.id;
    record.function = classes_[earlier.task_class].definition.function;
    record.name = earlier.name;
    record.rank = config_.self;
    record.host = config_.host;
    record.attempt = spec.attempt;
    if (gang != nullptr) {
        record.member = member;
        tell_members(*gang, member, record, actions);
        ended_members_.push_back({gang->id, member, !gangs_.contains(gang->id)});
    }
    finished_[owner].push_back({spec.id, lease, std::move(outcome)});
    note_progress(earlier.task_class, lease, 1);
}

void Worker::halt(wire::Actions& actions) {
    draining_ = true;
    halted_ = true;
    std::vector<TaskId> tasks;
    for (const auto& [id, task] : tasks_) {
        tasks.push_back(id);
    }
    std::sort(tasks.begin(), tasks.end());
    for (const TaskId id : tasks) {
        const auto place = tasks_.find(id);
        if (place == tasks_.end()) {
            continue; // with another member of its gang
        }
        if (classes_[place->second.task_class].fetching.erase(id) > 0) {
            cancel(id, actions);
        } else {
            actions.push_back(wire::StopTask{place->second.task_class, id});
        }
    }
}

} // namespace muster::worker
