#pragma once

#include <muster/base/amount.hpp>
#include <muster/base/ids.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {

/// Amounts of every kind of resource: a task's demand, a rank's capacity, what is free of it.
/// `memory` counts bytes. `custom` is sorted by name, each name once.
struct Resources {
    Amount cpus;
    Amount gpus;
    Amount memory;
    std::vector<std::pair<std::string, Amount>> custom;

    friend auto operator<=>(const Resources&, const Resources&) = default;
    friend bool operator==(const Resources&, const Resources&) = default;
};

/// True if `demand` can be taken out of `available` and nothing falls below zero. Kinds that are
/// not demanded do not matter, so a rank that is short of CPUs may still serve a demand of none.
[[nodiscard]] bool fits(const Resources& demand, const Resources& available);

/// How many times `demand` fits into `available`, at most `limit`.
[[nodiscard]] std::int64_t
times_fitting(const Resources& demand, const Resources& available, std::int64_t limit);

void add(Resources& to, const Resources& what, std::int64_t times = 1);
void subtract(Resources& from, const Resources& what, std::int64_t times = 1);

/// "2 cpus, 1 gpu, 4 GiB memory, 3 license"; "nothing" if all is zero.
std::string to_string(const Resources& resources);

/// How the bundles of a placement group lie: each on one rank, and the ranks on which nodes.
enum class Strategy : std::uint8_t {
    pack,          ///< On as few nodes as there is room for.
    spread,        ///< On as many nodes as there is room for, and there on as many ranks.
    strict_pack,   ///< All on one node.
    strict_spread, ///< Each on a node of its own.
};

/// "strict_pack", and so on.
const char* to_string(Strategy strategy);

/// Where a task may run, and which of the ranks that fit it prefers.
struct Placement {
    enum class Kind : std::uint8_t {
        automatic, ///< The rank with the most free CPUs.
        pack,      ///< Fill one rank, then the next on the same node: leaves whole ranks free.
        spread,    ///< The rank that runs the fewest tasks of this kind.
        on_rank,   ///< Only the rank `target`.
        on_node,   ///< Only ranks of the node `target`.
        in_group,  ///< Only in the bundle `target` of placement group `group`; -1: in any of them.
    };

    Kind kind = Kind::automatic;
    std::int32_t target = -1; ///< Rank, node or bundle index, as the kind says.
    ObjectId group{};         ///< Of in_group; see PlacementGroup::bundle().

    [[nodiscard]] constexpr bool is_in_group() const { return kind == Kind::in_group; }

    friend auto operator<=>(const Placement&, const Placement&) = default;
};

inline constexpr Placement pack{Placement::Kind::pack};
inline constexpr Placement spread{Placement::Kind::spread};

/// Only the given world rank; an index outside the world is refused when the task is submitted.
constexpr Placement on_rank(int rank) {
    return {Placement::Kind::on_rank, rank};
}

/// Only ranks of the given node, an index in [0, cluster().nodes).
constexpr Placement on_node(int node) {
    return {Placement::Kind::on_node, node};
}

} // namespace muster
