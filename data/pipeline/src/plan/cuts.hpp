#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// How rows are cut into pieces, and how many pieces may be under way. Pure.
namespace muster::data::plan {

struct Piece {
    std::uint64_t first = 0;
    std::uint64_t rows = 0;
};

/// Rows in pieces of about so many bytes; at least one row each, sizes that differ by one at most.
[[nodiscard]] std::vector<Piece>
pieces(std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t piece_bytes);

/// Rows in exactly so many pieces, some of which may be empty; sizes differ by one at most.
[[nodiscard]] std::vector<Piece> even_pieces(std::uint64_t rows, std::uint64_t count);

/// A run of rows of one of several blocks.
struct Cut {
    std::uint32_t block = 0;
    std::uint64_t first = 0;
    std::uint64_t rows = 0;
};

/// Where the rows of a piece lie, in blocks of so many rows each, one after another.
[[nodiscard]] std::vector<Cut> locate(std::span<const std::uint64_t> block_rows,
                                      const Piece& piece);

/// In how many parts a sort, group_by or join merges so many bytes: parts of about `part_bytes`,
/// and so small that those which `workers` merge at a time, in and out, fit into `memory_bytes`.
[[nodiscard]] std::uint64_t merge_parts(std::uint64_t bytes,
                                        std::uint64_t part_bytes,
                                        std::uint64_t memory_bytes,
                                        std::uint64_t workers);

/// How much may be asked for that the consumer has not had: two blocks for each worker, so that
/// none waits for the driver, but no more than fits.
///
/// Blocks are expected to be as large as the largest yet. Always allows one.
class Window {
public:
    Window(std::uint64_t memory_bytes, std::uint64_t workers, std::uint64_t expected_bytes)
        : memory_bytes_(memory_bytes), count_max_(2 * workers), expected_(expected_bytes) {}

    /// Whether another may be asked for while so many are out.
    [[nodiscard]] bool has_room(std::uint64_t count) const {
        return count == 0 || (count < count_max_ && (count + 1) * expected_ <= memory_bytes_);
    }

    void observe(std::uint64_t bytes) { expected_ = bytes > expected_ ? bytes : expected_; }

    [[nodiscard]] std::uint64_t expected_bytes() const { return expected_; }

private:
    std::uint64_t memory_bytes_;
    std::uint64_t count_max_;
    std::uint64_t expected_;
};

} // namespace muster::data::plan
