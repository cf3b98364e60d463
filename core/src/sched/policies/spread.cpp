#include "sched/policy.hpp"

namespace muster::sched {

std::optional<Rank> pick_spread(const PlacementView& view) {
    std::optional<Rank> best;
    std::int64_t best_slots = 0;
    for (std::int32_t i = 0; i < view.ranks.size(); ++i) {
        const std::int64_t slots = view.usage[static_cast<std::size_t>(i)].slots;
        if ((!best || slots < best_slots) && can_open(view, Rank{i})) {
            best = Rank{i};
            best_slots = slots;
        }
    }
    return best;
}

} // namespace muster::sched
