#pragma once

#include <muster/pipeline/block.hpp>

#include <cstdint>
#include <span>
#include <vector>

/// New blocks from rows of others: each value is copied once, to where it stays.
namespace muster::data::kernel {

/// A row of one of several blocks.
struct RowRef {
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    std::uint32_t block = none; ///< none: no row; its values are NaN, 0 or empty.
    std::uint32_t row = 0;
};

struct RowRange {
    std::uint32_t block = 0;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

/// The columns that all blocks have; those without any columns (of nothing) are passed over.
/// @throws Error (usage) if blocks differ.
[[nodiscard]] const std::vector<Field>& common_fields(std::span<const Block> blocks);

[[nodiscard]] Block gather(std::span<const Block> blocks,
                           std::span<const RowRef> rows,
                           std::vector<std::uint64_t> marks = {});

[[nodiscard]] Block gather(std::span<const Block> blocks, std::span<const RowRange> ranges);

/// One block's own rows.
[[nodiscard]] Block gather(const Block& block, std::span<const std::uint32_t> rows);

/// One block after another; without a copy if it is one.
[[nodiscard]] Block concat(std::span<const Block> blocks);

} // namespace muster::data::kernel
