#pragma once

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

/// Who reads which positions of a part in which batch of an epoch.
///
/// Pure: depends on its arguments only, so every rank plans the same without a message.
/// The epoch's order is Permutation(rows, seed, epoch). Batch b is positions
/// [b * batch_size, (b + 1) * batch_size) of that order, whatever the number of ranks; its ranks
/// each take one contiguous piece of it. So the global sequence of batches does not change with
/// the number of ranks, and over an epoch each row comes up exactly once on exactly one rank.
/// The last batch may be short; a rank's piece of a batch may then be empty. Pieces differ by at
/// most one row: where an average over a batch is made of averages over pieces, weigh them by size.
///
/// Nothing is kept between batches. To resume, on any number of ranks, a step is enough.
class BatchPlan {
public:
    /// @param rows        Rows of the part.
    /// @param batch_size  Rows in a batch over all ranks; at least 1.
    /// Throws UsageError for a batch size of 0 or a rank outside the world.
    BatchPlan(std::uint64_t rows, std::uint64_t batch_size, std::uint64_t seed, Shard shard = {});

    /// Batches in an epoch, the same on every rank.
    [[nodiscard]] std::uint64_t batches() const;

    /// Rows of a batch over all ranks; batch < batches().
    [[nodiscard]] std::uint64_t batch_rows(std::uint64_t batch) const;

    /// Where a run is after so many steps of one batch each: epochs follow one another.
    /// There must be rows.
    [[nodiscard]] Position position(std::uint64_t step) const;

    /// This rank's piece of a batch: indices into the part, in training order.
    /// Replaces the contents of `indices`; batch < batches().
    void
    indices(std::uint64_t epoch, std::uint64_t batch, std::vector<std::uint64_t>& indices) const;

private:
    std::uint64_t rows_;
    std::uint64_t batch_size_;
    std::uint64_t seed_;
    Shard shard_;
};

} // namespace muster::data
