#pragma once

#include "owner/copies.hpp"
#include "store/lender.hpp"
#include "wire/actions.hpp"

#include <muster/core/detail/encoded_task.hpp>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace muster::owner {

/// One task of a submission.
using NewTask = detail::EncodedTask;

/// Makes the tasks of a submission calls of an actor: not leased, but sent to its host.
struct CallTarget {
    ObjectId actor{};
    ObjectId context{};   ///< Who calls.
    bool replays = false; ///< Sent again if the actor is restarted with a state from before it.
    bool urgent = false;  ///< Goes before calls that are not.
};

/// How often an attempt of a task is made up for by another.
struct RetryPolicy {
    std::uint32_t retries = 0;
    bool exceptions = false;                       ///< Also if it threw or timed out by itself.
    Duration delay = std::chrono::milliseconds{1}; ///< After the first exception; then doubled.
    std::uint32_t restarts = 0;                    ///< Of an actor whose rank was lost.

    friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

/// Tasks submitted together: one call of task(), or a whole map().
struct Submission {
    ObjectId first{}; ///< The others follow it without gaps.
    wire::TaskClass task_class;
    std::string name;
    std::vector<NewTask> tasks;
    std::shared_ptr<void> futures; ///< Handed back with every ResolveFuture.
    std::optional<CallTarget> call{};
    /// Handles of actors inside the arguments, with the task's position: held until it is done.
    std::vector<std::pair<std::uint64_t, ObjectId>> actors{};
    RetryPolicy retry{};
    Duration timeout{};         ///< Of each attempt, from its start; 0: none.
    Duration deadline{};        ///< From the submission; 0: none.
    wire::ActorMaking making{}; ///< Of an actor.
    bool for_job = false;       ///< An actor that lives until the run ends, whoever has handles.
    /// Tasks that are done from the start, by position.
    std::vector<std::pair<std::uint64_t, wire::Outcome>> known{};
    /// The others wait, whatever their dependencies, until decide() says what becomes of them.
    bool withheld = false;
};

/// A rank that the run has lost.
struct LostRank {
    Rank rank{};
    std::string host; ///< For messages; empty if it is not known.
};

/// What happened to actors, their calls and their handles; the rank tells those it concerns.
struct ActorNews {
    struct Call {
        TaskId task{};
        CallTarget target;
    };

    struct Again {
        Call call;
        bool under_way = false; ///< It has no outcome from its last host.
    };

    std::vector<Again> again;       ///< Are to be sent to another host, once they are ready.
    std::vector<Call> ready;        ///< May be sent.
    std::vector<Call> unready;      ///< May not any more, until they are ready again.
    std::vector<Call> done;         ///< With an outcome, sent or not.
    std::vector<Call> returned;     ///< Were done before, and need not be sent again any more.
    std::vector<ObjectId> covered;  ///< Actors of which a call is not kept any more.
    std::vector<ObjectId> made;     ///< Their constructor has an outcome.
    std::vector<ObjectId> released; ///< One per handle that a task or an object held.

    [[nodiscard]] bool empty() const {
        return again.empty() && ready.empty() && unready.empty() && done.empty() &&
               returned.empty() && covered.empty() && made.empty() && released.empty();
    }
};

/// What this rank submitted, from submission to the last future's end: the truth about its tasks.
///
/// A task of ours is
///
///   waiting    for values of its dependencies, or withheld;
///   delayed    ready, but an attempt has failed, and the next one waits for a while;
///   submitted  ready, in the coordinator's queue;
///   granted    leased: its specification went to a worker, or to an actor's host;
///   done       its outcome is known, and kept as long as a future or a dependent task needs it.
///
/// A result counts only if it comes under the lease the task is granted under now: a rank that
/// was slow, and whose lease was given to another, cannot deliver twice.
///
/// A gang is one task here, which takes as many ids as it has members: the first names the gang and
/// its result, and each names a member. Its result is the first member's, once all have ended; if
/// any failed it is the failure of the one that was not released by another's.
/// Calls of actors are tasks, too, but whoever feeds this object says when one is sent, and where
/// to. A call that is replayed is *kept* once it is sent, done or not, until the actor's owner says
/// that the state it would be restarted with has the call in it (owner_replay.cpp).
///
/// Objects of other owners that tasks or futures here refer to are *borrowed*: this rank
/// subscribes at the owner and learns their outcome, again if it was lost and made anew.
///
/// An attempt that was lost, with its rank or its process, is made up for by another, as often as
/// the task's options allow. A value that another rank keeps can be lost, too: so the specification
/// of such a task is kept with it (its *lineage*), and those of what it was made from, for as long
/// as it may be needed to make it anew.
///
/// Pure: no MPI, threads, clock or randomness.
///
/// Invariants, checked by check_invariants():
///   1. A waiting task is withheld, or has at least one dependency without an outcome and is
///      listed with it.
///   2. Only done tasks have an outcome; each future was resolved exactly once.
///   3. `uses` of an object is the number of its dependents that are undone, or kept.
class Owner {
public:
    struct Config {
        Rank self{};
        std::string host;
        std::size_t tasks_per_run_max = 256; ///< In one Run message.
        std::size_t inline_bytes_max = 1024; ///< Larger values are kept, and fetched.
        std::size_t failure_chain_max = 16;
        std::vector<NodeId> nodes{}; ///< By rank: where a copy is of use to others.
        /// Arguments kept on one rank, from which on a task had better run there.
        std::uint64_t near_bytes_min = std::uint64_t{256} << 10;
        store::Lender* lender = nullptr; ///< Of values kept here; not owned. Without it: none.
    };

