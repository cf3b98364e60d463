// The part of the worker that goes from one coordinator to another.

#include "worker/worker.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::worker {

using Kind = wire::FailureRecord::Kind;

void Worker::on_term(Term term,
                     Rank coordinator,
                     const std::map<Rank, std::string>& lost,
                     wire::Actions& actions) {
    term_ = term;
    coordinator_ = coordinator;
    returned_.clear();
    // Orders to give back were another's. What had not come to the executors is here no more, and
    // its owner will hear so; what they still hand back is the new coordinator's.
    for (Recalling& recalling : recalling_) {
        recalling.returned.clear();
    }
    taking_.clear();
    owing_.clear();
    for (ClassState& state : classes_) {
        state.owed = 0;
        state.progress.clear(); // of tasks that are not in the inventory
        state.report = {};
    }
    unreported_.clear();
    std::vector<TaskId> orphans;
    for (auto& [id, task] : tasks_) {
        if (lost.contains(task.owner) && !std::exchange(task.orphaned, true)) {
            orphans.push_back(id);
        }
    }
    std::sort(orphans.begin(), orphans.end());
    for (const TaskId id : orphans) {
        Task& task = tasks_.at(id);
        task.stopped = true;
        if (classes_[task.task_class].fetching.erase(id) > 0) {
            cancel(id, actions);
        } else {
            actions.push_back(wire::StopTask{task.task_class, id});
        }
    }
    for (const auto& [rank, host] : lost) {
        finished_.erase(rank);
    }
}

std::vector<wire::HeldClass> Worker::held() const {
    std::map<wire::ClassIndex, std::map<LeaseId, wire::HeldLease>> leases;
    for (const auto& [id, task] : tasks_) {
        auto& lease = leases[task.task_class][task.lease];
        ++lease.tasks;
        lease.lent += task.blocked ? 1 : 0;
        lease.suspended += task.suspended ? 1 : 0;
        lease.devices = task.devices;
    }
    for (const auto& [id, actor] : actors_) {
        auto& lease = leases[actor.task_class][actor.lease];
        ++lease.tasks;
        lease.devices = actor.devices;
    }
    std::vector<wire::HeldClass> held;
    for (const auto& [index, by_lease] : leases) {
        const ClassState& state = classes_[index];
        auto& entry = held.emplace_back();
        entry.task_class = state.definition;
        entry.slots = std::uint64_t{state.slots} + state.actors;
        for (const auto& [lease, counts] : by_lease) {
            entry.leases.push_back(counts);
            entry.leases.back().lease = lease;
        }
    }
    return held;
}

void Worker::on_confirm(Rank from, const wire::Confirm& message, wire::Actions& actions) {
    wire::NotHere answer;
    for (const auto& [lease, range] : message.tasks) {
        for (std::uint64_t i = 0; i < range.count; ++i) {
            const TaskId id = advance(range.first, i);
            const auto place = tasks_.find(id);
            const bool here = place != tasks_.end() && place->second.lease == lease;
            if (!here && !returned_.contains({lease, id})) {
                answer.tasks.push_back({lease, id});
            }
        }
    }
    if (answer.tasks.empty()) {
        return;
    }
    flush(actions); // so that what has ended is known to have ended
    actions.push_back(wire::SendMessage{from, std::move(answer)});
}

std::vector<wire::GangFailed> Worker::gangs_without(const std::map<Rank, std::string>& lost) const {
    std::vector<wire::GangFailed> words;
    for (const auto& [gang, ids] : gangs_) {
        const Task& task = tasks_.at(ids.front());
        const auto& members = task.gang->members;
        const auto say = [&](std::int32_t member, Rank rank, std::string message) {
            wire::GangFailed word{gang, member, {}};
            word.failure.kind = Kind::system;
            word.failure.message = std::move(message);
            word.failure.task = ids.front();
            word.failure.rank = rank;
            word.failure.host = lost.at(rank);
            word.failure.member = member;
            words.push_back(std::move(word));
        };
        const auto gone = std::find_if(
            members.begin(), members.end(), [&](Rank rank) { return lost.contains(rank); });
        if (gone != members.end()) {
            say(static_cast<std::int32_t>(gone - members.begin()), *gone, "its rank was lost");
        } else if (lost.contains(task.owner)) {
            say(0, task.owner, "the rank that submitted the gang was lost");
        }
    }
    return words;
}

} // namespace muster::worker
