#pragma once

#include "actor/call_queue.hpp"
#include "actor/host.hpp"
#include "actor/names.hpp"
#include "actor/references.hpp"
#include "elect/election.hpp"
#include "elect/heartbeats.hpp"
#include "ending/ending.hpp"
#include "exchange/exchange.hpp"
#include "owner/groups.hpp"
#include "owner/owner.hpp"
#include "rank/clock_probe.hpp"
#include "rank/doomed_gangs.hpp"
#include "sched/scheduler.hpp"
#include "status/gather.hpp"
#include "store/store.hpp"
#include "wire/actions.hpp"
#include "worker/worker.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
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

/// Withheld tasks that wait no more: those to be run, and those that are done without.
struct TasksDecided {
    std::vector<TaskId> run;
    std::vector<std::pair<TaskId, wire::Outcome>> done; ///< Values in full, whatever their size.
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

/// No future is to hold the object's value any more.
struct ValueFreed {
    ObjectId object{};
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

/// It has run for longer than its timeout.
struct TaskTimedOut {
    TaskId task{};
    Duration timeout{};
};

struct TaskBlocked {
    TaskId task{};
    bool suspended = false; ///< It holds no thread meanwhile.
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

/// A local thread wants the actor ended, whoever has handles.
struct ActorKilled {
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

/// A local thread has made a placement group, of which it has the first handle.
struct GroupMade {
    wire::GroupSpec spec;
    std::shared_ptr<void> futures; ///< Resolved once it is placed.
};

/// Its resources are to be free; what waits for it is cancelled. Of a group of any rank.
struct GroupRemoved {
    ObjectId group{};
};

struct CallFinished {
    worker::AttemptFinished report;
    std::optional<Buffer> saved{}; ///< The actor's state behind this call, if it was due.
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

/// The answer to MapValue; nothing: it cannot be read here.
struct ValueMapped {
    std::uint64_t transfer = 0;
    std::optional<Buffer> value;
};

/// Nothing here refers to a mapped value any more.
struct ValueUnmapped {
    Rank holder{};
    std::uint64_t transfer = 0;
};

/// A thread wants to know what every rank says of itself: answered by AnswerStatus.
struct ReportWanted {
    std::uint64_t request = 0;
    bool brief = false; ///< Only what costs no walk through all tasks.
};

/// A thread wants a page of the tasks of a rank: answered by AnswerTasks, unless the rank is lost.
struct TasksAsked {
    Rank rank{};
    wire::TasksWanted question;
};

/// A thread asks what has become of a task: answered by AnswerExplain.
struct ExplainWanted {
    std::uint64_t request = 0;
    TaskId task{};
};

/// The answer to LookForTask.
struct TaskLookedFor {
    wire::Explain question;
    std::optional<Duration> running; ///< For how long it has run, if it does.
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

/// This rank was told to end before the driver does, and has so much time left.
struct EndTold {
    wire::EndCause cause{};
    Duration left{};
};

/// After BeginDrain: whether anything gets on here; at first it does.
struct ActivityChanged {
    bool busy = false;
};

/// Somebody asked this rank what waits on whom.
struct StatusRequested {};

/// The answer to CountRunning.
struct RunningCounted {
    std::vector<wire::RunningStatus> oldest; ///< The oldest first; all only if they are wanted.
    std::uint64_t total = 0;
    wire::RoomStatus room;      ///< Of large values.
    std::uint64_t resident = 0; ///< Bytes of memory that the process has.
};

using AnyEvent = std::variant<Started,
                              MessageReceived,
                              TasksSubmitted,
                              TasksDecided,
                              ValuePut,
                              FutureWanted,
                              FutureReleased,
                              FutureEscaped,
                              FutureBorrowed,
                              CancelRequested,
                              ValueFreed,
                              worker::AttemptFinished,
                              SlotReturned,
                              TasksTakenBack,
                              TaskTimedOut,
                              TaskBlocked,
                              TaskResuming,
                              ActorBorrowed,
                              ActorEscaped,
                              ActorReleased,
                              ActorKilled,
                              NameClaimed,
                              ActorWanted,
                              GroupMade,
                              GroupRemoved,
                              CallFinished,
                              CallRemoved,
                              ActorDestroyed,
                              BulkReceived,
                              BulkSent,
                              ValueMapped,
                              ValueUnmapped,
                              GangOpened,
                              GangGivenUp,
                              GangReturned,
                              GangClosed,
                              GangSend,
                              GangReceive,
                              GangAsked,
                              DriverFinished,
                              ExecutorsStopped,
                              EndTold,
                              ActivityChanged,
                              StatusRequested,
                              RunningCounted,
                              ReportWanted,
                              ExplainWanted,
                              TaskLookedFor,
                              TasksAsked>;

/// One of them; compiled once, like wire::Message.
struct Event : AnyEvent {
    using AnyEvent::AnyEvent;
    Event(const Event& other);
    Event(Event&& other) noexcept;
    Event& operator=(const Event& other);
    Event& operator=(Event&& other) noexcept;
    ~Event();
};

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
        std::uint64_t near_bytes_min = std::uint64_t{256} << 10; ///< See Owner::Config.
        std::optional<TimePoint> time_limit{}; ///< When the run's time is over, if that is known.
        Duration time_lead{};                  ///< How long before that it begins to end.
        /// Ranks are watched, and what is lost with one is made up for.
        bool watches = false;
        Duration heartbeat_timeout = std::chrono::seconds{4};
        Duration driver_timeout = std::chrono::seconds{15};
        std::vector<std::string> hosts{}; ///< By rank, for messages; may be empty.
        std::vector<NodeId> nodes{};      ///< By rank; see store::Store::Config.
        const store::Places* places = nullptr;
        bool compares_clocks = false; ///< With the driver's rank's, now and then: NoteClock.
    };

