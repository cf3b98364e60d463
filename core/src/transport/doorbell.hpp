#pragma once

#include "transport/sleeper.hpp"

#include <muster/base/clock.hpp>

#include <atomic>
#include <cstdint>

namespace muster::transport {

/// Where one sleeper is woken: a futex word that may live in memory shared between processes.
///
/// The sleeper calls, in this order: announce(); a last look for work; wait(); rise().
/// A ringer makes its work visible first and rings second. Either the last look finds the work, or
/// the ringer finds the sleeper announced: no wake-up is lost.
///
///     awake --announce--> asleep --ring--> rung --rise--> awake
///     awake --ring--> rung                 (announce() then says no: somebody rang already)
///
/// The word says who sleeps, so that the right thread is woken: one that was relieved in its sleep
/// (rise() by another, which then announces itself) stays asleep until call()ed or announced again.
///
/// Zero bytes are a valid Doorbell in state awake, so fresh shared memory needs no construction.
class Doorbell {
public:
    /// Sleeper: says that `who` is about to sleep, or is to be woken if it sleeps already. False if
    /// there was a ring since the last rise(): it is used up, and the caller must look for work
    /// instead of waiting.
    [[nodiscard]] bool announce(Sleeper who = Sleeper::host) noexcept;

    /// Sleeper, after announce(): blocks until rung or `deadline`; may return early for no reason.
    void wait(TimePoint deadline, Sleeper who = Sleeper::host) noexcept;

    /// Sleeper, or who relieves it: is awake. Returns whether it was rung.
    bool rise() noexcept;

    /// Rings, and keeps ringing until the next rise() if nobody sleeps now. Any thread or process;
    /// async-signal-safe; one atomic exchange when nobody sleeps.
    void ring() noexcept;

    /// Rings only if the sleeper has announced itself: a load when it is awake, for those whose
    /// work an awake sleeper finds by itself. The caller orders its work before this load, by a
    /// mutex that the last look takes too, or by a sequentially consistent fence.
    void ring_if_asleep() noexcept;

    /// Rings for `who`, whoever is announced: also one that was relieved in its sleep.
    void call(Sleeper who) noexcept;

private:
    static constexpr std::uint32_t awake = 0;
    static constexpr std::uint32_t rung = 1;
    static constexpr std::uint32_t first_asleep = 2;

    static constexpr std::uint32_t asleep(Sleeper who) {
        return first_asleep + static_cast<std::uint32_t>(who);
    }

    void wake(std::uint32_t sleeper) noexcept;

    std::atomic<std::uint32_t> state_{awake};
    static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
};

} // namespace muster::transport
