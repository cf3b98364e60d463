#include "exec/tasks.hpp"

#include "exec/open_tables.hpp"
#include "kernel/gather.hpp"
#include "kernel/grouping.hpp"
#include "kernel/joining.hpp"
#include "kernel/keys.hpp"

#include <muster/data/shuffle.hpp>
#include <muster/pipeline/detail/step_call.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace muster::data::exec {
namespace {

constexpr const char* position_column = "#position";

std::vector<std::uint64_t> begins_of(const std::vector<Block>& blocks) {
    std::vector<std::uint64_t> begins{0};
    for (const Block& block : blocks) {
        begins.push_back(begins.back() + block.rows());
    }
    return begins;
}

/// The rows of a block that belong to one part of a merge.
Block part_of(const Block& block,
              const std::vector<SortKey>& keys,
              const Block& bounds,
              std::uint64_t part) {
    if (block.rows() == 0 || bounds.rows() == 0) {
        return block;
    }
    const kernel::Keys bound_keys(bounds, keys, "sort");
    const std::uint64_t first =
        part == 0 ? 0 : kernel::lower_bound(block, keys, bound_keys, part - 1);
    const std::uint64_t last =
        part >= bounds.rows() ? block.rows() : kernel::lower_bound(block, keys, bound_keys, part);
    return block.slice(first, last - first);
}

/// Sorted runs as one: the keys of all are put in order, and each row is copied once.
Block merge_sorted(const std::vector<Block>& runs, const std::vector<SortKey>& keys, bool unique) {
    std::vector<Block> key_blocks;
    std::vector<std::string> names;
    for (const SortKey& key : keys) {
        if (std::find(names.begin(), names.end(), key.column) == names.end()) {
            names.push_back(key.column);
        }
    }
    std::vector<kernel::RowRef> rows;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        key_blocks.push_back(runs[i].fields().empty() ? runs[i] : runs[i].select(names));
        for (std::uint64_t row = 0; row < runs[i].rows(); ++row) {
            rows.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(row)});
        }
    }
    const Block all_keys = kernel::concat(key_blocks);
    const kernel::Keys sort_keys(all_keys, keys, "sort");
    std::vector<kernel::RowRef> ordered;
    ordered.reserve(rows.size());
    std::uint32_t before = 0;
    for (const std::uint32_t row : kernel::sorted_order(sort_keys)) {
        if (!unique || ordered.empty() || sort_keys.compare(before, sort_keys, row) != 0) {
            ordered.push_back(rows[row]);
            before = row;
        }
    }
    return kernel::gather(runs, ordered);
}

} // namespace

std::vector<std::string> Merge::key_columns() const {
    std::vector<std::string> names;
    for (const SortKey& key : keys) {
        names.push_back(key.column);
    }
    return names;
}

Block apply_steps(Block block, const Chain& chain, std::uint64_t index) {
    for (const Step& step : chain.steps) {
        if (block.fields().empty() || (block.rows() == 0 && !step.takes_empty)) {
            return {}; // whatever its columns would be
        }
        block = detail::step_at(step.function).call(std::move(block), {index}, step.arguments);
    }
    return block;
}

Block run_steps(const Block& block, const Chain& chain, std::uint64_t index) {
    return apply_steps(block, chain, index);
}

Block read_rows(const std::string& file,
                const std::vector<std::string>& columns,
                plan::Piece piece,
                const Chain& chain,
                std::uint64_t index) {
    return apply_steps(
        read_block(open_table(file, columns), columns, piece.first, piece.rows), chain, index);
}

Block make_range(const std::vector<std::uint64_t>& shape,
                 plan::Piece piece,
                 const Chain& chain,
                 std::uint64_t index) {
    const char* const name = shape.empty() ? "id" : "data";
    const Field field{name, ValueType::int64, shape};
    NewBlock block({field}, piece.rows);
    auto values = block.column<std::int64_t>(name);
    const std::uint64_t width = field.elements();
    for (std::uint64_t row = 0; row < piece.rows; ++row) {
        std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(row * width),
                    width,
                    static_cast<std::int64_t>(piece.first + row));
    }
    return apply_steps(std::move(block).finish(), chain, index);
}

Block cut_rows(const std::vector<Block>& blocks,
               const std::vector<plan::Cut>& cuts,
               const Chain& chain,
               std::uint64_t index) {
    std::vector<kernel::RowRange> ranges;
    for (const plan::Cut& cut : cuts) {
        ranges.push_back({cut.block, cut.first, cut.rows});
    }
    if (ranges.empty()) {
        const Block none = kernel::concat(blocks);
        return apply_steps(none.slice(0, 0), chain, index);
    }
    return apply_steps(kernel::gather(blocks, ranges), chain, index);
}

