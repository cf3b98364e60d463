#pragma once

#include <muster/data/writer.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// What a writer refuses, and how it says so. Pure: declarations in, muster::Error out.
namespace muster::data::write {

/// The columns can be written: names, types, shapes, levels.
void declarable(const std::string& path, std::span<const NewColumn> columns);

/// A block for each column, and all with the same number of rows.
/// @return which block is for which column, in the order of `columns`.
[[nodiscard]] std::vector<std::size_t> fitting(const std::string& path,
                                               std::span<const NewColumn> columns,
                                               std::span<const ColumnBlock> blocks);

/// Rows of a block that was found fitting.
[[nodiscard]] std::uint64_t rows_of(const NewColumn& column, const ColumnBlock& block);

/// One summary for each shard 0 … n - 1, all of the same columns and the generation after
/// `present`.
/// @return them in the order of their shards.
[[nodiscard]] std::vector<ShardSummary>
in_order(const std::string& path, std::uint64_t present, std::span<const ShardSummary> shards);

} // namespace muster::data::write
