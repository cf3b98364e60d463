#include "runtime/executor_pool.hpp"

#include "runtime/failure.hpp"
#include "runtime/gang_member.hpp"
#include "runtime/isolate/processes.hpp"
#include "runtime/rank_client.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>

namespace muster::runtime {
namespace {

bool is_call(const detail::CurrentTask& task) {
    return task.context != task.id;
}

} // namespace

ExecutorPool::ExecutorPool(Config config, const FunctionTable& functions)
    : config_(std::move(config)), functions_(functions), seating_(std::move(config_.seating)),
      processes_(std::make_unique<isolate::Processes>(
          isolate::Processes::Config{.zygote = config_.zygote,
                                     .session = {.stop_grace = config_.stop_grace}},
          functions)) {
}

void ExecutorPool::set_client(RankClient& client) {
    client_ = &client;
    processes_->set_client(client);
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

bool ExecutorPool::has_idle_thread() const {
    const std::lock_guard lock(mutex_);
    return threads_needed() < idle_threads_;
}

std::size_t ExecutorPool::threads_needed() const {
    std::size_t needed = slots_.size() + (ending_actors_ ? 1 : 0);
    if (may_run_resumed()) {
        needed += std::min(resumable_.size(), resumed_running_max_ - resumed_running_);
    }
    if (may_run_actor()) {
        needed += std::min(mailboxes_.waiting(), actors_running_max() - actors_running_);
    }
    return needed;
}

void ExecutorPool::enqueue(wire::ClassIndex index,
                           const wire::TaskClass& task_class,
                           wire::ReadyTask task) {
    const std::lock_guard lock(mutex_);
    if (index >= manners_.size()) {
        manners_.resize(index + 1);
    }
    manners_[index] = {task_class.depth,
                       task_class.isolate,
                       task_class.actor,
                       Bytes{static_cast<std::uint64_t>(task_class.demand.memory.value())},
                       task_class.demand.cpus};
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
    return !stopping_ && mailboxes_.waiting() > 0 && actors_running_ < actors_running_max();
}

bool ExecutorPool::may_run_resumed() const {
    return !resumable_.empty() && resumed_running_ < resumed_running_max_;
}

bool ExecutorPool::need_thread() {
    const std::size_t needed = threads_needed();
    if (needed > idle_threads_) {
        threads_.emplace_back([this] { work(); });
        ++idle_threads_; // until it takes something
        return false;
    }
    return needed > (stand_in_ == std::this_thread::get_id() ? 1U : 0U);
}

void ExecutorPool::offer_lead() {
    {
        const std::lock_guard lock(mutex_);
        if (!may_stand_in() || idle_threads_ == 0 || lead_offered_) {
            return;
        }
        lead_offered_ = true;
    }
    wanted_.notify_one();
}

bool ExecutorPool::may_stand_in() const {
    return config_.stands_in && !stopping_ && !stand_in_ && running_.empty();
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
    interrupt(task);
    return false;
}

void ExecutorPool::interrupt(TaskId task) {
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        if (const auto place = running_.find(task); place != running_.end()) {
            notify = wake(place->second);
        }
    }
    if (notify) {
        wanted_.notify_one();
    }
}

void ExecutorPool::resume(TaskId task) {
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        if (const auto place = running_.find(task); place == running_.end()) {
            return;
        } else if (place->second.suspended) {
            notify = make_resumable(place->second);
        } else {
            place->second.resumed = true;
            resumed_.notify_all();
        }
    }
    if (notify) {
        wanted_.notify_one();
    }
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
    interrupt(call);
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

void ExecutorPool::thread_blocks(const detail::CurrentTask& task) {
    if (task.lends_cpus) {
        seating_.leave();
    }
    if (!is_call(task) && !task.resumed) {
        return;
    }
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        actors_running_ -= is_call(task) ? 1U : 0U;
        resumed_running_ -= task.resumed ? 1U : 0U;
        notify = need_thread();
    }
    if (notify) {
        wanted_.notify_one();
    }
}

