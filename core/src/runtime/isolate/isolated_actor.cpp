#include "runtime/isolate/isolated_actor.hpp"

#include <muster/base/log.hpp>

#include <utility>

namespace muster::runtime::isolate {
namespace {

/// What a process is sent with a constructor or a call: its arguments, and what stands in for some.
std::vector<Buffer> payloads_of(const wire::ReadyTask& task) {
    std::vector<Buffer> payloads{task.arguments};
    payloads.insert(payloads.end(), task.dependencies.begin(), task.dependencies.end());
    return payloads;
}

} // namespace

IsolatedActor::IsolatedActor(Processes& processes,
                             wire::ReadyTask constructor,
                             Bytes memory_limit,
                             Granted granted)
    : processes_(processes), constructor_(std::move(constructor)), memory_limit_(memory_limit),
      granted_(std::move(granted)) {
    if (constructor_.making) {
        replays_ = constructor_.making->replays;
        restarts_left_ = constructor_.making->restarts;
        saved_ = constructor_.making->saved;
    }
}

Session::Outcome IsolatedActor::construct(const detail::CurrentTask& current) {
    auto outcome = make(current, Session::OnStop::kill);
    keep_what_is_needed();
    return outcome;
}

// One that is not made again may have large arguments all the same.
void IsolatedActor::keep_what_is_needed() {
    if (restarts_left_ == 0) {
        constructor_.arguments = {};
        constructor_.dependencies.clear();
        constructor_.making.reset();
        saved_.reset();
        unsaved_.clear();
    }
}

Session::Outcome IsolatedActor::make(const detail::CurrentTask& current, Session::OnStop on_stop) {
    session_ = processes_.make(memory_limit_);
    std::vector<Buffer> payloads = payloads_of(constructor_);
    if (saved_) {
        payloads.push_back(*saved_);
    }
    return session_->run({Run::Job::constructor,
                          constructor_.id,
                          constructor_.function,
                          constructor_.attempt,
                          current.depth,
                          constructor_.id,
                          saved_.has_value(),
                          granted_},
                         std::move(payloads),
                         current,
                         on_stop);
}

Session::Outcome IsolatedActor::run(const wire::ReadyTask& call,
                                    const detail::CurrentTask& current) {
    return session_->run({Run::Job::call,
                          call.id,
                          call.function,
                          call.attempt,
                          current.depth,
                          constructor_.id,
                          false,
                          granted_},
                         payloads_of(call),
                         current,
                         Session::OnStop::kill_at_end);
}

// Also between two calls, when nobody watches it.
bool IsolatedActor::died() {
    return session_ == nullptr || !session_->alive() || session_->has_ended();
}

// True if it lives, or cannot be made again: then a call says why.
bool IsolatedActor::revive(const detail::CurrentTask& current) {
    const detail::CurrentTask making{constructor_.id,
                                     constructor_.function,
                                     constructor_.attempt,
                                     current.depth,
                                     current.stop_token,
                                     false,
                                     constructor_.id};
    while (died() && restarts_left_ > 0 && !current.stop_token.stop_requested()) {
        --restarts_left_;
        log::warn("actor",
                  "actor_process_replaced actor=\"{}\" restarts_left={}",
                  to_string(constructor_.id),
                  restarts_left_);
        unmade_ = make(making, Session::OnStop::kill_at_end);
        if (!unmade_.ok) {
            session_.reset();
            continue;
        }
        for (const auto& call : unsaved_) {
            if (!session_->alive()) {
                break;
            }
            (void)run(call, current); // who called it has its outcome
        }
    }
    keep_what_is_needed();
    return session_ != nullptr;
}

Session::Outcome IsolatedActor::call(const wire::ReadyTask& call,
                                     const detail::CurrentTask& current) {
    while (true) {
        if (!revive(current)) {
            return unmade_;
        }
        auto outcome = run(call, current);
        if (session_->alive()) {
            if (replays_ && restarts_left_ > 0) {
                unsaved_.push_back(call);
            }
            return outcome;
        }
        if (restarts_left_ == 0 || current.stop_token.stop_requested()) {
            return outcome;
        }
        if (!replays_) {
            auto& failure = outcome.failure.front();
            failure.kind = wire::FailureRecord::Kind::restarted;
            failure.message =
                "the actor died in this call, and is made again for the next: " + failure.message;
            return outcome;
        }
    }
}

Session::Outcome IsolatedActor::save(const detail::CurrentTask& current) {
    return session_->run({Run::Job::save,
                          current.id,
                          {},
                          current.attempt,
                          current.depth,
                          constructor_.id,
                          false,
                          granted_},
                         {Buffer()},
                         current,
                         Session::OnStop::kill_at_end);
}

void IsolatedActor::saved(Buffer state) {
    saved_ = std::move(state);
    unsaved_.clear();
    keep_what_is_needed();
}

void IsolatedActor::destroy(const detail::CurrentTask& current) {
    if (alive()) {
        (void)session_->run(
            {Run::Job::destructor, constructor_.id, {}, 1, 0, constructor_.id, false, granted_},
            {},
            current,
            Session::OnStop::kill_at_end);
    }
    session_.reset();
}

} // namespace muster::runtime::isolate
