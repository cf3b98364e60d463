#pragma once

#include "wire/group_messages.hpp"
#include "wire/shared_place.hpp"

#include <muster/base/clock.hpp>
#include <muster/base/error.hpp>
#include <muster/base/ids.hpp>
#include <muster/core/buffer.hpp>
#include <muster/core/resources.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What ranks say to one another about tasks, and about the values that they make.
///
/// Three roles speak: a task's *owner* (the rank that submitted it, and keeps its specification
/// until it is done), the *coordinator* (which only ever sees task ids and what they need), and
/// the *worker* (the rank that runs it). A task's life in messages:
///
///     owner       -> coordinator  Submit    these ids are ready to run and need this
///     coordinator -> owner        Grant     send that range of them to that rank, as one lease
///     owner       -> worker       Run       the specifications: function, arguments, dependencies
///     worker      -> owner        Finished  the results, or where they are kept
///     worker      -> coordinator  Progress  so many tasks of the lease are done
///
/// Arguments and results never pass through the coordinator.
namespace muster::wire {

/// `count` consecutive tasks of one owner.
struct Range {
    ObjectId first{};
    std::uint64_t count = 0;

    friend auto operator<=>(const Range&, const Range&) = default;
};

/// All the coordinator must know to treat tasks as interchangeable.
struct TaskClass {
    FunctionId function{};
    Resources demand;
    std::int32_t priority = 0; ///< Higher runs first.
    /// How deeply nested the submission was: 0 from the driver, n + 1 from a task of depth n. Among
    /// equal priorities the deeper goes first: a parent that waits needs its children more than
    /// the cluster needs another parent.
    std::uint32_t depth = 0;
    Placement placement;
    /// Members of a gang, which start together or not at all; 0 for tasks that are no gangs. A gang
    /// takes as many consecutive ids: its own first, which is also its first member's.
    std::int32_t ranks = 0;
    bool raw_mpi = false; ///< The gang calls MPI: each rank hosts one such at a time.
    /// It makes an actor: what it demands stays taken until the actor is destroyed, and none is
    /// leased ahead.
    bool actor = false;
    bool isolate = false; ///< Runs in a process of its own, whose memory is limited.
    /// Demands of which any will do, the first if there is room for it; none: `demand` it is. Tasks
    /// are ready as `undecided`, and granted as a class with the one that they got.
    std::vector<Resources> alternatives{};
    bool undecided = false;

    /// Ids that one task of the class takes.
    [[nodiscard]] std::uint64_t stride() const {
        return ranks > 0 ? static_cast<std::uint64_t>(ranks) : 1;
    }

    friend auto operator<=>(const TaskClass&, const TaskClass&) = default;
    friend bool operator==(const TaskClass&, const TaskClass&) = default;
};

/// Exceptions that are rebuilt as their own type where the future is asked. Numbers are stable.
enum class StandardType : std::uint8_t {
    none = 0,
    exception = 1,
    runtime_error = 2,
    range_error = 3,
    overflow_error = 4,
    underflow_error = 5,
    logic_error = 6,
    invalid_argument = 7,
    domain_error = 8,
    length_error = 9,
    out_of_range = 10,
    bad_alloc = 11,
    system_error_generic = 12, ///< std::system_error in the generic category.
    system_error_system = 13,
    muster_error = 14,
    muster_usage_error = 15,
};

/// One link in the chain of reasons for a failed task. Text only: no exception objects travel.
struct FailureRecord {
    enum class Kind : std::uint8_t {
        exception,
        cancelled,
        dependency,
        object_lost,
        system,
        released,  ///< Ended because another member of its gang did.
        timed_out, ///< Took longer than it may.
        restarted, ///< Of a call: its actor was lost while it was under way, and lives elsewhere.
        ended,     ///< Not started: the run was ending.
    };

    Kind kind = Kind::exception;
    std::string type;    ///< The exception's type, demangled; for people, never compared.
    std::string message; ///< what()
    StandardType standard = StandardType::none; ///< What it can be rebuilt as elsewhere.
    std::int32_t error_number = 0; ///< Of std::system_error; for muster::Error, its ErrorCode.
    TaskId task{};
    FunctionId function{};
    std::string name; ///< The task's own name, if its options gave one.
    Rank rank{};      ///< Where it ran, or where it was decided.
    std::string host;
    std::uint32_t attempt = 0;
    std::optional<std::int32_t> member; ///< Of a gang: which of its members.
};

/// How a task ended: its value (here, or kept by `holder`), or why there is none.
struct Outcome {
    enum class Kind : std::uint8_t { value, failed };

