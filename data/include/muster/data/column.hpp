#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster::data {

/// What one value of a column is, as stored.
enum class ElementType : std::uint8_t {
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    float32,
    float64,
    float16,      ///< IEEE 754 half precision; read as float or double.
    boolean,      ///< As h5py and netCDF write it: an enumeration of bytes, FALSE = 0 and TRUE = 1.
    complex64,    ///< As h5py writes it: a compound of two float32, real part first.
    complex128,   ///< The same of two float64.
    fixed_string, ///< Text of Column::element_bytes bytes, padded or ended by zero.
    string,       ///< Text of any length.
    unsupported,  ///< Compound, enumeration, … ; Column::type_text says which.
};

/// The ElementType of a C++ number, bool, complex number or std::string; a type that is none does
/// not compile.
template <class T>
[[nodiscard]] constexpr ElementType element_type_of() {
    if constexpr (std::is_same_v<T, std::string>) {
        return ElementType::string;
    } else if constexpr (std::is_same_v<T, bool>) {
        return ElementType::boolean;
    } else if constexpr (std::is_same_v<T, std::complex<float>>) {
        return ElementType::complex64;
    } else if constexpr (std::is_same_v<T, std::complex<double>>) {
        return ElementType::complex128;
    } else {
        static_assert(std::is_arithmetic_v<T>,
                      "columns are read as integers, floating-point numbers, bool or std::complex");
        if constexpr (std::is_floating_point_v<T>) {
            static_assert(sizeof(T) == 4 || sizeof(T) == 8, "columns are read as float or double");
            return sizeof(T) == 4 ? ElementType::float32 : ElementType::float64;
        } else {
            constexpr bool is_signed = std::is_signed_v<T>;
            switch (sizeof(T)) {
            case 1:
                return is_signed ? ElementType::int8 : ElementType::uint8;
            case 2:
                return is_signed ? ElementType::int16 : ElementType::uint16;
            case 4:
                return is_signed ? ElementType::int32 : ElementType::uint32;
            default:
                return is_signed ? ElementType::int64 : ElementType::uint64;
            }
        }
    }
}

/// Bytes of one element; 0 for strings, whose length is their column's, and unsupported types.
[[nodiscard]] std::uint64_t size_bytes(ElementType type);

/// "uint8", "float32", …
[[nodiscard]] std::string_view to_string(ElementType type);

/// Whether every value of type `from` is also a value of type `to`: the type itself, a wider
/// integer, a floating-point type with enough digits, for a bool any number, for a complex number a
/// wider one. Only such conversions happen on reading, so that none can lose anything. Strings are
/// not numbers: they are read by Table::read_strings().
[[nodiscard]] bool widens(ElementType from, ElementType to);

/// How HDF5 keeps a dataset.
enum class StorageLayout : std::uint8_t {
    contiguous,
    chunked,
    compact,         ///< Inside the file's headers.
    virtual_dataset, ///< Pieces of datasets, mostly of other files.
    external,        ///< In files that are not HDF5.
};

/// "contiguous", "chunked", …
[[nodiscard]] std::string_view to_string(StorageLayout layout);

/// One step of what is done to a chunk on writing, and undone on reading.
struct Filter {
    int id = 0;       ///< As registered with the HDF Group.
    std::string name; ///< "deflate", "shuffle", …; for an unknown one "filter 321".
    std::vector<std::uint32_t> values; ///< Its parameters, "client data" in HDF5's words.

    bool operator==(const Filter&) const = default;
};

/// One dataset of a file, or of several that follow one another, as a column of a table: its first
/// axis counts rows. Of several files, what describes storage is the first one's.
struct Column {
    std::string name;                 ///< Path inside the file, without a leading '/'.
    std::vector<std::uint64_t> shape; ///< Rows first; at least one axis.
    ElementType type = ElementType::unsupported;
    std::string type_text;            ///< For people: "uint8", "string of 8 bytes", …
    std::vector<std::uint64_t> chunk; ///< Chunk shape; empty for other layouts.
    StorageLayout layout = StorageLayout::contiguous;
    std::uint64_t element_bytes = 0;  ///< Of one value as stored; of a string of any length, 0.
    bool is_swapped = false;          ///< Stored in the other byte order than this machine's.
    std::vector<Filter> filters = {}; ///< In the order in which writing applies them.
    std::uint64_t stored_bytes = 0;   ///< On disk, after the filters.

    [[nodiscard]] std::uint64_t rows() const { return shape.front(); }

    /// Elements in one row: 1 for a one-dimensional column.
    [[nodiscard]] std::uint64_t row_elements() const {
        std::uint64_t elements = 1;
        for (std::size_t axis = 1; axis < shape.size(); ++axis) {
            elements *= shape[axis];
        }
        return elements;
    }

    /// Bytes of one row as stored, before the filters; 0 for strings of any length.
    [[nodiscard]] std::uint64_t row_bytes() const { return row_elements() * element_bytes; }

    bool operator==(const Column&) const = default;
};

/// What a program expects of a column; checked when the table is opened.
struct ColumnSpec {
    std::string name;
    ElementType read_as = ElementType::float32; ///< ElementType::unsupported: anything will do.
    /// Shape of one row, {} for one value a row; anything goes where it is absent.
    std::optional<std::vector<std::uint64_t>> row_shape;
};

/// `column<float>("images", {28, 28})`: rows of 28 x 28 values that widen to float.
/// `column<int>("labels", {})`: one value a row. `column<std::string>("names")`: text of any kind.
template <class T>
[[nodiscard]] ColumnSpec
column(std::string name, std::optional<std::vector<std::uint64_t>> row_shape = std::nullopt) {
    return {std::move(name), element_type_of<T>(), std::move(row_shape)};
}

/// A column of whatever type and shape.
[[nodiscard]] inline ColumnSpec column(std::string name) {
    return {std::move(name), ElementType::unsupported, std::nullopt};
}

} // namespace muster::data
