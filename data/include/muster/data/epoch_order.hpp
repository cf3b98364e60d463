#pragma once

#include <muster/data/shuffle.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace muster::data {

/// In which order the rows of a part come up.
enum class Order : std::uint8_t {
    stored,            ///< 0, 1, 2, …
    shuffled,          ///< One permutation of all rows, a new one every epoch.
    shuffled_by_block, ///< Blocks in a new order every epoch, and rows shuffled over some blocks at
                       ///< a time.
};

/// What the orders of all epochs are made from. The same on every rank: nothing of it depends on
/// how many there are.
struct OrderSpec {
    std::uint64_t rows = 0;
    std::uint64_t seed = 0;
    Order order = Order::shuffled;
    /// Of Order::shuffled_by_block: first rows of the blocks, ascending, 0 first.
    std::shared_ptr<const std::vector<std::uint64_t>> block_starts = nullptr;
    /// Blocks whose rows are shuffled together; at least 1.
    std::uint64_t window_blocks = 64;
};

/// The order of one epoch: a bijection of positions to rows, of which any element can be asked for.
///
/// Pure: depends on its arguments only. Order::shuffled costs constant time and memory: it is
/// Permutation(rows, seed, epoch).
///
/// Order::shuffled_by_block is for rows that are read in blocks (chunks): it deals the blocks out
/// in the order Permutation(blocks, seed, epoch), so many at a time; such a window's rows come up
/// in the order of a Permutation of their own. While a window lasts, only its blocks are needed, so
/// each block is read once an epoch by whoever can hold a window. Making one costs a pass over the
/// blocks; an element then costs a search among windows and among the blocks of one. A file that is
/// sorted by label comes out mixed as well as drawing window_blocks of its blocks at random can
/// make it.
class EpochOrder {
public:
    /// Blocks whose rows are shuffled together, and the positions they take.
    struct Window {
        std::uint64_t first = 0; ///< Position.
        std::uint64_t rows = 0;
        std::span<const std::uint64_t> blocks; ///< Their numbers; as long as the EpochOrder.
    };

    EpochOrder(const OrderSpec& spec, std::uint64_t epoch);

    [[nodiscard]] std::uint64_t rows() const { return spec_.rows; }

    /// The row at `position`; position < rows().
    [[nodiscard]] std::uint64_t operator()(std::uint64_t position) const;

    /// The rows at positions [first, first + count), appended to `rows`.
    void append(std::uint64_t first, std::uint64_t count, std::vector<std::uint64_t>& rows) const;

    /// Of Order::shuffled_by_block; 0 otherwise.
    [[nodiscard]] std::uint64_t windows() const { return window_first_.size(); }

    [[nodiscard]] Window window(std::uint64_t number) const;
    /// The number of the window that has the position.
    [[nodiscard]] std::uint64_t window_of(std::uint64_t position) const;

private:
    [[nodiscard]] std::uint64_t block_rows(std::uint64_t block) const;
    void append_from_window(std::uint64_t number,
                            std::uint64_t first,
                            std::uint64_t count,
                            std::vector<std::uint64_t>& rows) const;

    OrderSpec spec_;
    std::uint64_t epoch_;
    Permutation permutation_;                 ///< Of rows, or of blocks.
    std::vector<std::uint64_t> blocks_;       ///< In this epoch's order.
    std::vector<std::uint64_t> window_first_; ///< Position at which each window begins.
};

} // namespace muster::data
