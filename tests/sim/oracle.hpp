#pragma once

#include "faults.hpp"
#include "payload.hpp"
#include "program.hpp"
#include "wire/messages.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace muster::sim {

/// The simulation's own knowledge of every object, kept apart from the machines': what was asked
/// for, what ran, what came of it. Each report of the simulated system is held against it.
///
/// Where no rank is lost a task runs once. Else it may run again, but only if that makes up for
/// something that a lost rank had: an attempt of it, its value, or those of a task that needs it.
/// A failure that is nobody's doing must have such a loss behind it, too.
///
/// Every function throws SimFailure if the system did what it must not.
class Oracle {
public:
    /// One run of a task, or of a member of a gang.
    struct Attempt {
        Rank rank{};
        LeaseId gang{};              ///< Of a member: which attempt of the gang it belongs to.
        std::vector<Rank> members{}; ///< And the ranks of all members.
        bool ended = false;
        bool ok = false;
        bool lost = false;                 ///< Its rank crashed while it ran.
        bool timed_out = false;            ///< Its rank was told so, while it ran.
        std::vector<ObjectId> contained{}; ///< Futures inside its value.
        std::vector<ObjectId> contained_actors{};
        std::size_t value_bytes = 0;
    };

    struct Truth {
        TaskKind kind;
        std::uint32_t depth = 0;
        ProgramPtr program; ///< None: made by put().
        std::vector<ObjectId> dependencies;
        std::vector<ObjectId> passed; ///< Futures inside its arguments.
        std::vector<ObjectId> passed_actors{};
        std::optional<ObjectId> actor{}; ///< Whose method it is; none: a task.
        ObjectId context{};              ///< Of a call: who calls.
        bool urgent = false;             ///< Of a call.
        bool makes_actor = false;
        std::size_t argument_bytes = 0;
        Rank owner{};
        std::vector<Attempt> attempts{}; ///< Of an object made by put(): one, which ended well.
        bool threw = false; ///< As its program says, and not since something that it did failed.
        bool cancel_requested = false;
        std::optional<wire::Outcome::Kind> outcome{}; ///< As first reported.
        std::optional<ObjectId> gang{};               ///< Of a member: the gang it belongs to.
        std::vector<TaskId> dependents{};

        [[nodiscard]] bool running() const {
            return !attempts.empty() && !attempts.back().ended && !attempts.back().lost;
        }

        /// Some attempt has made a value.
        [[nodiscard]] bool made() const;
    };

    struct GroupTruth {
        MakeGroup made;
        bool removed = false; ///< Somebody asked for it.
        bool placed = false;  ///< Its owner said so.
    };

    /// Whether the ranks that are left have room for such a task, when they run nothing else.
    using Feasible = std::function<bool(const TaskKind&)>;

    Oracle(const Fate& fate, Feasible feasible) : fate_(fate), feasible_(std::move(feasible)) {}

    void submitted(TaskId task, Truth truth);

    void makes_actor(TaskId task) {
        Truth& truth = at(task);
        truth.makes_actor = true;
        if (truth.kind.for_job) {
            job_actors_.insert(task);
        }
    }

    void is_call(TaskId task, ObjectId actor, ObjectId context, bool urgent) {
        at(task).actor = actor;
        at(task).context = context;
        at(task).urgent = urgent;
        calls_[actor].insert(task);
    }

    void made_group(ObjectId group, Rank owner, MakeGroup made);

    void group_removed(ObjectId group) { groups_.at(group).removed = true; }

    [[nodiscard]] bool is_group(ObjectId object) const { return groups_.contains(object); }

    [[nodiscard]] const GroupTruth& group(ObjectId group) const { return groups_.at(group); }

    [[nodiscard]] const std::map<ObjectId, GroupTruth>& groups() const { return groups_; }

    /// The coordinator has its bundles on these ranks.
    void check_places(ObjectId group,
                      const std::map<std::int32_t, Rank>& places,
                      const std::function<NodeId(Rank)>& node_of) const;

    void stored(ObjectId object,
                Rank owner,
                std::vector<ObjectId> contained,
                std::vector<ObjectId> actors,
                std::size_t bytes);
    void cancel_requested(TaskId task);
    /// `gang`: of a member, the gang's attempt.
    void started(TaskId task, Rank rank, const wire::Gang* gang = nullptr);
    void threw(TaskId task);
    /// What runs there has run for longer than it may. It goes on until it ends by itself.
    void timed_out(TaskId task, Rank rank);
    void ended(TaskId task,
               Rank rank,
               bool ok,
               std::vector<ObjectId> contained,
               std::vector<ObjectId> actors,
               std::size_t bytes);

    /// A rank crashed: what ran there is lost, and so are its handles.
    void crashed(Rank rank);

    /// A program on the rank has one more handle of an actor, or one less.
    void actor_held(ObjectId actor, Rank rank, int change);
    /// Its destructor ran: nobody has a handle, or it was killed; and no call of it is under way.
    void actor_destroyed(ObjectId actor, Rank rank);

    /// A program wants it ended.
    void actor_killed(ObjectId actor) { killed_.insert(actor); }

