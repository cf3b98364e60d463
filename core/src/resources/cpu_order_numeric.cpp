#include "resources/cpu_order.hpp"

#include <algorithm>

namespace muster::resources {

std::vector<int> ordered_by_topology(std::vector<int> cpu_ids) {
    std::ranges::sort(cpu_ids);
    return cpu_ids;
}

} // namespace muster::resources
