#include "loader_engine.hpp"

#include <muster/base/error.hpp>
#include <muster/data/batch_loader.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::data {

Batch::Batch(std::shared_ptr<detail::BatchPool> pool, std::unique_ptr<detail::BatchMemory> memory)
    : pool_(std::move(pool)), memory_(std::move(memory)) {
}

Batch::Batch(Batch&&) noexcept = default;

Batch& Batch::operator=(Batch&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(memory_, other.memory_);
    step_ = other.step_;
    at_ = other.at_;
    global_size_ = other.global_size_;
    return *this;
}

Batch::~Batch() {
    if (memory_) {
        pool_->give_back(std::move(memory_));
    }
}

std::span<const std::uint64_t> Batch::rows() const {
    return memory_->rows;
}

std::span<std::byte> Batch::column_bytes(std::string_view name, ElementType as) const {
    const std::vector<detail::BatchLayout::Column>& columns = pool_->layout().columns;
    const auto found = std::find_if(
        columns.begin(), columns.end(), [&](const auto& column) { return column.name == name; });
    if (found == columns.end() || found->read_as != as) {
        throw UsageError(
            found == columns.end()
                ? fmt::format("'{}': the loader was not told to read a column '{}'; name it when "
                              "making the loader",
                              pool_->layout().table,
                              name)
                : fmt::format("'{}': column '{}' is read as {} and was asked for as {}; ask for "
                              "what the loader was told",
                              pool_->layout().table,
                              name,
                              to_string(found->read_as),
                              to_string(as)));
    }
    return {memory_->columns[static_cast<std::size_t>(found - columns.begin())].get(),
            memory_->rows.size() * found->row_bytes};
}

BatchLoader::BatchLoader(Table table, std::vector<ColumnSpec> columns, BatchOptions options)
    : engine_(std::make_unique<LoaderEngine>(std::move(table), columns, std::move(options))) {
}

BatchLoader::BatchLoader(BatchLoader&&) noexcept = default;
BatchLoader& BatchLoader::operator=(BatchLoader&&) noexcept = default;
BatchLoader::~BatchLoader() = default;

const BatchPlan& BatchLoader::plan() const {
    return engine_->plan();
}

std::optional<Batch> BatchLoader::next() {
    return engine_->next();
}

void BatchLoader::seek(std::uint64_t step) {
    engine_->seek(step);
}

Batch BatchLoader::read(std::uint64_t step) const {
    return engine_->read(step);
}

} // namespace muster::data
