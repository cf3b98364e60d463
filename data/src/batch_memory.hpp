#pragma once

#include <muster/data/column.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace muster::data::detail {

/// Memory for the values of a batch, aligned for vector instructions and for transfers to a device:
/// pinned where there is CUDA and a GPU. Never null. One of batch_memory_*.cpp defines both.
[[nodiscard]] std::byte* allocate_batch_bytes(std::size_t bytes);
void free_batch_bytes(std::byte* bytes) noexcept;

struct FreeBatchBytes {
    void operator()(std::byte* bytes) const noexcept { free_batch_bytes(bytes); }
};

/// What a batch holds.
struct BatchLayout {
    struct Column {
        std::string name;
        std::size_t index = 0; ///< Of the table.
        ElementType read_as = ElementType::float32;
        std::uint64_t row_elements = 0;
        std::uint64_t row_bytes = 0; ///< As read.
    };

    std::string table; ///< For errors.
    std::vector<Column> columns;
    std::uint64_t rows_max = 0;
};

struct BatchMemory {
    std::vector<std::unique_ptr<std::byte, FreeBatchBytes>> columns;
    std::vector<std::uint64_t> rows;
};

/// Memory of batches that are gone, for those to come. Calls from any thread.
class BatchPool {
public:
    explicit BatchPool(BatchLayout layout) : layout_(std::move(layout)) {}

    [[nodiscard]] const BatchLayout& layout() const { return layout_; }

    [[nodiscard]] std::unique_ptr<BatchMemory> take() {
        {
            const std::lock_guard lock(mutex_);
            if (!free_.empty()) {
                auto memory = std::move(free_.back());
                free_.pop_back();
                return memory;
            }
        }
        auto memory = std::make_unique<BatchMemory>();
        for (const BatchLayout::Column& column : layout_.columns) {
            memory->columns.emplace_back(allocate_batch_bytes(layout_.rows_max * column.row_bytes));
        }
        memory->rows.reserve(layout_.rows_max);
        return memory;
    }

    void give_back(std::unique_ptr<BatchMemory> memory) noexcept {
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(memory));
    }

private:
    BatchLayout layout_;
    std::mutex mutex_; ///< Guards free_.
    std::vector<std::unique_ptr<BatchMemory>> free_;
};

} // namespace muster::data::detail