    explicit Owner(const Config& config) : config_(config) {}

    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;

    /// Time has come so far: what was delayed until then is ready, and what had to be done by then
    /// has timed out.
    void on_time(TimePoint now, wire::Actions& actions);

    /// When on_time() has something to do again.
    [[nodiscard]] std::optional<TimePoint> next_timer() const;

    /// A coordinator enters its term, and `lost` ranks have been lost since the last one. Attempts
    /// there, and values kept there, are made up for or fail; what waits for a lease is submitted
    /// again by the next flush(), and workers are asked to confirm what they have.
    void on_term(Rank coordinator, const std::vector<LostRank>& lost, wire::Actions& actions);

    /// A worker does not have these, which were granted to it under a coordinator that is no more.
    void on_not_here(const wire::NotHere& message, wire::Actions& actions);

    void submit(Submission submission, wire::Actions& actions);

    /// What becomes of a withheld task: it is done, with this outcome; or it is to be run. No
    /// effect on one that is done already.
    void decide(TaskId task, std::optional<wire::Outcome> outcome, wire::Actions& actions);

    [[nodiscard]] bool is_withheld(TaskId task) const;

    /// An object made by put(): done from the start. A large value is already in the store here.
    void put(ObjectId object,
             std::shared_ptr<void> futures,
             wire::Outcome outcome,
             wire::Actions& actions,
             const std::vector<ObjectId>& actors = {});

    void on_grant(const wire::Grant& message, wire::Actions& actions);
    void on_infeasible(const wire::Infeasible& message, wire::Actions& actions);
    /// @param from  The worker, if it is known: a call's result counts from its last host only.
    void on_finished(wire::Finished message,
                     wire::Actions& actions,
                     std::optional<Rank> from = std::nullopt);
    void on_subscribe(Rank from, const wire::Subscribe& message, wire::Actions& actions);
    void on_object_ready(const wire::ObjectReady& message, wire::Actions& actions);

    /// Cancels a task of ours: at once if it has not been granted, else its worker is asked. With
    /// one that waited go the tasks that it waited for, unless a future or another task needs them.
    /// For a borrowed object the request goes to its owner. A done task is left alone.
    void cancel(TaskId task, wire::Actions& actions);

    /// Ends an actor of ours: if it lives it has failed from now on, and its host is told; if not
    /// its constructor is cancelled. @return true if it lived.
    bool kill_actor(ObjectId actor, wire::Actions& actions);

    /// Sends calls that are ready to the host of their actor.
    void
    send_calls(ObjectId actor, Rank host, const std::vector<TaskId>& calls, wire::Actions& actions);

    /// Fails a call that was not sent, because its actor was not made. No effect on a done one.
    void fail_call(TaskId call, const wire::Outcome& constructor, wire::Actions& actions);

    /// Fails a call that was under way to a host that was lost; its actor lives on `host` now.
    void interrupt_call(TaskId call, Rank host, wire::Actions& actions);

    /// Calls that were sent to those ranks and are not kept, with their actors.
    [[nodiscard]] std::vector<std::pair<ObjectId, TaskId>>
    calls_to(const std::map<Rank, std::string>& ranks) const;
    /// The coordinator has given these up, since the run ends.
    void on_not_started(const wire::NotStarted& message, wire::Actions& actions);

    /// The run is ending: no attempt is made up for any more, and none is waited for.
    void halt();

    /// Adds this rank's tasks to `status`. Takes time in their number unless it is to be `brief`:
    /// then tasks that wait, and values, are not named.
    void describe(wire::Status& status, bool brief) const;

