#pragma once

#include "actor/mailboxes.hpp"
#include "rank/rank_machine.hpp"
#include "registry/registry.hpp"
#include "transport/transport.hpp"
#include "worker/run_queue.hpp"

#include <muster/core/detail/client.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace muster::runtime {

/// The threads that run a rank's tasks.
///
/// The progress thread hands in tasks and slots; a thread that holds a slot runs tasks of its class
/// one after another until the queue is empty or the slot is revoked. A thread is started when a
/// slot finds none idle, so there are as many as ever ran or waited at the same time.
///
/// A thread also takes an actor that has calls, runs some of them one after another, and puts it
/// back in line. So an idle actor holds no thread, and a busy one does not keep the others waiting.
class ExecutorPool {
public:
    struct Config {
        Rank self{};
        std::string host;
        transport::Transport* transport = nullptr; ///< For the communicators of gangs.
    };

    /// `report` takes events to the progress thread; it is called from executor threads.
    ExecutorPool(Config config,
                 const FunctionTable& functions,
                 std::function<void(rank::Event)> report);
    ~ExecutorPool();

    /// Tasks run with this runtime as theirs. Before the first slot.
    void set_client(detail::Client& client) { client_ = &client; }

    // Called by the progress thread.
    void enqueue(wire::ClassIndex index, std::uint32_t depth, wire::ReadyTask task);
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

    /// Asks every running task and call to stop, and lets no other start. When none runs any more,
    /// destroys the actors, the last made first, and calls `stopped` once, from the last thread
    /// that leaves (or from here).
    void stop(std::function<void()> stopped);
    /// Names of tasks that still run, for a message about what the end waits for.
    [[nodiscard]] std::vector<std::string> running() const;

    // Called by a task's own thread.
    void wait_resumed(TaskId task);
    /// A call of an actor waits for a future: another actor may run meanwhile.
    void call_blocks();
    void call_resumes();

private:
    struct Running {
        FunctionId function{};
        std::stop_source stop_source;
        bool resumed = false;
    };

    /// Actors that may run at once, beside those whose call waits for a future. Many, since what
    /// else a call may wait for is not known here.
    static constexpr std::size_t actors_running_max = 64;
    /// Calls of one actor before it is another's turn.
    static constexpr int calls_in_turn_max = 64;

    void work();
    void run_slot(std::unique_lock<std::mutex>& lock);
    void run_actor(std::unique_lock<std::mutex>& lock);
    /// @param actor  Whose call it is; none for a task. @return true if it made an actor.
    bool run_task(std::unique_lock<std::mutex>& lock,
                  wire::ReadyTask task,
                  std::uint32_t depth,
                  std::optional<ObjectId> actor);
    void run_destructor(std::unique_lock<std::mutex>& lock, ObjectId actor);
    [[nodiscard]] bool may_run_actor() const;
    /// Starts a thread if more are needed than are idle. @return true if one is to be notified.
    [[nodiscard]] bool need_thread();
    void leave_if_stopped(std::unique_lock<std::mutex>& lock);

    Config config_;
    const FunctionTable& functions_;
    std::function<void(rank::Event)> report_;
    detail::Client* client_ = nullptr;

    mutable std::mutex mutex_;       ///< Guards everything below.
    std::condition_variable wanted_; ///< Something for an idle thread.
    std::condition_variable resumed_;
    worker::RunQueue queue_;
    std::vector<std::uint32_t> depths_;  ///< By class.
    std::deque<wire::ClassIndex> slots_; ///< Granted, and not yet taken by a thread.
    std::map<TaskId, Running> running_;
    actor::Mailboxes mailboxes_;
    std::size_t actors_running_ = 0; ///< Without those whose call waits.
    std::size_t idle_threads_ = 0;
    bool stopping_ = false;
    bool ending_actors_ = false; ///< Nothing runs any more: a thread is to destroy the actors.
    bool exiting_ = false;
    std::function<void()> stopped_;
    std::vector<std::thread> threads_;
};

} // namespace muster::runtime
