#pragma once

#include <muster/base/clock.hpp>
#include <muster/base/random.hpp>

#include <cstddef>
#include <cstdint>

namespace muster::sim {

inline Duration log_uniform(Random& random, Duration low, Duration high) {
    return Duration{static_cast<std::int64_t>(
        random.log_uniform(static_cast<double>(low.count()), static_cast<double>(high.count())))};
}

/// From `low` to `high`, both included.
inline std::size_t log_uniform_count(Random& random, std::size_t low, std::size_t high) {
    return static_cast<std::size_t>(
        random.log_uniform(static_cast<double>(low), static_cast<double>(high) + 0.999));
}

} // namespace muster::sim
