#include "table_check.hpp"
#include "table_source.hpp"

#include <muster/base/error.hpp>
#include <muster/data/table.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::data {
namespace {

std::shared_ptr<TableSource> with_memory(std::shared_ptr<TableSource> source,
                                         TableOptions options) {
    if (options.memory_bytes_max == 0) {
        return source;
    }
    return make_memory_source(std::move(source), options.memory_bytes_max);
}

std::size_t index_of(const TableSource& source, std::string_view name) {
    const std::vector<Column>& columns = source.columns();
    const auto found = std::find_if(
        columns.begin(), columns.end(), [&](const Column& column) { return column.name == name; });
    if (found != columns.end()) {
        return static_cast<std::size_t>(found - columns.begin());
    }
    std::string names;
    for (const Column& column : columns) {
        names += (names.empty() ? "'" : ", '") + column.name + "'";
    }
    throw Error(fmt::format("'{}' was not opened with a column '{}'; its columns are {}",
                            source.file(),
                            name,
                            names),
                ErrorCode::usage);
}

} // namespace

Table::Table(std::shared_ptr<TableSource> source) : source_(std::move(source)) {
}

Table Table::open(const std::filesystem::path& file, TableOptions options) {
    auto source = open_hdf5_source(file, {});
    check::same_rows(source->file(), source->columns());
    return Table(with_memory(std::move(source), options));
}

Table Table::open(const std::filesystem::path& file,
                  const std::vector<ColumnSpec>& columns,
                  TableOptions options) {
    if (columns.empty()) {
        throw UsageError(fmt::format("no column of '{}' was named; name at least one, or open the "
                                     "file without a list to get them all",
                                     file.string()));
    }
    std::vector<std::string> names;
    for (const ColumnSpec& spec : columns) {
        names.push_back(spec.name);
    }
    auto source = open_hdf5_source(file, names);
    for (std::size_t i = 0; i < columns.size(); ++i) {
        check::matches(source->file(), source->columns()[i], columns[i]);
    }
    check::same_rows(source->file(), source->columns());
    return Table(with_memory(std::move(source), options));
}

const std::string& Table::file() const {
    return source_->file();
}

std::uint64_t Table::rows() const {
    return source_->columns().front().rows();
}

const std::vector<Column>& Table::columns() const {
    return source_->columns();
}

const Column& Table::column(std::string_view name) const {
    return source_->columns()[index_of(*source_, name)];
}

std::size_t Table::checked_column(std::string_view name,
                                  std::uint64_t rows,
                                  ElementType as,
                                  std::uint64_t elements) const {
    const std::size_t index = index_of(*source_, name);
    const Column& column = source_->columns()[index];
    check::readable(file(), column, as);
    check::fits(file(), column, rows, elements);
    return index;
}

void Table::read_rows(std::string_view name,
                      std::uint64_t first,
                      std::uint64_t count,
                      ElementType as,
                      void* out,
                      std::uint64_t elements) const {
    check::range(file(), column(name), first, count);
    const std::size_t index = checked_column(name, count, as, elements);
    if (elements > 0) {
        source_->read_rows(index, first, count, as, out);
    }
}

void Table::gather(std::string_view name,
                   std::span<const std::uint64_t> rows,
                   ElementType as,
                   void* out,
                   std::uint64_t elements) const {
    const std::size_t index = checked_column(name, rows.size(), as, elements);
    for (const std::uint64_t row : rows) {
        check::range(file(), source_->columns()[index], row, 1);
    }
    if (elements > 0) {
        source_->gather(index, rows, as, out);
    }
}

} // namespace muster::data
