#pragma once

#include "faults.hpp"
#include "world.hpp"

#include <muster/base/random.hpp>

#include <cstddef>
#include <cstdint>

namespace muster::sim {

struct WorldSize {
    std::size_t ranks_min = 1;
    std::size_t ranks_max = 12;
    double alike_chance = 0.5; ///< That all ranks have the same.
};

/// Ranks with resources, a network, and limits; without faults.
[[nodiscard]] SimOptions random_world(std::uint64_t seed, Random& random, const WorldSize& size);

/// What fails, when, and whom it meets.
[[nodiscard]] Fault random_fault(Random& random);

} // namespace muster::sim
