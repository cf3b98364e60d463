#pragma once

#include "transport/contract.hpp"

#include <cstdint>
#include <string>

namespace muster::transport::contract {

/// Runs a body on `size` threads joined by the local transport. Returns what went wrong, a line
/// each; empty if all is well.
std::string run_on_threads(const Body& body, std::int32_t size);

} // namespace muster::transport::contract