    /// A page of this rank's tasks.
    [[nodiscard]] wire::TasksPage list(const wire::TasksWanted& wanted) const;

    /// An actor of ours was saved on its host; its callers are told which calls that covers.
    void on_saved(Rank from, wire::ActorSaved message, wire::Actions& actions);

    /// Calls of ours are in the state that their actor would be restarted with.
    void on_covered(wire::ActorCovered message, wire::Actions& actions);

    /// The actor lives on `host`: what is kept of its calls and was sent elsewhere is sent again.
    void replay_calls(ObjectId actor, Rank host, wire::Actions& actions);

    /// The actor is gone: none of its calls is kept any more. Those under way to a lost rank fail.
    void forget_calls(ObjectId actor, const wire::Outcome& why, wire::Actions& actions);

    /// Calls of this actor are kept.
    [[nodiscard]] bool keeps_calls(ObjectId actor) const { return kept_.contains(actor); }

    /// What happened since the last call.
    [[nodiscard]] ActorNews take_news() { return std::exchange(news_, {}); }

    [[nodiscard]] bool has_news() const { return !news_.empty(); }

    /// The last future of an object on this rank is gone.
    void release(ObjectId object, wire::Actions& actions);

    /// The object is done with: it goes as if its last future were gone, once no task needs it.
    /// Those that are left find that it is. No effect on a task that is not done.
    void free(ObjectId object, wire::Actions& actions);

    /// One more hold, which release() ends, of an object that is here.
    void hold(ObjectId object);

    /// The object's name has left this rank inside a value; it is kept until the run ends.
    void pin(ObjectId object);

    /// A future of another owner's object came to this rank; resolved like our own.
    void borrow(ObjectId object, std::shared_ptr<void> futures, wire::Actions& actions);

    /// `rank` fetches a copy of the object, of which it must be told when nobody needs it any more.
    void note_copy(ObjectId object, Rank rank);

    /// A thread here waits for the bytes of a value that is made anew. @return false if it is not.
    [[nodiscard]] bool want(ObjectId object);

    /// Of those the ones that have an outcome again, since the last call.
    [[nodiscard]] std::vector<ObjectId> take_wanted() { return std::exchange(wanted_ready_, {}); }

    /// The outcome, if it is known here.
    [[nodiscard]] const wire::Outcome* outcome(ObjectId object) const;

    /// Submits what became ready. Called once after a batch of events.
    void flush(wire::Actions& actions);

    [[nodiscard]] std::uint64_t unfinished() const { return unfinished_; }

    [[nodiscard]] bool empty() const { return blocks_.empty(); }

    /// How many objects there are, done or not: what check_invariants() goes through.
    [[nodiscard]] std::uint64_t objects() const;

    /// The undone tasks, a line each, for the report of a run that got stuck.
    [[nodiscard]] std::string describe(std::size_t lines_max = 20) const;

    void check_invariants() const;

    /// Says how far its task `status.task` has come. @return its class, if it is queued.
    [[nodiscard]] const wire::TaskClass* explain(wire::TaskStatus& status) const;

private:
    enum class State : std::uint8_t { waiting, delayed, submitted, granted, done };

    /// A gang under way.
    struct GangRun {
        std::vector<Rank> members;
        std::vector<bool> ended; ///< By member.
        std::int32_t running = 0;
        std::optional<wire::Outcome> value; ///< The first member's.
        /// Of the members that failed by themselves the first, else of those that were released.
        std::optional<std::pair<std::int32_t, wire::Outcome>> failure;
        bool crossed = false; ///< A member's start crossed a change of coordinator: all start anew.
    };

    struct Item {
        State state = State::waiting;
        bool pinned = false;
        bool freed = false;      ///< Neither that nor futures hold it.
        bool cancelling = false; ///< Its worker was asked to stop it; it is not granted again.
        bool withheld = false;   ///< Counts as one that is missing.
        bool dropped = false;    ///< Done, and nobody needs the outcome: it is gone.
        bool announced = false;  ///< Its future was resolved.
        bool retained = false;   ///< Done, and `task` is kept: its value can be made anew.
        bool kept = false;       ///< A call that may have to be sent again; with its `task`.
        bool replaying = false;  ///< A call that is sent again, though its outcome is known.
        bool under_way = false;  ///< A call that was sent, and has no outcome from there.
        bool counted = false;    ///< A call that was done once.
        std::uint32_t attempt = 0;
        std::uint32_t retried = 0;
        std::uint32_t lost_fetches = 0; ///< Attempts that had no argument to run with.
        std::uint32_t missing = 0;      ///< Dependencies without an outcome.
        std::uint32_t uses = 0;
        std::uint32_t lineage = 0; ///< Retained tasks that depend on it.
        std::uint32_t holds = 1; ///< Submissions' and borrowed futures here that are not released.
        Rank worker{};
        LeaseId lease{};
        NewTask task; ///< Emptied when done, unless it is retained.
        wire::Outcome outcome;
        std::unique_ptr<GangRun> gang; ///< While granted.

