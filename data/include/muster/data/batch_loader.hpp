#pragma once

#include <muster/data/batch_plan.hpp>
#include <muster/data/table.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace muster::data {

/// What becomes of values that are not numbers, in columns read as float or double.
enum class NanPolicy : std::uint8_t {
    keep,
    refuse,  ///< An Error that names the column and the row.
    replace, ///< BatchOptions::nan_replacement takes their place.
};

struct BatchOptions {
    /// Rows of the table to draw from, each below its rows(); without it, all. For
    /// Order::shuffled_by_block and Order::stored they are taken in ascending order.
    std::optional<std::vector<std::uint64_t>> rows = std::nullopt;
    std::uint64_t batch_size = 64; ///< Rows in a batch over all shards.
    std::uint64_t seed = 0;
    Shard shard = {};
    /// Order::shuffled_by_block reads each chunk once an epoch; Order::shuffled reads rows where
    /// they lie, which is as fast only while the file, or TableOptions::memory_bytes_max of it, is
    /// in memory.
    Order order = Order::shuffled;
    /// Of Order::shuffled_by_block: blocks that are shuffled together (see Table::block_starts).
    /// Memory for twice as many is needed.
    std::uint64_t window_blocks = 64;
    Tail tail = Tail::keep;
    NanPolicy nan = NanPolicy::keep;
    double nan_replacement = 0;
    /// Threads that read ahead of next(); 0: it reads itself. Negative: as many as there are CPUs
    /// for this thread, at most 4.
    int threads = -1;
    std::uint64_t prefetch = 4;   ///< Batches read ahead; at least 1.
    std::uint64_t first_step = 0; ///< Where next() begins: what has been done before.
    std::uint64_t epochs = std::numeric_limits<std::uint64_t>::max(); ///< Where it ends.
};

namespace detail {
struct BatchMemory;
struct BatchLayout;
class BatchPool;
} // namespace detail

/// This shard's piece of one batch, in memory of its own: values of a column are contiguous,
/// row-major and aligned to 64 bytes. Move-only; the memory is used again when the batch is gone,
/// so spans must not outlive it. It may outlive its loader.
class Batch {
public:
    Batch(Batch&&) noexcept;
    Batch& operator=(Batch&&) noexcept;
    ~Batch();

    [[nodiscard]] std::uint64_t step() const { return step_; } ///< Counted over all epochs.

    [[nodiscard]] std::uint64_t epoch() const { return at_.epoch; }

    [[nodiscard]] std::uint64_t number() const { return at_.batch; } ///< In its epoch.

    /// Rows of this shard's piece; may be 0 at the end of an epoch.
    [[nodiscard]] std::uint64_t size() const { return rows().size(); }

    /// Rows over all shards.
    [[nodiscard]] std::uint64_t global_size() const { return global_size_; }

    /// Which rows of the table these are.
    [[nodiscard]] std::span<const std::uint64_t> rows() const;

    /// Values of a column, size() * row_elements() of them. T is the type the loader was told to
    /// read the column as; another, or a column it was not told of, is Error (usage).
    template <class T>
    [[nodiscard]] std::span<const T> column(std::string_view name) const {
        const std::span<std::byte> bytes = column_bytes(name, element_type_of<T>());
        return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
    }

    /// The same to be changed in place: scaled, say.
    template <class T>
    [[nodiscard]] std::span<T> column(std::string_view name) {
        const std::span<std::byte> bytes = column_bytes(name, element_type_of<T>());
        return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
    }

private:
    friend class LoaderEngine;

    Batch(std::shared_ptr<detail::BatchPool> pool, std::unique_ptr<detail::BatchMemory> memory);
    [[nodiscard]] std::span<std::byte> column_bytes(std::string_view name, ElementType as) const;

    std::shared_ptr<detail::BatchPool> pool_;
    std::unique_ptr<detail::BatchMemory> memory_;
    std::uint64_t step_ = 0;
    Position at_;
    std::uint64_t global_size_ = 0;
};

class LoaderEngine;

/// Batches of some rows of a table, in a new global order every epoch, read ahead by threads.
///
/// The order is BatchPlan's: each row comes up once per epoch over all shards, and the global
/// sequence of batches is the same for any number of shards. Resuming needs one number, on any
/// number of shards: the steps that were done.
///
///     BatchLoader loader(table, {column<float>("images"), column<int>("labels")},
///                        {.batch_size = 64, .seed = 1, .shard = {rank, ranks}, .first_step =
///                        done});
///     while (auto batch = loader.next()) {
///         train(batch->column<float>("images"), batch->column<int>("labels"));
///     }
///
/// What goes wrong in a reading thread is thrown by next(), at the batch that it concerns, and
/// again by every call after it. Destroying the loader stops its threads.
///
/// Threads: next() and seek() from one at a time; everything else is const and may be called from
/// any.
class BatchLoader {
public:
    /// @param columns  What to read, and as what; checked here, as the options are.
    BatchLoader(Table table, std::vector<ColumnSpec> columns, BatchOptions options = {});

    BatchLoader(BatchLoader&&) noexcept;
    BatchLoader& operator=(BatchLoader&&) noexcept;
    ~BatchLoader();

    /// Batches in an epoch.
    [[nodiscard]] std::uint64_t batches() const { return plan().batches(); }

    /// Who reads what, without the table: positions are indices into the rows to draw from.
    [[nodiscard]] const BatchPlan& plan() const;

    /// The next step's batch; none after the last epoch, or if there are no batches. Waits for it.
    [[nodiscard]] std::optional<Batch> next();

    /// Lets next() go on at that step.
    void seek(std::uint64_t step);

    /// The batch of any step, read by the caller's thread.
    [[nodiscard]] Batch read(std::uint64_t step) const;

private:
    std::unique_ptr<LoaderEngine> engine_;
};

} // namespace muster::data
