#pragma once

#include <vector>

namespace muster::resources {

/// The same CPUs in an order in which neighbours share a core, then a package: what a rank gets of
/// them is a contiguous piece. By number where the topology is not known.
std::vector<int> ordered_by_topology(std::vector<int> cpu_ids);

} // namespace muster::resources
