#pragma once

#include "wire/actions.hpp"

#include <cstdint>
#include <optional>
#include <set>

namespace muster::ending {

/// Exit codes of a run that ended before its driver did.
inline constexpr std::int32_t exit_try_again = 75;    ///< EX_TEMPFAIL of <sysexits.h>: requeue it.
inline constexpr std::int32_t exit_interrupted = 130; ///< 128 + SIGINT, as shells have it.

/// How a run ends before its driver returns: at a signal, or when its time is nearly up.
///
///   running   nothing has been said.
///   draining  no task starts any more; what runs may finish. Hooks run.
///   halting   what has not started fails, what runs is asked to stop. So whoever waits gets an
///             answer, and the driver can save what it has and return.
///   ended     the time is over: the process ends as it is.
///
/// A rank that gets a signal tells the driver's (EndWanted). That one decides, and tells all
/// (Drain, later Halt). The run halts when a third of its time is left, or at once if that is
/// short, or as soon as nothing gets on anywhere: every rank says whether anything does (Activity),
/// and when none has for a while, waiting on would be in vain. Meanwhile the driver may return at
/// any time.
///
/// Every rank knows when its time is over by itself, so it ends even if the driver's rank is gone.
///
/// An interrupt (Ctrl-C) halts at once, also a run that drains.
///
/// Pure: no MPI, threads, clock or randomness. Time comes by advance(), before other facts.
class Ending {
public:
    enum class Phase : std::uint8_t { running, draining, halting, ended };

    struct Config {
        Rank self{};
        std::int32_t world_size = 1;
        Rank driver{};
        std::optional<TimePoint> limit{}; ///< When the run's time is over, if that is known.
        Duration lead{};                  ///< How long before that it begins to drain.
        /// How long nothing must have got on before a draining run halts early: longer than a
        /// result takes to whoever waits for it.
        Duration quiet_time = std::chrono::milliseconds{250};
    };

    /// With less time left than this a run does not drain first.
    static constexpr Duration short_time = std::chrono::seconds{3};

    /// Other ranks end by so much later than the driver's, which says what did not stop.
    static constexpr Duration others_later = std::chrono::milliseconds{500};

    explicit Ending(const Config& config) : config_(config) {}

    /// This rank was told to end within `left`.
    void want(wire::EndCause cause, Duration left, wire::Actions& actions);

    void on_wanted(const wire::EndWanted& message, wire::Actions& actions);
    void on_drain(const wire::Drain& message, wire::Actions& actions);
    void on_halt(wire::Actions& actions);

    /// While the run drains: whether anything gets on here.
    void set_busy(bool busy, wire::Actions& actions);
    void on_activity(Rank from, const wire::Activity& message);

    /// A rank is gone: nothing gets on there.
    void forget(Rank rank);

    void advance(TimePoint now, wire::Actions& actions);

    /// When advance() has something to do next.
    [[nodiscard]] std::optional<TimePoint> next_timer() const;

    [[nodiscard]] Phase phase() const { return phase_; }

    /// What the run exits with, if its driver returns `driver_code` now.
    [[nodiscard]] std::int32_t exit_code(std::int32_t driver_code) const;

    [[nodiscard]] wire::EndCause cause() const { return cause_; }

private:
    void tell_all(const wire::Message& message, wire::Actions& actions) const;
    void begin(wire::EndCause cause, TimePoint end, wire::Actions& actions);
    void halt(wire::Actions& actions);
    void rest(Rank rank);

    [[nodiscard]] Duration slack() const {
        return config_.self == config_.driver ? Duration{} : others_later;
    }

    Config config_;
    TimePoint now_{};
    Phase phase_ = Phase::running;
    wire::EndCause cause_{};
    std::optional<TimePoint> end_; ///< Of this process.
    bool said_busy_ = true;        ///< What this rank last said of itself.

    // On the driver's rank:
    std::optional<TimePoint> decided_end_;
    bool halted_ = false;
    TimePoint halt_at_{};
    std::set<Rank> lost_;
    std::set<Rank> busy_;                  ///< Ranks where something gets on, as far as is known.
    std::optional<TimePoint> quiet_since_; ///< None is busy.
};

} // namespace muster::ending
