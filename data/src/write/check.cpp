#include "write/check.hpp"

#include "table_check.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace muster::data {
namespace {

constexpr std::uint64_t chunk_bytes_wanted = std::uint64_t{1} << 20U;
constexpr std::uint64_t chunk_bytes_max = (std::uint64_t{1} << 32U) - 1; // HDF5's own
constexpr std::uint64_t reference_bytes = 16; // what HDF5 keeps of a text of any length in a chunk

std::uint64_t row_bytes(const NewColumn& column) {
    return column.row_elements() *
           (column.type == ElementType::string ? reference_bytes : column.element_bytes());
}

std::string size_text(std::uint64_t bytes) {
    if (bytes < 1024) {
        return fmt::format("{} bytes", bytes);
    }
    const auto kibi = static_cast<double>(bytes) / 1024;
    return kibi < 1024 ? fmt::format("{:.1f} KiB", kibi) : fmt::format("{:.1f} MiB", kibi / 1024);
}

struct LevelRange {
    int first;
    int last;
};

std::optional<LevelRange> levels(Codec codec) {
    switch (codec) {
    case Codec::deflate:
    case Codec::blosc:
        return LevelRange{0, 9};
    case Codec::zstd:
        return LevelRange{1, 22};
    case Codec::none:
    case Codec::lz4:
        break;
    }
    return std::nullopt;
}

} // namespace

std::string_view to_string(Codec codec) {
    constexpr std::array<std::string_view, 5> names{"none", "deflate", "lz4", "zstd", "blosc"};
    return names[static_cast<std::size_t>(codec)];
}

bool ties_datasets(std::string_view attribute_name) {
    constexpr std::array<std::string_view, 9> names{"CLASS",
                                                    "NAME",
                                                    "DIMENSION_LIST",
                                                    "DIMENSION_LABELS",
                                                    "REFERENCE_LIST",
                                                    "_Netcdf4Coordinates",
                                                    "_Netcdf4Dimid",
                                                    "_NCProperties",
                                                    "_nc3_strict"};
    return std::ranges::find(names, attribute_name) != names.end();
}

std::uint64_t NewColumn::row_elements() const {
    std::uint64_t elements = 1;
    for (const std::uint64_t axis : row_shape) {
        elements *= axis;
    }
    return elements;
}

std::uint64_t NewColumn::element_bytes() const {
    return type == ElementType::fixed_string ? string_bytes : size_bytes(type);
}

ChunkChoice choose_chunk(const NewColumn& column) {
    const std::uint64_t row = row_bytes(column);
    if (column.chunk_rows > 0) {
        return {column.chunk_rows,
                fmt::format("{} rows, as asked for: {}",
                            column.chunk_rows,
                            size_text(column.chunk_rows * row))};
    }
    if (row >= chunk_bytes_wanted) {
        return {1, fmt::format("one row, which has {} already", size_text(row))};
    }
    const std::uint64_t rows = chunk_bytes_wanted / row;
    return {rows,
            fmt::format("{} rows of {}, together {}: little to decode for a few of them, and few "
                        "chunks to find one among",
                        rows,
                        size_text(row),
                        size_text(rows * row))};
}

