#pragma once

#include "wire/actions.hpp"

#include <chrono>
#include <optional>

namespace muster::rank {

/// Compares this rank's clock with the driver's rank's, so that traces of several nodes can be laid
/// on one clock.
///
///     this rank      -> driver's rank   ClockAsked (when, by this clock)
///     driver's rank  -> this rank       ClockTold  (the same, and when it came by that clock)
///
/// Some questions follow one another, and the one with the shortest way there and back counts: its
/// answer is right within half of that. Again every now and then, since clocks drift apart.
///
/// Pure: no MPI, threads, clock or randomness. Time comes by advance(), before other facts.
class ClockProbe {
public:
    struct Config {
        bool enabled = false;
        Rank driver{};
    };

    static constexpr int questions = 12; ///< That follow one another.
    static constexpr Duration first_interval = std::chrono::seconds{2};
    static constexpr Duration interval = std::chrono::seconds{20};

    explicit ClockProbe(const Config& config) : config_(config) {}

    void advance(TimePoint now, wire::Actions& actions) {
        now_ = now;
        if (!config_.enabled || (next_ && now < *next_)) {
            return;
        }
        next_ = now + (rounds_++ == 0 ? first_interval : interval);
        asked_ = 0;
        best_.reset();
        ask(actions);
    }

    /// `message` answers a question of before advance().
    void on_told(const wire::ClockTold& message, wire::Actions& actions) {
        if (message.sent != sent_) {
            return; // of a round that was given up
        }
        const std::int64_t now = now_.time_since_epoch().count();
        const Duration round_trip{now - message.sent};
        const Duration offset{message.here - (message.sent + (now - message.sent) / 2)};
        if (!best_ || round_trip < best_->round_trip) {
            best_ = wire::NoteClock{now_, offset, round_trip};
        }
        if (asked_ < questions) {
            ask(actions);
        } else {
            sent_ = 0;
            actions.push_back(*best_);
        }
    }

    [[nodiscard]] std::optional<TimePoint> next_timer() const {
        return config_.enabled ? next_ : std::nullopt;
    }

private:
    void ask(wire::Actions& actions) {
        ++asked_;
        sent_ = now_.time_since_epoch().count();
        actions.push_back(wire::SendMessage{config_.driver, wire::ClockAsked{sent_}});
    }

    Config config_;
    TimePoint now_{};
    std::optional<TimePoint> next_;
    int rounds_ = 0;
    int asked_ = 0;
    std::int64_t sent_ = 0;
    std::optional<wire::NoteClock> best_;
};

} // namespace muster::rank
