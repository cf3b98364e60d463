#pragma once

#include <muster/data/epoch_order.hpp>

#include <cstdint>
#include <vector>

namespace muster::data {

/// Which of `world` readers this one is; by default the only one.
struct Shard {
    std::uint32_t rank = 0;
    std::uint32_t world = 1;
};

/// One batch of one epoch, both numbered from 0.
struct Position {
    std::uint64_t epoch = 0;
    std::uint64_t batch = 0;

    bool operator==(const Position&) const = default;
};

/// What becomes of the rows that do not fill a batch at the end of an epoch.
enum class Tail : std::uint8_t {
    keep, ///< They are a shorter batch.
    drop, ///< They do not come up in this epoch; in the next others are left over.
    pad,  ///< They are filled up with the first rows of the epoch, which so come up twice.
};

/// Who reads which rows of a part in which batch of an epoch.
///
/// Pure: depends on its arguments only, so every rank plans the same without a message. Batch b is
/// positions [b * batch_size, (b + 1) * batch_size) of the epoch's order, whatever the number of
/// ranks; its ranks each take one contiguous piece of it. So the global sequence of batches does
/// not change with the number of ranks, and over an epoch each row comes up exactly once on exactly
/// one rank, but for what Tail says. The last batch may be short; a rank's piece of a batch may
/// then be empty. Pieces differ by at most one row: where an average over a batch is made of
/// averages over pieces, weigh them by size.
///
/// Nothing is kept between batches. To resume, on any number of ranks, a step is enough.
class BatchPlan {
public:
    /// @param batch_size  Rows in a batch over all ranks; at least 1.
    /// Throws UsageError for a batch size of 0 or a rank outside the world.
    BatchPlan(OrderSpec order, std::uint64_t batch_size, Shard shard = {}, Tail tail = Tail::keep);

    /// `rows` rows, shuffled.
    BatchPlan(std::uint64_t rows, std::uint64_t batch_size, std::uint64_t seed, Shard shard = {})
        : BatchPlan(OrderSpec{.rows = rows, .seed = seed}, batch_size, shard) {}

    /// Batches in an epoch, the same on every rank.
    [[nodiscard]] std::uint64_t batches() const;

    /// Rows of a batch over all ranks; batch < batches().
    [[nodiscard]] std::uint64_t batch_rows(std::uint64_t batch) const;

    /// Rows of a rank's piece of a batch.
    [[nodiscard]] std::uint64_t piece_rows(std::uint64_t batch, std::uint32_t rank) const;

    /// Where a run is after so many steps of one batch each: epochs follow one another.
    /// There must be batches.
    [[nodiscard]] Position position(std::uint64_t step) const;

    [[nodiscard]] EpochOrder order(std::uint64_t epoch) const { return {order_, epoch}; }

    /// This rank's piece of a batch of the epoch that `order` is: indices into the part, in
    /// training order. Replaces the contents of `indices`; batch < batches().
    void indices(const EpochOrder& order,
                 std::uint64_t batch,
                 std::vector<std::uint64_t>& indices) const;

    /// The same where no order is at hand.
    void indices(std::uint64_t epoch, std::uint64_t batch, std::vector<std::uint64_t>& out) const {
        indices(order(epoch), batch, out);
    }

    [[nodiscard]] const OrderSpec& order_spec() const { return order_; }

    [[nodiscard]] Shard shard() const { return shard_; }

    [[nodiscard]] std::uint64_t batch_size() const { return batch_size_; }

private:
    OrderSpec order_;
    std::uint64_t batch_size_;
    Shard shard_;
    Tail tail_;
};

} // namespace muster::data
