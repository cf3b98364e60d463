#pragma once

#include "actor/call_queue.hpp"
#include "actor/host.hpp"
#include "actor/names.hpp"
#include "actor/references.hpp"
#include "elect/election.hpp"
#include "exchange/exchange.hpp"
#include "owner/owner.hpp"
#include "sched/scheduler.hpp"
#include "store/store.hpp"
#include "wire/actions.hpp"
#include "worker/worker.hpp"

#include <deque>
#include <map>
#include <memory>
#include <variant>
#include <vector>

namespace muster::rank {

// Facts, as the runtime or the simulator reports them.

struct Started {};

struct MessageReceived {
    Rank from{};
    wire::Envelope envelope;
};

struct TasksSubmitted {
    owner::Submission submission;
};

struct ValuePut {
    ObjectId object{};
    Buffer value;
    std::shared_ptr<void> futures;
    std::vector<ObjectId> actors{}; ///< Whose handles are inside.
};

/// A local thread wants the bytes of an object whose future is resolved but kept elsewhere.
struct FutureWanted {
    ObjectId object{};
};

struct FutureReleased {
    ObjectId object{};
};

struct FutureEscaped {
    ObjectId object{};
};

struct FutureBorrowed {
    ObjectId object{};
    std::shared_ptr<void> futures;
};

struct CancelRequested {
    TaskId task{};
};

struct SlotReturned {
    wire::ClassIndex task_class = 0;
};

struct TasksTakenBack {
    std::vector<TaskId> tasks;
    bool recalled = false; ///< The answer to TakeBackTasks; else to StopTask.
};

struct TaskBlocked {
    TaskId task{};
};

struct TaskResuming {
    TaskId task{};
};

// Of actors. That one is spawned, or called, is TasksSubmitted.

/// A handle came to this rank out of a value.
struct ActorBorrowed {
    ObjectId actor{};
};

/// A handle's name left this rank inside a value that nobody watches: the actor lives as long as
/// the run.
struct ActorEscaped {
    ObjectId actor{};
};

struct ActorReleased {
    ObjectId actor{};
};

/// A local thread is about to spawn an actor of this name (answer: AnswerName); or wants one.
struct NameClaimed {
    std::uint64_t request = 0;
    std::string name;
    wire::NamedActor actor;
};

struct ActorWanted {
    std::uint64_t request = 0;
    std::string name;
};

struct CallFinished {
    worker::AttemptFinished report;
};

/// The answer to StopCall, if the call had not started.
struct CallRemoved {
    TaskId call{};
};

/// The answer to DestroyActor.
struct ActorDestroyed {
    ObjectId actor{};
};

struct BulkReceived {
    Rank from{};
    std::uint64_t transfer = 0;
    Buffer value;
};

struct BulkSent {
    Rank to{};
    std::uint64_t transfer = 0;
};

// From the members of gangs on this rank; see exchange::Exchange.

struct GangOpened {
    LeaseId gang{};
    std::vector<Rank> members;
    std::int32_t member = 0;
    std::shared_ptr<void> port;
};

/// It waits no more, and wants its memory back.
struct GangGivenUp {
    LeaseId gang{};
    std::int32_t member = 0;
    std::string why;
};

/// Its function has returned; it goes on only to hand in its result.
struct GangReturned {
    LeaseId gang{};
    std::int32_t member = 0;
};

struct GangClosed {
    LeaseId gang{};
    std::int32_t member = 0;
};

struct GangSend {
    wire::GangAddress address;
    Buffer data;
    std::shared_ptr<void> completion;
};

struct GangReceive {
    wire::GangAddress address;
    std::byte* into = nullptr;
    std::uint64_t size = 0;
    std::shared_ptr<void> completion;
};

/// A member has waited for this message for a while.
struct GangAsked {
    wire::GangAddress address;
};

/// The driver returned; only on its rank.
struct DriverFinished {
    std::int32_t exit_code = 0;
};

/// After FallSilent: no executor runs any more.
struct ExecutorsStopped {};

using Event = std::variant<Started,
                           MessageReceived,
                           TasksSubmitted,
                           ValuePut,
                           FutureWanted,
                           FutureReleased,
                           FutureEscaped,
                           FutureBorrowed,
                           CancelRequested,
                           worker::AttemptFinished,
                           SlotReturned,
                           TasksTakenBack,
                           TaskBlocked,
                           TaskResuming,
                           ActorBorrowed,
                           ActorEscaped,
                           ActorReleased,
                           NameClaimed,
                           ActorWanted,
                           CallFinished,
                           CallRemoved,
                           ActorDestroyed,
                           BulkReceived,
                           BulkSent,
                           GangOpened,
                           GangGivenUp,
                           GangReturned,
                           GangClosed,
                           GangSend,
                           GangReceive,
                           GangAsked,
                           DriverFinished,
                           ExecutorsStopped>;

/// One rank's state machines, joined: election, owner, worker, store, the exchange between members
/// of gangs, what knows of actors, and the scheduler if this rank is the coordinator. Routes
/// messages among them and to other ranks.
///
/// While an actor's owner has not acknowledged a handle that came here, what this rank's threads
/// report waits, in order: see actor::References.
///
/// Pure: no MPI, threads, clock or randomness. The runtime's progress thread and the simulator
/// drive the same object: on_event() for each fact, flush() after a batch of them.
/// Threading: one thread at a time.
class RankMachine {
public:
    struct Config {
        Rank self{};
        std::int32_t world_size = 1;
        Rank driver{};
        NodeId node{};
        std::string host;
        Resources capacity;
        bool preferred_coordinator = false;
        std::size_t inline_bytes_max = 1024;
    };

