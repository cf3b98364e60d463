#include "runtime/deadline_hooks.hpp"

#include <utility>

namespace muster::runtime {

DeadlineHooks::~DeadlineHooks() {
    {
        const std::lock_guard lock(mutex_);
        exiting_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

std::uint64_t DeadlineHooks::add(std::function<void()> hook) {
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(mutex_);
        id = ++last_id_;
        hooks_.emplace(id, std::move(hook));
    }
    changed_.notify_all();
    return id;
}

void DeadlineHooks::remove(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    const bool begun = thread_.joinable();
    if (begun && std::this_thread::get_id() != thread_.get_id()) {
        // Also one whose turn has yet to come: what it saves is what the run leaves behind.
        changed_.wait(lock, [&] { return exiting_ || (running_ != id && !hooks_.contains(id)); });
        return;
    }
    if (const auto waiting = hooks_.extract(id)) {
        lock.unlock(); // its end may do anything
    }
}

void DeadlineHooks::begin(std::function<void(const std::function<void()>&)> call) {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) {
        call_ = std::move(call);
        thread_ = std::thread([this] { work(); });
    }
}

bool DeadlineHooks::busy() const {
    const std::lock_guard lock(mutex_);
    return thread_.joinable() && (running_ != 0 || !hooks_.empty());
}

void DeadlineHooks::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return exiting_ || !hooks_.empty(); });
        if (exiting_) {
            return;
        }
        auto hook = hooks_.extract(hooks_.begin());
        running_ = hook.key();
        lock.unlock();
        call_(hook.mapped());
        hook = {};
        lock.lock();
        running_ = 0;
        changed_.notify_all();
    }
}

} // namespace muster::runtime
