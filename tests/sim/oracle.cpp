#include "oracle.hpp"

#include "failure.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace muster::sim {
namespace {

using Kind = wire::FailureRecord::Kind;

/// What is wrong with an object, in words once it is.
struct About {
    ObjectId object{};
    const char* what = "";
};

About about(ObjectId object, const char* what) {
    return {object, what};
}

void require(bool holds, const About& otherwise) {
    if (!holds) {
        throw SimFailure(to_string(otherwise.object) + ": " + otherwise.what);
    }
}

template <class Range, class Predicate>
bool any(const Range& range, Predicate&& predicate) {
    return std::any_of(range.begin(), range.end(), predicate);
}

bool ended_well(const Oracle::Attempt& attempt) {
    return attempt.ended && attempt.ok;
}

bool ended_badly(const Oracle::Attempt& attempt) {
    return attempt.ended && !attempt.ok;
}

} // namespace

bool Oracle::Truth::made() const {
    return any(attempts, ended_well);
}

Oracle::Truth& Oracle::at(ObjectId object) {
    const auto place = truths_.find(object);
    require(place != truths_.end(), about(object, "was never submitted"));
    return place->second;
}

const Oracle::Truth& Oracle::truth(ObjectId object) const {
    const auto place = truths_.find(object);
    require(place != truths_.end(), about(object, "was never submitted"));
    return place->second;
}

void Oracle::submitted(TaskId task, Truth truth) {
    for (const ObjectId object : truth.dependencies) {
        at(object).dependents.push_back(task);
    }
    if (truth.kind.may_be_late()) {
        may_be_late_.insert(task);
    }
    for (std::int32_t m = 0; m < truth.kind.ranks; ++m) {
        Truth member = truth;
        member.gang = task;
        require(
            truths_.emplace(advance(task, static_cast<std::uint64_t>(m)), std::move(member)).second,
            about(task, "submitted twice"));
    }
    if (truth.kind.ranks == 0) {
        require(truths_.emplace(task, std::move(truth)).second, about(task, "submitted twice"));
    }
}

void Oracle::stored(ObjectId object,
                    Rank owner,
                    std::vector<ObjectId> contained,
                    std::vector<ObjectId> actors,
                    std::size_t bytes) {
    Truth truth;
    truth.owner = owner;
    Attempt made{owner};
    made.ended = true;
    made.ok = true;
    made.contained = std::move(contained);
    made.contained_actors = std::move(actors);
    made.value_bytes = bytes;
    truth.attempts.push_back(std::move(made));
    submitted(object, std::move(truth));
}

void Oracle::made_group(ObjectId group, Rank owner, MakeGroup made) {
    Truth truth;
    truth.owner = owner;
    submitted(group, std::move(truth));
    groups_[group].made = std::move(made);
}

void Oracle::check_places(ObjectId group,
                          const std::map<std::int32_t, Rank>& places,
                          const std::function<NodeId(Rank)>& node_of) const {
    const MakeGroup& made = this->group(group).made;
    require(places.empty() || places.size() == made.bundles.size() || fate_.any_gone(),
            about(group, "has places for some of its bundles"));
    std::map<NodeId, int> nodes;
    for (const auto& [bundle, rank] : places) {
        ++nodes[node_of(rank)];
    }
    require(made.strategy != Strategy::strict_pack || nodes.size() <= 1,
            about(group, "lies on several nodes"));
    require(made.strategy != Strategy::strict_spread || nodes.size() == places.size(),
            about(group, "has two bundles on a node"));
}

bool Oracle::group_gone_early(ObjectId group) const {
    return this->group(group).removed || fate_.gone(owner_of(group)) || holder_lost(group) ||
           held_by_late(group);
}

