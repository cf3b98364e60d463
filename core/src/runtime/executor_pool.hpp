#pragma once

#include "actor/mailboxes.hpp"
#include "rank/rank_machine.hpp"
#include "registry/registry.hpp"
#include "runtime/coroutine_task.hpp"
#include "runtime/seating.hpp"
#include "transport/transport.hpp"
#include "worker/run_queue.hpp"

#include <muster/core/detail/client.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace muster::process {
class Zygote;
}

namespace muster::runtime {

class RankClient;

namespace isolate {
class IsolatedActor;
class Processes;
} // namespace isolate

/// The threads that run a rank's tasks.
///
/// The progress thread hands in tasks and slots; a thread that holds a slot runs tasks of its class
/// one after another until the queue is empty or the slot is revoked. A thread is started when a
/// slot finds none idle, so there are as many as ever ran or waited at the same time.
///
/// A thread also takes a turn of an actor that has calls, runs some of them one after another, and
/// gives it back. So an idle actor holds no thread, and a busy one does not keep the others
/// waiting.
///
/// A task that is a coroutine leaves its thread where it waits, and goes on with any when its
/// answers are there and it may have its CPUs again (ResumeTask). Meanwhile its slot is the task's,
/// and the thread that ends the task goes on in it. A call that is a coroutine leaves its thread,
/// too, and its turn; it goes on in its actor's next one.
class ExecutorPool {
public:
    struct Config {
        Rank self{};
        std::string host;
        transport::Transport* transport = nullptr; ///< For the communicators of gangs.
        process::Zygote* zygote = nullptr;  ///< Forks processes for isolated tasks; may be none.
        std::chrono::seconds stop_grace{5}; ///< Of isolated tasks, from SIGTERM to SIGKILL.
        bool stands_in = false;             ///< An idle thread may drive the rank; see Leadership.
        Seating::Config seating{};          ///< The CPUs and GPUs of its tasks.
    };

    ExecutorPool(Config config, const FunctionTable& functions);
    ~ExecutorPool();

    /// Tasks run with this runtime as theirs, and it takes their ends to the progress thread.
    /// Before the first slot.
    void set_client(RankClient& client);

    // Called by whoever drives the rank.
    /// Nothing has happened for a while: if nothing runs, an idle thread may drive.
    void offer_lead();
    /// Whether a thread could take a slot, a call or an actor: else another would be started.
    [[nodiscard]] bool has_idle_thread() const;
    void enqueue(wire::ClassIndex index, const wire::TaskClass& task_class, wire::ReadyTask task);
    void grant_slot(wire::ClassIndex index);
    void revoke_slot(wire::ClassIndex index);
    [[nodiscard]] std::vector<TaskId> take_back(wire::ClassIndex index, std::uint32_t count);
    /// @return true if the task had not started and is removed; else it was asked to stop.
    [[nodiscard]] bool stop_task(wire::ClassIndex index, TaskId task);
    void resume(TaskId task);
    void enqueue_call(wire::EnqueueCall order);
    /// @return true if the call had not started and is removed; else it was asked to stop.
    [[nodiscard]] bool stop_call(ObjectId actor, TaskId call);
    void destroy_actor(ObjectId actor);
    /// Running tasks that have reached their timeout since the last call.
    [[nodiscard]] std::vector<rank::TaskTimedOut> take_overdue(TimePoint now);

    /// When the next one reaches it; none: far away. Any thread.
    [[nodiscard]] TimePoint next_limit() const noexcept { return next_limit_.load(); }

    /// Asks every running task and call to stop, and lets no other start. When none runs any more,
    /// destroys the actors, the last made first, and calls `stopped` once, from the last thread
    /// that leaves (or from here).
    void stop(std::function<void()> stopped);
    /// No further task is taken, but members of gangs; calls of actors go on.
    void hold();
    /// Asks every running task and call to stop.
    void halt();
    /// Tasks and calls that run, the `limit` oldest first; and how many there are.
    [[nodiscard]] rank::RunningCounted count_running(std::size_t limit) const;
    /// Also those that wait for a future.
    [[nodiscard]] std::size_t running_count() const;
    /// For how long the task or call has run here, if it does.
    [[nodiscard]] std::optional<Duration> running_for(TaskId task) const;
    /// Names of tasks that still run, for a message about what the end waits for.
    [[nodiscard]] std::vector<std::string> running() const;