    explicit RankMachine(const Config& config);

    /// Takes in one fact; what must be done about it is appended to `actions`, in order.
    void on_event(Event event, wire::Actions& actions);

    /// Sends what was gathered for batching, and schedules. Call it once after a batch of events.
    void flush(wire::Actions& actions);

    [[nodiscard]] Term term() const { return election_.term(); }

    [[nodiscard]] Rank coordinator() const { return election_.coordinator(); }

    [[nodiscard]] bool silent() const { return silent_; }

    [[nodiscard]] const owner::Owner& owner() const { return owner_; }

    [[nodiscard]] const worker::Worker& worker() const { return worker_; }

    [[nodiscard]] const store::Store& store() const { return store_; }

    [[nodiscard]] const exchange::Exchange& exchange() const { return exchange_; }

    [[nodiscard]] const actor::References& references() const { return references_; }

    [[nodiscard]] const actor::CallQueue& calls() const { return calls_; }

    [[nodiscard]] const actor::Host& actor_host() const { return actor_host_; }

    [[nodiscard]] const actor::Names& names() const { return names_; }

    /// Only on the coordinator; else nullptr.
    [[nodiscard]] const sched::Scheduler* scheduler() const { return scheduler_.get(); }

    /// What a start that takes long is waiting for: a sentence for the log, empty if nothing.
    [[nodiscard]] std::string start_waits_for() const;

    void check_invariants() const;

private:
    void apply(Started event);
    void apply(MessageReceived event);
    void apply(TasksSubmitted event);
    void apply(ValuePut event);
    void apply(FutureWanted event);
    void apply(FutureReleased event);
    void apply(FutureEscaped event);
    void apply(FutureBorrowed event);
    void apply(CancelRequested event);
    void apply(worker::AttemptFinished event);
    void apply(SlotReturned event);
    void apply(TasksTakenBack event);
    void apply(TaskBlocked event);
    void apply(TaskResuming event);
    void apply(ActorBorrowed event);
    void apply(ActorEscaped event);
    void apply(ActorReleased event);
    void apply(NameClaimed event);
    void apply(ActorWanted event);
    void apply(CallFinished event);
    void apply(CallRemoved event);
    void apply(ActorDestroyed event);
    void apply(BulkReceived event);
    void apply(BulkSent event);
    void apply(GangOpened event);
    void apply(GangGivenUp event);
    void apply(GangReturned event);
    void apply(GangClosed event);
    void apply(GangSend event);
    void apply(GangReceive event);
    void apply(GangAsked event);
    void apply(DriverFinished event);
    void apply(ExecutorsStopped event);