        /// The outcome is known.
        [[nodiscard]] bool known() const { return state == State::done || replaying; }
    };

    /// Tasks of one class that are ready.
    struct Ready {
        std::vector<wire::Range> ranges;
        std::vector<std::optional<Rank>> near; ///< By range.
        bool any_near = false;
    };

    /// Tasks of a function, ever.
    struct Totals {
        std::array<std::uint64_t, 5> in{}; ///< By state.
        std::uint64_t failed = 0;
        std::uint64_t retried = 0;
    };

    /// One submission. Ids [first, first + items.size() * task_class.stride()) are its own.
    struct Block {
        wire::TaskClass task_class;
        std::string name;
        std::shared_ptr<void> futures;
        std::optional<CallTarget> call;
        RetryPolicy retry;
        Duration timeout{};
        Duration deadline{};
        bool is_put = false; ///< A value, and no task.
        Totals* totals = nullptr;
        std::vector<Item> items;
        std::uint64_t live = 0; ///< Items that are not gone: not dropped, or of use for lineage.
    };

    struct Borrowed {
        std::optional<wire::Outcome> outcome;
        std::vector<std::shared_ptr<void>> futures; ///< Waiting for it.
        std::uint32_t uses = 0;
        std::uint32_t holds =
            0; ///< Borrowing futures of this rank; of our own objects, Item counts.
    };

    struct Place {
        Block* block = nullptr;
        std::uint64_t index = 0;
        std::uint64_t member = 0; ///< Of a gang: which one the id names.

        [[nodiscard]] Item& item() const { return block->items[index]; }
    };

    /// The item's state is this, from now on.
    static void enter(Place place, State state) {
        Item& item = place.item();
        if (Totals* const totals = place.block->totals) {
            --totals->in[static_cast<std::size_t>(item.state)];
            ++totals->in[static_cast<std::size_t>(state)];
        }
        item.state = state;
    }

    static void grant(Place place, Rank to) {
        enter(place, State::granted);
        place.item().worker = to;
        ++place.item().attempt;
    }

    [[nodiscard]] static wire::TaskRow
    describe_row(TaskId task, const Block& block, const Item& item);
    [[nodiscard]] Place find(ObjectId object);
    [[nodiscard]] static Place place_in(std::pair<const ObjectId, Block>& block, ObjectId object);
    [[nodiscard]] const Item* find_item(ObjectId object) const;
    void make_ready(TaskId task, Place place);
    /// The rank that keeps most of what the task takes, if that is much.
    [[nodiscard]] std::optional<Rank> near(const Item& item) const;
    /// Asks who runs it to stop it.
    static void stop_attempt(TaskId task, const Item& item, wire::Actions& actions);
    /// A future, or another task, needs it.
    [[nodiscard]] static bool wanted(const Item& item);
    void expire_late(wire::Actions& actions);
    void expire(TaskId task, Place place, wire::Actions& actions);
    void on_gang_grant(const wire::Grant& message, wire::Actions& actions);
    void on_member_finished(TaskId id, wire::Outcome outcome, wire::Actions& actions);
    /// A member whose rank's loss is why the gang has no result.
    [[nodiscard]] std::optional<std::size_t> lost_member(const GangRun& gang,
                                                         const wire::Outcome& result) const;
    [[nodiscard]] wire::TaskSpec specify(TaskId task, const Item& item, Rank worker);
    /// An attempt has ended: the task's end, or another attempt.
    void end_attempt(TaskId task, Place place, wire::Outcome outcome, wire::Actions& actions);
    [[nodiscard]] bool may_retry(const Place& place, const wire::Outcome& outcome) const;
    void retry(TaskId task, Place place, bool delayed, wire::Actions& actions);
    /// Makes an undone task that is not granted wait for what it needs and is not there, or ready.
    void requeue(TaskId task, Place place, wire::Actions& actions);
    /// The value is there to be sent, or to be fetched.
    [[nodiscard]] bool available(ObjectId object) const;
    /// The task can be told where everything is that it takes.
    [[nodiscard]] bool has_dependencies(const Item& item) const;

    [[nodiscard]] bool lost(Rank rank) const { return lost_.contains(rank); }

