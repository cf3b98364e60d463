#include "actor/host.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace muster::actor {
namespace {

constexpr std::size_t outcomes_per_message_max = 512;

} // namespace

void Host::on_made(ObjectId actor) {
    const bool is_new = actors_.try_emplace(actor).second;
    MUSTER_ASSERT(is_new);
}

void Host::on_calls(Rank from,
                    wire::ActorCalls message,
                    store::Store& store,
                    wire::Actions& actions) {
    const auto where = actors_.find(message.actor);
    if (where == actors_.end() || where->second.ending || doomed_.contains(message.actor)) {
        for (const auto& sent : message.calls) {
            finished_[from].push_back({sent.spec.id,
                                       LeaseId{},
                                       failure(sent.spec.id,
                                               sent.function,
                                               wire::FailureRecord::Kind::system,
                                               "not run: the actor is gone, because it was killed, "
                                               "its owner was lost, or nobody held it any more"),
                                       true});
        }
        return;
    }
    Actor& actor = where->second;
    for (auto& sent : message.calls) {
        wire::TaskSpec& spec = sent.spec;
        const auto [place, is_new] = calls_.try_emplace(spec.id);
        MUSTER_ASSERT(is_new);
        Call& call = place->second;
        call.actor = message.actor;
        call.caller = from;
        call.function = sent.function;
        call.lane = {from, {sent.context, sent.urgent}};
        call.depth = sent.depth;
        call.replays = sent.replays;
        call.ready = {spec.id,
                      sent.function,
                      spec.attempt,
                      std::move(spec.arguments),
                      std::vector<Buffer>(spec.dependencies.size())};
        ++actor.calls;
        for (const auto& dependency : spec.dependencies) {
            call.dependencies.push_back(dependency.object);
        }
        call.missing = store.collect(spec.id, spec.dependencies, call.ready.dependencies, actions);
        const auto lane = actor.lanes.find(call.lane);
        if (call.missing == 0 && lane == actor.lanes.end()) {
            enqueue(call, actions);
        } else {
            actor.lanes[call.lane].push_back(spec.id);
        }
    }
}

void Host::enqueue(Call& call, wire::Actions& actions) {
    call.queued = true;
    call.dependencies = {};
    actions.push_back(
        wire::EnqueueCall{call.actor, call.depth, std::move(call.ready), call.lane.second.urgent});
    call.ready = {};
}

void Host::advance_lane(Actor& actor, const Lane& lane, wire::Actions& actions) {
    const auto place = actor.lanes.find(lane);
    if (place == actor.lanes.end()) {
        return;
    }
    auto& waiting = place->second;
    while (!waiting.empty()) {
        Call& first = calls_.at(waiting.front());
        if (first.missing > 0) {
            return;
        }
        waiting.pop_front();
        enqueue(first, actions);
    }
    actor.lanes.erase(place);
}

bool Host::on_dependency(TaskId id,
                         ObjectId object,
                         const std::optional<Buffer>& value,
                         wire::Actions& actions) {
    const auto place = calls_.find(id);
    if (place == calls_.end()) {
        return false;
    }
    Call& call = place->second;
    if (!value) {
        fail_waiting(
            id,
            failure(id,
                    call.function,
                    wire::FailureRecord::Kind::object_lost,
                    fmt::format("its argument, the result of {}, is not where it was kept any more",
                                to_string(object))),
            actions);
        return true;
    }
    // One waiter, one position: the next one that is still open.
    for (std::size_t i = 0; i < call.dependencies.size(); ++i) {
        if (call.dependencies[i] == object && call.ready.dependencies[i].empty()) {
            call.ready.dependencies[i] = *value;
            --call.missing;
            break;
        }
    }
    if (call.missing == 0) {
        advance_lane(actors_.at(call.actor), call.lane, actions);
    }
    return true;
}

bool Host::on_stop(const wire::Stop& message, wire::Actions& actions) {
    const auto place = calls_.find(message.task);
    if (place == calls_.end()) {
        return false;
    }
    take_back(message.task, actions);
    return true;
}

void Host::take_back(TaskId id, wire::Actions& actions) {
    const Call& call = calls_.at(id);
    if (call.queued) {
        actions.push_back(wire::StopCall{call.actor, id});
    } else {
        fail_waiting(id, taken_back(id, call), actions);
    }
}

void Host::take_back(std::vector<TaskId> calls, wire::Actions& actions) {
    // The last ones first: a failure of one would have the next go on to the executors.
    std::sort(calls.rbegin(), calls.rend());
    for (const TaskId id : calls) {
        take_back(id, actions);
    }
}

wire::Outcome Host::taken_back(TaskId id, const Call& call) const {
    using Kind = wire::FailureRecord::Kind;
    return actors_.at(call.actor).killed
               ? failure(id, call.function, Kind::system, "not run: the actor was killed")
               : failure(id, call.function, Kind::cancelled, "cancelled before it ran");
}

void Host::on_lost(const std::map<Rank, std::string>& lost, wire::Actions& actions) {
    std::vector<TaskId> calls;
    for (const auto& [id, call] : calls_) {
        if (lost.contains(call.caller) || lost.contains(owner_of(call.actor))) {
            calls.push_back(id);
        }
    }
    take_back(std::move(calls), actions);
    for (const auto& [id, actor] : actors_) {
        if (lost.contains(owner_of(id)) && !actor.ending) {
            doomed_.insert(id);
        }
    }
}

