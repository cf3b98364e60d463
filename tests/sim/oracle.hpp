#pragma once

#include "program.hpp"
#include "wire/messages.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace muster::sim {

/// The simulation's own knowledge of every object, kept apart from the machines': what was asked
/// for, what ran, what came of it. Each report of the simulated system is held against it.
///
/// Every function throws SimFailure if the system did what it must not.
class Oracle {
public:
    struct Truth {
        TaskKind kind;
        std::uint32_t depth = 0;
        ProgramPtr program; ///< None: made by put().
        std::vector<ObjectId> dependencies;
        std::vector<ObjectId> passed; ///< Futures inside its arguments.
        std::vector<ObjectId> passed_actors{};
        std::optional<ObjectId> actor{}; ///< Whose method it is; none: a task.
        ObjectId context{};              ///< Of a call: who calls.
        bool makes_actor = false;
        std::size_t argument_bytes = 0;
        Rank owner{};
        std::uint32_t starts = 0;
        std::uint32_t ends = 0;
        bool ended_ok = false;
        bool threw = false; ///< As its program says, and not since something that it did failed.
        bool cancel_requested = false;
        std::optional<Rank> ran_on;
        std::vector<ObjectId> contained; ///< Futures inside its value.
        std::vector<ObjectId> contained_actors{};
        std::size_t value_bytes = 0;
        std::optional<wire::Outcome::Kind> outcome; ///< As first reported.
        std::optional<ObjectId> gang;               ///< Of a member: the gang it belongs to.
    };

    void submitted(TaskId task, Truth truth);

    void makes_actor(TaskId task) { at(task).makes_actor = true; }

    void is_call(TaskId task, ObjectId actor, ObjectId context) {
        at(task).actor = actor;
        at(task).context = context;
    }

    void stored(ObjectId object,
                Rank owner,
                std::vector<ObjectId> contained,
                std::vector<ObjectId> actors,
                std::size_t bytes);
    void cancel_requested(TaskId task);
    void started(TaskId task, Rank rank);
    void threw(TaskId task);
    void ended(TaskId task,
               bool ok,
               std::vector<ObjectId> contained,
               std::vector<ObjectId> actors,
               std::size_t bytes);

    /// A program on some rank has one more handle of an actor, or one less.
    void actor_held(ObjectId actor, int change);
    /// Its destructor ran: nobody has a handle, and no call of it is under way.
    void actor_destroyed(ObjectId actor, Rank rank);

    /// It may live until the run ends: a handle is inside a result.
    void actor_pinned(ObjectId actor) { pinned_.insert(actor); }

    [[nodiscard]] bool any_pinned() const { return !pinned_.empty(); }

    /// At the end: what was made and not pinned was destroyed, and no call was forgotten.
    void check_actors() const;

    /// A future was resolved, on whichever rank.
    void resolved(ObjectId object, const wire::Outcome& outcome);
    /// A future's bytes came, or the bytes of a dependency of a task that starts.
    void value_came(ObjectId object, const Buffer& value) const;

    [[nodiscard]] const Truth& truth(ObjectId object) const;

    [[nodiscard]] bool known(ObjectId object) const { return truths_.contains(object); }

    [[nodiscard]] const std::map<ObjectId, Truth>& truths() const { return truths_; }

private:
    Truth& at(ObjectId object);
    /// It has no value, or will have none.
    [[nodiscard]] bool failed(ObjectId object) const;
    [[nodiscard]] const Truth& member(ObjectId gang, std::int32_t member) const;
    void check_thrower(ObjectId gang, const Truth& truth, std::int32_t member) const;
    void check_members(ObjectId gang, const Truth& truth, bool ok) const;

    struct ActorTruth {
        std::int64_t handles = 0;
        std::optional<TaskId> running;             ///< The call that runs.
        std::map<ObjectId, TaskId> last_started{}; ///< By context.
        bool destroyed = false;
    };

    void check_failure(ObjectId object, const Truth& truth, const wire::Outcome& outcome) const;

    std::map<ObjectId, Truth> truths_;
    std::map<ObjectId, ActorTruth> actors_;
    std::set<ObjectId> pinned_;
};

} // namespace muster::sim