    explicit RankMachine(const Config& config);

    /// Time has come so far. To be called before the events of a round, and not later than
    /// next_timer() asks.
    void advance(TimePoint now, wire::Actions& actions);

    /// When advance() has something to do though nothing happens.
    [[nodiscard]] std::optional<TimePoint> next_timer() const;

    /// Takes in one fact; what must be done about it is appended to `actions`, in order.
    void on_event(Event&& event, wire::Actions& actions);

    /// Sends what was gathered for batching, and schedules. Call it once after a batch of events.
    void flush(wire::Actions& actions);

    [[nodiscard]] Term term() const { return election_.term(); }

    [[nodiscard]] Rank coordinator() const { return election_.coordinator(); }

    [[nodiscard]] bool silent() const { return silent_; }

    [[nodiscard]] const ending::Ending& ending() const { return ending_; }

    /// Ranks that the run has lost, as far as this one knows, and their hosts.
    [[nodiscard]] const std::map<Rank, std::string>& lost() const { return lost_; }

    [[nodiscard]] const owner::Owner& owner() const { return owner_; }

    [[nodiscard]] const worker::Worker& worker() const { return worker_; }

    [[nodiscard]] const store::Store& store() const { return store_; }

    [[nodiscard]] const exchange::Exchange& exchange() const { return exchange_; }

    [[nodiscard]] const actor::References& references() const { return references_; }

    [[nodiscard]] const actor::CallQueue& calls() const { return calls_; }

    [[nodiscard]] const actor::Host& actor_host() const { return actor_host_; }

    [[nodiscard]] const actor::Names& names() const { return names_; }

    [[nodiscard]] const owner::Groups& groups() const { return groups_; }

    /// Only on the coordinator; else nullptr.
    [[nodiscard]] const sched::Scheduler* scheduler() const { return scheduler_.get(); }

    /// What a start that takes long is waiting for: a sentence for the log, empty if nothing.
    [[nodiscard]] std::string start_waits_for() const;