    void receive(Rank from, Term term, wire::Message message);
    void handle(Rank from, wire::Bid& message);
    void handle(Rank from, wire::CoordinatorElected& message);
    void handle(Rank from, wire::Register& message);
    void handle(Rank from, wire::ClusterFormed& message);
    void handle(Rank from, wire::Submit& message);
    void handle(Rank from, wire::Grant& message);
    void handle(Rank from, wire::Run& message);
    void handle(Rank from, wire::Finished& message);
    void handle(Rank from, wire::Progress& message);
    void handle(Rank from, wire::Recall& message);
    void handle(Rank from, wire::Returned& message);
    void handle(Rank from, wire::Lent& message);
    void handle(Rank from, wire::Cancel& message);
    void handle(Rank from, wire::Stop& message);
    void handle(Rank from, wire::Subscribe& message);
    void handle(Rank from, wire::ObjectReady& message);
    void handle(Rank from, wire::Fetch& message);
    void handle(Rank from, wire::FetchStarted& message);
    void handle(Rank from, wire::FetchFailed& message);
    void handle(Rank from, wire::Drop& message);
    void handle(Rank from, wire::GangData& message);
    void handle(Rank from, wire::GangOffer& message);
    void handle(Rank from, wire::GangAccept& message);
    void handle(Rank from, wire::GangRefuse& message);
    void handle(Rank from, wire::GangStarted& message);
    void handle(Rank from, wire::GangWithdrawn& message);
    void handle(Rank from, wire::GangAsk& message);
    void handle(Rank from, wire::GangNone& message);
    void handle(Rank from, wire::GangFailed& message);
    void handle(Rank from, wire::ActorCalls& message);
    void handle(Rank from, wire::ActorBorrow& message);
    void handle(Rank from, wire::ActorKnown& message);
    void handle(Rank from, wire::ActorPlaced& message);
    void handle(Rank from, wire::ActorReleased& message);
    void handle(Rank from, wire::ActorDestroy& message);
    void handle(Rank from, wire::NameClaim& message);
    void handle(Rank from, wire::NameWanted& message);
    void handle(Rank from, wire::NameAnswer& message);
    void handle(Rank from, wire::NameFreed& message);
    void handle(Rank from, wire::Shutdown& message);
    void handle(Rank from, wire::Goodbye& message);
    void handle(Rank from, wire::Leave& message);

    void take(Event& event, wire::Actions& actions);
    /// Tells actors, their callers and their owners apart what concerns each of them.
    void settle_actors();
    void serve_calls(ObjectId actor);
    void send_calls();
    void arrived(const store::Store::Arrival& arrival);
    void say_goodbye_if_done();
    void deliver_lost(ObjectId object);
    /// Moves pending actions out, delivering messages to this rank itself on the way.
    void drain(wire::Actions& actions);

    Config config_;
    elect::Election election_;
    owner::Owner owner_;
    worker::Worker worker_;
    store::Store store_;
    exchange::Exchange exchange_;
    actor::References references_;
    actor::CallQueue calls_{{}};
    actor::Host actor_host_;
    actor::Names names_;                       ///< Only the coordinator's has any.
    std::map<std::uint64_t, ObjectId> claims_; ///< Names asked for, by request.
    std::deque<Event> held_;                   ///< Until what gates them is acknowledged.
    std::unique_ptr<sched::Scheduler> scheduler_;
    wire::CoordinatorElected elected_;
    std::vector<MessageReceived> early_; ///< Of a term this rank has not heard of yet.
    wire::Actions pending_;
    bool silent_ = false;
    bool stopped_ = false; ///< Silent, and no executor runs.
    bool said_goodbye_ = false;
    std::int32_t goodbyes_ = 0;
};

} // namespace muster::rank