void add_columns(Block& to, const Block& from, const char* what) {
    for (const Field& field : from.fields()) {
        if (to.has(field.name)) {
            throw Error(fmt::format("{}: both sides have a column \"{}\"; rename() one; left: {}; "
                                    "right: {}",
                                    what,
                                    field.name,
                                    describe(to.fields()),
                                    describe(from.fields())),
                        ErrorCode::usage);
        }
        to.adopt(from, field.name);
    }
}

Block zip_rows(const Block& left,
               std::uint64_t left_first,
               const Block& right,
               std::uint64_t right_first,
               std::uint64_t rows,
               const Chain& chain,
               std::uint64_t index) {
    Block zipped = left.slice(left_first, rows);
    add_columns(zipped, right.slice(right_first, rows), "zip");
    return apply_steps(std::move(zipped), chain, index);
}

Block shuffle_part(const std::vector<Block>& blocks,
                   std::uint64_t seed,
                   plan::Piece piece,
                   const Chain& chain,
                   std::uint64_t index) {
    const auto begins = begins_of(blocks);
    const Permutation order(begins.back(), seed, 0);
    std::vector<kernel::RowRef> rows;
    rows.reserve(piece.rows);
    for (std::uint64_t position = piece.first; position < piece.first + piece.rows; ++position) {
        const std::uint64_t row = order(position);
        const auto after = std::upper_bound(begins.begin(), begins.end(), row);
        const auto block = static_cast<std::uint32_t>(after - begins.begin() - 1);
        rows.push_back({block, static_cast<std::uint32_t>(row - begins[block])});
    }
    return apply_steps(kernel::gather(blocks, rows), chain, index);
}

Block shuffle_positions(const Block& block,
                        std::uint64_t first_row,
                        std::uint64_t total,
                        std::uint64_t seed) {
    if (block.rows() == 0) {
        return {};
    }
    const Permutation order(total, seed, 0);
    std::vector<std::uint64_t> positions(block.rows());
    for (std::uint64_t row = 0; row < block.rows(); ++row) {
        positions[row] = order.position_of(first_row + row);
    }
    Block placed = block;
    placed.add(position_column, positions);
    return kernel::gather(
        placed, kernel::sorted_order(kernel::Keys(placed, {SortKey(position_column)}, "shuffle")));
}

Survey survey_block(const Block& block, const std::vector<SortKey>& sample_keys) {
    constexpr std::uint64_t samples_max = 256;
    Survey survey;
    survey.info = {block.rows(), block.size_bytes()};
    if (sample_keys.empty() || block.rows() == 0) {
        return survey;
    }
    std::vector<std::string> names;
    for (const SortKey& key : sample_keys) {
        if (std::find(names.begin(), names.end(), key.column) == names.end()) {
            names.push_back(key.column);
        }
    }
    const std::uint64_t count = std::min(block.rows(), samples_max);
    std::vector<std::uint32_t> rows;
    for (std::uint64_t i = 0; i < count; ++i) {
        rows.push_back(static_cast<std::uint32_t>((2 * i + 1) * block.rows() / (2 * count)));
    }
    survey.sample = kernel::gather(block.select(names), rows);
    return survey;
}

Block merge_part(const std::vector<Block>& blocks,
                 const Block& bounds,
                 const Merge& merge,
                 std::uint64_t part,
                 const Chain& chain) {
    std::vector<Block> runs;
    runs.reserve(blocks.size());
    for (const Block& block : blocks) {
        runs.push_back(part_of(block, merge.keys, bounds, part));
    }
    Block made;
    switch (merge.kind) {
    case Merge::Kind::sort:
    case Merge::Kind::unique:
        made = merge_sorted(runs, merge.keys, merge.kind == Merge::Kind::unique);
        break;
    case Merge::Kind::group: {
        const auto keys = merge.key_columns();
        made = kernel::finish_groups(
            kernel::merge_groups(kernel::concat(runs), keys, merge.aggregates),
            keys,
            merge.aggregates);
        break;
    }
    case Merge::Kind::join: {
        const std::span all(runs);
        made = kernel::join(all.first(merge.left_blocks),
                            all.subspan(merge.left_blocks),
                            merge.key_columns(),
                            merge.join);
        break;
    }
    }
    if (!merge.drops.empty() && !made.fields().empty()) {
        made = made.drop(merge.drops);
    }
    return apply_steps(std::move(made), chain, part);
}

} // namespace muster::data::exec