    void check_invariants() const;

private:
    void apply(Started event);
    void apply(MessageReceived event);
    void apply(TasksSubmitted event);
    void apply(TasksDecided event);
    void apply(ValuePut event);
    void apply(FutureWanted event);
    void apply(FutureReleased event);
    void apply(FutureEscaped event);
    void apply(FutureBorrowed event);
    void apply(CancelRequested event);
    void apply(ValueFreed event);
    void apply(worker::AttemptFinished event);
    void apply(SlotReturned event);
    void apply(TasksTakenBack event);
    void apply(TaskTimedOut event);
    void apply(TaskBlocked event);
    void apply(TaskResuming event);
    void apply(ActorBorrowed event);
    void apply(ActorEscaped event);
    void apply(ActorReleased event);
    void apply(ActorKilled event);
    void apply(NameClaimed event);
    void apply(ActorWanted event);
    void apply(GroupMade event);
    void apply(GroupRemoved event);
    void apply(CallFinished event);
    void apply(CallRemoved event);
    void apply(ActorDestroyed event);
    void apply(BulkReceived event);
    void apply(ValueMapped event);
    void apply(ValueUnmapped event);
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
    void apply(EndTold event);
    void apply(ActivityChanged event);
    void apply(StatusRequested event);
    void apply(RunningCounted event);
    void apply(ReportWanted event);
    void apply(ExplainWanted event);
    void apply(TaskLookedFor event);
    void apply(TasksAsked event);

    void receive(Rank from, Term term, wire::Message message);
    void handle(Rank from, wire::Bid& message);
    void handle(Rank from, wire::CoordinatorElected& message);
    void handle(Rank from, wire::Heartbeat& message);
    void handle(Rank from, wire::Expelled& message);
    void handle(Rank from, wire::Register& message);
    void handle(Rank from, wire::ClusterFormed& message);
    void handle(Rank from, wire::Submit& message);
    void handle(Rank from, wire::Infeasible& message);
    void handle(Rank from, wire::Grant& message);
    void handle(Rank from, wire::Run& message);
    void handle(Rank from, wire::Finished& message);
    void handle(Rank from, wire::Progress& message);
    void handle(Rank from, wire::Recall& message);
    void handle(Rank from, wire::Returned& message);
    void handle(Rank from, wire::Lent& message);
    void handle(Rank from, wire::Confirm& message);
    void handle(Rank from, wire::NotHere& message);
    void handle(Rank from, wire::Cancel& message);
    void handle(Rank from, wire::Free& message);
    void handle(Rank from, wire::Stop& message);
    void handle(Rank from, wire::Subscribe& message);
    void handle(Rank from, wire::ObjectReady& message);
    void handle(Rank from, wire::Fetch& message);
    void handle(Rank from, wire::FetchStarted& message);
    void handle(Rank from, wire::FetchFailed& message);
    void handle(Rank from, wire::FetchLent& message);
    void handle(Rank from, wire::LoanEnded& message);
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
    void handle(Rank from, wire::ActorKill& message);
    void handle(Rank from, wire::ActorSaved& message);
    void handle(Rank from, wire::ActorCovered& message);
    void handle(Rank from, wire::NameClaim& message);
    void handle(Rank from, wire::NameWanted& message);
    void handle(Rank from, wire::NameAnswer& message);
    void handle(Rank from, wire::NameFreed& message);
    void handle(Rank from, wire::NameHeld& message);
    void handle(Rank from, wire::Shutdown& message);
    void handle(Rank from, wire::Goodbye& message);
    void handle(Rank from, wire::Leave& message);
    void handle(Rank from, wire::EndWanted& message);
    void handle(Rank from, wire::Drain& message);
    void handle(Rank from, wire::Activity& message);
    void handle(Rank from, wire::Halt& message);
    void handle(Rank from, wire::NotStarted& message);
    void handle(Rank from, wire::StatusAsked& message);
    void handle(Rank from, wire::StatusWanted& message);
    void handle(Rank from, wire::Status& message);
    void handle(Rank from, wire::Explain& message);
    void handle(Rank from, wire::Explained& message);
    void handle(Rank from, wire::TasksWanted& message);
    void handle(Rank from, wire::TasksPage& message);
    void handle(Rank from, wire::ClockAsked& message);
    void handle(Rank from, wire::ClockTold& message);
    void handle(Rank from, wire::GroupOpen& message);
    void handle(Rank from, wire::GroupPlaced& message);
    void handle(Rank from, wire::GroupFailed& message);
    void handle(Rank from, wire::GroupAsked& message);
    void handle(Rank from, wire::GroupClosed& message);
    void handle(Rank from, wire::GroupRemove& message);
    void handle(Rank from, wire::BundleTake& message);
    void handle(Rank from, wire::BundleTaken& message);
    void handle(Rank from, wire::BundleFree& message);

