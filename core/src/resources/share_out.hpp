#pragma once

#include "resources/local_resources.hpp"

#include <span>
#include <vector>

namespace muster::resources {

/// Shares a node's CPUs, GPUs and memory out among its ranks. Pure: every rank of the node computes
/// the same from the same reports.
///
/// - CPUs. Ranks whose masks are equal get a contiguous piece each, in whole CPUs, the first ranks
///   one more where it does not come out even: 7 over 2 is 4 and 3. A mask that nobody else has a
///   part of is its rank's alone. Where masks overlap without being equal, each CPU goes to the
///   rank with the fewest so far among those that may use it, the most contended CPUs last.
/// - More ranks than CPUs: a rank that would be left without takes one in turn from its mask, and
///   counts one CPU, with `oversubscribed` set.
/// - A quota is shared like a mask, and rounded down to whole CPUs, but at least one: the ranks of
/// a
///   mask are taken to be in one cgroup.
/// - GPUs: as CPUs, except that a rank may have none. Private GPUs are not shared.
/// - Memory: the least that any rank reports, in equal parts, and no more than a process may have.
/// - Overrides replace a rank's share. MUSTER_GPUS beyond the share takes GPUs that the rank sees
///   and other ranks have too, and beyond those, indices that may not exist.
///
/// @param ranks  Reports of the ranks of one node, in rank order.
/// @return one Capacity per report, in the same order.
std::vector<Capacity> share_out(std::span<const LocalResources> ranks);

} // namespace muster::resources