    Kind kind = Kind::value;
    Buffer value;           ///< The encoded value if small; empty if kept by the holder.
    std::uint64_t size = 0; ///< Of the encoded value, in bytes.
    bool kept = false;      ///< True: the value is in the store of `holder`.
    Rank holder{};
    std::vector<FailureRecord> failure; ///< The failure itself first, its root cause last.
};

// Scheduling.

struct Submit {
    TaskClass task_class;
    std::vector<Range> ranges;
    /// By range: the rank that keeps most of what its tasks take, if that is much. Empty: none.
    std::vector<std::optional<Rank>> near{};
};

/// Coordinator to owner: these can never run. After a loss, since no rank that is left can; or of
/// tasks in a placement group.
struct Infeasible {
    std::vector<Range> tasks;
    std::string why{};    ///< Of a group: a sentence.
    bool removed = false; ///< Somebody removed the group.
};

struct Grant {
    LeaseId lease{};
    Range range;
    Rank worker{};
    /// Of a gang, in place of `worker`: the rank of each member. Then the range is that one gang,
    /// and member m has the lease m places after `lease`.
    std::vector<Rank> members;
    /// Of tasks in a placement group: in which of its bundles; of a gang, each member.
    std::vector<std::int32_t> bundles{};
    /// Of its one task, if that demands GPUs: which it has, in whole or in part. Of a gang, those
    /// of each member behind one another.
    DeviceList devices{};
    std::uint32_t alternative = 0; ///< Of an undecided class: which of its demands they got.
};

/// Where a value lies that its reader is lent; it stays there until LoanEnded.
struct Loan {
    std::uint64_t transfer = 0;
    SharedPlace place;
};

/// A dependency's value, or where to fetch it.
struct Dependency {
    ObjectId object{};
    Buffer value;
    std::uint64_t size = 0;
    bool kept = false;
    Rank holder{};
    Rank source{};              ///< To be asked first: it has a copy, or is fetching one.
    std::optional<Loan> loan{}; ///< By the holder, who need not be asked then.
};

struct TaskSpec {
    TaskId id{};
    std::uint32_t attempt = 1;
    Buffer arguments;
    std::vector<Dependency> dependencies;
};

/// What every member of a gang knows of it.
struct Gang {
    LeaseId id{};              ///< The first member's lease: names this attempt of the gang.
    std::vector<Rank> members; ///< By rank within the gang.
    bool raw_mpi = false;

    friend bool operator==(const Gang&, const Gang&) = default;
};

/// How an actor is run and saved; and, if it is made again because its rank was lost, with what it
/// begins.
struct ActorMaking {
    std::uint32_t save_every = 0; ///< Calls from one save to the next; 0: it is never saved.
    std::optional<Buffer> saved{};
    std::uint32_t restarts = 0; ///< How often its host may make it again, if it lives in a process.
    bool replays = false;       ///< Then its calls since the save run again.
    std::uint32_t concurrency = 1; ///< Calls of it that may have started and not ended.
    std::uint32_t threads = 1;     ///< Those of them that may run at the same time.
};

struct Run {
    LeaseId lease{};
    TaskClass task_class;
    std::string name;
    std::vector<TaskSpec> tasks;
    Gang gang; ///< Of a member of a gang: then `tasks` is this member alone.
    std::int32_t member = 0;
    Duration timeout{};   ///< Of an attempt, from its start; 0: none.
    ActorMaking making{}; ///< Of the constructor of an actor.
    DeviceList devices{}; ///< The GPUs that its one task has, if it demands any.
};

struct TaskOutcome {
    TaskId id{};
    LeaseId lease{};
    Outcome outcome;
    bool not_run = false; ///< Of a call: it did not start, so its actor's state has nothing of it.
};

struct Finished {
    std::vector<TaskOutcome> tasks;
};

struct LeaseProgress {
    LeaseId lease{};
    std::uint32_t finished = 0;
    Duration busy{}; ///< Summed run time of these tasks; zero from an owner that declined them.
};

/// Worker to coordinator; also owner to coordinator, for granted tasks that were cancelled.
struct Progress {
    std::vector<LeaseProgress> leases;
};

/// Coordinator to worker: hand back up to `count` tasks of the class that have not started.
/// Always answered with one Returned, possibly empty.
struct Recall {
    TaskClass task_class;
    std::uint32_t count = 0;
};

struct ReturnedTask {
    LeaseId lease{};
    TaskId task{};
};

struct Returned {
    TaskClass task_class;
    std::vector<ReturnedTask> tasks;
};

/// Worker to coordinator: a task of the lease waits for a future and lends its CPUs, or takes
/// them back.
struct Lent {
    LeaseId lease{};
    bool resumed = false;
    bool suspended = false; ///< It holds no thread meanwhile, or held none.
};

/// Consecutive tasks under one lease.
struct LeasedRange {
    LeaseId lease{};
    Range range;
};

/// Owner to worker, in a new term: you should have these. What the worker does not have it never
/// had (its Run came after the term did) or has returned to a coordinator that is no more.
struct Confirm {
    std::vector<LeasedRange> tasks;
};

/// The answer, if any of them is not there.
struct NotHere {
    std::vector<ReturnedTask> tasks;
};

/// To a task's owner: somebody wants it cancelled.
struct Cancel {
    TaskId task{};
};

/// To an object's owner: no future holds its value any more, though there may be some.
struct Free {
    ObjectId object{};
};

/// From the owner to the worker: do not start it, or ask it to stop.
struct Stop {
    TaskId task{};
    LeaseId lease{};
};

// Objects.

/// A rank that does not own the object wants to know when it is there.
struct Subscribe {
    ObjectId object{};
};

struct ObjectReady {
    ObjectId object{};
    Outcome outcome;
};

/// Send me this object by bulk transfer `transfer` (numbered by the receiver).
struct Fetch {
    ObjectId object{};
    std::uint64_t transfer = 0;
    bool in_place = false; ///< Or say where it lies: it can perhaps be read there (FetchLent).
};

/// It is on its way: receive it now. So no receive is ever posted in vain.
struct FetchStarted {
    ObjectId object{};
    std::uint64_t transfer = 0;
};

struct FetchFailed {
    ObjectId object{};
    std::uint64_t transfer = 0;
};

/// In place of FetchStarted: it lies there, and stays there until LoanEnded.
struct FetchLent {
    ObjectId object{};
    std::uint64_t transfer = 0;
    SharedPlace place;
};

/// What was lent is not read any more, or could not be.
struct LoanEnded {
    std::uint64_t transfer = 0;
};

/// The owner's word that nobody needs these any more.
struct Drop {
    std::vector<ObjectId> objects;
};

} // namespace muster::wire
