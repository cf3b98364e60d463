#pragma once

#include <muster/data/batch_plan.hpp>
#include <muster/data/table.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace muster::data {

struct BatchOptions {
    std::uint64_t batch_size = 64; ///< Rows in a batch over all shards.
    std::uint64_t seed = 0;
    Shard shard = {};
};

/// Batches of some rows of a table, in a new global order every epoch.
///
/// The order is BatchPlan's: each row comes up once per epoch over all shards, and batch b of
/// epoch e can be asked for at any time, so resuming needs no state. The last batch may be short.
///
///     BatchLoader loader(table, training_rows, {.batch_size = 64, .seed = 1, .shard = {rank,
///     ranks}}); std::vector<float> images; for (std::uint64_t step = first_step; step < 100 *
///     loader.batches(); ++step) {
///         const auto rows = loader.rows(step); // this rank's piece
///         loader.read("images", rows, images);
///     }
///
/// Every call is const and may be made from any thread.
class BatchLoader {
public:
    /// @param rows  Rows of `table` to draw from, all below table.rows(); checked here.
    BatchLoader(Table table, std::vector<std::uint64_t> rows, BatchOptions options);

    [[nodiscard]] std::uint64_t batches() const { return plan_.batches(); }

    /// Who reads what, without the table.
    [[nodiscard]] const BatchPlan& plan() const { return plan_; }

    /// The table rows of this shard's piece of a batch, in training order.
    [[nodiscard]] std::vector<std::uint64_t> rows(std::uint64_t epoch, std::uint64_t batch) const;

    /// The same for a step counted over all epochs; there must be rows.
    [[nodiscard]] std::vector<std::uint64_t> rows(std::uint64_t step) const {
        const Position at = plan_.position(step);
        return rows(at.epoch, at.batch);
    }

    /// Reads a column of the given rows into `out`, which is resized to fit exactly.
    template <class T>
    void
    read(std::string_view column, std::span<const std::uint64_t> rows, std::vector<T>& out) const {
        out.resize(rows.size() * table_.column(column).row_elements());
        table_.gather(column, rows, std::span<T>(out));
    }

private:
    Table table_;
    std::vector<std::uint64_t> rows_;
    BatchPlan plan_;
};

} // namespace muster::data
