#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

/// How rows are cut into pieces, and how many pieces may be under way. Pure.
namespace muster::data::plan {

struct Piece {
    std::uint64_t first = 0;
    std::uint64_t rows = 0;
};

/// Rows in a number of pieces, one after another, whose sizes differ by one at most; some may be
/// empty. Computed piece by piece, so there may be any number of them.
class Pieces {
public:
    Pieces() = default;

    Pieces(std::uint64_t rows, std::uint64_t count) : rows_(rows), count_(count) {}

    [[nodiscard]] std::uint64_t size() const { return count_; }

    [[nodiscard]] Piece operator[](std::uint64_t index) const {
        const std::uint64_t each = rows_ / count_;
        const std::uint64_t larger = rows_ % count_; // the first so many have one row more
        return {index * each + std::min(index, larger), each + (index < larger ? 1 : 0)};
    }

private:
    std::uint64_t rows_ = 0;
    std::uint64_t count_ = 0;
};

/// Pieces of about so many bytes, of at least one row each; one that is empty if there are no rows.
[[nodiscard]] Pieces pieces(std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t piece_bytes);

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

/// How much may be asked for that the consumer has not had: no more than fits, nor more blocks than
/// keep the workers busy.
///
/// Two blocks for each worker at first; one more for each that was taken, up to sixteen, while
/// those are small together: short tasks are done sooner than the driver comes round, and a limit
/// that is soon reached has not had much begun in vain. Blocks are expected to be as large as the
/// largest yet. Always allows one.
class Window {
public:
    Window(std::uint64_t memory_bytes, std::uint64_t workers, std::uint64_t expected_bytes)
        : memory_bytes_(memory_bytes), workers_(workers), count_max_(2 * workers),
          expected_(expected_bytes) {}

    /// Whether another may be asked for while so many are out.
    [[nodiscard]] bool has_room(std::uint64_t count) const {
        if (count == 0) {
            return true;
        }
        const std::uint64_t bytes = (count + 1) * expected_;
        const bool is_needed = count < 2 * workers_ || (count < count_max_ && bytes <= small_bytes);
        return is_needed && bytes <= memory_bytes_;
    }

    /// A block was taken.
    void grow() { count_max_ = std::min(count_max_ + 1, 16 * workers_); }

    void observe(std::uint64_t bytes) { expected_ = std::max(bytes, expected_); }

    [[nodiscard]] std::uint64_t expected_bytes() const { return expected_; }

private:
    static constexpr std::uint64_t small_bytes = std::uint64_t{16} << 20;

    std::uint64_t memory_bytes_;
    std::uint64_t workers_;
    std::uint64_t count_max_;
    std::uint64_t expected_;
};

} // namespace muster::data::plan
