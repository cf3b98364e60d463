#pragma once

#include <chrono>

namespace muster {

/// Time since an arbitrary start, monotonic: what state machines are given instead of a clock.
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

} // namespace muster
