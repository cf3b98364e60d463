#pragma once

#include "transport/contract.hpp"
#include "transport/mpi.hpp"

#include <string>
#include <vector>

namespace muster::transport::contract {

/// Runs bodies one after another on this MPI rank. Returns what went wrong here.
std::vector<std::string> run_on_ranks(MpiTransport& transport, const std::vector<Body>& bodies);

/// Prints failures; the exit code for main().
int report(const MpiTransport& transport, const std::vector<std::string>& failures);

} // namespace muster::transport::contract
