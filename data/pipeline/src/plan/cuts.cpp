#include "plan/cuts.hpp"

#include <algorithm>

namespace muster::data::plan {

Pieces pieces(std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t piece_bytes) {
    const std::uint64_t rows_each =
        std::max<std::uint64_t>(1, piece_bytes / std::max<std::uint64_t>(1, row_bytes));
    const std::uint64_t count = rows / rows_each + (rows % rows_each != 0 ? 1 : 0);
    return {rows, std::max<std::uint64_t>(1, count)};
}

std::vector<Cut> locate(std::span<const std::uint64_t> block_rows, const Piece& piece) {
    std::vector<Cut> cuts;
    std::uint64_t begin = 0;
    const std::uint64_t end = piece.first + piece.rows;
    for (std::size_t block = 0; block < block_rows.size() && begin < end; ++block) {
        const std::uint64_t block_end = begin + block_rows[block];
        const std::uint64_t from = std::max(begin, piece.first);
        const std::uint64_t to = std::min(block_end, end);
        if (from < to) {
            cuts.push_back({static_cast<std::uint32_t>(block), from - begin, to - from});
        }
        begin = block_end;
    }
    return cuts;
}

std::uint64_t merge_parts(std::uint64_t bytes,
                          std::uint64_t part_bytes,
                          std::uint64_t memory_bytes,
                          std::uint64_t workers) {
    // What a merge reads, and what it makes.
    const std::uint64_t fits = memory_bytes / (2 * std::max<std::uint64_t>(1, workers));
    const std::uint64_t size = std::max<std::uint64_t>(1, std::min(part_bytes, fits));
    return std::max<std::uint64_t>(1, bytes / size + (bytes % size != 0 ? 1 : 0));
}

} // namespace muster::data::plan
