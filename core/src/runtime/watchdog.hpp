#pragma once

#include <muster/base/clock.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

namespace muster::runtime {

/// A thread that notices that another one no longer makes rounds.
///
/// An MPI library can deadlock inside a call when a peer dies in the middle of a transfer. A rank
/// whose progress thread does not come back is silent for ever: better that it ends, so that the
/// others see one dead rank. See StallJudge for which time counts.
class Watchdog {
public:
    /// @param rounds    What the watched thread increments; must outlive the watchdog.
    /// @param on_stall  Called once, on the watchdog's thread, after `limit` without a round.
    Watchdog(const std::atomic<std::uint64_t>& rounds,
             Duration limit,
             std::function<void()> on_stall);

    /// Ends the watch: from then on the watched thread may wait for as long as it likes. Any
    /// thread, except from on_stall.
    void stop();

private:
    std::jthread thread_;
};

} // namespace muster::runtime
