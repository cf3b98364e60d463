#pragma once

#include <muster/core/buffer.hpp>
#include <muster/core/communicator.hpp>

#include <vector>

namespace muster::gang {

/// The end of a gang function: every member's encoded result at member 0, an empty vector
/// elsewhere. Collective: a member that still waits for another in some other collective throws
/// Error (usage), which says who has returned.
std::vector<Buffer> gather_values(Communicator& communicator, Buffer own);

} // namespace muster::gang
