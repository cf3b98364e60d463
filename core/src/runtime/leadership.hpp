#pragma once

#include "transport/transport.hpp"

#include <muster/base/clock.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>

namespace muster::runtime {

using transport::Sleeper;

/// What is driven: a rank's progress loop, round by round. Calls come from the leading thread only.
class Driven {
public:
    Driven() = default;
    Driven(const Driven&) = delete;
    Driven& operator=(const Driven&) = delete;
    virtual ~Driven() = default;

    /// Takes what came, and carries out what follows from it; a guest leaves undone what only the
    /// host may do. @return whether anything happened.
    virtual bool round(Sleeper leader) = 0;

    /// The host found nothing to do.
    /// @param quiet  For how long nothing has happened.
    virtual void at_rest(TimePoint now, Duration quiet) = 0;

    /// Orders are left that another round would carry out.
    [[nodiscard]] virtual bool orders_left() const = 0;

    /// The next thing to do is the host's.
    [[nodiscard]] virtual bool needs_host() const = 0;

    /// When a round has something to do though nothing comes: nobody sleeps for longer.
    [[nodiscard]] virtual TimePoint next_due() const { return TimePoint::max(); }

    /// Nothing is ever to be done again.
    [[nodiscard]] virtual bool finished() const = 0;

    /// The environment failed: ends the process, with a sentence.
    [[noreturn]] virtual void give_up(const std::exception& error) = 0;
};

/// Which thread drives a rank: leader and followers.
///
/// The progress thread is the *host* of its rank: it leads whenever nobody else does. A thread that
/// waits for something only the progress of the rank can bring leads in its place, as a *guest*:
/// the answer then finds the thread that wants it awake, without a hand-over between threads.
///
/// A guest relieves the host only in its sleep, and without waking it; a host that would idle goes
/// to sleep at once when a guest wishes to lead. Under load the host never sleeps, and nobody
/// interferes. A guest that is done leaves the host asleep if there is nothing to do.
///
/// An idle executor leads for as long as nothing is to be done, as a *stand-in*: a task that comes
/// then finds the thread that will run it awake. The host sleeps on beside it.
///
///     host_leads --(goes to sleep)--> host_sleeps --(rung, or time over)--> host_leads
///     host_sleeps --(guest)--> guest_leads --(guest done)--> host_sleeps
///     guest_leads --(host's sleep ends)--> host_waits --(guest done)--> host_leads
///     host_sleeps --(stand-in)--> stand_in_leads --(stand-in done)--> host_sleeps
///
/// Invariants:
///   1. One thread leads, or the host sleeps. Only the leader touches the driven loop and the
///      transport (but for wake(), call() and the host's sleep()).
///   2. In host_sleeps the doorbell is announced for the host, after a last look for work, or rung
///      since: no wake-up is lost. In guest_leads and stand_in_leads it is the guest's.
///   3. What one leader wrote, the next one sees: each change of leader is an atomic operation on
///      the state, by one after the other.
///   4. Once the loop is finished the host leads for ever: no guest touches what may be gone.
///
/// It outlives the loop and its transport: guests look at it, and see that the host leads.
class Leadership {
public:
    using Clock = std::chrono::steady_clock;

    /// @param sleep_time_max  Every sleep is bounded: a doorbell is only a hint.
    explicit Leadership(Duration sleep_time_max = std::chrono::milliseconds{50})
        : sleep_time_max_(sleep_time_max) {}

    Leadership(const Leadership&) = delete;
    Leadership& operator=(const Leadership&) = delete;

    /// Once, before any other call.
    void attach(Driven& driven, transport::Transport& transport);

    /// The host's whole life: returns when the loop is finished. Throws what rounds throw.
    void host();

    /// Any thread that wants an event taken which it has posted: drives one round on the spot if
    /// the host sleeps. False if it did not, and the host is to be woken.
    bool drive_once();

    /// The same, but false as well if driving here would take work from a host that had better do
    /// it beside this thread: unless the rank was quiet for a while, or this thread probably does
    /// nothing but submit and wait.
    bool drive_if_quiet();

    /// Any thread that waits for `done`: leads as soon as the host sleeps, until `done` says true.
    /// Gives up after a while in which the host was busy.
    ///
    /// @param done      Called by the calling thread, while nobody or itself leads; may post
    /// events,
    ///                  setting `unheard`.
    /// @param deadline  No longer than until then.
    /// @param unheard   Events were posted for which nobody was woken: a round here takes them, or
    ///                  the leader is woken. May be left true.
    /// @return whether `done` said true.
    bool drive_until(const std::function<bool()>& done,
                     std::optional<TimePoint> deadline,
                     bool& unheard);

    /// An executor that has nothing to do: leads until `wanted` says true, or a guest wishes to
    /// lead. One thread at a time.
    ///
    /// @param wanted    As `done` of drive_until().
    /// @param patience  How long to try while the host does not sleep.
    /// @param unheard   As with drive_until(); if it is left true, the leader is to be woken.
    void stand_in(const std::function<bool()>& wanted, Duration patience, bool& unheard);

private:
    enum class State : std::uint32_t {
        host_leads = 0,
        host_sleeps = 1,
        guest_leads = 2,    ///< And the host is in its sleep.
        host_waits = 3,     ///< A guest leads. The host's sleep is over: it waits for its turn.
        stand_in_leads = 4, ///< And the host sleeps on, though its time be over.
    };

    /// A guest's turn.
    class Turn;

    /// Leads, as `leader`, if the host sleeps.
    bool take(State leader);
    void hand_back();
    bool lead(const std::function<bool()>& done, std::optional<TimePoint> deadline, bool& unheard);
    bool guest_round();
    [[nodiscard]] std::optional<TimePoint> prepare_sleep(Sleeper who, TimePoint deadline);
    [[nodiscard]] TimePoint sleep_end(TimePoint now) const;
    void sleep_as_host(TimePoint now);
    void rise();
    void note_event();

    Duration sleep_time_max_;
    Driven* driven_ = nullptr;
    transport::Transport* transport_ = nullptr;

    std::atomic<State> state_{State::host_leads};
    std::atomic<std::uint32_t> wishes_{0}; ///< Threads that would lead now.
    std::atomic<bool> waited_{true};       ///< Somebody led to an answer since the last drive_once.
    std::atomic<Clock::rep> last_event_{0};
    TimePoint busy_until_{};        ///< The leader's: it does not sleep before.
    TimePoint host_sleeps_until_{}; ///< The leader's: a guest may have set an earlier timer.
};

} // namespace muster::runtime
