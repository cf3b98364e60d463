#pragma once

#include "wire/actions.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace muster::owner {

/// One task of a submission.
struct NewTask {
    Buffer arguments;
    std::vector<ObjectId> dependencies; ///< In the order in which the arguments refer to them.
};

/// Makes the tasks of a submission calls of an actor: not leased, but sent to its host.
struct CallTarget {
    ObjectId actor{};
    ObjectId context{}; ///< Who calls.
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
};

/// What happened to actors, their calls and their handles; the rank tells those it concerns.
struct ActorNews {
    struct Call {
        TaskId task{};
        CallTarget target;
    };

    std::vector<Call> ready;        ///< May be sent.
    std::vector<Call> done;         ///< With an outcome, sent or not.
    std::vector<ObjectId> made;     ///< Their constructor has an outcome.
    std::vector<ObjectId> released; ///< One per handle that a task or an object held.

    [[nodiscard]] bool empty() const {
        return ready.empty() && done.empty() && made.empty() && released.empty();
    }
};

/// What this rank submitted, from submission to the last future's end: the truth about its tasks.
///
/// A task of ours is
///
///   waiting    for values of its dependencies;
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
/// to.
///
/// Objects of other owners that tasks or futures here refer to are *borrowed*: this rank
/// subscribes at the owner and learns their outcome once.
///
/// Pure: no MPI, threads, clock or randomness.
///
/// Invariants, checked by check_invariants():
///   1. A waiting task has at least one dependency without an outcome, and is listed with it.
///   2. Only done tasks have an outcome; each future was resolved exactly once.
///   3. `uses` of an object is the number of its undone dependents.
class Owner {
public:
    struct Config {
        Rank self{};
        std::string host;
        std::size_t tasks_per_run_max = 256; ///< In one Run message.
        std::size_t inline_bytes_max = 1024; ///< Larger values are kept, and fetched.
        std::size_t failure_chain_max = 16;
    };

    explicit Owner(const Config& config) : config_(config) {}

    void set_coordinator(Rank coordinator) { coordinator_ = coordinator; }

    void submit(Submission submission, wire::Actions& actions);

    /// An object made by put(): done from the start. A large value is already in the store here.
    void put(ObjectId object,
             std::shared_ptr<void> futures,
             wire::Outcome outcome,
             wire::Actions& actions,
             const std::vector<ObjectId>& actors = {});

    void on_grant(const wire::Grant& message, wire::Actions& actions);
    void on_finished(wire::Finished message, wire::Actions& actions);
    void on_subscribe(Rank from, const wire::Subscribe& message, wire::Actions& actions);
    void on_object_ready(const wire::ObjectReady& message, wire::Actions& actions);

    /// Cancels a task of ours: at once if it has not been granted, else its worker is asked.
    /// For a borrowed object the request goes to its owner. A done task is left alone.
    void cancel(TaskId task, wire::Actions& actions);

    /// Sends calls that are ready to the host of their actor.
    void
    send_calls(ObjectId actor, Rank host, const std::vector<TaskId>& calls, wire::Actions& actions);

    /// Fails a call that was not sent, because its actor was not made. No effect on a done one.
    void fail_call(TaskId call, const wire::Outcome& constructor, wire::Actions& actions);

    /// What happened since the last call.
    [[nodiscard]] ActorNews take_news() { return std::exchange(news_, {}); }

    [[nodiscard]] bool has_news() const { return !news_.empty(); }

    /// The last future of an object on this rank is gone.
    void release(ObjectId object, wire::Actions& actions);

    /// The object's name has left this rank inside a value; it is kept until the run ends.
    void pin(ObjectId object);

    /// A future of another owner's object came to this rank; resolved like our own.
    void borrow(ObjectId object, std::shared_ptr<void> futures, wire::Actions& actions);

    /// `rank` fetches a copy of the object, of which it must be told when nobody needs it any more.
    void note_copy(ObjectId object, Rank rank);

    /// The outcome, if it is known here.
    [[nodiscard]] const wire::Outcome* outcome(ObjectId object) const;

    /// Submits what became ready. Called once after a batch of events.
    void flush(wire::Actions& actions);

    [[nodiscard]] std::uint64_t unfinished() const { return unfinished_; }

