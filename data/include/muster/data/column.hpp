#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace muster::data {

/// What one value of a column is, as stored.
enum class ElementType {
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
    unsupported, ///< A string, compound, half-precision or other type; Column::type_text says
                 ///< which.
};

/// The ElementType of a C++ number; a type that is none does not compile.
template <class T>
[[nodiscard]] constexpr ElementType element_type_of() {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>,
                  "columns are read as integers or floating-point numbers");
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

/// Bytes of one element; 0 for an unsupported type.
[[nodiscard]] std::uint64_t size_bytes(ElementType type);

/// "uint8", "float32", …
[[nodiscard]] std::string_view to_string(ElementType type);

/// Whether every value of type `from` is also a value of type `to`: the type itself, a wider
/// integer, a floating-point type with enough digits. Only such conversions happen on reading,
/// so that none can lose anything.
[[nodiscard]] bool widens(ElementType from, ElementType to);

/// One dataset of a file, as a column of a table: its first axis counts rows.
struct Column {
    std::string name;                 ///< Path inside the file, without a leading '/'.
    std::vector<std::uint64_t> shape; ///< Rows first; at least one axis.
    ElementType type = ElementType::unsupported;
    std::string type_text;            ///< For people: "uint8", "string", …
    std::vector<std::uint64_t> chunk; ///< Chunk shape; empty for contiguous storage.

    [[nodiscard]] std::uint64_t rows() const { return shape.front(); }

    /// Elements in one row: 1 for a one-dimensional column.
    [[nodiscard]] std::uint64_t row_elements() const {
        std::uint64_t elements = 1;
        for (std::size_t axis = 1; axis < shape.size(); ++axis) {
            elements *= shape[axis];
        }
        return elements;
    }
};

/// What a program expects of a column; checked when the table is opened.
struct ColumnSpec {
    std::string name;
    ElementType read_as = ElementType::float32;
    /// Shape of one row, {} for one value a row; anything goes where it is absent.
    std::optional<std::vector<std::uint64_t>> row_shape;
};

/// `column<float>("images", {28, 28})`: rows of 28 x 28 values that widen to float.
/// `column<int>("labels", {})`: one value a row.
template <class T>
[[nodiscard]] ColumnSpec
column(std::string name, std::optional<std::vector<std::uint64_t>> row_shape = std::nullopt) {
    return {std::move(name), element_type_of<T>(), std::move(row_shape)};
}

} // namespace muster::data
