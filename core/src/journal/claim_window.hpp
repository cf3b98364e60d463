#pragma once

#include <muster/base/clock.hpp>

#include <cstdint>
#include <optional>

namespace muster::journal {

/// How many keys a job has claimed ahead of what is done: as many as keep it busy for about a tenth
/// of a second, so that other jobs find work to share, and claims cost nothing beside it.
///
/// The window doubles when the job comes back for more soon, and halves when it was long in coming.
///
/// Pure: no files, threads, clock or randomness.
class ClaimWindow {
public:
    /// How many jobs run at once: it never claims fewer than twice as many.
    void set_slots(std::uint64_t slots);

    /// @param running  Keys claimed and not done.
    /// @return how many more to claim now; 0 while half the window is still to be done.
    std::uint64_t room(TimePoint now, std::uint64_t running);

private:
    static constexpr std::uint64_t window_max = std::uint64_t{1} << 17;
    static constexpr Duration soon = std::chrono::milliseconds{50};
    static constexpr Duration late = std::chrono::milliseconds{500};

    std::uint64_t window_min_ = 2;
    std::uint64_t window_ = 2;
    std::optional<TimePoint> claimed_;
};

} // namespace muster::journal