void ExecutorPool::thread_resumes(const detail::CurrentTask& task) {
    if (task.lends_cpus) {
        seating_.come_back();
    }
    if (is_call(task) || task.resumed) {
        const std::lock_guard lock(mutex_);
        actors_running_ += is_call(task) ? 1U : 0U;
        resumed_running_ += task.resumed ? 1U : 0U;
    }
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
        sources = stop_sources();
        leave_if_stopped(lock);
    }
    resumed_.notify_all();
    for (auto& source : sources) {
        source.request_stop();
    }
    // Those that are suspended go on, to hear that what they wait for will not come.
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [id, running] : running_) {
            if (running.suspended) {
                const bool waits_for_turn = running.suspended->actor && running.resuming;
                notify = (!waits_for_turn && make_resumable(running)) || notify;
            }
        }
    }
    if (notify) {
        wanted_.notify_all();
    }
}

bool ExecutorPool::wake(Running& running) {
    if (!running.suspended || running.resuming) {
        return false;
    }
    running.resuming = true;
    if (running.suspended->current.lends_cpus) {
        client_->report(rank::TaskResuming{running.suspended->current.id});
        return false; // until its CPUs are free
    }
    return make_resumable(running);
}

bool ExecutorPool::make_resumable(Running& running) {
    const CoroutineTask& task = *running.suspended;
    running.resuming = task.actor && !mailboxes_.resume(*task.actor, task.current.id);
    if (running.resuming) {
        return false; // until it is given a turn
    }
    resumable_.push_back(std::move(running.suspended));
    return need_thread();
}

void ExecutorPool::on_answered(TaskId task, std::uint64_t wait) {
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        const auto place = running_.find(task);
        if (place == running_.end() || place->second.wait != wait) {
            return; // it was asked to stop, and did not wait any longer
        }
        place->second.answered = true;
        notify = wake(place->second);
    }
    if (notify) {
        wanted_.notify_one();
    }
}

void ExecutorPool::note_next_limit() {
    next_limit_ = limits_.empty() ? TimePoint::max() : limits_.begin()->first.first;
}

std::vector<rank::TaskTimedOut> ExecutorPool::take_overdue(TimePoint now) {
    const std::lock_guard lock(mutex_);
    std::vector<rank::TaskTimedOut> overdue;
    while (!limits_.empty() && limits_.begin()->first.first <= now) {
        overdue.push_back({limits_.begin()->first.second, limits_.begin()->second});
        limits_.erase(limits_.begin());
    }
    note_next_limit();
    return overdue;
}

std::vector<std::stop_source> ExecutorPool::stop_sources() const {
    std::vector<std::stop_source> sources;
    for (const auto& [id, running] : running_) {
        sources.push_back(running.stop_source);
    }
    return sources;
}

void ExecutorPool::hold() {
    const std::lock_guard lock(mutex_);
    queue_.hold();
}

void ExecutorPool::halt() {
    std::vector<std::stop_source> sources;
    {
        const std::lock_guard lock(mutex_);
        sources = stop_sources();
    }
    for (auto& source : sources) {
        source.request_stop(); // outside the lock: runs the tasks' own callbacks
    }
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [id, running] : running_) {
            notify = wake(running) || notify;
        }
    }
    if (notify) {
        wanted_.notify_all();
    }
}

std::size_t ExecutorPool::running_count() const {
    const std::lock_guard lock(mutex_);
    return running_.size();
}

std::optional<Duration> ExecutorPool::running_for(TaskId task) const {
    const std::lock_guard lock(mutex_);
    const auto running = running_.find(task);
    if (running == running_.end()) {
        return std::nullopt;
    }
    return std::chrono::steady_clock::now() - running->second.began;
}

rank::RunningCounted ExecutorPool::count_running(std::size_t limit) const {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    rank::RunningCounted counted;
    counted.total = running_.size();
    for (const auto& [id, running] : running_) {
        counted.oldest.push_back({id, running.function, now - running.began, running.is_call});
    }
    const auto end = counted.oldest.begin() +
                     static_cast<std::ptrdiff_t>(std::min(limit, counted.oldest.size()));
    std::partial_sort(counted.oldest.begin(),
                      end,
                      counted.oldest.end(),
                      [](const auto& a, const auto& b) { return a.age > b.age; });
    counted.oldest.erase(end, counted.oldest.end());
    return counted;
}

void ExecutorPool::leave_if_stopped(std::unique_lock<std::mutex>& lock) {
    // A turn outlives its last call: the actor must be there for it to be given back.
    if (!stopping_ || !running_.empty() || actors_running_ > 0 || !stopped_) {
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

} // namespace muster::runtime
