#pragma once

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/core/resources.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What a simulated task (or the driver) does: a list of steps.
///
/// A program holds futures in a table: first those passed to it inside its arguments, then those
/// found in its dependencies' values, then each task it submits, each value it puts, and those
/// found in the values it gets. Handles of actors are in a table of their own, in the same way; a
/// method finds those that its actor's constructor had there, too. Likewise handles of placement
/// groups. Steps name them by position,
/// taken modulo the table's size, so that a random program is always valid; a step whose future was
/// released does nothing.
namespace muster::sim {

struct Program;
using ProgramPtr = std::shared_ptr<const Program>;
using Local = std::size_t;

/// The last future of the table, and others counted from there.
inline constexpr Local latest = static_cast<Local>(-1);

constexpr Local from_end(std::size_t back) {
    return latest - back;
}

/// A task's class, but for its nesting depth, which follows from who submits it.
struct TaskKind {
    FunctionId function{};
    Resources demand;
    std::int32_t priority = 0;
    Placement placement;
    std::int32_t ranks = 0;     ///< Members, of a gang.
    std::uint32_t retries = 3;  ///< Attempts that may be lost with their ranks.
    std::uint32_t restarts = 0; ///< Of an actor, whose rank was lost.
    bool retry_exceptions = false;
    Duration timeout{};            ///< Of an attempt, from its start; 0: none.
    Duration deadline{};           ///< Of the task, from its submission; 0: none.
    std::uint32_t save_every = 0;  ///< Of an actor: calls from one save to the next.
    bool replays = false;          ///< Of an actor: its calls are sent again when it is restarted.
    std::uint32_t concurrency = 1; ///< Of an actor: calls of it that may be under way.
    std::uint32_t threads = 1;     ///< And run at once.
    bool for_job = false;          ///< Of an actor: it lives until the run ends, or is killed.
    std::vector<Resources> or_else{}; ///< Of a task: what it may take instead.

    [[nodiscard]] bool may_be_late() const { return timeout > Duration{} || deadline > Duration{}; }

    [[nodiscard]] std::uint64_t stride() const {
        return ranks > 0 ? static_cast<std::uint64_t>(ranks) : 1;
    }
};

struct Compute {
    Duration time{};
};

struct NewTask {
    ProgramPtr program;
    std::vector<Local> dependencies;
    std::vector<Local> passed; ///< Futures that travel inside the arguments.
    std::size_t argument_bytes = 0;
    std::vector<Local> passed_actors{}; ///< Handles that do.
    std::vector<Local> passed_groups{}; ///< Handles of placement groups that do.
};

/// Where tasks run: in a bundle of a group. They are not submitted if it has none for them.
struct InGroup {
    Local group = 0;
    std::int32_t bundle = -1; ///< Taken modulo the number of bundles; -1: any.
};

struct Submit {
    TaskKind kind;
    std::vector<NewTask> tasks;
    std::optional<InGroup> in{};
};

/// Makes a placement group, unless the cluster could not hold it.
struct MakeGroup {
    std::vector<Resources> bundles;
    Strategy strategy{};
    std::int32_t priority = 0;
};

/// Waits until it is placed, or never will be.
struct AwaitGroup {
    Local group = 0;
};

struct RemoveGroup {
    Local group = 0;
};

struct ReleaseGroup {
    Local group = 0;
};

struct Put {
    std::size_t bytes = 0;
    std::vector<Local> contained; ///< Futures that travel inside the value.
    std::vector<Local> contained_actors{};
};

/// Waits for a future's value. A task lends its CPUs meanwhile.
struct Get {
    Local future = 0;
    bool unpack = false;  ///< Takes the futures inside the value into the table.
    bool tolerant = true; ///< Goes on if the future failed; else the program fails with it.
};

/// Get of every future in the table, one after the other.
struct GetAll {
    bool tolerant = true;
};

struct Cancel {
    Local future = 0;
};

struct Release {
    Local future = 0;
};

struct Throw {};

/// In a gang: sends so many bytes to the next member and receives as many from the one before.
struct Pass {
    std::size_t bytes = 0;
};

/// In a gang: the given member throws.
struct ThrowOne {
    std::int32_t member = 0;
};

/// In a gang: the given member returns, whatever steps are left.
struct LeaveOne {
    std::int32_t member = 0;
};

/// Makes an actor. With a name it waits until it has it, and does nothing if it is taken.
struct Spawn {
    TaskKind kind;
    NewTask constructor;
    std::string name{};
    std::optional<InGroup> in{};
};

struct Call {
    Local actor = 0;
    FunctionId function{};
    NewTask method;
    bool urgent = false;
};

/// Takes a handle of the actor of that name into the table, if there is one.
struct FindActor {
    std::string name;
};

struct ReleaseActor {
    Local actor = 0;
};

struct CancelActor {
    Local actor = 0;
};

struct KillActor {
    Local actor = 0;
};

using Step = std::variant<Compute,
                          Submit,
                          Put,
                          Get,
                          GetAll,
                          Cancel,
                          Release,
                          Throw,
                          Spawn,
                          Call,
                          FindActor,
                          ReleaseActor,
                          CancelActor,
                          KillActor,
                          Pass,
                          ThrowOne,
                          LeaveOne,
                          MakeGroup,
                          AwaitGroup,
                          RemoveGroup,
                          ReleaseGroup>;

struct Program {
    std::vector<Step> steps;
    std::size_t result_bytes = 0;
    std::vector<Local> returned;          ///< Futures that travel inside the result.
    std::vector<Local> returned_actors{}; ///< Handles that do: these actors live on.
    bool unpacks = false;                 ///< Takes the futures inside its dependencies' values.
    bool stoppable = false;               ///< Ends as cancelled when asked to stop.
};

} // namespace muster::sim
