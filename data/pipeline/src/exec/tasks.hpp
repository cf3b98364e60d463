#pragma once

#include "plan/cuts.hpp"
#include "plan/plan.hpp"

#include <muster/pipeline/aggregate.hpp>
#include <muster/pipeline/block.hpp>
#include <muster/pipeline/detail/step.hpp>
#include <muster/pipeline/options.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// What runs on the ranks: each makes a block in its way, and applies the stage's functions to it.
namespace muster::data::exec {

/// The functions of a stage: the same for all its tasks, which are given it as one stored value.
struct Chain {
    std::vector<Step> steps;
};

/// @param block  Its place among the stage's blocks.
[[nodiscard]] Block apply_steps(Block block, const Chain& chain, std::uint64_t index);

[[nodiscard]] Block run_steps(const Block& block, const Chain& chain, std::uint64_t index);

[[nodiscard]] Block read_rows(const std::string& file,
                              const std::vector<std::string>& columns,
                              plan::Piece piece,
                              const Chain& chain,
                              std::uint64_t index);

[[nodiscard]] Block make_range(const std::vector<std::uint64_t>& shape,
                               plan::Piece piece,
                               const Chain& chain,
                               std::uint64_t index);

/// Runs of rows, one after another.
[[nodiscard]] Block cut_rows(const std::vector<Block>& blocks,
                             const std::vector<plan::Cut>& cuts,
                             const Chain& chain,
                             std::uint64_t index);

/// As many rows of both, side by side.
[[nodiscard]] Block zip_rows(const Block& left,
                             std::uint64_t left_first,
                             const Block& right,
                             std::uint64_t right_first,
                             std::uint64_t rows,
                             const Chain& chain,
                             std::uint64_t index);

/// The rows that a shuffle puts at these positions, from all of its input.
[[nodiscard]] Block shuffle_part(const std::vector<Block>& blocks,
                                 std::uint64_t seed,
                                 plan::Piece piece,
                                 const Chain& chain,
                                 std::uint64_t index);

/// The block's rows with where a shuffle of `total` rows puts them, sorted by that.
[[nodiscard]] Block shuffle_positions(const Block& block,
                                      std::uint64_t first_row,
                                      std::uint64_t total,
                                      std::uint64_t seed);

/// What is known of a block without having it.
struct Survey {
    plan::BlockInfo info;
    Block sample; ///< Key columns of some rows, evenly spread.
};

[[nodiscard]] Survey survey_block(const Block& block, const std::vector<SortKey>& sample_keys);

/// How sorted blocks become one.
struct Merge {
    enum class Kind : std::uint8_t { sort, unique, group, join };

    Kind kind = Kind::sort;
    std::vector<SortKey> keys;
    std::vector<Aggregate> aggregates{}; ///< Of groups.
    JoinOptions join{};
    std::uint64_t left_blocks = 0;    ///< Of a join: so many are the left side.
    std::vector<std::string> drops{}; ///< Columns that only the merge needs.

    [[nodiscard]] std::vector<std::string> key_columns() const;
};

/// One part of a merge: of each block, sorted by the keys, the rows from row `part` - 1 of `bounds`
/// on and before row `part`.
[[nodiscard]] Block merge_part(const std::vector<Block>& blocks,
                               const Block& bounds,
                               const Merge& merge,
                               std::uint64_t part,
                               const Chain& chain);

// The steps that plans themselves are made of.

[[nodiscard]] Step select_step(std::vector<std::string> columns);
[[nodiscard]] Step drop_step(std::vector<std::string> columns);
[[nodiscard]] Step rename_step(std::string from, std::string to);
[[nodiscard]] Step sample_step(double fraction, std::uint64_t seed);
[[nodiscard]] Step csv_step();
[[nodiscard]] plan::OwnSteps own_steps();

/// Adds the columns of `from`. @throws Error (usage) that names `what` for a name in both.
void add_columns(Block& to, const Block& from, const char* what);

} // namespace muster::data::exec
