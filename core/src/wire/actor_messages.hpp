#pragma once

#include "wire/task_messages.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Actors. An actor is named by the task that makes it, which goes the way of every task; its owner
/// is the rank that spawned it, its host the rank that ran that task. See actor/README.md.
namespace muster::wire {

struct ActorCall {
    TaskSpec spec;
    FunctionId function{};
    ObjectId context{}; ///< Who calls; calls of one context run in the order sent.
    std::uint32_t depth = 0;
    bool replays = false; ///< Its caller keeps it until it hears that it is covered.
    bool urgent = false;  ///< Goes before all that are not, and in an order of its own.
};

/// Caller to host, directly. Answered by Finished, under no lease.
struct ActorCalls {
    ObjectId actor{};
    std::vector<ActorCall> calls;
};

/// To the owner: a handle has come to this rank, which had none. Answered by ActorKnown.
struct ActorBorrow {
    ObjectId actor{};
};

struct ActorKnown {
    ObjectId actor{};
    bool gone = false;              ///< Destroyed, or about to be: the sender is not counted.
    std::optional<Outcome> outcome; ///< Of the constructor, if it has ended; `holder` is the host.
};

/// From the owner to the ranks with handles: the constructor has ended.
struct ActorPlaced {
    ObjectId actor{};
    Outcome outcome;
};

/// To the owner: the last handle on this rank is gone.
struct ActorReleased {
    ObjectId actor{};
    bool follows =
        false; ///< The rank keeps calls of it, and wants to know when it lives elsewhere.
};

/// Owner to host: no rank has a handle any more, and no call is under way; or it was killed, and
/// its calls are to be ended first.
struct ActorDestroy {
    ObjectId actor{};
    bool killed = false;
};

/// To the owner: somebody wants it ended, whoever has handles.
struct ActorKill {
    ObjectId actor{};
};

/// A call that has run, and how it ended.
struct CoveredCall {
    TaskId id{};
    Outcome outcome;
};

/// Host to owner: what the actor's save() gave.
struct ActorSaved {
    ObjectId actor{};
    Buffer state;
    std::vector<CoveredCall> calls; ///< Of those that are replayed: run since the save before.
};

/// Owner to caller: the state that the actor would be restarted with has these calls in it. Comes
/// before the word of any restart with that state (ActorPlaced), since it is sent before.
struct ActorCovered {
    ObjectId actor{};
    std::vector<CoveredCall> calls;
    bool ended = false; ///< The actor is gone: none of its calls will be sent again.
};

/// What the coordinator knows of a named actor.
struct NamedActor {
    ObjectId actor{};
    std::string class_name;
    std::uint32_t pending_calls_max = 0;
    bool replays = false; ///< Its calls are replayed when it is restarted.
};

/// Spawning rank to coordinator, before the actor is made. Answered by NameAnswer.
struct NameClaim {
    std::uint64_t request = 0;
    std::string name;
    NamedActor actor;
};

struct NameWanted {
    std::uint64_t request = 0;
    std::string name;
};

/// Who has the name now: after a claim that was granted, the claimant.
struct NameAnswer {
    std::uint64_t request = 0;
    std::optional<NamedActor> actor;
    std::vector<std::string> names; ///< If nobody has it: some that are taken, for the error.
};

struct NameFreed {
    std::string name;
    ObjectId actor{};
};

/// To a new coordinator: an actor of ours has this name.
struct NameHeld {
    std::string name;
    NamedActor actor;
};

} // namespace muster::wire
