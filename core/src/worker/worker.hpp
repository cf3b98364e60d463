#pragma once

#include "store/store.hpp"
#include "wire/actions.hpp"
#include "worker/report_rule.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace muster::worker {

/// What an executor says of a task it ran.
struct AttemptFinished {
    TaskId task{};
    bool ok = true;
    Buffer value;                             ///< Encoded, if ok.
    std::vector<wire::FailureRecord> failure; ///< If not: the record, and its causes.
    Duration busy{};
};

/// A member of a gang has ended here, whether it ran or not.
struct EndedMember {
    LeaseId gang{};
    std::int32_t member = 0;
    bool is_last = false; ///< None of the gang is left on this rank.
};

/// A rank's worker: the tasks leased to it, their dependencies, and the slots it runs them in.
///
/// A task is *fetching* until its dependencies are here, then *queued* with the executors, and
/// runs when its class has a slot. A slot is a share of the rank's resources, given to the
/// executors (GrantSlot), which keep it while the class has tasks, so that short tasks follow one
/// another without asking, and give it back when the queue is empty or when a slot is revoked for
/// a class that goes first.
///
/// A running task that waits for a future is *blocked*: its CPUs (not its GPUs or memory) are lent
/// to others, and when the future is there it resumes once CPUs are free, before anything new. One
/// that is *suspended* meanwhile holds no thread, and does not count among the slots that a class
/// may have at most.
///
/// Whoever goes first and finds no room gets it: slots of classes behind it are revoked, and until
/// they are back no class behind it gets a new one. But only if that makes enough room: what it
/// waits for may be held by a blocked task, which waits in turn for a class behind.
///
/// A member of a gang is a task of its own here, which no Recall asks for. It goes before all
/// else, also before tasks that resume: its CPUs were counted free when the gang was granted, and
/// what it waits for ends or blocks, while a task that resumes could wait for the CPUs of another
/// gang, whose other members wait in turn behind such a task elsewhere. If it ends without a
/// result, its gang is over: this worker tells the ranks of all other members, and those stop
/// theirs, so that nobody waits for it.
///
/// A task that makes an actor leaves its slot to it: what it demanded stays taken until the actor
/// is destroyed, and only then is the lease's end reported. Such slots are never revoked. A task
/// that resumes may share the CPUs of actors that came to its rank while it was blocked.
///
/// Resources are kept in *pools*: the rank's own, and one for each bundle of a placement group that
/// lies here. A class has the pool of its bundle, and all of the above goes for each pool by
/// itself. A bundle takes its resources off the rank's own as a member of a gang does, before tasks
/// that resume; those may share its CPUs for the same reason as an actor's. When it is given up,
/// what it has left is the rank's own again, and so are the classes that run in it.
///
/// Which GPUs a task or a bundle has the coordinator says. Here amounts of them are enough, since
/// nothing that demands GPUs waits ahead.
///
/// The coordinator hears that tasks have ended when it could do something about it (ReportRule): of
/// a lease a few times, however many tasks are in it.
///
/// A Recall may come before the tasks it is about, which take another way. Then the worker answers
/// with none, and hands back what comes later and cannot start, until the class makes progress.
///
/// Pure: no MPI, threads, clock or randomness.
///
/// Invariants, checked by check_invariants():
///   1. A pool's free resources are its capacity, less the demands of all slots and actors in it
///   and
///      (the rank's own) of its bundles, plus what blocked tasks lent; never below zero, but for
///      CPUs that tasks share with actors and bundles.
///   2. A class has at most as many slots as tasks that are queued, running or blocked, once
///      returned slots are counted.
class Worker {
public:
    struct Config {
        Rank self{};
        std::string host;
        Resources capacity;
        std::size_t inline_bytes_max = 1024;     ///< Larger results are kept here, to be fetched.
        std::uint32_t slots_per_class_max = 256; ///< Without those of suspended tasks.
    };

    explicit Worker(const Config& config) : config_(config) {
        own_.capacity = config.capacity;
        own_.free = config.capacity;
    }