void Oracle::resolved_group(ObjectId group, const wire::Outcome& outcome) {
    GroupTruth& truth = groups_.at(group);
    if (outcome.kind == wire::Outcome::Kind::value) {
        require(!outcome.kept && outcome.value.empty(), about(group, "has a value"));
        truth.placed = true;
        return;
    }
    const auto& reason = outcome.failure.front();
    require(reason.task == group, about(group, "failed with another's reason"));
    TaskKind in_it;
    in_it.placement = {Placement::Kind::in_group, -1, group};
    switch (reason.kind) {
    case Kind::cancelled: { // nobody waits for it who has a handle, unless it was removed
        const auto actor = actors_.find(group);
        require(group_gone_early(group) ||
                    !any(actor->second.handles, [](const auto& held) { return held.second > 0; }),
                about(group, "is gone, and somebody has a handle"));
        break;
    }
    case Kind::object_lost:
        require(fate_.any_gone(), about(group, "is not known where it was made"));
        break;
    default:
        require(!feasible_(in_it), to_string(group) + ": cannot be placed: " + reason.message);
    }
}

void Oracle::cancel_requested(TaskId task) {
    at(task).cancel_requested = true;
}

void Oracle::threw(TaskId task) {
    at(task).threw = true;
}

void Oracle::timed_out(TaskId task, Rank rank) {
    for (Attempt& attempt : at(task).attempts) {
        if (attempt.rank == rank && !attempt.ended) {
            attempt.timed_out = true;
        }
    }
}

// What runs.

void Oracle::started(TaskId task, Rank rank, const wire::Gang* gang) {
    Truth& truth = at(task);
    require(truth.program != nullptr, about(task, "is no task"));
    if (!fate_.gone(rank)) { // what others have taken for lost does not know better
        check_start(task, truth);
    }
    Attempt& attempt = truth.attempts.emplace_back();
    attempt.rank = rank;
    if (gang != nullptr) {
        attempt.gang = gang->id;
        attempt.members = gang->members;
    }
    if (truth.actor && !fate_.gone(rank)) {
        start_call(task, truth, rank);
    }
}

void Oracle::check_start(TaskId task, const Truth& truth) const {
    for (const Attempt& earlier : truth.attempts) {
        require(earlier.ended || earlier.lost || earlier.timed_out || fate_.gone(earlier.rank),
                about(task, "runs twice at a time"));
    }
    if (!truth.attempts.empty()) {
        std::set<ObjectId> seen;
        require(may_run_again(truth.gang.value_or(task), seen), about(task, "runs twice"));
    }
    const bool replays = truth.actor && this->truth(*truth.actor).kind.replays;
    // The order to stop what is late may come after its start.
    const bool late = truth.kind.deadline > Duration{};
    require(!truth.outcome || truth.outcome == wire::Outcome::Kind::value || replays || late,
            about(task, "runs after it failed"));
    require(!truth.outcome || fate_.any_gone() || late, about(task, "runs after it was resolved"));
    for (const ObjectId object : truth.dependencies) {
        require(!failed(object), about(task, "runs without its dependency's value"));
    }
    require(!truth.gang || !this->truth(*truth.gang).outcome || fate_.any_gone() || late,
            about(task, "is a member of a gang that was resolved"));
}

void Oracle::start_call(TaskId task, const Truth& truth, Rank rank) {
    const Truth& constructor = this->truth(*truth.actor);
    require(constructor.made(), about(task, "is called of an actor that was not made"));
    require(any(constructor.attempts,
                [&](const Attempt& made) { return ended_well(made) && made.rank == rank; }),
            about(task, "runs where its actor does not live"));
    Instance& actor = actors_[*truth.actor].instances[rank];
    require(!actor.destroyed, about(task, "runs after its actor was destroyed"));
    require(actor.under_way.size() < constructor.kind.concurrency,
            about(task, "starts while as many calls of its actor are under way as may be"));
    require(truth.urgent ||
                !any(actor.waiting, [&](TaskId one) { return this->truth(one).urgent; }),
            about(task, "starts before an urgent call that is there"));
    actor.under_way.emplace(task, false);
    actor.waiting.erase(task);
    check_threads(task, actor, constructor.kind);
    // Attempts of one task, of which one has timed out, call from two ranks.
    auto& last = actor.last_started[{truth.context, truth.owner, truth.urgent}];
    // One whose argument was lost with its rank is sent again by itself.
    require(last < task || (constructor.kind.replays && !truth.dependencies.empty()),
            about(task, "runs after a later call of its context"));
    last = std::max(last, task);
}