    /// Makes a value anew that a lost rank kept, or fails it.
    void recompute(ObjectId object, wire::Actions& actions);
    void lose_values(wire::Actions& actions);
    void lose_attempts(wire::Actions& actions);
    /// Something that the undone task depends on is not there any more, or has failed.
    [[nodiscard]] bool dependencies_changed(TaskId task);
    void confirm(wire::Actions& actions) const;
    [[nodiscard]] wire::Outcome lost_outcome(ObjectId object, Rank holder, std::string why) const;
    [[nodiscard]] std::string name_rank(Rank rank) const;
    void announce(ObjectId object, const Place& place, wire::Actions& actions);
    [[nodiscard]] static bool may_be_needed_again(const Place& place);
    void retain(const Place& place);
    void keep(TaskId call, Place place);
    /// It need not be sent again. What it was kept for goes, unless it is not done.
    void stop_keeping(TaskId call, Place place, wire::Actions& actions);
    void send_again(TaskId call, Place place, wire::Actions& actions);
    /// A kept call did not run, because an argument was lost on the way there: it is sent again.
    [[nodiscard]] bool fetch_again(Place place, const wire::TaskOutcome& report);
    /// The result of a kept call was lost with its host.
    void undo_call(Place place);
    /// Asks the owner of a borrowed object for its outcome; if it is lost, so is the object.
    void subscribe(ObjectId object, wire::Actions& actions);
    void forget_lineage(const Place& place);
    /// Nothing is left of a dropped item once no retained task depends on it.
    void erase_if_gone(ObjectId object, Place place);
    void complete(TaskId task, Place place, wire::Outcome outcome, wire::Actions& actions);
    void settle_dependents(ObjectId object, wire::Actions& actions);
    void stop_using(ObjectId object, wire::Actions& actions);
    void release_contained(ObjectId object);
    void drop_if_unneeded(ObjectId object, Place place, wire::Actions& actions);
    void drop_borrowed_if_unneeded(ObjectId object);
    [[nodiscard]] wire::Dependency describe_dependency(ObjectId object, Rank worker);
    [[nodiscard]] wire::Outcome
    failed_by(TaskId task, const Place& place, ObjectId dependency) const;
    void describe_largest(wire::Status& status) const;
    [[nodiscard]] wire::WaitingStatus
    describe_waiting(TaskId task, const Block& block, const Item& item) const;
    void append_causes(wire::Outcome& outcome, const wire::Outcome& cause) const;
    [[nodiscard]] wire::Outcome cancelled(TaskId task, const Place& place) const;
    [[nodiscard]] wire::Outcome failure(wire::FailureRecord::Kind kind,
                                        TaskId task,
                                        const Place& place,
                                        std::string text) const;

    Config config_;
    Rank coordinator_{};
    std::map<FunctionId, Totals> totals_;                       ///< Blocks refer to them.
    std::map<ObjectId, Block> blocks_;                          ///< By first id.
    std::map<ObjectId, Block>::iterator found_ = blocks_.end(); ///< What find() found last.
    std::map<ObjectId, Borrowed> borrowed_;
    std::map<ObjectId, std::vector<TaskId>> dependents_; ///< Waiting tasks, by missing object.
    std::map<ObjectId, std::vector<Rank>> subscribers_;
    std::map<ObjectId, Copies> copies_;           ///< Of our objects.
    std::map<wire::TaskClass, Ready> ready_;      ///< Until the next flush().
    std::map<Rank, std::vector<ObjectId>> drops_; ///< Until the next flush().
    /// Actors whose handles are inside an undone task's arguments, or an object's value.
    std::map<ObjectId, std::vector<ObjectId>> contained_;
    ActorNews news_;
    std::map<ObjectId, wire::ActorMaking> makings_; ///< By actor, of those that have any.
    std::map<ObjectId, std::set<TaskId>> kept_;     ///< Calls, by actor.
    std::map<Rank, std::string> lost_;              ///< And their hosts.
    TimePoint now_{};
    std::multimap<TimePoint, TaskId> delayed_;
    std::multimap<TimePoint, ObjectId> deadlines_; ///< Of blocks, by first id; maybe gone by then.
    std::set<ObjectId> wanted_;                    ///< By threads here, while they are made anew.
    std::vector<ObjectId> wanted_ready_;
    std::uint64_t unfinished_ = 0;
    /// Tasks to fail because of a dependency; a queue, since a failure may run down a long chain.
    std::deque<std::pair<TaskId, ObjectId>> failing_;
    bool settling_ = false;
    bool halted_ = false;
    std::deque<ObjectId> going_; ///< Whose lineage ends; a queue, for it may be long.
    bool erasing_ = false;
};

} // namespace muster::owner