    /// A coordinator enters its term: what is to be told to it is what is here now. Tasks and
    /// actors of owners that are lost are stopped.
    void on_term(Term term,
                 Rank coordinator,
                 const std::map<Rank, std::string>& lost,
                 wire::Actions& actions);

    /// What this rank has, for a coordinator that does not know.
    [[nodiscard]] std::vector<wire::HeldClass> held() const;

    /// The bundles that lie here.
    [[nodiscard]] std::vector<wire::HeldBundle> held_bundles() const;

    /// Its owner believes that these are here: it is told which are not.
    void on_confirm(Rank from, const wire::Confirm& message, wire::Actions& actions);

    /// Members of gangs here that have lost another member with its rank: the words to be said to
    /// them.
    [[nodiscard]] std::vector<wire::GangFailed>
    gangs_without(const std::map<Rank, std::string>& lost) const;

    [[nodiscard]] bool has_gang(LeaseId gang) const { return gangs_.contains(gang); }

    /// Members of the gang are here, and may be in a call of MPI.
    [[nodiscard]] bool has_raw_gang(LeaseId gang) const {
        const auto place = gangs_.find(gang);
        return place != gangs_.end() && tasks_.at(place->second.front()).gang->raw_mpi;
    }

    void on_run(Rank owner, wire::Run message, store::Store& store, wire::Actions& actions);
    void on_bundle_take(const wire::BundleTake& message);
    void on_bundle_free(const wire::BundleFree& message);
    void on_recall(Rank from, const wire::Recall& message, wire::Actions& actions);
    /// @return of a gang's member that may be running: why it ends, for its communicator.
    std::optional<wire::GangFailed> on_stop(const wire::Stop& message, wire::Actions& actions);
    /// A member of a gang has failed: this rank's members end as released.
    void on_gang_failed(const wire::GangFailed& message, wire::Actions& actions);

    /// A dependency of `task` came, or (no value) is lost.
    void on_dependency(TaskId task,
                       ObjectId object,
                       const std::optional<Buffer>& value,
                       wire::Actions& actions);

    /// @return true if it made an actor, which lives here from now on.
    bool on_attempt_finished(AttemptFinished report, store::Store& store, wire::Actions& actions);
    void on_slot_returned(wire::ClassIndex index);
    /// Its destructor has run.
    void on_actor_destroyed(ObjectId actor);
    /// The executors' answer to TakeBackTasks and StopTask: these tasks have not started and won't.
    /// Answers to TakeBackTasks come in the order of the orders.
    void on_taken_back(const std::vector<TaskId>& tasks, bool recalled, wire::Actions& actions);
    /// A task has run for longer than it may. It is asked to stop, and its owner hears so now; what
    /// it takes here stays taken until it returns.
    void on_timed_out(TaskId task, Duration timeout, wire::Actions& actions);
    void on_blocked(TaskId task, bool suspended, wire::Actions& actions);
    void on_resuming(TaskId task);

    /// The run is ending: only members of gangs that were granted still start, and tasks resume.
    void drain() { draining_ = true; }

    /// What has not started fails, and what runs is asked to stop.
    void halt(wire::Actions& actions);

    /// It runs here, and waits for a future.
    [[nodiscard]] bool blocked(TaskId task) const {
        const auto place = tasks_.find(task);
        return place != tasks_.end() && place->second.blocked;
    }

    /// Says how far `status.task` has come here; nothing if it is not here.
    void explain(wire::TaskStatus& status) const;

    /// Adds what this rank runs and has to `status`.
    void describe(wire::Status& status) const;

    /// Gives out slots, and sends the results and the progress gathered since the last call.
    void flush(wire::Actions& actions);

    [[nodiscard]] const wire::TaskClass& task_class(wire::ClassIndex index) const {
        return classes_[index].definition;
    }

    [[nodiscard]] std::size_t task_count() const { return tasks_.size(); }

    /// Members of gangs that have ended here since the last call.
    [[nodiscard]] std::vector<EndedMember> take_ended_members() {
        return std::exchange(ended_members_, {});
    }

