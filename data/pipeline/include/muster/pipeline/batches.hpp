#pragma once

#include <muster/pipeline/block.hpp>
#include <muster/pipeline/options.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace muster::data {

namespace detail {

/// A run of a pipeline, on the driver.
class Execution {
public:
    Execution() = default;
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;
    virtual ~Execution() = default;
    /// The next block, which counts as outstanding until done_with() names its size; nothing after
    /// the last. @throws TaskError where a function threw.
    virtual std::optional<Block> next() = 0;
    virtual void done_with_oldest() = 0;
    [[nodiscard]] virtual ExecutionStats stats() const = 0;
};

} // namespace detail

/// The rows of a pipeline, in batches, while it runs: what iter_batches() gives.
///
///     for (const Block& batch : images.random_shuffle(1).iter_batches(256)) { train(batch); }
///
/// Batches have exactly the size asked for, but for the last, and are slices of blocks where they
/// lie within one; of size 0, blocks as they come. Destroying it ends the run: what has not started
/// is cancelled. One thread, the driver's. Once: a run is gone through from where it is.
class Batches {
public:
    /// Private to the library.
    Batches(std::unique_ptr<detail::Execution> execution, std::uint64_t batch_size)
        : execution_(std::move(execution)), batch_size_(batch_size) {}

    /// The next batch; nothing after the last. @throws TaskError as get().
    [[nodiscard]] std::optional<Block> next();

    class Iterator {
    public:
        using value_type = Block;
        using difference_type = std::ptrdiff_t;

        Iterator() = default;

        explicit Iterator(Batches* batches) : batches_(batches) { ++*this; }

        const Block& operator*() const { return *batch_; }

        const Block* operator->() const { return &*batch_; }

        Iterator& operator++() {
            batch_.reset(); // lets go of its block first
            batch_ = batches_->next();
            return *this;
        }

        void operator++(int) { ++*this; }

        friend bool operator==(const Iterator& it, std::default_sentinel_t) {
            return !it.batch_.has_value();
        }

    private:
        Batches* batches_ = nullptr;
        std::optional<Block> batch_;
    };

    Iterator begin() { return Iterator(this); }

    std::default_sentinel_t end() const { return {}; }

    [[nodiscard]] ExecutionStats stats() const { return execution_->stats(); }

private:
    std::unique_ptr<detail::Execution> execution_;
    std::uint64_t batch_size_;
    std::deque<Block> waiting_;    ///< Blocks whose rows are still to be given, the first in part.
    std::uint64_t first_ = 0;      ///< Of the first of them, the next row.
    std::uint64_t rows_ = 0;       ///< That wait.
    std::uint64_t given_back_ = 0; ///< Blocks given in whole, not told yet.
    bool ended_ = false;
};

} // namespace muster::data
