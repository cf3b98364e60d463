#pragma once

#include "wire/group_messages.hpp"
#include "wire/look_messages.hpp"
#include "wire/shared_place.hpp"
#include "wire/status.hpp"

#include <muster/base/clock.hpp>
#include <muster/base/error.hpp>
#include <muster/base/ids.hpp>
#include <muster/core/buffer.hpp>
#include <muster/core/resources.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What ranks say to one another. Aggregates, carried by the project's one codec (serialize.hpp).
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

// Election: see elect/election.hpp.

struct Bid {
    Rank rank{};
    Amount cpus;
    bool preferred = false; ///< The user asked for this rank (MUSTER_COORDINATOR).
};

struct CoordinatorElected {
    Term term{};
    Rank coordinator{};
    std::string reason;
    std::vector<Rank> lost{}; ///< All that the run has lost so far, in order.
};

/// To and from the driver's rank, by who has said nothing else for a while.
struct Heartbeat {};

/// The driver's rank takes the receiver for lost: it must end.
struct Expelled {};

/// What a worker has of one lease.
struct HeldLease {
    LeaseId lease{};
    std::uint64_t tasks = 0;
    std::uint64_t lent = 0;      ///< Those of them that wait for a future and lend their CPUs.
    std::uint64_t suspended = 0; ///< Of these, those that hold no thread meanwhile.
    DeviceList devices{};        ///< Of its one task, if that demands GPUs.
};

/// What a worker has of one class, when it enters another coordinator's cluster.
struct HeldClass {
    TaskClass task_class;
    std::uint64_t slots = 0;
    std::vector<HeldLease> leases;
};

/// A rank enters the cluster of the term's coordinator, with what it has from before.
struct Register {
    NodeId node{};
    std::string host;
    Resources capacity;
    std::vector<HeldClass> held{};
    std::vector<HeldBundle> bundles{};
    std::vector<GroupSpec> groups{}; ///< That it owns.
};

/// Ranks of equal capacity, so that a list for ten thousand ranks has a handful of entries.
struct CapacityGroup {
    Resources capacity;
    std::int32_t ranks = 0;
    Rank example{};
    std::string host;
};

/// Consecutive ranks that have the same.
struct AlikeRanks {
    /// Of lost ranks: no entry.
    static constexpr std::uint32_t no_group = UINT32_MAX;

    std::int32_t ranks = 0;
    std::uint32_t group = no_group; ///< Their entry in the capacities.

    friend bool operator==(const AlikeRanks&, const AlikeRanks&) = default;
};

/// Every rank gets it, so it takes no room for each rank.
struct ClusterFormed {
    std::vector<CapacityGroup> capacities;
    std::vector<AlikeRanks> alike; ///< All ranks, in their order.
    std::int32_t nodes = 0;
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

// Between the members of a gang. A message up to a few KiB goes at once (GangData); a longer one is
// offered, and sent in bulk once the receiver has asked for it:
//
//     sender   -> receiver  GangOffer     I have so many bytes for you
//     receiver -> sender    GangAccept    send them as this transfer; or GangRefuse: nobody will
//     sender   -> receiver  GangStarted   they are on their way: receive them now
//                           or GangWithdrawn: the sender has given up meanwhile
//
// So nobody waits for a transfer that is not under way. And who waits for a message for long asks
// for it, so that nobody waits for a member that has returned:
//
//     receiver -> sender    GangAsk       is it still to come?
//     sender   -> receiver  GangNone      no, its member has returned; said as soon as that is so

/// From one member to another: which message this is about.
struct GangAddress {
    LeaseId gang{};
    std::int32_t from = 0;
    std::int32_t to = 0;
    std::uint64_t tag = 0;

