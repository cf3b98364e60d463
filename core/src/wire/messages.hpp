#pragma once

#include "wire/actor_messages.hpp"
#include "wire/gang_messages.hpp"
#include "wire/group_messages.hpp"
#include "wire/look_messages.hpp"
#include "wire/status.hpp"
#include "wire/task_messages.hpp"

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
/// Here are those that make a cluster, end it and tell of it; the others are in headers of their
/// own.
namespace muster::wire {

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