void Host::on_call_finished(worker::AttemptFinished finished,
                            store::Store& store,
                            std::optional<Buffer> saved) {
    const auto place = calls_.find(finished.task);
    MUSTER_ASSERT(place != calls_.end() && place->second.queued);
    const ObjectId id = place->second.actor;
    Actor& actor = actors_.at(id);
    wire::Outcome outcome;
    if (finished.ok) {
        outcome = store.settle(finished.task, std::move(finished.value), config_.inline_bytes_max);
    } else {
        outcome.kind = wire::Outcome::Kind::failed;
        outcome.failure = std::move(finished.failure);
    }
    if (place->second.replays) {
        actor.unsaved.push_back({finished.task, outcome});
    }
    report(finished.task, place->second, std::move(outcome), false);
    calls_.erase(place);
    if (saved) {
        // The state of a later save stands for all calls before it.
        wire::ActorSaved& message = saved_[id];
        message.actor = id;
        message.state = std::move(*saved);
        message.calls.insert(message.calls.end(),
                             std::make_move_iterator(actor.unsaved.begin()),
                             std::make_move_iterator(actor.unsaved.end()));
        actor.unsaved.clear();
    }
}

void Host::on_call_removed(TaskId id) {
    const auto place = calls_.find(id);
    MUSTER_ASSERT(place != calls_.end() && place->second.queued);
    report(id, place->second, taken_back(id, place->second), true);
    calls_.erase(place);
}

void Host::report(TaskId id, const Call& call, wire::Outcome outcome, bool not_run) {
    finished_[call.caller].push_back({id, LeaseId{}, std::move(outcome), not_run});
    Actor& actor = actors_.at(call.actor);
    MUSTER_ASSERT(actor.calls > 0);
    --actor.calls;
}

void Host::fail_waiting(TaskId id, wire::Outcome failure, wire::Actions& actions) {
    const auto place = calls_.find(id);
    const Call call = std::move(place->second);
    calls_.erase(place);
    report(id, call, std::move(failure), true);
    Actor& actor = actors_.at(call.actor);
    auto& waiting = actor.lanes.at(call.lane);
    waiting.erase(std::find(waiting.begin(), waiting.end(), id));
    advance_lane(actor, call.lane, actions);
}

wire::Outcome Host::failure(TaskId id,
                            FunctionId function,
                            wire::FailureRecord::Kind kind,
                            std::string message) const {
    wire::FailureRecord record;
    record.kind = kind;
    record.message = std::move(message);
    record.task = id;
    record.function = function;
    record.rank = config_.self;
    record.host = config_.host;
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    outcome.failure.push_back(std::move(record));
    return outcome;
}

void Host::on_destroy(const wire::ActorDestroy& message, wire::Actions& actions) {
    const auto place = actors_.find(message.actor);
    MUSTER_ASSERT(place != actors_.end() && !place->second.ending);
    doomed_.insert(message.actor);
    place->second.killed = message.killed;
    if (!message.killed) {
        return;
    }
    std::vector<TaskId> calls;
    for (const auto& [id, call] : calls_) {
        if (call.actor == message.actor) {
            calls.push_back(id);
        }
    }
    take_back(std::move(calls), actions);
}

void Host::on_destroyed(ObjectId actor) {
    const auto erased = actors_.erase(actor);
    MUSTER_ASSERT(erased == 1);
}

void Host::flush(wire::Actions& actions) {
    for (auto place = doomed_.begin(); place != doomed_.end();) {
        Actor& actor = actors_.at(*place);
        if (actor.calls > 0) {
            ++place;
            continue;
        }
        actor.ending = true;
        actions.push_back(wire::DestroyActor{*place});
        place = doomed_.erase(place);
    }
    for (auto& [caller, outcomes] : finished_) {
        for (std::size_t begin = 0; begin < outcomes.size(); begin += outcomes_per_message_max) {
            const std::size_t end = std::min(outcomes.size(), begin + outcomes_per_message_max);
            wire::Finished message;
            message.tasks.assign(
                std::make_move_iterator(outcomes.begin() + static_cast<std::ptrdiff_t>(begin)),
                std::make_move_iterator(outcomes.begin() + static_cast<std::ptrdiff_t>(end)));
            actions.push_back(wire::SendMessage{caller, std::move(message)});
        }
    }
    finished_.clear();
    for (auto& [actor, message] : saved_) {
        actions.push_back(wire::SendMessage{owner_of(actor), std::move(message)});
    }
    saved_.clear();
}

void Host::explain(wire::TaskStatus& status) const {
    if (const auto place = calls_.find(status.task); place != calls_.end()) {
        status.stage = place->second.missing > 0 ? wire::TaskStatus::Stage::fetching
                                                 : wire::TaskStatus::Stage::held;
    }
}

void Host::check_invariants() const {
    std::map<ObjectId, std::size_t> calls;
    std::size_t in_lanes = 0;
    for (const auto& [id, call] : calls_) {
        ++calls[call.actor];
        in_lanes += call.queued ? 0 : 1;
        MUSTER_ASSERT(call.missing == 0 || !call.queued);
    }
    for (const auto& [id, actor] : actors_) {
        MUSTER_ASSERT(actor.calls == calls[id]);
        MUSTER_ASSERT(actor.calls == 0 || !actor.ending);
        for (const auto& [lane, waiting] : actor.lanes) {
            MUSTER_ASSERT(!waiting.empty() && calls_.at(waiting.front()).missing > 0);
            in_lanes -= waiting.size();
        }
    }
    MUSTER_ASSERT(in_lanes == 0);
}

} // namespace muster::actor
