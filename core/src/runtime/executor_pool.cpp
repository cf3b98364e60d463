#include "runtime/executor_pool.hpp"

#include "runtime/failure.hpp"
#include "runtime/gang_member.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <chrono>
#include <optional>

namespace muster::runtime {

ExecutorPool::ExecutorPool(Config config,
                           const FunctionTable& functions,
                           std::function<void(rank::Event)> report)
    : config_(std::move(config)), functions_(functions), report_(std::move(report)) {
}

ExecutorPool::~ExecutorPool() {
    {
        const std::lock_guard lock(mutex_);
        exiting_ = true;
    }
    slot_granted_.notify_all();
    for (auto& thread : threads_) {
        thread.join();
    }
}

void ExecutorPool::enqueue(wire::ClassIndex index, std::uint32_t depth, wire::ReadyTask task) {
    const std::lock_guard lock(mutex_);
    if (index >= depths_.size()) {
        depths_.resize(index + 1);
    }
    depths_[index] = depth;
    queue_.push(index, std::move(task));
}

void ExecutorPool::grant_slot(wire::ClassIndex index) {
    {
        const std::lock_guard lock(mutex_);
        slots_.push_back(index);
        if (slots_.size() > idle_threads_) {
            threads_.emplace_back([this] { work(); });
            ++idle_threads_; // until it takes its slot
            return;
        }
    }
    slot_granted_.notify_one();
}

void ExecutorPool::revoke_slot(wire::ClassIndex index) {
    const std::lock_guard lock(mutex_);
    queue_.revoke_slot(index);
}

std::vector<TaskId> ExecutorPool::take_back(wire::ClassIndex index, std::uint32_t count) {
    const std::lock_guard lock(mutex_);
    return queue_.take_back(index, count);
}

bool ExecutorPool::stop_task(wire::ClassIndex index, TaskId task) {
    std::stop_source source{std::nostopstate};
    {
        const std::lock_guard lock(mutex_);
        if (queue_.remove(index, task)) {
            return true;
        }
        if (const auto place = running_.find(task); place != running_.end()) {
            source = place->second.stop_source;
        }
    }
    source.request_stop(); // outside the lock: runs the task's own callbacks
    return false;
}

void ExecutorPool::resume(TaskId task) {
    {
        const std::lock_guard lock(mutex_);
        if (const auto place = running_.find(task); place != running_.end()) {
            place->second.resumed = true;
        }
    }
    resumed_.notify_all();
}

void ExecutorPool::wait_resumed(TaskId task) {
    std::unique_lock lock(mutex_);
    auto& running = running_.at(task);
    resumed_.wait(lock, [&] { return running.resumed || stopping_; });
    running.resumed = false;
}

void ExecutorPool::stop(std::function<void()> stopped) {
    std::vector<std::stop_source> sources;
    {
        std::unique_lock lock(mutex_);
        stopping_ = true;
        stopped_ = std::move(stopped);
        for (auto& [id, running] : running_) {
            sources.push_back(running.stop_source);
        }
        leave_if_stopped(lock);
    }
    resumed_.notify_all();
    for (auto& source : sources) {
        source.request_stop();
    }
}

void ExecutorPool::leave_if_stopped(std::unique_lock<std::mutex>& lock) {
    if (stopping_ && running_.empty() && stopped_) {
        const auto stopped = std::exchange(stopped_, nullptr);
        lock.unlock();
        stopped();
        lock.lock();
    }
}

std::vector<std::string> ExecutorPool::running() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [id, running] : running_) {
        names.push_back(
            fmt::format("{} ({})", functions_.at(running.function).name, to_string(id)));
    }
    return names;
}

void ExecutorPool::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        slot_granted_.wait(lock, [&] { return !slots_.empty() || exiting_; });
        if (slots_.empty()) {
            return;
        }
        const wire::ClassIndex index = slots_.front();
        slots_.pop_front();
        --idle_threads_;
        const std::uint32_t depth = index < depths_.size() ? depths_[index] : 0;
        while (!stopping_) {
            auto task = queue_.take(index);
            if (!task) {
                break;
            }
            run_task(lock, std::move(*task), depth);
        }
        ++idle_threads_;
        lock.unlock();
        report_(rank::SlotReturned{index});
        lock.lock();
    }
}

void ExecutorPool::run_task(std::unique_lock<std::mutex>& lock,
                            wire::ReadyTask task,
                            std::uint32_t depth) {
    auto& running = running_[task.id];
    running.function = task.function;
    const detail::CurrentTask current{
        task.id, task.function, task.attempt, depth, running.stop_source.get_token(), !task.gang};
    lock.unlock();

    worker::AttemptFinished report;
    report.task = task.id;
    const auto begin = std::chrono::steady_clock::now();
    try {
        const detail::CurrentScope scope(*client_, &current);
        detail::Invocation invocation{task.arguments.bytes(), task.dependencies, {}, nullptr};
        std::optional<GangMember> member;
        if (task.gang) {
            member.emplace(
                *config_.transport, *task.gang, task.member, current.stop_token, report_);
            invocation.communicator = &member->communicator();
        }
        functions_.at(task.function).invoke(invocation);
        report.value = std::move(invocation.result);
    } catch (...) {
        report.ok = false;
        report.failure = describe_current_exception();
        auto& record = report.failure.front();
        record.task = task.id;
        record.function = task.function;
        record.rank = config_.self;
        record.host = config_.host;
        record.attempt = task.attempt;
        if (current.stop_token.stop_requested()) {
            record.kind = wire::FailureRecord::Kind::cancelled;
        }
    }
    report.busy = std::chrono::steady_clock::now() - begin;
    task = {}; // frees the arguments before the result is announced

    // Taken out before the report: the end of the run may follow right behind it.
    lock.lock();
    running_.erase(current.id);
    lock.unlock();
    report_(std::move(report));
    lock.lock();
    leave_if_stopped(lock);
}

} // namespace muster::runtime
