#pragma once

#include "kernel/keys.hpp"
#include "kernel/scratch.hpp"

#include <muster/pipeline/aggregate.hpp>
#include <muster/pipeline/block.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// Aggregates of groups, computed in three steps: of each block alone (partial), of partial results
/// together, and what is asked for (finished).
namespace muster::data::kernel {

/// Which rows have equal keys.
struct Groups {
    Scratch<std::uint32_t> of_row;    ///< The group of each row.
    std::vector<std::uint32_t> first; ///< The first row of each group, by group.
};

[[nodiscard]] Groups group_rows(const Keys& keys);

/// One row for each group, sorted by the keys: the keys and the state of each aggregate. Without
/// keys all rows are one group, also if there are none.
/// @throws Error (usage) for a column that is missing, or cannot be aggregated.
[[nodiscard]] Block partial_groups(const Block& block,
                                   const std::vector<std::string>& keys,
                                   const std::vector<Aggregate>& aggregates);

/// Groups of several partial results (or of one after another), in the same form.
[[nodiscard]] Block merge_groups(const Block& partial,
                                 const std::vector<std::string>& keys,
                                 const std::vector<Aggregate>& aggregates);

/// The keys and what was asked for.
[[nodiscard]] Block finish_groups(const Block& merged,
                                  const std::vector<std::string>& keys,
                                  const std::vector<Aggregate>& aggregates);

/// The name of an aggregate's column: its own, or "mean(x)".
[[nodiscard]] std::string name_of(const Aggregate& aggregate);

/// Ascending keys of these columns.
[[nodiscard]] std::vector<SortKey> ascending(const std::vector<std::string>& columns);

} // namespace muster::data::kernel
