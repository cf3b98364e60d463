#include "runtime/executor_pool.hpp"

#include "runtime/failure.hpp"
#include "runtime/gang_member.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>
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
    wanted_.notify_all();
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
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        slots_.push_back(index);
        notify = need_thread();
    }
    if (notify) {
        wanted_.notify_one();
    }
}

bool ExecutorPool::may_run_actor() const {
    return !stopping_ && mailboxes_.waiting() > 0 && actors_running_ < actors_running_max;
}

bool ExecutorPool::need_thread() {
    std::size_t needed = slots_.size() + (ending_actors_ ? 1 : 0);
    if (may_run_actor()) {
        needed += std::min(mailboxes_.waiting(), actors_running_max - actors_running_);
    }
    if (needed > idle_threads_) {
        threads_.emplace_back([this] { work(); });
        ++idle_threads_; // until it takes something
        return false;
    }
    return needed > 0;
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

void ExecutorPool::enqueue_call(wire::EnqueueCall order) {
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        notify = mailboxes_.push(std::move(order)) && need_thread();
    }
    if (notify) {
        wanted_.notify_one();
    }
}

bool ExecutorPool::stop_call(ObjectId actor, TaskId call) {
    std::stop_source source{std::nostopstate};
    {
        const std::lock_guard lock(mutex_);
        if (mailboxes_.remove(actor, call)) {
            return true;
        }
        if (const auto place = running_.find(call); place != running_.end()) {
            source = place->second.stop_source;
        }
    }
    source.request_stop();
    return false;
}

void ExecutorPool::destroy_actor(ObjectId actor) {
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        notify = mailboxes_.close(actor) && need_thread();
    }
    if (notify) {
        wanted_.notify_one();
    }
}

void ExecutorPool::call_blocks() {
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        --actors_running_;
        notify = may_run_actor() && need_thread();
    }
    if (notify) {
        wanted_.notify_one();
    }
}

void ExecutorPool::call_resumes() {
    const std::lock_guard lock(mutex_);
    ++actors_running_;
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
        mailboxes_.stop();
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
    if (!stopping_ || !running_.empty() || !stopped_) {
        return;
    }
    if (!mailboxes_.empty()) {
        ending_actors_ = true;
        if (need_thread()) {
            wanted_.notify_all();
        }
    } else {
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
        wanted_.wait(
            lock, [&] { return !slots_.empty() || may_run_actor() || ending_actors_ || exiting_; });
        if (!slots_.empty()) {
            run_slot(lock);
        } else if (may_run_actor()) {
            run_actor(lock);
        } else if (ending_actors_) {
            ending_actors_ = false;
            --idle_threads_;
            ++actors_running_;
            for (const ObjectId actor : mailboxes_.all()) {
                run_destructor(lock, actor);
            }
            --actors_running_;
            ++idle_threads_;
            leave_if_stopped(lock);
        } else {
            return;
        }
    }
}

void ExecutorPool::run_slot(std::unique_lock<std::mutex>& lock) {
    const wire::ClassIndex index = slots_.front();
    slots_.pop_front();
    --idle_threads_;
    const std::uint32_t depth = index < depths_.size() ? depths_[index] : 0;
    bool made_actor = false; // which keeps the slot
    while (!stopping_ && !made_actor) {
        auto task = queue_.take(index);
        if (!task) {
            break;
        }
        made_actor = run_task(lock, std::move(*task), depth, std::nullopt);
    }
    ++idle_threads_;
    if (!made_actor) {
        lock.unlock();
        report_(rank::SlotReturned{index});
        lock.lock();
    }
}

void ExecutorPool::run_actor(std::unique_lock<std::mutex>& lock) {
    const ObjectId actor = mailboxes_.take();
    --idle_threads_;
    ++actors_running_;
    for (int i = 0; i < calls_in_turn_max && !stopping_; ++i) {
        auto call = mailboxes_.next(actor);
        if (!call) {
            break;
        }
        run_task(lock, std::move(call->task), call->depth, actor);
    }
    if (!stopping_ && mailboxes_.to_be_destroyed(actor)) {
        run_destructor(lock, actor);
        lock.unlock();
        report_(rank::ActorDestroyed{actor});
        lock.lock();
        leave_if_stopped(lock);
    } else if (!stopping_) {
        mailboxes_.put_back(actor);
    }
    --actors_running_;
    ++idle_threads_;
}

void ExecutorPool::run_destructor(std::unique_lock<std::mutex>& lock, ObjectId actor) {
    auto& running = running_[actor];
    running.function = mailboxes_.constructor(actor);
    detail::CurrentTask current{
        actor, running.function, 1, 0, running.stop_source.get_token(), false, actor};
    current.in_destructor = true;
    auto instance = mailboxes_.destroy(actor);
    lock.unlock();
    {
        const detail::CurrentScope scope(*client_, &current);
        instance.reset();
    }
    lock.lock();
    running_.erase(actor);
}

bool ExecutorPool::run_task(std::unique_lock<std::mutex>& lock,
                            wire::ReadyTask task,
                            std::uint32_t depth,
                            std::optional<ObjectId> actor) {
    auto& running = running_[task.id];
    running.function = task.function;
    const detail::CurrentTask current{task.id,
                                      task.function,
                                      task.attempt,
                                      depth,
                                      running.stop_source.get_token(),
                                      !actor && !task.gang,
                                      actor.value_or(task.id)};
    void* const instance = actor ? mailboxes_.instance(*actor) : nullptr;
    lock.unlock();

    std::shared_ptr<void> made;
    worker::AttemptFinished report;
    report.task = task.id;
    const auto begin = std::chrono::steady_clock::now();
    try {
        const detail::CurrentScope scope(*client_, &current);
        detail::Invocation invocation{
            task.arguments.bytes(), task.dependencies, {}, nullptr, instance};
        std::optional<GangMember> member;
        if (task.gang) {
            member.emplace(
                *config_.transport, *task.gang, task.member, current.stop_token, report_);
            invocation.communicator = &member->communicator();
        }
        functions_.at(task.function).invoke(invocation);
        report.value = std::move(invocation.result);
        made = std::move(invocation.made);
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
    const bool made_actor = made != nullptr;
    if (made_actor) {
        mailboxes_.open(current.id, current.function, std::move(made));
    }
    lock.unlock();
    if (actor) {
        report_(rank::CallFinished{std::move(report)});
    } else {
        report_(std::move(report));
    }
    lock.lock();
    leave_if_stopped(lock);
    return made_actor;
}

} // namespace muster::runtime
