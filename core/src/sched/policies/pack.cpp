#include "sched/policy.hpp"

#include <tuple>

namespace muster::sched {

// Fullest first: the rank with the least free CPUs that still fits, on a node already in use if
// there is one.
std::optional<Rank> pick_pack(const PlacementView& view) {
    std::vector<bool> node_used;
    for (std::int32_t i = 0; i < view.ranks.size(); ++i) {
        const auto& entry = view.ranks.at(Rank{i});
        if (!entry.present) {
            continue;
        }
        const auto node = static_cast<std::size_t>(index(entry.node));
        if (node >= node_used.size()) {
            node_used.resize(node + 1);
        }
        node_used[node] = node_used[node] || entry.free != entry.capacity;
    }
    std::optional<Rank> best;
    std::tuple<bool, Amount> best_key;
    for (std::int32_t i = 0; i < view.ranks.size(); ++i) {
        if (!can_open(view, Rank{i})) {
            continue;
        }
        const auto& entry = view.ranks.at(Rank{i});
        const std::tuple<bool, Amount> key{!node_used[static_cast<std::size_t>(index(entry.node))],
                                           entry.free.cpus};
        if (!best || key < best_key) {
            best = Rank{i};
            best_key = key;
        }
    }
    return best;
}

} // namespace muster::sched
