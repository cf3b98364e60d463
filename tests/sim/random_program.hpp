#pragma once

#include "program.hpp"
#include "world.hpp"

#include <muster/base/random.hpp>

#include <cstddef>

namespace muster::sim {

/// For the driver of such a world.
/// @param tasks_max  About so many tasks it plans at most.
/// @param waits      It ends only when its tasks have.
[[nodiscard]] ProgramPtr
random_program(Random& random, const SimOptions& world, std::size_t tasks_max, bool waits);

} // namespace muster::sim