Oracle::Instance& Oracle::instance_of(TaskId call, Rank rank) {
    return actors_[*truth(call).actor].instances[rank];
}

void Oracle::check_threads(TaskId call, const Instance& actor, const TaskKind& kind) {
    const auto running = std::count_if(actor.under_way.begin(),
                                       actor.under_way.end(),
                                       [](const auto& one) { return !one.second; });
    require(running <= static_cast<std::ptrdiff_t>(kind.threads),
            about(call, "runs while as many calls of its actor run as may"));
}

void Oracle::call_queued(TaskId call, Rank rank) {
    instance_of(call, rank).waiting.insert(call);
}

void Oracle::call_removed(TaskId call, Rank rank) {
    instance_of(call, rank).waiting.erase(call);
}

void Oracle::call_suspended(TaskId call, Rank rank) {
    auto& calls = instance_of(call, rank).under_way;
    if (const auto place = calls.find(call); place != calls.end()) {
        place->second = true;
    }
}

void Oracle::call_resumed(TaskId call, Rank rank) {
    Instance& actor = instance_of(call, rank);
    if (const auto place = actor.under_way.find(call); place != actor.under_way.end()) {
        place->second = false;
        check_threads(call, actor, truth(*truth(call).actor).kind);
    }
}

std::size_t Oracle::under_way(ObjectId actor, Rank rank) const {
    const auto place = actors_.find(actor);
    const auto instance = place->second.instances.find(rank);
    return instance == place->second.instances.end() ? 0 : instance->second.under_way.size();
}

bool Oracle::overtakes(TaskId call, Rank rank) const {
    const Truth& truth = this->truth(call);
    return truth.urgent && any(actors_.at(*truth.actor).instances.at(rank).waiting,
                               [&](TaskId one) { return !this->truth(one).urgent; });
}

void Oracle::ended(TaskId task,
                   Rank rank,
                   bool ok,
                   std::vector<ObjectId> contained,
                   std::vector<ObjectId> actors,
                   std::size_t bytes) {
    Truth& truth = at(task);
    const auto attempt = std::find_if(truth.attempts.rbegin(),
                                      truth.attempts.rend(),
                                      [&](const Attempt& one) { return one.rank == rank; });
    require(attempt != truth.attempts.rend() && !attempt->ended && !attempt->lost,
            about(task, "ended without having started"));
    if (truth.actor) {
        instance_of(task, rank).under_way.erase(task);
    }
    attempt->ended = true;
    attempt->ok = ok;
    attempt->contained = std::move(contained);
    attempt->contained_actors = std::move(actors);
    attempt->value_bytes = bytes;
}

bool Oracle::may_run_again(ObjectId object, std::set<ObjectId>& seen) const {
    if (!seen.insert(object).second) {
        return false;
    }
    const Truth& truth = this->truth(object);
    const auto made_up_for = [&](const Attempt& attempt) {
        return fate_.gone(attempt.rank) ||
               any(attempt.members, [&](Rank rank) { return fate_.gone(rank); }) ||
               (truth.kind.retry_exceptions && (ended_badly(attempt) || attempt.timed_out));
    };
    if (any(truth.attempts, made_up_for)) {
        return true;
    }
    for (std::int32_t m = 0; m < truth.kind.ranks; ++m) {
        if (any(member(object, m).attempts, made_up_for)) {
            return true;
        }
    }
    // One member has begun when another cannot: an argument was lost with its rank, or the term
    // ended meanwhile.
    if (truth.kind.ranks > 0 && fate_.any_gone()) {
        return true;
    }
    return any(truth.dependents, [&](TaskId task) { return may_run_again(task, seen); });
}