namespace write {
namespace {

void check_name(const std::string& path, const std::string& name) {
    const bool fits = !name.empty() && name.front() != '/' && name.back() != '/' &&
                      name.find("//") == std::string::npos && name.find('\0') == std::string::npos;
    if (!fits || name == "." || name.starts_with("./") || name.find("/./") != std::string::npos ||
        name.ends_with("/.")) {
        throw UsageError(fmt::format("'{}': '{}' is no name for a column; a name is not empty, and "
                                     "'group/name' puts it into a group",
                                     path,
                                     name));
    }
}

/// The product overflows nothing, so that what follows may multiply.
void check_shape(const std::string& path, const NewColumn& column) {
    std::uint64_t bytes =
        column.type == ElementType::string ? reference_bytes : column.element_bytes();
    for (const std::uint64_t axis : column.row_shape) {
        if (axis == 0) {
            throw UsageError(fmt::format("'{}': rows of column '{}' would be {}, without a value; "
                                         "leave the column out",
                                         path,
                                         column.name,
                                         check::shape_text(column.row_shape)));
        }
        if (bytes > chunk_bytes_max / axis) {
            throw UsageError(fmt::format("'{}': a row of column '{}' is {}, more than the 4 GiB "
                                         "that an HDF5 chunk may have; split it into more rows",
                                         path,
                                         column.name,
                                         check::shape_text(column.row_shape)));
        }
        bytes *= axis;
    }
    if (column.chunk_rows > chunk_bytes_max / bytes) {
        throw UsageError(fmt::format("'{}': {} rows of column '{}' are more than the 4 GiB that an "
                                     "HDF5 chunk may have; ask for at most {}",
                                     path,
                                     column.chunk_rows,
                                     column.name,
                                     chunk_bytes_max / bytes));
    }
}

void check_compression(const std::string& path, const NewColumn& column) {
    const Compression& compression = column.compression;
    if (column.type == ElementType::string && compression != Compression{}) {
        throw UsageError(
            fmt::format("'{}': column '{}' is text of any length, which HDF5 keeps outside "
                        "of chunks and cannot compress; leave its compression out, or "
                        "make it a fixed_string",
                        path,
                        column.name));
    }
    if (!compression.level) {
        return;
    }
    const auto range = levels(compression.codec);
    if (!range) {
        throw UsageError(fmt::format("'{}': column '{}' has a level, but {} has none; leave it out",
                                     path,
                                     column.name,
                                     to_string(compression.codec)));
    }
    if (*compression.level < range->first || *compression.level > range->last) {
        throw UsageError(fmt::format("'{}': column '{}' asks for level {} of {}; it has {} to {}",
                                     path,
                                     column.name,
                                     *compression.level,
                                     to_string(compression.codec),
                                     range->first,
                                     range->last));
    }
}

std::string names_of(std::span<const NewColumn> columns) {
    std::string names;
    for (const NewColumn& column : columns) {
        names += (names.empty() ? "'" : ", '") + column.name + "'";
    }
    return names;
}

/// "float32", and of texts how long.
std::string type_text(ElementType type) {
    return std::string(to_string(type));
}

} // namespace

void declarable(const std::string& path, std::span<const NewColumn> columns) {
    if (columns.empty()) {
        throw UsageError(fmt::format("no column to write to '{}'; declare at least one", path));
    }
    std::set<std::string> seen;
    for (const NewColumn& column : columns) {
        check_name(path, column.name);
        if (!seen.insert(column.name).second) {
            throw UsageError(fmt::format(
                "'{}': there are two columns '{}'; give them different names", path, column.name));
        }
        if (column.type == ElementType::unsupported) {
            throw UsageError(fmt::format("'{}': column '{}' has no type that can be written; use a "
                                         "number, bool, complex number or text",
                                         path,
                                         column.name));
        }
        if ((column.type == ElementType::fixed_string) != (column.string_bytes > 0)) {
            throw UsageError(fmt::format("'{}': column '{}': string_bytes is the length of a "
                                         "fixed_string, and of nothing else",
                                         path,
                                         column.name));
        }
        check_shape(path, column);
        check_compression(path, column);
    }
    for (const NewColumn& column : columns) { // "a" cannot be a column and the group of "a/b"
        for (auto at = column.name.find('/'); at != std::string::npos;
             at = column.name.find('/', at + 1)) {
            if (seen.contains(column.name.substr(0, at))) {
                throw UsageError(
                    fmt::format("'{}': '{}' is a column, so '{}' cannot be in it as in "
                                "a group; rename one of them",
                                path,
                                column.name.substr(0, at),
                                column.name));
            }
        }
    }
}

std::uint64_t rows_of(const NewColumn& column, const ColumnBlock& block) {
    return block.elements / column.row_elements();
}

std::vector<std::size_t> fitting(const std::string& path,
                                 std::span<const NewColumn> columns,
                                 std::span<const ColumnBlock> blocks) {
    for (const ColumnBlock& block : blocks) {
        if (std::ranges::find(columns, block.column, &NewColumn::name) == columns.end()) {
            throw UsageError(fmt::format("'{}' has no column '{}' to append to; its columns are {}",
                                         path,
                                         block.column,
                                         names_of(columns)));
        }
    }
    std::vector<std::size_t> order;
    for (const NewColumn& column : columns) {
        const auto given =
            std::ranges::find(blocks, std::string_view(column.name), &ColumnBlock::column);
        if (given == blocks.end()) {
            throw UsageError(fmt::format("'{}': nothing was given for column '{}'; append to all "
                                         "columns at once",
                                         path,
                                         column.name));
        }
        if (given->type != column.type) {
            throw UsageError(fmt::format("'{}': column '{}' is {}, but {} values were given; "
                                         "convert them, or declare the column so",
                                         path,
                                         column.name,
                                         type_text(column.type),
                                         type_text(given->type)));
        }
        if (given->elements % column.row_elements() != 0) {
            throw UsageError(fmt::format("'{}': {} values are no whole number of rows of column "
                                         "'{}', which have {} ({})",
                                         path,
                                         given->elements,
                                         column.name,
                                         column.row_elements(),
                                         check::shape_text(column.row_shape)));
        }
        order.push_back(static_cast<std::size_t>(given - blocks.begin()));
        const std::uint64_t rows = rows_of(column, *given);
        const std::uint64_t first_rows = rows_of(columns.front(), blocks[order.front()]);
        if (rows != first_rows) {
            throw UsageError(fmt::format("'{}': {} rows for column '{}' but {} for '{}'; all "
                                         "columns of an append have the same number of rows",
                                         path,
                                         first_rows,
                                         columns.front().name,
                                         rows,
                                         column.name));
        }
    }
    if (blocks.size() != columns.size()) {
        throw UsageError(fmt::format("'{}': {} blocks for {} columns; give each column one",
                                     path,
                                     blocks.size(),
                                     columns.size()));
    }
    return order;
}

std::vector<ShardSummary>
in_order(const std::string& path, std::uint64_t present, std::span<const ShardSummary> shards) {
    if (shards.empty()) {
        throw UsageError(fmt::format("no shard to make '{}' of; commit() needs what each writer's "
                                     "finish() returned",
                                     path));
    }
    std::vector<ShardSummary> ordered(shards.begin(), shards.end());
    std::ranges::stable_sort(ordered, {}, &ShardSummary::shard);
    for (std::size_t i = 0; i < ordered.size(); ++i) {
        const ShardSummary& shard = ordered[i];
        if (shard.shard < i) {
            throw UsageError(fmt::format("'{}': there are two summaries of shard {}; commit one of "
                                         "them",
                                         path,
                                         shard.shard));
        }
        if (shard.shard > i) {
            throw UsageError(fmt::format("'{}': shard {} is missing among {} summaries; commit "
                                         "those of all writers, numbered from 0",
                                         path,
                                         i,
                                         ordered.size()));
        }
        if (shard.columns != ordered.front().columns) {
            throw UsageError(fmt::format("'{}': shard {} was written with other columns than shard "
                                         "0; declare the same in all writers",
                                         path,
                                         i));
        }
        if (shard.generation != present + 1) {
            throw Error(fmt::format("'{}' is at version {}, but shard {} was written for version "
                                    "{}: somebody else has committed meanwhile; write it again",
                                    path,
                                    present,
                                    i,
                                    shard.generation));
        }
    }
    return ordered;
}

} // namespace write
} // namespace muster::data
