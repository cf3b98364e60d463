#pragma once

#include <muster/data/column.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace muster::data {

/// Where a table's rows come from. Table checks names, ranges, sizes and types first; a source
/// only reads. Callable from any thread.
class TableSource {
public:
    virtual ~TableSource() = default;
    TableSource(const TableSource&) = delete;
    TableSource& operator=(const TableSource&) = delete;

    [[nodiscard]] const std::string& file() const { return file_; }

    [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }

    /// Reads rows [first, first + count), converted to `as`; count > 0, and so are the elements.
    virtual void read_rows(std::size_t column,
                           std::uint64_t first,
                           std::uint64_t count,
                           ElementType as,
                           void* out) = 0;

    /// Reads these rows in this order, converted to `as`; at least one row and element.
    virtual void
    gather(std::size_t column, std::span<const std::uint64_t> rows, ElementType as, void* out) = 0;

protected:
    TableSource(std::string file, std::vector<Column> columns)
        : file_(std::move(file)), columns_(std::move(columns)) {}

private:
    std::string file_;
    std::vector<Column> columns_;
};

/// Opens the named datasets of an HDF5 file, or all of them where `names` is empty.
/// Defined by the one file of hdf5/ that the build selects.
std::shared_ptr<TableSource> open_hdf5_source(const std::filesystem::path& file,
                                              const std::vector<std::string>& names);

/// Keeps columns of `source` in memory while they fit in `bytes_max` altogether.
std::shared_ptr<TableSource> make_memory_source(std::shared_ptr<TableSource> source,
                                                std::uint64_t bytes_max);

} // namespace muster::data
