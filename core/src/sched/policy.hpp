#pragma once

#include "sched/rank_table.hpp"

#include <cstdint>
#include <optional>
#include <vector>

/// Placement policies: which rank gets the next slot of a task class. One policy per file in
/// policies/; each is a pure function of the table.
namespace muster::sched {

/// Slots (tasks allowed to run at once) and granted tasks of one class on one rank, how many of
/// these wait for a future and lend their CPUs, and how many of those hold no thread meanwhile.
struct Usage {
    std::int64_t slots = 0;
    std::int64_t granted = 0;
    std::int64_t lent = 0;
    std::int64_t suspended = 0;
};

/// What a policy may look at.
struct PlacementView {
    const RankTable& ranks;
    const std::vector<Usage>& usage; ///< Of the class to be placed, by rank.
    const Resources& demand;
    Placement placement;
    std::int64_t slots_per_rank_max = 0; ///< Without those of suspended tasks.
    const std::vector<bool>& reserved;   ///< Ranks kept free for a class that goes first.
};

/// True if one more slot of the class may be opened on `rank` now.
[[nodiscard]] bool can_open(const PlacementView& view, Rank rank);

[[nodiscard]] std::optional<Rank> pick_automatic(const PlacementView& view);
[[nodiscard]] std::optional<Rank> pick_pack(const PlacementView& view);
[[nodiscard]] std::optional<Rank> pick_spread(const PlacementView& view);
[[nodiscard]] std::optional<Rank> pick_affinity(const PlacementView& view);

/// Dispatches on the view's placement.
[[nodiscard]] std::optional<Rank> pick_rank(const PlacementView& view);

/// The ranks of a gang's members, in the order of their ranks within the gang: as few nodes as
/// possible, a node's members next to one another; nothing if they do not all find room. With
/// `distinct`, each on a rank of its own. Ranks in `busy` are left out.
[[nodiscard]] std::vector<Rank> pick_gang(const PlacementView& view,
                                          std::int32_t members,
                                          bool distinct,
                                          const std::vector<bool>& busy);

/// What the policy for a placement group may look at.
struct BundleView {
    const RankTable& ranks;            ///< Where they are; what is free there does not count.
    const std::vector<Room>& room;     ///< By rank: what new bundles may take.
    const std::vector<bool>& excluded; ///< Ranks that take none.
    const std::vector<Resources>& bundles;
    Strategy strategy{};
    /// By bundle: where it lies already; none: a place is wanted.
    const std::vector<std::optional<Rank>>& placed;
};

/// A rank for each bundle, those included that lie somewhere already; nothing if they do not all
/// find room. Large bundles choose first, so it may miss a packing that is there.
[[nodiscard]] std::optional<std::vector<Rank>> pick_bundles(const BundleView& view);

/// True if the placement lets the class run on `rank` at all, were the rank idle.
[[nodiscard]] bool
eligible(const RankTable& ranks, const Resources& demand, Placement placement, Rank rank);

} // namespace muster::sched