    /// A call is with the executors of its actor's rank; or not any more, and has not started.
    void call_queued(TaskId call, Rank rank);
    void call_removed(TaskId call, Rank rank);
    /// A call that has started leaves its actor's turn, and has one again.
    void call_suspended(TaskId call, Rank rank);
    void call_resumed(TaskId call, Rank rank);
    /// Calls of its actor there, that have started and not ended.
    [[nodiscard]] std::size_t under_way(ObjectId actor, Rank rank) const;
    /// An urgent call that starts now overtakes another.
    [[nodiscard]] bool overtakes(TaskId call, Rank rank) const;
    /// A call starts where `ran` have run: not itself, if it is replayed, and each that it may rely
    /// on, since its caller has made it before and has its value.
    void runs_on_state(TaskId call, const std::set<TaskId>& ran) const;

    /// It may live until the run ends: a handle is inside a result.
    void actor_pinned(ObjectId actor) { pinned_.insert(actor); }

    /// Some actor may live until the run ends: it is pinned, or made for the job.
    [[nodiscard]] bool any_left() const;

    /// At the end: nothing runs, what was made and not pinned was destroyed, and no call was
    /// forgotten.
    void check_end() const;

    /// What is not resolved, as far as its owner lives: for the report of a simulation that got
    /// stuck.
    [[nodiscard]] std::string describe_open() const;

    /// A future was resolved on that rank.
    void resolved(ObjectId object, Rank rank, const wire::Outcome& outcome);
    /// A future's bytes came, or the bytes of a dependency of a task that starts. @return what is
    /// inside.
    Payload value_came(ObjectId object, const Buffer& value) const;
    /// A future's bytes cannot be had.
    void value_lost(ObjectId object) const;

    [[nodiscard]] const Truth& truth(ObjectId object) const;

    [[nodiscard]] bool known(ObjectId object) const { return truths_.contains(object); }

    [[nodiscard]] const std::map<ObjectId, Truth>& truths() const { return truths_; }

private:
    /// An actor as it lives on one rank.
    struct Instance {
        std::set<TaskId> waiting;         ///< Calls with the executors that have not started.
        std::map<TaskId, bool> under_way; ///< Calls that have; whether each is suspended.
        /// By context, its rank, and whether they are urgent.
        std::map<std::tuple<ObjectId, Rank, bool>, TaskId> last_started{};
        bool destroyed = false;
    };

    struct ActorTruth {
        std::map<Rank, std::int64_t> handles;
        bool holder_lost = false; ///< A rank that had handles crashed.
        std::map<Rank, Instance> instances;
    };

    Truth& at(ObjectId object);
    void check_start(TaskId task, const Truth& truth) const;
    void start_call(TaskId task, const Truth& truth, Rank rank);
    /// Where the call's actor lives, as far as its calls there were heard of.
    [[nodiscard]] Instance& instance_of(TaskId call, Rank rank);
    static void check_threads(TaskId call, const Instance& actor, const TaskKind& kind);
    /// Nothing has its value, or ever will.
    [[nodiscard]] bool failed(ObjectId object) const;

    /// A rank that had to do with it is lost.
    [[nodiscard]] bool touched_by_loss(ObjectId object) const {
        std::set<ObjectId> seen;
        return fate_.any_gone() && touched_by_loss(object, seen);
    }

    [[nodiscard]] bool touched_by_loss(ObjectId object, std::set<ObjectId>& seen) const;
    /// It may run again: a lost rank had an attempt of it, or what one made from its value.
    [[nodiscard]] bool may_run_again(ObjectId object, std::set<ObjectId>& seen) const;
    [[nodiscard]] const Truth& member(ObjectId gang, std::int32_t member) const;
    void check_thrower(ObjectId gang, const Truth& truth, std::int32_t member) const;
    void check_members(ObjectId gang, const Truth& truth, bool ok) const;
    void check_failure(ObjectId object, const Truth& truth, const wire::Outcome& outcome) const;
    void resolved_group(ObjectId group, const wire::Outcome& outcome);
    /// The group may have gone before what was to run in it had run.
    [[nodiscard]] bool group_gone_early(ObjectId group) const;
    [[nodiscard]] bool cancelled_along(ObjectId object) const;

    [[nodiscard]] bool killed(ObjectId actor) const { return killed_.contains(actor); }

    [[nodiscard]] bool holder_lost(ObjectId actor) const;
    [[nodiscard]] bool held_by_late(ObjectId actor) const;
    [[nodiscard]] bool attempts_used_up(ObjectId object, const Truth& truth) const;
    void check_late(ObjectId object, const Truth& truth) const;
    void check_dependency_failure(ObjectId object,
                                  const Truth& truth,
                                  const wire::Outcome& outcome) const;

    const Fate& fate_;
    Feasible feasible_;
    std::set<TaskId> may_be_late_;               ///< By timeout or deadline.
    std::set<ObjectId> job_actors_;              ///< Made for the job.
    std::map<ObjectId, std::set<TaskId>> calls_; ///< By actor.
    std::map<ObjectId, Truth> truths_;
    std::map<ObjectId, ActorTruth> actors_;
    std::map<ObjectId, GroupTruth> groups_;
    std::set<ObjectId> pinned_;
    std::set<ObjectId> killed_;
};

} // namespace muster::sim
