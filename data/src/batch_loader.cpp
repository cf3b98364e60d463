#include <muster/base/error.hpp>
#include <muster/data/batch_loader.hpp>

#include <fmt/format.h>

namespace muster::data {

BatchLoader::BatchLoader(Table table, std::vector<std::uint64_t> rows, BatchOptions options)
    : table_(std::move(table)), rows_(std::move(rows)),
      plan_(rows_.size(), options.batch_size, options.seed, options.shard) {
    for (const std::uint64_t row : rows_) {
        if (row >= table_.rows()) {
            throw Error(fmt::format("'{}' has {} rows, so there is no row {} to load; rows are "
                                    "numbered from 0",
                                    table_.file(),
                                    table_.rows(),
                                    row),
                        ErrorCode::usage);
        }
    }
}

std::vector<std::uint64_t> BatchLoader::rows(std::uint64_t epoch, std::uint64_t batch) const {
    std::vector<std::uint64_t> rows;
    plan_.indices(epoch, batch, rows);
    for (std::uint64_t& row : rows) {
        row = rows_[row];
    }
    return rows;
}

} // namespace muster::data
