#pragma once

#include "program.hpp"
#include "sim.hpp"

#include <muster/base/random.hpp>

namespace muster::sim {

/// What a random program's placement groups are drawn by.
struct GroupDraws {
    FunctionId method{}; ///< Of calls; none: without actors.
    Duration task_time_max{};
    bool held = false; ///< Whoever makes the group holds what it might want: CPUs only.
};

/// Steps that make a placement group, have things run in it, and let go of it. What holds the group
/// until it is gone needs nothing that the group keeps from others: so no program waits for itself.
///
/// @param budget  Tasks that may still be planned: less by those planned here.
void add_group(Random& random,
               const SimOptions& world,
               const GroupDraws& draws,
               std::size_t& budget,
               Program& program);

} // namespace muster::sim
