#pragma once

#include "transport/contract.hpp"

#include <cstdint>
#include <string>

namespace muster::transport::contract {

/// Runs a body on `size` ranks that take turns on this thread, joined by the simulator's network
/// with delays drawn from `seed`. Returns what went wrong, a line each; empty if all is well.
std::string run_in_simulation(const Body& body, std::int32_t size, std::uint64_t seed);

} // namespace muster::transport::contract
