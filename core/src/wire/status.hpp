#pragma once

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/core/resources.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What a rank says of itself when somebody asks what waits on whom. Bounded: of long lists it says
/// the first entries, and how many there are.
namespace muster::wire {

/// Not the number of any function: of objects that are no task's.
inline constexpr FunctionId no_function{~std::uint32_t{0}};

/// Tasks of one function, as their owner sees them.
struct FunctionStatus {
    FunctionId function{};
    std::uint64_t waiting = 0; ///< For a dependency.
    std::uint64_t ready = 0;   ///< In the coordinator's queue; a call: for its actor.
    std::uint64_t granted = 0; ///< With the rank that runs them.
    std::uint64_t done = 0;    ///< With a value or without.
    std::uint64_t failed = 0;  ///< Of those, without.
    std::uint64_t retried = 0; ///< Attempts that others made up for.
};

/// A dependency without an outcome.
struct MissingStatus {
    /// As its owner would say; elsewhere: another rank owns it.
    enum class State : std::uint8_t { waiting, ready, granted, elsewhere };

    ObjectId object{};
    State state = State::elsewhere;
    FunctionId function{}; ///< Not if it is elsewhere.
    std::string name;      ///< The task's own, if it has one.
    Rank at{};             ///< Where it was granted to; if elsewhere, its owner.
};

/// A task that waits for its dependencies.
struct WaitingStatus {
    TaskId task{};
    FunctionId function{};
    std::string name;
    std::uint64_t missing = 0;
    std::vector<MissingStatus> first_missing;
};

struct RunningStatus {
    TaskId task{};
    FunctionId function{};
    Duration age{};
    bool is_call = false; ///< Of an actor.
    bool blocked = false; ///< In get().
};

/// Ready tasks of one class, in the coordinator's queue.
struct QueuedStatus {
    FunctionId function{};
    Resources demand;
    Placement placement;
    std::int32_t priority = 0;
    std::int32_t members = 0; ///< Of each gang; 0: no gangs.
    bool actor = false;
    bool group_waits = false; ///< Its placement group has no place yet.
    std::uint64_t tasks = 0;  ///< Gangs count once.
    TaskId oldest{};
    std::int32_t ranks_with_room = 0; ///< On which one of them, or a member, could start now.
    std::int32_t ranks_eligible = 0;  ///< On which one could if the rank were idle.
    /// Of the eligible ranks the one with most free CPUs, and what is free there.
    Rank most_free{};
    Resources free;
};

/// A placement group that waits for room.
struct GroupStatus {
    ObjectId group{};
    std::string name;
    Strategy strategy{};
    Resources demand; ///< Of all its bundles.
    std::uint64_t bundles = 0;
    std::uint64_t missing = 0; ///< That have no place, or whose rank has not made room yet.
};

struct CoordinatorStatus {
    std::vector<QueuedStatus> queued;
    std::uint64_t classes = 0;       ///< All that wait.
    std::vector<GroupStatus> groups; ///< The first of them.
    bool draining = false;
};

/// How far one task or call has come, as far as those say who were asked: its owner, and then the
/// coordinator or the rank that it was sent to.
struct TaskStatus {
    enum class Stage : std::uint8_t {
        unasked,
        unknown,  ///< It is gone: its value, or its owner's rank.
        done,     ///< With a value.
        failed,   ///< Without one.
        waiting,  ///< For arguments.
        withheld, ///< Until the journal says whether it is to run.
        delayed,  ///< Until its next attempt.
        queued,   ///< With the coordinator, for room; a call: for its actor to be made.
        sent,     ///< On its way to a rank, which does not know it yet, or any more.
        fetching, ///< There: its arguments' values are on their way.
        held,     ///< There, behind others.
        running,
        blocked, ///< It has started, and waits for a future.
    };

    TaskId task{};
    Stage stage = Stage::unasked;
    FunctionId function{};
    std::string name;
    bool is_call = false; ///< Of an actor.
    std::uint32_t attempts = 0;
    std::optional<WaitingStatus> waiting;
    std::optional<QueuedStatus> queued; ///< Its class.
    std::uint64_t before = 0;           ///< Queued: ready tasks that go first.
    bool draining = false;              ///< Queued: nothing starts any more.
    Rank at{};                          ///< From `sent` on.
    Duration age{};                     ///< Since it has started there.
};

/// A large value that is kept, as its owner sees it.
struct ValueStatus {
    ObjectId object{};
    bool is_put = false;    ///< By put(); else a task made it.
    FunctionId function{};  ///< That task's.
    std::string name;       ///< Its own, if it has one.
    std::uint64_t size = 0; ///< Bytes.
    Rank holder{};
    std::uint64_t copies = 0; ///< On other ranks.
    std::uint64_t tasks = 0;  ///< That are not done, and take it.
    bool by_futures = false;  ///< Of the owner's rank, it is held.
    bool pinned = false;      ///< A future of it went elsewhere: kept until the run ends.
};

/// What large values of a rank take, and may take. Bytes.
struct RoomStatus {
    std::uint64_t memory = 0;
    std::uint64_t memory_max = 0;
    std::uint64_t disk = 0;
    std::uint64_t disk_max = 0;
};

/// The answer to StatusWanted.
struct Status {
    std::uint64_t request = 0;
    std::vector<FunctionStatus> functions;
    std::vector<WaitingStatus> waiting;
    std::uint64_t waiting_total = 0;
    std::vector<RunningStatus> running; ///< The oldest first.
    std::uint64_t running_total = 0;
    std::uint64_t blocked = 0;  ///< Of those that run, in get().
    std::uint64_t fetching = 0; ///< Leased to this rank, whose dependencies are on their way.
    std::uint64_t held = 0;     ///< Leased to this rank, and not started.
    std::uint64_t actors = 0;   ///< That live here.
    Resources capacity;
    Resources free;
    std::uint64_t values = 0;      ///< That the rank keeps, copies included.
    std::uint64_t value_bytes = 0; ///< Of those.
    RoomStatus room;
    std::vector<ValueStatus> largest; ///< Of those it owns; the largest first.
    std::optional<CoordinatorStatus> coordinator;
    std::uint64_t attempts = 0;        ///< Of tasks and calls, that have ended here.
    std::uint64_t attempts_failed = 0; ///< Of those.
    Duration busy{};                   ///< What they took, together.
    std::uint64_t resident = 0;        ///< Bytes of memory that the process has.
};

/// Which tasks are listed.
struct TaskFilter {
    std::uint8_t states = 0xff;        ///< Bits, by TaskRow::State.
    std::string name;                  ///< Part of the task's own name, or of its function's.
    std::vector<FunctionId> functions; ///< Whose name has it.

    friend bool operator==(const TaskFilter&, const TaskFilter&) = default;
};

/// One task or call, as its owner sees it.
struct TaskRow {
    enum class State : std::uint8_t {
        waiting,  ///< For arguments.
        withheld, ///< Until the journal says whether it is to run.
        delayed,  ///< Until its next attempt.
        ready,    ///< In the coordinator's queue; a call: for its actor.
        placed,   ///< With the rank that runs it.
        done,
        failed,
    };

    TaskId task{};
    FunctionId function{};
    std::string name;
    State state = State::waiting;
    bool is_call = false; ///< Of an actor.
    std::uint32_t attempts = 0;
    std::uint32_t missing = 0; ///< Waiting: arguments that are not there.
    Rank at{};                 ///< Placed: where.
};

} // namespace muster::wire
