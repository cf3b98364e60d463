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

/// Where a task may run, and which of the ranks that fit it prefers.
struct Placement {
    enum class Kind : std::uint8_t {
        automatic, ///< The rank with the most free CPUs.
        pack,      ///< Fill one rank, then the next on the same node: leaves whole ranks free.
        spread,    ///< The rank that runs the fewest tasks of this kind.
        on_rank,   ///< Only the rank `target`.
        on_node,   ///< Only ranks of the node `target`.
    };

    Kind kind = Kind::automatic;
    std::int32_t target = -1; ///< Rank or node index; meaningful with on_rank and on_node only.

    friend auto operator<=>(const Placement&, const Placement&) = default;
};

inline constexpr Placement pack{Placement::Kind::pack, -1};
inline constexpr Placement spread{Placement::Kind::spread, -1};

/// Only the given world rank; an index outside the world is refused when the task is submitted.
constexpr Placement on_rank(int rank) {
    return {Placement::Kind::on_rank, rank};
}

/// Only ranks of the given node, an index in [0, cluster().nodes).
constexpr Placement on_node(int node) {
    return {Placement::Kind::on_node, node};
}

} // namespace muster
