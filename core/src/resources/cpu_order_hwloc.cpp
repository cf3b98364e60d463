#include "resources/cpu_order.hpp"

#include <hwloc.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

namespace muster::resources {
namespace {

using Topology = std::unique_ptr<hwloc_topology, decltype(&hwloc_topology_destroy)>;

/// Position of each CPU in hwloc's logical order: package by package, core by core. Empty if the
/// topology cannot be read.
std::map<int, unsigned> logical_positions() {
    hwloc_topology_t raw = nullptr;
    if (hwloc_topology_init(&raw) != 0) {
        return {};
    }
    const Topology topology(raw, &hwloc_topology_destroy);
    if (hwloc_topology_load(topology.get()) != 0) {
        return {};
    }
    std::map<int, unsigned> positions;
    for (hwloc_obj_t unit = nullptr;
         (unit = hwloc_get_next_obj_by_type(topology.get(), HWLOC_OBJ_PU, unit)) != nullptr;) {
        positions.emplace(static_cast<int>(unit->os_index), unit->logical_index);
    }
    return positions;
}

} // namespace

std::vector<int> ordered_by_topology(std::vector<int> cpu_ids) {
    const auto positions = logical_positions();
    const auto key = [&](int id) {
        const auto place = positions.find(id);
        return std::pair(place == positions.end() ? ~0U : place->second, id);
    };
    std::ranges::sort(cpu_ids, {}, key);
    return cpu_ids;
}

} // namespace muster::resources
