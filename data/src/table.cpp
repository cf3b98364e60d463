#include "file_index.hpp"
#include "reader.hpp"
#include "table_check.hpp"

#include <muster/base/error.hpp>
#include <muster/data/table.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace muster::data {
namespace {

std::size_t index_of(const Catalog& catalog, std::string_view name) {
    const std::vector<Column>& columns = catalog.columns;
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
                            catalog.name,
                            name,
                            names),
                ErrorCode::usage);
}

std::string without_leading_slash(const std::string& name) {
    return name.substr(std::min(name.find_first_not_of('/'), name.size()));
}

std::shared_ptr<Reader> open_reader(const std::vector<std::string>& files,
                                    const TableOptions& options) {
    const std::vector<ColumnSpec>& columns = options.columns;
    std::vector<std::string> names;
    for (const ColumnSpec& spec : columns) {
        names.push_back(without_leading_slash(spec.name));
    }
    FileIndex index(options.index_file);
    Catalog catalog = make_catalog(
        files, names, [&](const std::string& path, const std::vector<std::string>& wanted) {
            return index.describe(path, wanted);
        });
    index.save();
    for (std::size_t i = 0; i < columns.size(); ++i) {
        check::matches(catalog.name, catalog.columns[i], columns[i]);
    }
    return std::make_shared<Reader>(std::move(catalog), options);
}

} // namespace

Table Table::open(const std::filesystem::path& file, const TableOptions& options) {
    return Table(open_reader(matching_files(file.string()), options));
}

Table Table::open_files(const std::vector<std::filesystem::path>& files,
                        const TableOptions& options) {
    if (files.empty()) {
        throw UsageError("a table of no files was asked for; name at least one");
    }
    std::vector<std::string> paths;
    for (const std::filesystem::path& file : files) {
        paths.push_back(file.string());
    }
    return Table(open_reader(paths, options));
}

const std::string& Table::file() const {
    return reader_->catalog().name;
}

std::uint64_t Table::rows() const {
    return columns().front().rows();
}

const std::vector<Column>& Table::columns() const {
    return reader_->catalog().columns;
}

const Column& Table::column(std::string_view name) const {
    return columns()[index_of(reader_->catalog(), name)];
}

std::size_t Table::checked_column(std::string_view name,
                                  std::uint64_t rows,
                                  ElementType as,
                                  std::uint64_t bytes) const {
    const std::size_t index = index_of(reader_->catalog(), name);
    const Column& column = columns()[index];
    check::readable(file(), column, as);
    check::fits(file(), column, rows, bytes / size_bytes(as));
    return index;
}

void Table::read_rows(std::string_view name,
                      std::uint64_t first,
                      std::uint64_t count,
                      ElementType as,
                      std::span<std::byte> out) const {
    check::range(file(), column(name), first, count);
    const std::size_t index = checked_column(name, count, as, out.size());
    if (!out.empty()) {
        reader_->read_rows(index, first, count, as, out.data());
    }
}

void Table::gather(std::string_view name,
                   std::span<const std::uint64_t> rows,
                   ElementType as,
                   std::span<std::byte> out) const {
    const std::size_t index = checked_column(name, rows.size(), as, out.size());
    for (const std::uint64_t row : rows) {
        check::range(file(), columns()[index], row, 1);
    }
    if (!out.empty()) {
        reader_->gather(index, rows, as, out.data(), false);
    }
}

std::vector<std::string>
Table::read_strings(std::string_view name, std::uint64_t first, std::uint64_t count) const {
    const std::size_t index = index_of(reader_->catalog(), name);
    const Column& of = columns()[index];
    check::range(file(), of, first, count);
    check::is_text(file(), of);
    std::vector<std::string> texts;
    reader_->read_strings(index, first, count, texts);
    return texts;
}

std::vector<std::uint64_t> Table::block_starts(std::string_view name) const {
    return reader_->block_starts(index_of(reader_->catalog(), name));
}

ReadStatistics Table::statistics() const {
    return reader_->statistics();
}

Table Table::share_chunks(std::uint64_t nonce) const {
    auto reader = std::make_shared<Reader>(
        reader_->catalog(), TableOptions{.memory_bytes_max = reader_->cache_bytes_max()});
    reader->use_cache(
        BlockCache::make_shared(reader->slot_bytes(), reader->cache_bytes_max(), nonce));
    return Table(std::move(reader));
}

SharedChunks Table::shared_chunks() const {
    const CachePlace place = reader_->cache()->place();
    return {place.process, place.descriptor, place.nonce};
}

Table Table::with_chunks_of(const SharedChunks& other, std::uint32_t member) const {
    auto reader = std::make_shared<Reader>(
        reader_->catalog(), TableOptions{.memory_bytes_max = reader_->cache_bytes_max()});
    reader->use_cache(BlockCache::open_shared({static_cast<std::int32_t>(other.process),
                                               static_cast<std::int32_t>(other.descriptor),
                                               other.nonce},
                                              reader->slot_bytes(),
                                              reader->cache_bytes_max(),
                                              member));
    return Table(std::move(reader));
}

} // namespace muster::data