void Oracle::crashed(Rank rank) {
    for (auto& [object, truth] : truths_) {
        for (Attempt& attempt : truth.attempts) {
            attempt.lost = attempt.lost || (attempt.rank == rank && !attempt.ended);
        }
    }
    for (auto& [object, actor] : actors_) {
        actor.holder_lost = actor.handles.erase(rank) > 0 || actor.holder_lost;
    }
}

bool Oracle::touched_by_loss(ObjectId object, std::set<ObjectId>& seen) const {
    if (!seen.insert(object).second) {
        return false;
    }
    const Truth& truth = this->truth(object);
    if (fate_.gone(truth.owner)) {
        return true;
    }
    const auto lost = [&](const Attempt& attempt) {
        return fate_.gone(attempt.rank) ||
               any(attempt.members, [&](Rank rank) { return fate_.gone(rank); });
    };
    if (any(truth.attempts, lost)) {
        return true;
    }
    if (truth.actor && (touched_by_loss(*truth.actor, seen) || holder_lost(*truth.actor))) {
        return true;
    }
    for (std::int32_t m = 1; m < truth.kind.ranks; ++m) {
        if (any(member(object, m).attempts, lost)) {
            return true;
        }
    }
    return any(truth.dependencies, [&](ObjectId one) { return touched_by_loss(one, seen); });
}

bool Oracle::failed(ObjectId object) const {
    const Truth& truth = this->truth(object);
    for (std::int32_t m = 0; m < truth.kind.ranks; ++m) {
        if (!member(object, m).made()) {
            return true;
        }
    }
    return !truth.made();
}

// Gangs.

const Oracle::Truth& Oracle::member(ObjectId gang, std::int32_t member) const {
    return truth(advance(gang, static_cast<std::uint64_t>(member)));
}

// Nothing is said of a gang before all its members have ended, and a value only if all of one
// attempt have run.
void Oracle::check_members(ObjectId gang, const Truth& truth, bool ok) const {
    for (std::int32_t m = 0; m < truth.kind.ranks; ++m) {
        for (const Attempt& attempt : member(gang, m).attempts) {
            require(attempt.ended || attempt.lost || fate_.gone(attempt.rank) ||
                        fate_.gone(truth.owner) || truth.kind.may_be_late(),
                    about(gang, "was resolved while a member ran"));
        }
    }
    if (!ok) {
        return;
    }
    const auto complete = [&](const Attempt& first) {
        for (std::int32_t m = 0; m < truth.kind.ranks; ++m) {
            if (!any(member(gang, m).attempts, [&](const Attempt& other) {
                    return other.gang == first.gang && ended_well(other);
                })) {
                return false;
            }
        }
        return true;
    };
    require(any(truth.attempts, complete), about(gang, "has a value, and a member has none"));
}

// A member that another's failure released must not be taken for the one that began it. Where one
// returns early, or the gang is cancelled, anyone may.
void Oracle::check_thrower(ObjectId gang, const Truth& truth, std::int32_t member) const {
    const Truth& thrower = this->member(gang, member);
    require(any(thrower.attempts, ended_badly),
            about(gang, "failed by a member that did not throw"));
    const auto& steps = truth.program->steps;
    require(thrower.threw || truth.cancel_requested ||
                any(steps, [](const Step& step) { return std::holds_alternative<LeaveOne>(step); }),
            about(gang, "failed by a member that was only released"));
}

// Actors.

void Oracle::actor_held(ObjectId actor, Rank rank, int change) {
    ActorTruth& truth = actors_[actor];
    require(change < 0 || fate_.any_gone() ||
                !any(truth.instances, [](const auto& one) { return one.second.destroyed; }) ||
                held_by_late(actor) || killed(actor),
            about(actor, "is held after it was destroyed"));
    std::int64_t& handles = truth.handles[rank];
    handles += change;
    require(handles >= 0, about(actor, "is released more often than held"));
}