    [[nodiscard]] bool empty() const { return blocks_.empty(); }

    void check_invariants() const;

private:
    enum class State : std::uint8_t { waiting, submitted, granted, done };

    /// A gang under way.
    struct GangRun {
        std::vector<Rank> members;
        std::vector<bool> ended; ///< By member.
        std::int32_t running = 0;
        std::optional<wire::Outcome> value; ///< The first member's.
        /// Of the members that failed by themselves the first, else of those that were released.
        std::optional<std::pair<std::int32_t, wire::Outcome>> failure;
    };

    struct Item {
        State state = State::waiting;
        bool pinned = false;
        bool cancelling = false; ///< Its worker was asked to stop it; it is not granted again.
        bool dropped = false;    ///< Done, and nobody needs the outcome: it is gone.
        std::uint32_t attempt = 0;
        std::uint32_t missing = 0; ///< Dependencies without an outcome.
        std::uint32_t uses = 0;
        std::uint32_t holds = 1; ///< Submissions' and borrowed futures here that are not released.
        Rank worker{};
        LeaseId lease{};
        NewTask task; ///< Emptied when done.
        wire::Outcome outcome;
        std::unique_ptr<GangRun> gang; ///< While granted.

        void grant(Rank to) {
            state = State::granted;
            worker = to;
            ++attempt;
        }
    };

    /// One submission. Ids [first, first + items.size() * task_class.stride()) are its own.
    struct Block {
        wire::TaskClass task_class;
        std::string name;
        std::shared_ptr<void> futures;
        std::optional<CallTarget> call;
        std::vector<Item> items;
        std::uint64_t live = 0; ///< Items not dropped.
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

    [[nodiscard]] Place find(ObjectId object);
    [[nodiscard]] const Item* find_item(ObjectId object) const;
    void make_ready(TaskId task, Place place);
    void on_gang_grant(const wire::Grant& message, wire::Actions& actions);
    void on_member_finished(TaskId id, wire::Outcome outcome, wire::Actions& actions);
    [[nodiscard]] wire::TaskSpec specify(TaskId task, const Item& item, Rank worker);
    void complete(TaskId task, Place place, wire::Outcome outcome, wire::Actions& actions);
    void settle_dependents(ObjectId object, wire::Actions& actions);
    void stop_using(ObjectId object, wire::Actions& actions);
    void release_contained(ObjectId object);
    void drop_if_unneeded(ObjectId object, Place place, wire::Actions& actions);
    void drop_borrowed_if_unneeded(ObjectId object);
    [[nodiscard]] wire::Dependency describe_dependency(ObjectId object, Rank worker);
    [[nodiscard]] wire::Outcome
    failed_by(TaskId task, const Place& place, ObjectId dependency) const;
    void append_causes(wire::Outcome& outcome, const wire::Outcome& cause) const;
    [[nodiscard]] wire::Outcome cancelled(TaskId task, const Place& place) const;
    [[nodiscard]] wire::Outcome failure(wire::FailureRecord::Kind kind,
                                        TaskId task,
                                        const Place& place,
                                        std::string text) const;

    Config config_;
    Rank coordinator_{};
    std::map<ObjectId, Block> blocks_; ///< By first id.
    std::map<ObjectId, Borrowed> borrowed_;
    std::map<ObjectId, std::vector<TaskId>> dependents_; ///< Waiting tasks, by missing object.
    std::map<ObjectId, std::vector<Rank>> subscribers_;
    std::map<ObjectId, std::set<Rank>> copies_; ///< Ranks told to fetch an object of ours.
    std::map<wire::TaskClass, std::vector<wire::Range>> ready_; ///< Until the next flush().
    std::map<Rank, std::vector<ObjectId>> drops_;               ///< Until the next flush().
    /// Actors whose handles are inside an undone task's arguments, or an object's value.
    std::map<ObjectId, std::vector<ObjectId>> contained_;
    ActorNews news_;
    std::uint64_t unfinished_ = 0;
    /// Tasks to fail because of a dependency; a queue, since a failure may run down a long chain.
    std::deque<std::pair<TaskId, ObjectId>> failing_;
    bool settling_ = false;
};

} // namespace muster::owner