    /// What of the bundle is free, if it lies here.
    [[nodiscard]] const Resources* free_in(const wire::BundleId& bundle) const {
        const auto place = bundles_.find(bundle);
        return place == bundles_.end() ? nullptr : &place->second.free;
    }

    /// Bundles that have been placed here, and wait for room.
    [[nodiscard]] std::size_t bundles_waiting() const { return taking_.size(); }

    /// No task, actor or bundle here and every resource free.
    [[nodiscard]] bool idle() const {
        return tasks_.empty() && actors_.empty() && bundles_.empty() && taking_.empty() &&
               own_.free == config_.capacity;
    }

    void check_invariants() const;

private:
    /// Priority and depth, both negated; then turns, which a class takes with its equals.
    using Order = std::tuple<std::int64_t, std::int64_t, std::uint64_t, wire::ClassIndex>;

    struct Pool {
        Resources capacity;
        Resources free;
        Resources actor_cpus;     ///< Of all actors in it, and of the bundles in the rank's own.
        wire::DeviceList devices; ///< Of a bundle.
        std::set<Order> order;    ///< Its classes, as they get slots.
        std::set<wire::ClassIndex> gang_classes;
        std::deque<TaskId> resuming;
    };

    struct ClassState {
        wire::TaskClass definition;
        Pool* pool = nullptr;
        std::uint32_t queued = 0; ///< With the executors: waiting, running or blocked.
        std::uint32_t slots = 0;
        std::uint32_t revoking = 0;  ///< Slots asked back and not yet returned.
        std::uint32_t blocked = 0;   ///< Slots whose task waits for a future.
        std::uint32_t suspended = 0; ///< Of these: without a thread.
        std::uint32_t actors = 0;    ///< That live here: each has what was its slot's.
        bool served = false;         ///< A task has ended since the last slot was granted.
        std::uint64_t turn = 0;      ///< Larger is later among equal classes.
        std::uint32_t owed = 0;      ///< Tasks that a Recall asked for before they were here.
        std::set<TaskId> fetching;
        std::map<LeaseId, wire::LeaseProgress> progress; ///< Not yet reported.
        ReportRule report;

        /// Nothing of it is here.
        [[nodiscard]] bool over() const {
            return queued == 0 && slots == 0 && actors == 0 && fetching.empty();
        }

        /// Tasks that could run and have no slot.
        [[nodiscard]] std::uint32_t ahead() const { return queued - std::min(queued, slots); }

        [[nodiscard]] bool wants_slot(std::uint32_t slots_max) const {
            return queued > slots && slots - suspended < slots_max;
        }

        /// Slots that come back once they are revoked and their present task ends. One in which an
        /// actor is made may not.
        [[nodiscard]] std::uint32_t moving() const {
            return definition.actor ? 0 : slots - blocked;
        }
    };

    struct Task {
        wire::ClassIndex task_class = 0;
        LeaseId lease{};
        Rank owner{};
        std::string name;
        std::uint32_t missing = 0;
        bool blocked = false;
        bool suspended = false; ///< Blocked, without a thread.
        bool resuming = false;
        bool released = false; ///< By the failure of another member of its gang.
        bool stopped = false;  ///< Asked to stop, by its owner.
        bool orphaned = false; ///< Its owner is lost, or has given it up: nobody wants its result.
        std::uint32_t attempt = 1;
        std::shared_ptr<const wire::Gang> gang;
        std::int32_t member = 0;
        wire::DeviceList devices;
        wire::ReadyTask ready;              ///< Until it is queued.
        std::vector<ObjectId> dependencies; ///< Of `ready`, by position; until it is queued.
    };

    struct Actor {
        wire::ClassIndex task_class = 0;
        LeaseId lease{};
        wire::DeviceList devices;
    };

    struct Recalling {
        wire::ClassIndex task_class = 0;
        std::uint32_t count = 0;
        std::vector<wire::ReturnedTask> returned;
        bool asked = true; ///< By a Recall; else it makes up for one that came too early.
    };

