#include "ending/ending.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>

namespace muster::ending {

using wire::EndCause;

void Ending::tell_all(const wire::Message& message, wire::Actions& actions) const {
    for (std::int32_t rank = 0; rank < config_.world_size; ++rank) {
        actions.push_back(wire::SendMessage{Rank{rank}, message});
    }
}

void Ending::want(EndCause cause, Duration left, wire::Actions& actions) {
    if (phase_ == Phase::ended) {
        return;
    }
    // Whatever the driver's rank makes of it.
    end_ = std::min(end_.value_or(TimePoint::max()), now_ + left + slack());
    if (phase_ == Phase::running) {
        cause_ = cause;
    }
    actions.push_back(wire::SendMessage{config_.driver, wire::EndWanted{cause, left}});
}

void Ending::on_wanted(const wire::EndWanted& message, wire::Actions& actions) {
    MUSTER_ASSERT(config_.self == config_.driver);
    begin(message.cause, now_ + message.left, actions);
}

void Ending::begin(EndCause cause, TimePoint end, wire::Actions& actions) {
    // One that is told to all ranks is reported by each: the later ones change nothing.
    const bool is_first = !decided_end_;
    const bool interrupts = cause == EndCause::interrupted && cause_ != cause;
    if (!is_first && !interrupts && end >= *decided_end_) {
        return;
    }
    if (is_first) {
        for (std::int32_t rank = 0; rank < config_.world_size; ++rank) {
            if (!lost_.contains(Rank{rank})) {
                busy_.insert(Rank{rank});
            }
        }
    }
    if (is_first || interrupts) {
        cause_ = cause;
    }
    decided_end_ = is_first ? end : std::min(*decided_end_, end);
    const Duration left = *decided_end_ - now_;
    const bool at_once = cause_ == EndCause::interrupted || left < short_time;
    const TimePoint halt_at = at_once ? now_ : now_ + left * 2 / 3;
    halt_at_ = is_first ? halt_at : std::min(halt_at_, halt_at);
    tell_all(wire::Drain{cause_, left}, actions);
    if (halt_at_ <= now_) {
        halt(actions);
    }
}

void Ending::halt(wire::Actions& actions) {
    if (!halted_) {
        halted_ = true;
        tell_all(wire::Halt{}, actions);
    }
}

void Ending::on_drain(const wire::Drain& message, wire::Actions& actions) {
    if (phase_ == Phase::ended) {
        return;
    }
    const bool begins = phase_ == Phase::running;
    cause_ = message.cause;
    end_ = std::min(end_.value_or(TimePoint::max()), now_ + message.left + slack());
    if (begins) {
        phase_ = Phase::draining;
        actions.push_back(wire::HoldTasks{});
    }
    actions.push_back(wire::BeginDrain{cause_, *end_ - slack()});
}

void Ending::on_halt(wire::Actions& actions) {
    if (phase_ == Phase::draining) {
        phase_ = Phase::halting;
        actions.push_back(wire::HaltTasks{});
    }
}

void Ending::set_busy(bool busy, wire::Actions& actions) {
    if (phase_ != Phase::draining || said_busy_ == busy) {
        return;
    }
    said_busy_ = busy;
    actions.push_back(wire::SendMessage{config_.driver, wire::Activity{busy}});
}

void Ending::on_activity(Rank from, const wire::Activity& message) {
    if (message.busy && !lost_.contains(from)) {
        busy_.insert(from);
        quiet_since_.reset();
    } else {
        rest(from);
    }
}

void Ending::forget(Rank rank) {
    lost_.insert(rank);
    rest(rank);
}

void Ending::rest(Rank rank) {
    busy_.erase(rank);
    if (decided_end_ && busy_.empty() && !quiet_since_) {
        quiet_since_ = now_;
    }
}

void Ending::advance(TimePoint now, wire::Actions& actions) {
    now_ = now;
    if (config_.self == config_.driver) {
        if (config_.limit && !decided_end_ && now >= *config_.limit - config_.lead) {
            begin(EndCause::time_limit, *config_.limit, actions);
        }
        if (decided_end_ &&
            (now >= halt_at_ || (quiet_since_ && now >= *quiet_since_ + config_.quiet_time))) {
            halt(actions);
        }
    }
    if (end_ && now >= *end_ && phase_ != Phase::ended) {
        const std::int32_t code =
            cause_ == EndCause::interrupted ? exit_interrupted : exit_try_again;
        phase_ = Phase::ended;
        actions.push_back(wire::EndProcess{code, {busy_.begin(), busy_.end()}});
    }
}

std::optional<TimePoint> Ending::next_timer() const {
    if (phase_ == Phase::ended) {
        return std::nullopt;
    }
    std::optional<TimePoint> next = end_;
    const auto consider = [&](TimePoint time) { next = std::min(next.value_or(time), time); };
    if (config_.limit && !decided_end_ && config_.self == config_.driver) {
        consider(*config_.limit - config_.lead);
    }
    if (decided_end_ && !halted_) {
        consider(halt_at_);
        if (quiet_since_) {
            consider(*quiet_since_ + config_.quiet_time);
        }
    }
    return next;
}

std::int32_t Ending::exit_code(std::int32_t driver_code) const {
    if (phase_ == Phase::running) {
        return driver_code;
    }
    return cause_ == EndCause::interrupted ? exit_interrupted : exit_try_again;
}

} // namespace muster::ending
