#include "sched/policy.hpp"

#include <algorithm>

namespace muster::sched {

bool can_open(const PlacementView& view, Rank rank) {
    const auto i = static_cast<std::size_t>(index(rank));
    if (index(rank) < 0 || index(rank) >= view.ranks.size() || view.reserved[i]) {
        return false;
    }
    const auto& entry = view.ranks.at(rank);
    return entry.present &&
           view.usage[i].slots - view.usage[i].suspended < view.slots_per_rank_max &&
           entry.has_room(view.demand);
}

std::optional<Rank> pick_rank(const PlacementView& view) {
    // While a large batch runs, no rank has a CPU free most of the time.
    if (view.demand.cpus > std::max(view.ranks.by_free_cpus().most(), Amount{})) {
        return std::nullopt;
    }
    switch (view.placement.kind) {
    case Placement::Kind::automatic:
        return pick_automatic(view);
    case Placement::Kind::pack:
        return pick_pack(view);
    case Placement::Kind::spread:
        return pick_spread(view);
    case Placement::Kind::on_rank:
    case Placement::Kind::on_node:
        return pick_affinity(view);
    case Placement::Kind::in_group:
        break; // in bundles, not on ranks
    }
    return std::nullopt;
}

bool eligible(const RankTable& ranks, const Resources& demand, Placement placement, Rank rank) {
    if (index(rank) < 0 || index(rank) >= ranks.size()) {
        return false;
    }
    const auto& entry = ranks.at(rank);
    if (!entry.present || !fits(demand, entry.capacity)) {
        return false;
    }
    switch (placement.kind) {
    case Placement::Kind::on_rank:
        return index(rank) == placement.target;
    case Placement::Kind::on_node:
        return index(entry.node) == placement.target;
    default:
        return true;
    }
}

} // namespace muster::sched
