#pragma once

#include "batch_memory.hpp"
#include "reader.hpp"

#include <muster/data/batch_loader.hpp>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace muster::data {

/// What a BatchLoader is inside: the plan, and threads that carry it out ahead of the consumer.
///
/// Threads take steps in order, each as long as it is less than `prefetch` ahead of the consumer.
/// With Order::shuffled_by_block a thread that has read a batch also loads its share of the next
/// window's blocks, so that by the end of a window those of the next one are there.
class LoaderEngine {
public:
    LoaderEngine(Table table, const std::vector<ColumnSpec>& columns, BatchOptions options);
    ~LoaderEngine();
    LoaderEngine(const LoaderEngine&) = delete;
    LoaderEngine& operator=(const LoaderEngine&) = delete;

    [[nodiscard]] const BatchPlan& plan() const { return plan_; }

    [[nodiscard]] std::optional<Batch> next();
    void seek(std::uint64_t step);
    [[nodiscard]] Batch read(std::uint64_t step);

private:
    /// A step that is being read, or was.
    struct Ahead {
        std::optional<Batch> batch;
        std::exception_ptr failure;
    };

    /// Puts options.rows in the order they are taken in.
    [[nodiscard]] static BatchPlan
    make_plan(const Table& table, const std::vector<ColumnSpec>& columns, BatchOptions& options);
    void check_window(const Table& table) const;
    [[nodiscard]] std::shared_ptr<const EpochOrder> order(std::uint64_t epoch);
    void load_next_window(const EpochOrder& order, Position at, const EpochOrder* next_epoch);
    void load_blocks(const EpochOrder& order,
                     std::uint64_t window,
                     std::uint64_t first_block,
                     std::uint64_t end_block);
    void apply_nan_policy(const detail::BatchLayout::Column& column,
                          std::span<const std::uint64_t> rows,
                          std::byte* values) const;
    void start();
    void stop();
    void work();

    std::shared_ptr<Reader> reader_;
    BatchOptions options_;
    BatchPlan plan_;
    std::uint64_t steps_ = 0; ///< Of all epochs.
    std::shared_ptr<detail::BatchPool> pool_;
    std::size_t main_column_ = 0; ///< Whose blocks the order is made of.
    bool by_block_ = false;

    std::mutex orders_mutex_; ///< Guards orders_: of this epoch and the next.
    std::vector<std::pair<std::uint64_t, std::shared_ptr<const EpochOrder>>> orders_;

    std::mutex mutex_; ///< Guards what follows.
    std::condition_variable room_;
    std::condition_variable ready_;
    std::uint64_t taken_ = 0;  ///< Steps that threads have begun.
    std::uint64_t given_ = 0;  ///< Steps that next() has returned.
    std::vector<Ahead> ahead_; ///< Of step s at s % prefetch.
    std::exception_ptr failure_;
    bool is_stopping_ = false;
    std::vector<std::jthread> threads_; ///< Started by the first next().
};

} // namespace muster::data
