#pragma once

#include <muster/train/collective_log.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace muster::train {

/// What is known of one rank.
struct RankStanding {
    int rank = 0;
    std::string node;
    Standing standing;
    std::chrono::nanoseconds heard{0}; ///< How long ago that was so.
    bool is_dead = false;              ///< Its process has ended, or it has long been silent.
};

/// Somebody has waited too long.
struct Lateness {
    std::optional<int> late;  ///< Who for; nobody where all are in the same collective.
    std::uint64_t behind = 0; ///< Collectives that the late one has not begun, and others have.
    int waiting = 0;          ///< A rank that waits, and the longest of them.
    std::string sentence;     ///< For people.

    bool operator==(const Lateness&) const = default;
};

/// Compares where the ranks are: who keeps the others waiting?
///
/// Where a rank has waited in a collective for `late_after` or longer, the late one is that which
/// has begun the fewest of the collectives up to it; of several the lowest, and the sentence says
/// how many more there are:
///
///     rank 3 (node n042) is late: 2 collectives behind, in data for 41 s; rank 0 has waited 40 s
///     in all_reduce 1207 (25.0 MiB)
///
/// Pure. Nothing if nobody has waited so long.
/// @param ranks  In any order; those not heard of yet are left out.
[[nodiscard]] std::optional<Lateness> who_is_late(std::span<const RankStanding> ranks,
                                                  std::chrono::nanoseconds late_after);

} // namespace muster::train
