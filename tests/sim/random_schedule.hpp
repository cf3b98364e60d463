#pragma once

#include "coverage.hpp"
#include "program.hpp"
#include "world.hpp"

#include <cstdint>

namespace muster::sim {

/// A random world and a random program for its driver, both made from the seed alone.
struct RandomSchedule {
    SimOptions options;
    ProgramPtr driver;
    bool ends_early = false; ///< The driver returns without waiting for its tasks.
};

[[nodiscard]] RandomSchedule random_schedule(std::uint64_t seed);

/// A smaller one in which ranks fail.
[[nodiscard]] RandomSchedule fault_schedule(std::uint64_t seed);

/// Runs one to its end and checks everything. Throws SimFailure, naming the seed.
Statistics run_schedule(std::uint64_t seed);
Statistics run_fault_schedule(std::uint64_t seed);

/// Runs it; for one that was changed.
Statistics run(RandomSchedule schedule);

} // namespace muster::sim
