#pragma once

#include "kernel/gather.hpp"

#include <muster/pipeline/block.hpp>
#include <muster/pipeline/options.hpp>

#include <span>
#include <string>
#include <vector>

namespace muster::data::kernel {

/// Joins rows with equal keys: every pair of them. Sorted by key; of one key, in the order of the
/// left rows and then of the right ones.
///
/// @param left, right  Blocks, one after another; a side may have no columns if it has no rows.
/// @throws Error (usage) if key columns differ in type, or other columns share a name.
[[nodiscard]] Block join(std::span<const Block> left,
                         std::span<const Block> right,
                         const std::vector<std::string>& keys,
                         const JoinOptions& options);

/// @throws Error (usage) unless both have these columns, with the same types. Blocks without any
/// columns pass.
void check_join_keys(const Block& left, const Block& right, const std::vector<std::string>& keys);

} // namespace muster::data::kernel
