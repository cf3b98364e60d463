#include "sched/policy.hpp"

namespace muster::sched {

std::optional<Rank> pick_automatic(const PlacementView& view) {
    if (view.demand.cpus == Amount{}) {
        return pick_spread(view); // free CPUs say nothing about a task that takes none
    }
    for (const auto& [free, rank] : view.ranks.by_free_cpus()) {
        if (free < view.demand.cpus) {
            break;
        }
        if (can_open(view, rank)) {
            return rank;
        }
    }
    return std::nullopt;
}

} // namespace muster::sched
