#pragma once

#include <muster/core/communicator.hpp>

#include <string>
#include <vector>

namespace muster::train {

/// Compares lists that are to be the same on all members. Collective.
/// @param items  "parameter 'conv1.weight', float32 [8, 1, 3, 3]", of this member's module.
/// @throws UsageError on all members, naming the first item that differs from member 0's, what the
///         first member that differs has instead, and all those members.
void compare_members(Communicator& communicator, const std::vector<std::string>& items);

} // namespace muster::train