    void take(Event& event, wire::Actions& actions);
    [[nodiscard]] bool gated() const;
    void take_held(wire::Actions& actions);
    /// Takes ranks off everything but owner and worker, who learn of it with the term.
    std::vector<owner::LostRank> lose(const std::vector<Rank>& ranks);
    void enter_term(const wire::CoordinatorElected& message,
                    const std::vector<owner::LostRank>& lost);
    /// Calls under way to hosts that are lost wait for their actor's owner to speak, unless it has.
    void interrupt_calls();
    void resend_names();
    void leave_if_all_said_goodbye();
    /// An outcome that came from elsewhere as one of this rank: large values are kept here.
    [[nodiscard]] wire::Outcome settle(ObjectId object, wire::Outcome outcome);
    void submit_actor(owner::Submission submission);
    /// Tells actors, their callers and their owners apart what concerns each of them.
    void settle_actors();
    void serve_calls(ObjectId actor);
    /// One hold less.
    void release_actor(ObjectId actor);
    void send_calls();
    /// Of actors and of tasks in placement groups: the group is held until they are over.
    void hold_group(owner::Submission& submission);
    /// Resolves the future of a group of ours that waits for its place, unless that is done.
    void settle_group(ObjectId group, wire::Outcome outcome);
    [[nodiscard]] wire::Outcome
    group_failure(ObjectId group, wire::FailureRecord::Kind kind, std::string why) const;
    void arrived(const store::Store::Arrival& arrival);
    void say_goodbye_if_done();
    /// Tells the machines that start tasks how far the run has ended.
    void follow_ending();
    void deliver_lost(ObjectId object);
    /// Moves pending actions out, delivering messages to this rank itself on the way.
    void drain(wire::Actions& actions);
    void abandon_if_past(LeaseId gang);
    /// A member that waits in MPI for a dead one costs its rank, so that the others go on.
    void end_with_doomed_gang(TimePoint now);
    void count_attempt(const worker::AttemptFinished& report);

    Config config_;
    elect::Election election_;
    ending::Ending ending_;
    status::Gather gather_;
    owner::Owner owner_;
    owner::Groups groups_;
    std::map<ObjectId, ObjectId> groups_of_actors_; ///< Of actors of ours: the group they hold.
    worker::Worker worker_;
    store::Store store_;
    exchange::Exchange exchange_;
    actor::References references_;
    actor::CallQueue calls_{{}};
    actor::Host actor_host_;
    actor::Names names_;                                ///< Only the coordinator's has any.
    std::map<std::uint64_t, wire::NameClaim> claims_;   ///< Unanswered, by request.
    std::map<std::uint64_t, std::string> names_wanted_; ///< Unanswered, by request.
    std::vector<MessageReceived> names_waiting_; ///< Asked before all that are taken were known.
    /// Calls that were under way to a rank that was lost; until their actor's owner has spoken.
    std::map<ObjectId, std::vector<TaskId>> interrupted_;
    std::map<Rank, std::string> lost_;
    elect::Heartbeats heartbeats_;
    DoomedGangs doomed_gangs_;
    std::deque<Event> held_; ///< Until what gates them is acknowledged.
    std::unique_ptr<sched::Scheduler> scheduler_;
    wire::CoordinatorElected elected_;
    std::vector<MessageReceived> early_; ///< Of a term this rank has not heard of yet.
    wire::Actions pending_;

    /// For which CountRunning is out: who asks, and what.
    struct Question {
        Rank asker{};
        std::variant<wire::StatusWanted, wire::TasksWanted> what;
    };

    std::deque<Question> counting_;
    ClockProbe clock_probe_;
    TimePoint now_{};
    std::uint64_t attempts_ = 0;
    std::uint64_t attempts_failed_ = 0;
    Duration busy_{};
    bool silent_ = false;
    bool stopped_ = false; ///< Silent, and no executor runs.
    bool said_goodbye_ = false;
    std::set<Rank> goodbyes_;
    bool leaving_ = false;
};

} // namespace muster::rank
