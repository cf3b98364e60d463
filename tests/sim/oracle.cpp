#include "oracle.hpp"

#include "failure.hpp"
#include "payload.hpp"

#include <algorithm>

namespace muster::sim {
namespace {

using Kind = wire::FailureRecord::Kind;

std::string about(ObjectId object, const char* what) {
    return to_string(object) + ": " + what;
}

} // namespace

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

bool Oracle::failed(ObjectId object) const {
    const Truth& truth = this->truth(object);
    for (std::int32_t m = 0; m < truth.kind.ranks; ++m) {
        if (!member(object, m).ended_ok) {
            return true;
        }
    }
    return !truth.ended_ok;
}

const Oracle::Truth& Oracle::member(ObjectId gang, std::int32_t member) const {
    return truth(advance(gang, static_cast<std::uint64_t>(member)));
}

// Nothing is said of a gang before all its members have ended, and a value only if all have run.
void Oracle::check_members(ObjectId gang, const Truth& truth, bool ok) const {
    for (std::int32_t m = 0; m < truth.kind.ranks; ++m) {
        const Truth& other = member(gang, m);
        require(other.starts == other.ends, about(gang, "was resolved while a member ran"));
        require(!ok || other.ended_ok, about(gang, "has a value, and a member has none"));
    }
}

// A member that another's failure released must not be taken for the one that began it. Where one
// returns early, or the gang is cancelled, anyone may.
void Oracle::check_thrower(ObjectId gang, const Truth& truth, std::int32_t member) const {
    const Truth& thrower = this->member(gang, member);
    require(thrower.ends == 1 && !thrower.ended_ok,
            about(gang, "failed by a member that did not throw"));
    const auto& steps = truth.program->steps;
    require(
        thrower.threw || truth.cancel_requested ||
            std::any_of(steps.begin(),
                        steps.end(),
                        [](const Step& step) { return std::holds_alternative<LeaveOne>(step); }),
        about(gang, "failed by a member that was only released"));
}

void Oracle::threw(TaskId task) {
    at(task).threw = true;
}

void Oracle::stored(ObjectId object,
                    Rank owner,
                    std::vector<ObjectId> contained,
                    std::vector<ObjectId> actors,
                    std::size_t bytes) {
    Truth truth;
    truth.owner = owner;
    truth.ended_ok = true;
    truth.contained = std::move(contained);
    truth.contained_actors = std::move(actors);
    truth.value_bytes = bytes;
    submitted(object, std::move(truth));
}

void Oracle::cancel_requested(TaskId task) {
    at(task).cancel_requested = true;
}

void Oracle::started(TaskId task, Rank rank) {
    Truth& truth = at(task);
    require(truth.program != nullptr, about(task, "is no task"));
    require(truth.starts == 0, about(task, "runs twice"));
    require(!truth.outcome, about(task, "runs after it was resolved"));
    for (const ObjectId object : truth.dependencies) {
        require(!failed(object), about(task, "runs without its dependency's value"));
    }
    require(!truth.gang || !this->truth(*truth.gang).outcome,
            about(task, "is a member of a gang that was resolved"));
    ++truth.starts;
    truth.ran_on = rank;
    if (!truth.actor) {
        return;
    }
    const Truth& constructor = this->truth(*truth.actor);
    require(constructor.ended_ok, about(task, "is called of an actor that was not made"));
    require(constructor.ran_on == rank, about(task, "runs where its actor does not live"));
    ActorTruth& actor = actors_[*truth.actor];
    require(!actor.destroyed, about(task, "runs after its actor was destroyed"));
    require(!actor.running, about(task, "runs while another call of its actor does"));
    actor.running = task;
    auto& last = actor.last_started[truth.context];
    require(last < task, about(task, "runs after a later call of its context"));
    last = task;
}

void Oracle::actor_held(ObjectId actor, int change) {
    ActorTruth& truth = actors_[actor];
    require(change < 0 || !truth.destroyed, about(actor, "is held after it was destroyed"));
    truth.handles += change;
    require(truth.handles >= 0, about(actor, "is released more often than held"));
}

void Oracle::actor_destroyed(ObjectId actor, Rank rank) {
    ActorTruth& truth = actors_[actor];
    require(!truth.destroyed, about(actor, "is destroyed twice"));
    require(truth.handles == 0, about(actor, "is destroyed while somebody has a handle"));
    require(!truth.running, about(actor, "is destroyed while a call of it runs"));
    require(this->truth(actor).ran_on == rank, about(actor, "is destroyed where it does not live"));
    truth.destroyed = true;
}

void Oracle::check_actors() const {
    for (const auto& [object, truth] : truths_) {
        if (truth.actor && truth.starts == 0) {
            require(truth.cancel_requested || !this->truth(*truth.actor).ended_ok ||
                        std::any_of(truth.dependencies.begin(),
                                    truth.dependencies.end(),
                                    [&](ObjectId one) { return failed(one); }),
                    about(object, "is a call that never ran"));
        }
        if (truth.makes_actor && truth.ended_ok && pinned_.empty()) {
            const auto actor = actors_.find(object);
            require(actor != actors_.end() && actor->second.destroyed,
                    about(object, "is an actor that was never destroyed"));
        }
    }
}

void Oracle::ended(TaskId task,
                   bool ok,
                   std::vector<ObjectId> contained,
                   std::vector<ObjectId> actors,
                   std::size_t bytes) {
    Truth& truth = at(task);
    if (truth.actor) {
        actors_[*truth.actor].running.reset();
    }
    truth.contained_actors = std::move(actors);
    require(truth.starts == 1 && truth.ends == 0, about(task, "ended without having started"));
    ++truth.ends;
    truth.ended_ok = ok;
    truth.contained = std::move(contained);
    truth.value_bytes = bytes;
}

void Oracle::resolved(ObjectId object, const wire::Outcome& outcome) {
    Truth& truth = at(object);
    require(!truth.outcome || *truth.outcome == outcome.kind,
            about(object, "has another outcome on another rank"));
    truth.outcome = outcome.kind;
    if (truth.gang) {
        check_members(object, truth, outcome.kind == wire::Outcome::Kind::value);
    }
    if (outcome.kind == wire::Outcome::Kind::failed) {
        check_failure(object, truth, outcome);
        return;
    }
    require(truth.ended_ok, about(object, "has a value that was never made"));
    require(outcome.size == truth.value_bytes, about(object, "has a value of another size"));
    if (outcome.kept) {
        require(outcome.holder == truth.ran_on.value_or(truth.owner),
                about(object, "is said to be kept where it was not made"));
        require(outcome.value.empty(), about(object, "travels although it is kept"));
    } else {
        value_came(object, outcome.value);
    }
}

void Oracle::value_came(ObjectId object, const Buffer& value) const {
    const Truth& truth = this->truth(object);
    require(truth.ended_ok, about(object, "has a value that was never made"));
    require(value.size() == truth.value_bytes, about(object, "has a value of another size"));
    const Payload payload = read_payload(object, value.bytes());
    require(payload.futures == truth.contained, about(object, "has other futures inside"));
    require(payload.actors == truth.contained_actors, about(object, "has other actors inside"));
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
        require(truth.ends == 1 && !truth.ended_ok, about(object, "failed but did not throw"));
        break;
    case Kind::cancelled:
        require(truth.cancel_requested, about(object, "was cancelled, and nobody asked for it"));
        require(truth.starts == truth.ends && (truth.gang || !truth.ended_ok),
                about(object, "was cancelled, and ran all the same"));
        break;
    case Kind::dependency:
        require(truth.starts == 0, about(object, "ran, and failed by a dependency"));
        require(outcome.failure.size() >= 2,
                about(object, "failed by a dependency, without its reason"));
        require(std::any_of(truth.dependencies.begin(),
                            truth.dependencies.end(),
                            [&](ObjectId dependency) { return failed(dependency); }) ||
                    (truth.actor && !this->truth(*truth.actor).ended_ok),
                about(object, "failed by a dependency, and none failed"));
        break;
    case Kind::released:
        throw SimFailure(about(object, "was released, and nobody says by whom"));
    case Kind::object_lost:
    case Kind::system:
        throw SimFailure(about(object, "was lost: ") + reason.message);
    }
}

} // namespace muster::sim
