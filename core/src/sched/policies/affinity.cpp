#include "sched/policy.hpp"

namespace muster::sched {

std::optional<Rank> pick_affinity(const PlacementView& view) {
    if (view.placement.kind == Placement::Kind::on_rank) {
        const Rank rank{view.placement.target};
        return can_open(view, rank) ? std::optional{rank} : std::nullopt;
    }
    std::optional<Rank> best;
    for (std::int32_t i = 0; i < view.ranks.size(); ++i) {
        const Rank rank{i};
        if (index(view.ranks.at(rank).node) == view.placement.target && can_open(view, rank) &&
            (!best || view.ranks.at(rank).free.cpus > view.ranks.at(*best).free.cpus)) {
            best = rank;
        }
    }
    return best;
}

} // namespace muster::sched
