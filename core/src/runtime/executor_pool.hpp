#pragma once

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
#include <thread>
#include <vector>

namespace muster::runtime {

/// The threads that run a rank's tasks.
///
/// The progress thread hands in tasks and slots; a thread that holds a slot runs tasks of its class
/// one after another until the queue is empty or the slot is revoked. A thread is started when a
/// slot finds none idle, so there are as many as ever ran or waited at the same time.
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

    /// Asks every running task to stop, lets no other start, and calls `stopped` once, from the
    /// last thread that leaves a task (or from here).
    void stop(std::function<void()> stopped);
    /// Names of tasks that still run, for a message about what the end waits for.
    [[nodiscard]] std::vector<std::string> running() const;

    // Called by a task's own thread.
    void wait_resumed(TaskId task);

private:
    struct Running {
        FunctionId function{};
        std::stop_source stop_source;
        bool resumed = false;
    };

    void work();
    void run_task(std::unique_lock<std::mutex>& lock, wire::ReadyTask task, std::uint32_t depth);
    void leave_if_stopped(std::unique_lock<std::mutex>& lock);

    Config config_;
    const FunctionTable& functions_;
    std::function<void(rank::Event)> report_;
    detail::Client* client_ = nullptr;

    mutable std::mutex mutex_; ///< Guards everything below.
    std::condition_variable slot_granted_;
    std::condition_variable resumed_;
    worker::RunQueue queue_;
    std::vector<std::uint32_t> depths_;  ///< By class.
    std::deque<wire::ClassIndex> slots_; ///< Granted, and not yet taken by a thread.
    std::map<TaskId, Running> running_;
    std::size_t idle_threads_ = 0;
    bool stopping_ = false;
    bool exiting_ = false;
    std::function<void()> stopped_;
    std::vector<std::thread> threads_;
};

} // namespace muster::runtime