    friend auto operator<=>(const GangAddress&, const GangAddress&) = default;
};

struct GangData {
    GangAddress address;
    Buffer data;
};

struct GangOffer {
    GangAddress address;
    std::uint64_t offer = 0; ///< Numbered by the sending rank.
    std::uint64_t size = 0;
};

struct GangAccept {
    std::uint64_t offer = 0;
    std::uint64_t transfer = 0;
};

/// The receiver has ended, or expects another size: why, as a sentence.
struct GangRefuse {
    std::uint64_t offer = 0;
    std::string why;
    ErrorCode code = ErrorCode::aborted;
};

struct GangStarted {
    std::uint64_t transfer = 0;
};

struct GangWithdrawn {
    std::uint64_t transfer = 0;
};

struct GangAsk {
    GangAddress address;
};

struct GangNone {
    GangAddress address;
};

/// A member ended without a result: its gang is over. To the ranks of all others.
struct GangFailed {
    LeaseId gang{};
    std::int32_t member = 0;
    FailureRecord failure;
};

// Actors. An actor is named by the task that makes it, which goes the way of every task; its owner
// is the rank that spawned it, its host the rank that ran that task. See actor/README.md.

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

// Ending: the driver's rank says Shutdown; every rank falls silent (it only answers fetches), and
// says Goodbye once its executors have stopped and its own fetches have ended; when all have, Leave
// lets them close their transports together. No bulk transfer is under way then.

struct Shutdown {
    std::int32_t exit_code = 0;
};

struct Goodbye {};

/// `orderly`: no rank was lost, so MPI can be finalized.
struct Leave {
    bool orderly = true;
};

// An end before the driver's own: see ending/ending.hpp.

/// Why a run ends early.
enum class EndCause : std::uint8_t {
    interrupted, ///< Ctrl-C (SIGINT): promptly.
    terminated,  ///< SIGTERM.
    notified,    ///< SIGUSR2, as a batch system sends it some time ahead of the end.
    time_limit,
};

/// To the driver's rank: this rank was told to end, and has so much time left.
struct EndWanted {
    EndCause cause{};
    Duration left{};
};

/// From the driver's rank to all: nothing starts any more. Said again if less time is left.
struct Drain {
    EndCause cause{};
    Duration left{};
};

/// To the driver's rank, while the run drains: whether anything gets on here.
struct Activity {
    bool busy = false;
};

/// From the driver's rank to all: what has not started fails, and what runs is asked to stop.
struct Halt {};

/// Coordinator to owner: these ready tasks are given up, since the run ends.
struct NotStarted {
    std::vector<Range> ranges;
};

// What waits on whom, for people: see status/gather.hpp.

/// To the driver's rank: somebody asked this one (SIGUSR1).
struct StatusAsked {};

/// From the driver's rank to all. Answered by Status.
struct StatusWanted {
    std::uint64_t request = 0;
    bool brief = false; ///< Only what costs no walk through all tasks.
};

/// What has become of that task? To its owner (stage unasked), which asks on, for `asker`: the
/// coordinator of a queued one, or the rank of one that was sent. Whoever knows most answers.
struct Explain {
    std::uint64_t request = 0;
    Rank asker{};
    TaskStatus status;
    TaskClass task_class; ///< Of a queued one.
};

struct Explained {
    std::uint64_t request = 0;
    TaskStatus status;
};

using AnyMessage = std::variant<Bid,
                                CoordinatorElected,
                                Heartbeat,
                                Expelled,
                                Register,
                                ClusterFormed,
                                Submit,
                                Infeasible,
                                Grant,
                                Run,
                                Finished,
                                Progress,
                                Recall,
                                Returned,
                                Lent,
                                Confirm,
                                NotHere,
                                Cancel,
                                Free,
                                Stop,
                                Subscribe,
                                ObjectReady,
                                Fetch,
                                FetchStarted,
                                FetchFailed,
                                FetchLent,
                                LoanEnded,
                                Drop,
                                GangData,
                                GangOffer,
                                GangAccept,
                                GangRefuse,
                                GangStarted,
                                GangWithdrawn,
                                GangAsk,
                                GangNone,
                                GangFailed,
                                ActorCalls,
                                ActorBorrow,
                                ActorKnown,
                                ActorPlaced,
                                ActorReleased,
                                ActorDestroy,
                                ActorKill,
                                ActorSaved,
                                ActorCovered,
                                NameClaim,
                                NameWanted,
                                NameAnswer,
                                NameFreed,
                                NameHeld,
                                Shutdown,
                                Goodbye,
                                Leave,
                                EndWanted,
                                Drain,
                                Activity,
                                Halt,
                                NotStarted,
                                StatusAsked,
                                StatusWanted,
                                Status,
                                Explain,
                                Explained,
                                TasksWanted,
                                TasksPage,
                                ClockAsked,
                                ClockTold,
                                GroupOpen,
                                GroupPlaced,
                                GroupFailed,
                                GroupAsked,
                                GroupClosed,
                                GroupRemove,
                                BundleTake,
                                BundleTaken,
                                BundleFree>;

/// One of them. What a variant copies, moves and ends with is compiled once, in codec.cpp: inlined
/// wherever a message is made it was most of the core's code, and of the time to compile it.
struct Message : AnyMessage {
    using AnyMessage::AnyMessage;
    Message();
    Message(const Message& other);
    Message(Message&& other) noexcept;
    Message& operator=(const Message& other);
    Message& operator=(Message&& other) noexcept;
    ~Message();
};

/// Every message carries its sender's term: what an older coordinator ordered is ignored.
struct Envelope {
    Term term{};
    Message message;
};

} // namespace muster::wire