    wire::ClassIndex intern(const wire::TaskClass& definition);
    [[nodiscard]] Order order_of(wire::ClassIndex index) const;
    void enqueue(Task& task, wire::Actions& actions);
    void report(const Task& task, TaskId id, wire::Outcome outcome, Duration busy);
    void keep_actor(ObjectId actor, const Task& task);
    void
    fail(TaskId id, wire::FailureRecord::Kind kind, std::string message, wire::Actions& actions);
    void cancel(TaskId id, wire::Actions& actions);
    /// Another attempt has come of a task that was given up, and has not stopped here.
    void refuse(Rank owner,
                const wire::TaskSpec& spec,
                LeaseId lease,
                const wire::Gang* gang,
                std::int32_t member,
                wire::Actions& actions);
    static void tell_members(const wire::Gang& gang,
                             std::int32_t member,
                             const wire::FailureRecord& failure,
                             wire::Actions& actions);
    [[nodiscard]] wire::GangFailed cancelled_member(const Task& task, TaskId id) const;
    void
    leave_gang(const Task& task, TaskId id, const wire::Outcome& outcome, wire::Actions& actions);
    void give_back(Recalling recalling, wire::Actions& actions);
    void give_back_late_ones(wire::Actions& actions);
    /// `finished` tasks of the lease have ended, which ran for `busy`.
    void note_progress(wire::ClassIndex index,
                       LeaseId lease,
                       std::uint32_t finished,
                       Duration busy = {});
    void report_progress(wire::Actions& actions);
    void assign_slots(Pool& pool, wire::Actions& actions);
    void resume_tasks(Pool& pool, wire::Actions& actions);
    /// @return true if a member waits for room that is on its way.
    bool seat_members(Pool& pool, wire::Actions& actions);
    void give_slots(wire::ClassIndex index, wire::Actions& actions);
    /// Revokes slots until `demand` will fit, if that is possible: of the classes behind `first` in
    /// order, or of all if it is none. @return true if room is on its way.
    bool make_room(Pool& pool, const Resources& demand, const Order* first, wire::Actions& actions);
    /// Makes it one of the pool's classes.
    void move(wire::ClassIndex index, Pool& pool);
    /// Bundles that there is room for take it. @return true if one waits for room on its way.
    bool take_bundles(wire::Actions& actions);
    /// Something runs in a class of the bundle, though it does not lie here.
    [[nodiscard]] bool has_strays(const wire::BundleId& bundle) const;
    /// Of classes whose bundle is gone nothing is kept once nothing of them is left.
    void forget_strays();

    Config config_;
    Term term_{};
    Rank coordinator_{};
    Pool own_;
    std::map<wire::BundleId, Pool> bundles_;
    std::deque<wire::HeldBundle> taking_; ///< Bundles that wait for room.
    std::vector<ClassState> classes_;
    std::map<wire::TaskClass, wire::ClassIndex> class_index_;
    std::vector<wire::ClassIndex> class_free_; ///< Numbers of classes that are forgotten.
    std::set<wire::ClassIndex> strays_;        ///< Classes of bundles that do not lie here.
    std::unordered_map<TaskId, Task> tasks_;
    std::map<LeaseId, std::vector<TaskId>> gangs_; ///< This rank's members, by gang.
    std::vector<EndedMember> ended_members_;
    std::map<ObjectId, Actor> actors_;
    std::uint64_t last_turn_ = 0;
    std::deque<Recalling> recalling_; ///< In the order in which the executors answer.
    /// Of older terms' leases, given back in this one: not here, but their owner need not know.
    std::set<std::pair<LeaseId, TaskId>> returned_;
    std::set<wire::ClassIndex> owing_; ///< Classes that owe tasks to a Recall.
    bool draining_ = false;
    bool halted_ = false;
    std::map<Rank, std::vector<wire::TaskOutcome>> finished_; ///< By owner, until flush().
    std::set<wire::ClassIndex> unreported_; ///< Classes with progress that was not reported.
};

} // namespace muster::worker
