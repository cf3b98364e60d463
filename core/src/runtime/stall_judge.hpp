#pragma once

#include <muster/base/clock.hpp>

#include <cstdint>

namespace muster::runtime {

/// Decides whether a thread that counts its rounds has stopped doing so. Pure: somebody else looks
/// at the count and at the clock.
///
/// Only time in which the process itself was running counts. Between two looks about `interval`
/// passes; if it was more than twice that, the process was stopped or starved, or the machine
/// froze, and this time says nothing about the thread.
class StallJudge {
public:
    StallJudge(Duration limit, Duration interval) : limit_(limit), interval_(interval) {}

    /// @param rounds   The thread's count now.
    /// @param elapsed  Since the last look.
    /// @return whether the count has not changed for `limit` of running time.
    [[nodiscard]] bool look(std::uint64_t rounds, Duration elapsed) {
        if (rounds != rounds_) {
            rounds_ = rounds;
            stalled_ = {};
        } else if (elapsed <= 2 * interval_) {
            stalled_ += elapsed;
        }
        return stalled_ >= limit_;
    }

private:
    Duration limit_;
    Duration interval_;
    Duration stalled_{};
    std::uint64_t rounds_ = 0;
};

} // namespace muster::runtime