void Oracle::actor_destroyed(ObjectId actor, Rank rank) {
    ActorTruth& truth = actors_[actor];
    Instance& instance = truth.instances[rank];
    require(!instance.destroyed, about(actor, "is destroyed twice"));
    require(instance.under_way.empty(), about(actor, "is destroyed while a call of it runs"));
    require(instance.waiting.empty() || fate_.gone(rank),
            about(actor, "is destroyed while a call of it waits"));
    require(fate_.gone(owner_of(actor)) || fate_.gone(rank) || holder_lost(actor) ||
                held_by_late(actor) || killed(actor) ||
                !any(truth.handles,
                     [&](const auto& held) { return held.second > 0 && !fate_.gone(held.first); }),
            about(actor, "is destroyed while somebody has a handle"));
    require(any(this->truth(actor).attempts,
                [&](const Attempt& made) { return made.rank == rank && ended_well(made); }),
            about(actor, "is destroyed where it does not live"));
    instance.destroyed = true;
}

// What held the actor for a handle that is on its way, or has just come, may have gone with it.
bool Oracle::holder_lost(ObjectId actor) const {
    const auto place = actors_.find(actor);
    return place != actors_.end() &&
           (place->second.holder_lost ||
            any(place->second.handles, [&](const auto& held) { return fate_.gone(held.first); }));
}

// A task that its owner gives up while it runs may be all that has a handle.
bool Oracle::held_by_late(ObjectId actor) const {
    const auto has = [&](const std::vector<ObjectId>& actors) {
        return std::find(actors.begin(), actors.end(), actor) != actors.end();
    };
    return any(may_be_late_, [&](TaskId task) {
        const Truth& truth = this->truth(task);
        return has(truth.passed_actors) || any(truth.dependencies, [&](ObjectId one) {
                   return any(this->truth(one).attempts, [&](const Attempt& attempt) {
                       return has(attempt.contained_actors);
                   });
               });
    });
}

bool Oracle::any_left() const {
    return !pinned_.empty() || any(job_actors_, [&](ObjectId actor) {
        // A lost rank may have taken the word that it is to be killed with it.
        return !killed(actor) || fate_.any_gone();
    });
}

void Oracle::runs_on_state(TaskId call, const std::set<TaskId>& ran) const {
    const Truth& truth = this->truth(call);
    if (!this->truth(*truth.actor).kind.replays) {
        return;
    }
    require(!ran.contains(call), about(call, "runs twice on its actor's state"));
    for (const TaskId earlier : calls_.at(*truth.actor)) {
        if (earlier >= call) {
            break;
        }
        const Truth& other = this->truth(earlier);
        const bool fits = other.context != truth.context || other.owner != truth.owner ||
                          !other.dependencies.empty() || other.cancel_requested ||
                          other.outcome != wire::Outcome::Kind::value || ran.contains(earlier);
        if (!fits) {
            const std::string what = "runs on a state without " + to_string(earlier);
            require(false, about(call, what.c_str()));
        }
    }
}

// Nobody has its future, and all that needed it was cancelled.
bool Oracle::cancelled_along(ObjectId object) const {
    const Truth& truth = this->truth(object);
    return truth.cancel_requested ||
           any(truth.dependents, [&](TaskId task) { return cancelled_along(task); });
}

void Oracle::check_end() const {
    const bool left = any_left();
    for (const auto& [object, truth] : truths_) {
        for (const Attempt& attempt : truth.attempts) {
            require(attempt.ended || attempt.lost, about(object, "never ended"));
        }
        if (truth.actor && truth.attempts.empty()) {
            require(cancelled_along(object) || !this->truth(*truth.actor).made() ||
                        touched_by_loss(object) || held_by_late(*truth.actor) ||
                        killed(*truth.actor) ||
                        any(truth.dependencies,
                            [&](ObjectId one) {
                                return failed(one) || this->truth(one).kind.may_be_late();
                            }),
                    about(object, "is a call that never ran"));
        }
        if (!truth.makes_actor || left) {
            continue;
        }
        for (const Attempt& made : truth.attempts) {
            if (!ended_well(made) || fate_.gone(made.rank)) {
                continue;
            }
            const auto actor = actors_.find(object);
            require(actor != actors_.end() && actor->second.instances.contains(made.rank) &&
                        actor->second.instances.at(made.rank).destroyed,
                    about(object, "is an actor that was never destroyed"));
        }
    }
}

