#pragma once

#include <muster/data/column.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace muster::data {

/// What makes chunks smaller. Deflate is part of HDF5; the others are there where the HDF5 that
/// runs has their filter, and an error says so where it has not.
enum class Codec : std::uint8_t { none, deflate, lz4, zstd, blosc };

/// "none", "deflate", …
[[nodiscard]] std::string_view to_string(Codec codec);

/// What is done to each chunk on writing, and undone on reading. Nothing, for text of any length:
/// HDF5 keeps it outside of chunks.
struct Compression {
    Codec codec = Codec::none;
    /// Of deflate 0 to 9 (4 if absent), zstd 1 to 22 (3), blosc 0 to 9 (5); lz4 has none.
    std::optional<int> level = std::nullopt;
    bool shuffle = false;    ///< First bytes of all values, then second ones, …: helps the codec.
    bool fletcher32 = false; ///< A checksum of each chunk, which reading checks.

    bool operator==(const Compression&) const = default;
};

/// A note beside a column, or beside the whole table.
struct Attribute {
    std::string name;
    std::variant<std::int64_t,
                 double,
                 std::string,
                 std::vector<std::int64_t>,
                 std::vector<double>,
                 std::vector<std::string>>
        value;

    bool operator==(const Attribute&) const = default;
};

/// Whether an attribute of this name is how netCDF-4 and HDF5's dimension scales tie the datasets
/// of a file to one another: it means nothing, or something wrong, beside a copy of some of them.
[[nodiscard]] bool ties_datasets(std::string_view attribute_name);

/// A column to be written. Its shape is (rows, row_shape...), and rows grow.
struct NewColumn {
    std::string name; ///< Path inside the file; "group/name" makes the group.
    ElementType type = ElementType::float32;
    std::vector<std::uint64_t> row_shape = {}; ///< {}: one value a row. No axis may be 0.
    std::uint64_t string_bytes = 0;            ///< Of fixed_string: bytes of one value; else 0.
    std::uint64_t chunk_rows = 0;              ///< Rows in a chunk; 0: see choose_chunk().
    Compression compression = {};
    std::vector<Attribute> attributes = {};

    /// Values in one row.
    [[nodiscard]] std::uint64_t row_elements() const;

    /// Bytes of one value in memory; 0 for strings of any length.
    [[nodiscard]] std::uint64_t element_bytes() const;

    bool operator==(const NewColumn&) const = default;
};

/// `new_column<float>("images", {28, 28}, {.codec = Codec::deflate, .shuffle = true})`. T is a
/// number, bool, std::complex, or std::string for text of any length.
template <class T>
[[nodiscard]] NewColumn new_column(std::string name,
                                   std::vector<std::uint64_t> row_shape = {},
                                   Compression compression = {}) {
    NewColumn column;
    column.name = std::move(name);
    if constexpr (std::is_same_v<T, std::string>) {
        column.type = ElementType::string;
    } else {
        column.type = element_type_of<T>();
    }
    column.row_shape = std::move(row_shape);
    column.compression = compression;
    return column;
}

/// How many rows a chunk has, and why: a sentence for people.
struct ChunkChoice {
    std::uint64_t rows = 1;
    std::string reason;
};

/// The column's chunk_rows, or as many rows as about 1 MiB holds, and at least one: small enough to
/// be decoded for a few rows of it, large enough that its entry in the index does not count. A file
/// with fewer rows gets one chunk of just those.
[[nodiscard]] ChunkChoice choose_chunk(const NewColumn& column);

} // namespace muster::data
