#include "runtime/isolate/processes.hpp"

#include <muster/base/error.hpp>

#include <algorithm>
#include <utility>

namespace muster::runtime::isolate {

Processes::Processes(const Config& config, const FunctionTable& functions)
    : config_(config), functions_(functions) {
}

Processes::~Processes() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    if (ender_.joinable()) {
        ender_.join();
    }
}

std::unique_ptr<Session> Processes::make(Bytes memory_limit) {
    if (config_.zygote == nullptr) {
        throw Error("no isolated process can be made: this rank's process could not fork the "
                    "helper that makes them (see the warning at the start)");
    }
    auto process = config_.zygote->host(memory_limit).value_or_throw();
    auto error = error_relay_.add(process.take_error());
    if (error == nullptr) {
        throw Error("no isolated process can be made: no file descriptor is left (ulimit -n)");
    }
    return std::make_unique<Session>(
        config_.session, std::move(process), std::move(error), functions_, *client_);
}

std::unique_ptr<Session> Processes::take(const Kind& kind) {
    while (true) {
        std::unique_ptr<Session> session;
        {
            const std::lock_guard lock(mutex_);
            // The last used one: its memory is the likeliest to be in caches.
            const auto place = std::find_if(
                idle_.rbegin(), idle_.rend(), [&](const Idle& idle) { return idle.kind == kind; });
            if (place != idle_.rend()) {
                session = std::move(place->session);
                idle_.erase(std::next(place).base());
            }
        }
        if (session == nullptr) {
            return make(kind.memory_limit);
        }
        if (session->reusable()) { // else it was ended while it was idle
            return session;
        }
    }
}

void Processes::give_back(const Kind& kind, std::unique_ptr<Session> session) {
    if (!session->reusable()) {
        return;
    }
    std::unique_ptr<Session> surplus; // ended without the lock
    const std::lock_guard lock(mutex_);
    if (ending_) {
        surplus = std::move(session);
        return;
    }
    idle_.push_back({kind, Clock::now(), std::move(session)});
    if (idle_.size() > config_.idle_max) {
        surplus = std::move(idle_.front().session);
        idle_.pop_front();
    }
    if (!ender_.joinable()) {
        ender_ = std::thread([this] { end_idle(); });
    } else if (idle_.size() == 1) {
        changed_.notify_all();
    }
}

void Processes::end_idle() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        if (idle_.empty()) {
            changed_.wait(lock);
            continue;
        }
        const auto due = idle_.front().since + config_.idle_time;
        if (Clock::now() < due) {
            changed_.wait_until(lock, due);
            continue;
        }
        auto session = std::move(idle_.front().session);
        idle_.pop_front();
        lock.unlock();
        session.reset();
        lock.lock();
    }
}

} // namespace muster::runtime::isolate