std::string Oracle::describe_open() const {
    std::string text;
    int listed = 0;
    for (const auto& [object, truth] : truths_) {
        if (truth.outcome || !truth.program || fate_.gone(truth.owner) ||
            (truth.gang && *truth.gang != object) || (truth.makes_actor && truth.made())) {
            continue;
        }
        text += fmt::format("  open: {}{}{}{}",
                            to_string(object),
                            truth.gang ? fmt::format(", gang of {}", truth.kind.ranks) : "",
                            truth.actor ? ", call of " + to_string(*truth.actor) : "",
                            truth.makes_actor ? ", makes an actor" : "");
        for (const ObjectId dependency : truth.dependencies) {
            text += ", needs " + to_string(dependency);
        }
        for (const Attempt& attempt : truth.attempts) {
            text += fmt::format(", {} on {}",
                                attempt.lost     ? "lost"
                                : !attempt.ended ? "runs"
                                : attempt.ok     ? "ran"
                                                 : "failed",
                                to_string(attempt.rank));
        }
        text += '\n';
        if (++listed == 20) {
            return text + "  and more\n";
        }
    }
    return text;
}

// Outcomes.

void Oracle::resolved(ObjectId object, Rank rank, const wire::Outcome& outcome) {
    if (fate_.gone(rank)) {
        return;
    }
    if (is_group(object)) {
        resolved_group(object, outcome);
        return;
    }
    Truth& truth = at(object);
    require(!truth.outcome || *truth.outcome == outcome.kind || touched_by_loss(object),
            about(object, "has another outcome on another rank"));
    truth.outcome = truth.outcome.value_or(outcome.kind);
    if (truth.gang) {
        check_members(object, truth, outcome.kind == wire::Outcome::Kind::value);
    }
    if (outcome.kind == wire::Outcome::Kind::failed) {
        check_failure(object, truth, outcome);
        return;
    }
    require(truth.made(), about(object, "has a value that was never made"));
    if (!outcome.kept) {
        value_came(object, outcome.value);
        return;
    }
    require(any(truth.attempts,
                [&](const Attempt& made) {
                    return ended_well(made) && made.rank == outcome.holder &&
                           made.value_bytes == outcome.size;
                }),
            about(object, "is said to be kept where it was not made, or with another size"));
    require(outcome.value.empty(), about(object, "travels although it is kept"));
}

Payload Oracle::value_came(ObjectId object, const Buffer& value) const {
    const Truth& truth = this->truth(object);
    require(truth.made(), about(object, "has a value that was never made"));
    Payload payload = read_payload(object, value.bytes());
    require(any(truth.attempts,
                [&](const Attempt& made) {
                    return ended_well(made) && made.value_bytes == value.size() &&
                           made.contained == payload.futures &&
                           made.contained_actors == payload.actors;
                }),
            about(object, "has another size than any attempt gave it, or other things inside"));
    return payload;
}

void Oracle::value_lost(ObjectId object) const {
    require(touched_by_loss(object), about(object, "is not where it was kept"));
}