    // Called by a task's own thread.
    void wait_resumed(TaskId task);
    /// It waits in get(). Of an actor's call: another actor may run meanwhile; of a coroutine that
    /// has been resumed: another one may be.
    void thread_blocks(const detail::CurrentTask& task);
    void thread_resumes(const detail::CurrentTask& task);

    [[nodiscard]] const Seating& seating() const { return seating_; }

private:
    /// How what an executor ran has left it.
    enum class Left {
        done,
        made_actor, ///< Which keeps the slot.
        suspended,  ///< And keeps the slot; the turn of its actor is to be given back.
    };

    /// By a constructor; none if there is no instance.
    struct MadeActor {
        std::shared_ptr<void> instance;
        actor::Mailboxes::Save save = nullptr;
        std::uint32_t save_every = 0; ///< Calls; 0: never.
        actor::Concurrency concurrency{};
    };

    /// How tasks of one class are run.
    struct Manner {
        std::uint32_t depth = 0;
        bool isolate = false;
        bool makes_actor = false;
        Bytes memory_limit{}; ///< If isolated.
        Amount cpus{};
    };

    /// What an actor that lives here was granted.
    struct ActorSeat {
        Amount demand;
        std::vector<int> cpus;
        wire::DeviceList devices;
    };

    struct Running {
        FunctionId function{};
        std::stop_source stop_source;
        bool resumed = false;
        bool is_call = false; ///< Of an actor.
        TimePoint began = std::chrono::steady_clock::now();
        std::optional<TimePoint> limit; ///< Its place in limits_, if it has a timeout.

        // Of a coroutine.
        std::uint64_t wait = 0;                   ///< The present one's number.
        bool answered = false;                    ///< What it waits for came before it suspended.
        std::unique_ptr<CoroutineTask> suspended; ///< While no thread has it.
        /// Suspended, and on its way back: waits for its CPUs, or for a turn of its actor.
        bool resuming = false;
    };

    /// Turns of actors at once, beside those whose call waits for a future and beside what actors
    /// have for having several threads. Many, since what else a call may wait for is not known
    /// here.
    static constexpr std::size_t actors_running_min = 64;
    /// Calls of one actor before it is another's turn.
    static constexpr int calls_in_turn_max = 64;

    [[nodiscard]] std::size_t actors_running_max() const {
        return actors_running_min + mailboxes_.further_turns();
    }

