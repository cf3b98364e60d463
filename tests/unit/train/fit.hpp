#pragma once

#include <muster/core/communicator.hpp>

#include <array>
#include <cstdint>
#include <vector>

/// Observations: two inputs and what came of them.
struct Observation {
    double x = 0;
    double y = 0;
    double z = 0;
};

/// z = slope[0] * x + slope[1] * y + offset
struct Plane {
    std::array<double, 2> slope = {};
    std::array<double, 1> offset = {};
};

/// Fits a plane by so many steps of stochastic gradient descent, on all members of a gang.
Plane fit(muster::Communicator& ranks,
          const std::vector<Observation>& observations,
          std::uint64_t batch_size,
          std::uint64_t steps);