void Oracle::check_failure(ObjectId object,
                           const Truth& truth,
                           const wire::Outcome& outcome) const {
    require(!outcome.failure.empty(), about(object, "failed without a reason"));
    const auto& reason = outcome.failure.front();
    require(reason.task == object, about(object, "failed with another task's reason"));
    switch (reason.kind) {
    case Kind::exception:
        if (truth.gang) {
            check_thrower(object, truth, reason.member.value());
            break;
        }
        require(any(truth.attempts, ended_badly), about(object, "failed but did not throw"));
        break;
    case Kind::cancelled:
        if (truth.kind.placement.is_in_group() && !truth.cancel_requested) {
            // Its value may have been lost, and the group have gone before that.
            require(group_gone_early(truth.kind.placement.group) ||
                        (fate_.any_gone() && truth.made()),
                    about(object, "was cancelled with its group, which is there"));
            break;
        }
        require(truth.cancel_requested || (truth.actor && killed(*truth.actor)),
                about(object, "was cancelled, and nobody asked for it"));
        require(!any(truth.attempts,
                     [&](const Attempt& a) {
                         return !a.lost && !a.timed_out && !fate_.gone(a.rank) &&
                                (!a.ended || (a.ok && !truth.gang));
                     }),
                about(object, "was cancelled, and ran all the same"));
        break;
    case Kind::dependency:
        check_dependency_failure(object, truth, outcome);
        break;
    case Kind::released:
        require(false, about(object, "was released, and nobody says by whom"));
        break;
    case Kind::timed_out:
        check_late(object, truth);
        break;
    case Kind::restarted:
        require(truth.actor && any(this->truth(*truth.actor).attempts,
                                   [&](const Attempt& a) { return fate_.gone(a.rank); }),
                about(object, "was interrupted, and its actor's rank was not lost"));
        break;
    case Kind::object_lost:
        require(touched_by_loss(object), to_string(object) + ": was lost: " + reason.message);
        break;
    case Kind::system:
        require(!feasible_(truth.kind) || attempts_used_up(object, truth) ||
                    (truth.kind.placement.is_in_group() &&
                     (fate_.gone(owner_of(truth.kind.placement.group)) || truth.kind.ranks > 1)) ||
                    (truth.actor && (touched_by_loss(object) || held_by_late(*truth.actor) ||
                                     killed(*truth.actor))),
                to_string(object) + ": failed by the system: " + reason.message);
        break;
    case Kind::ended:
        require(!any(truth.attempts, ended_well),
                about(object, "ran, and is said not to have started"));
        break;
    }
}

// Any loss may have taken an attempt that had not started yet; and one that has timed out may have
// had others refused.
bool Oracle::attempts_used_up(ObjectId object, const Truth& truth) const {
    const auto bad = [](const Attempt& attempt) {
        return ended_badly(attempt) || attempt.timed_out;
    };
    auto used = fate_.gone_count();
    for (std::int32_t m = 0; m < std::max(truth.kind.ranks, 1); ++m) {
        const auto& attempts = truth.gang ? member(object, m).attempts : truth.attempts;
        used += static_cast<decltype(used)>(std::count_if(attempts.begin(), attempts.end(), bad));
    }
    return used > truth.kind.retries ||
           any(truth.attempts, [](const Attempt& attempt) { return attempt.timed_out; });
}

// Its own time, or that of one of its attempts, is over.
void Oracle::check_late(ObjectId object, const Truth& truth) const {
    const auto timed_out = [](const Attempt& attempt) { return attempt.timed_out; };
    bool late = truth.kind.deadline > Duration{} || any(truth.attempts, timed_out);
    for (std::int32_t m = 1; m < truth.kind.ranks; ++m) {
        late = late || any(member(object, m).attempts, timed_out);
    }
    require(late, about(object, "timed out, and it may take any time"));
}

void Oracle::check_dependency_failure(ObjectId object,
                                      const Truth& truth,
                                      const wire::Outcome& outcome) const {
    require(truth.attempts.empty() || touched_by_loss(object),
            about(object, "ran, and failed by a dependency"));
    require(outcome.failure.size() >= 2,
            about(object, "failed by a dependency, without its reason"));
    const auto without_value = [&](ObjectId one) {
        return failed(one) || touched_by_loss(one) || holder_lost(one) || held_by_late(one) ||
               this->truth(one).kind.may_be_late();
    };
    require(any(truth.dependencies, without_value) ||
                (truth.actor && (without_value(*truth.actor) || killed(*truth.actor))),
            about(object, "failed by a dependency, and none failed"));
}

} // namespace muster::sim