    void work();
    /// There is something to do for a thread that does nothing.
    [[nodiscard]] bool is_wanted() const;
    /// A thread that has nothing to do drives the rank while nothing runs, until there is.
    /// @param unheard  It has reported something that nobody was woken for.
    void stand_in(std::unique_lock<std::mutex>& lock, Duration patience, bool unheard);
    /// Goes on with a coroutine, and then in its slot, or with its actor. @return as serve_slot().
    [[nodiscard]] bool run_resumed(std::unique_lock<std::mutex>& lock);
    /// Runs tasks of the class until there are none, or none may start; then the slot is returned.
    /// @return whether that is still to be heard.
    [[nodiscard]] bool serve_slot(std::unique_lock<std::mutex>& lock, wire::ClassIndex index);
    /// Runs calls of an actor in a turn of it, which is given back.
    void serve_actor(std::unique_lock<std::mutex>& lock, ObjectId actor);
    void give_back_turn(ObjectId actor);
    [[nodiscard]] ActorSeat seat_of(ObjectId actor) const;
    /// The actor keeps what its constructor was granted.
    void keep_seat(const detail::CurrentTask& constructor, wire::ClassIndex index);
    /// @param actor  Whose call it is; none for a task.
    Left run_task(std::unique_lock<std::mutex>& lock,
                  wire::ClassIndex index,
                  wire::ReadyTask task,
                  const Manner& manner,
                  std::optional<ObjectId> actor);
    /// Until it is done or suspended.
    Left run_coroutine(std::unique_lock<std::mutex>& lock, std::unique_ptr<CoroutineTask> task);
    /// @param made  By a constructor: the actor. @return true if it lives now.
    bool finish(std::unique_lock<std::mutex>& lock,
                const detail::CurrentTask& current,
                wire::ClassIndex index,
                std::optional<ObjectId> actor,
                worker::AttemptFinished report,
                MadeActor made);
    /// In a catch block: why the task failed.
    void describe_failure(const detail::CurrentTask& current,
                          worker::AttemptFinished& report) const;
    void complete_failure(const detail::CurrentTask& current,
                          worker::AttemptFinished& report) const;
    /// A suspended one that was asked to stop goes on.
    void interrupt(TaskId task);
    void on_answered(TaskId task, std::uint64_t wait);
    /// A suspended one is to go on. @return true if a thread is to be notified.
    [[nodiscard]] bool wake(Running& running);
    /// The same, once it has its CPUs.
    [[nodiscard]] bool make_resumable(Running& running);
    [[nodiscard]] bool may_run_resumed() const;
    [[nodiscard]] bool may_stand_in() const;
    /// @param actor  Whose call it is; null for a task. One that is made is left there.
    void run_isolated(wire::ReadyTask& task,
                      const Manner& manner,
                      const detail::CurrentTask& current,
                      std::shared_ptr<isolate::IsolatedActor>& actor,
                      worker::AttemptFinished& report);
    /// The actor's state, if it is due and can be had. The caller runs the actor.
    [[nodiscard]] std::optional<Buffer> save_actor(std::unique_lock<std::mutex>& lock,
                                                   ObjectId actor,
                                                   const detail::CurrentTask& current);
    void run_destructor(std::unique_lock<std::mutex>& lock, ObjectId actor);
    [[nodiscard]] bool may_run_actor() const;
    /// By what waits to be taken.
    [[nodiscard]] std::size_t threads_needed() const;
    /// Starts a thread if more are needed than are idle. @return true if one is to be notified.
    [[nodiscard]] bool need_thread();
    [[nodiscard]] std::vector<std::stop_source> stop_sources() const;
    void note_next_limit();
    void leave_if_stopped(std::unique_lock<std::mutex>& lock);

    Config config_;
    const FunctionTable& functions_;
    Seating seating_;
    /// Resumed coroutines that may run at once, beside those that wait in get(). Those that demand
    /// CPUs are as many as these allow; it bounds the threads of those that demand none.
    const std::size_t resumed_running_max_ =
        std::max<std::size_t>(64, std::thread::hardware_concurrency());
    RankClient* client_ = nullptr;
    std::unique_ptr<isolate::Processes> processes_;

    mutable std::mutex mutex_;       ///< Guards everything below.
    std::condition_variable wanted_; ///< Something for an idle thread.
    std::condition_variable resumed_;
    worker::RunQueue queue_;
    std::vector<Manner> manners_;        ///< By class.
    std::deque<wire::ClassIndex> slots_; ///< Granted, and not yet taken by a thread.
    std::deque<std::unique_ptr<CoroutineTask>> resumable_; ///< May go on, and no thread has them.
    std::size_t resumed_running_ = 0;                      ///< Without those that wait in get().
    std::uint64_t last_wait_ = 0;                          ///< Numbers the waits of coroutines.
    std::map<TaskId, Running> running_;
    std::map<std::pair<TimePoint, TaskId>, Duration> limits_; ///< Timeouts of running tasks.
    std::atomic<TimePoint> next_limit_{TimePoint::max()}; ///< Of limits_; written under the lock.
    actor::Mailboxes mailboxes_;
    std::map<ObjectId, std::shared_ptr<isolate::IsolatedActor>> isolated_actors_;
    std::map<ObjectId, ActorSeat> actor_seats_; ///< Of those that were granted something.
    std::size_t actors_running_ = 0;            ///< Turns, without those whose call waits.
    std::size_t idle_threads_ = 0;
    bool lead_offered_ = false;
    /// The idle thread that drives the rank, or is about to. Nothing runs meanwhile, so nobody but
    /// whoever leads has work for it: itself, or the host before it.
    std::optional<std::thread::id> stand_in_;
    bool stopping_ = false;
    bool ending_actors_ = false; ///< Nothing runs any more: a thread is to destroy the actors.
    bool exiting_ = false;
    std::function<void()> stopped_;
    std::vector<std::thread> threads_;
};

} // namespace muster::runtime
