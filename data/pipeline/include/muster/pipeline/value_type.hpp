#pragma once

#include <complex>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster::data {

/// What one value of a block's column is. ElementType says what files hold; this, what is computed
/// with.
enum class ValueType : std::uint8_t {
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
    boolean,
    complex64,  ///< Two float32.
    complex128, ///< Two float64.
    text,       ///< Characters, any number a value; UTF-8 by convention.
};

/// "int64", "text", …
[[nodiscard]] std::string_view to_string(ValueType type);

/// Bytes of one value; 0 for text.
[[nodiscard]] std::uint64_t size_bytes(ValueType type);

/// Numbers and booleans: what has an order, and can be summed.
[[nodiscard]] constexpr bool is_real(ValueType type) {
    return type < ValueType::complex64;
}

/// The ValueType of a C++ type; one that is none does not compile. Strings have columns of their
/// own kind: see Block::texts().
template <class T>
[[nodiscard]] constexpr ValueType value_type_of() {
    if constexpr (std::is_same_v<T, bool>) {
        return ValueType::boolean;
    } else if constexpr (std::is_same_v<T, std::complex<float>>) {
        return ValueType::complex64;
    } else if constexpr (std::is_same_v<T, std::complex<double>>) {
        return ValueType::complex128;
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
        return ValueType::text;
    } else {
        static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8,
                      "muster: columns hold numbers, bool, std::complex of them, or text");
        if constexpr (std::is_floating_point_v<T>) {
            return sizeof(T) == 4 ? ValueType::float32 : ValueType::float64;
        } else {
            constexpr int width = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
            constexpr int first =
                static_cast<int>(std::is_signed_v<T> ? ValueType::int8 : ValueType::uint8);
            return static_cast<ValueType>(first + width);
        }
    }
}

/// Calls `visitor(std::type_identity<T>{})` with the C++ type of real values; only of those.
template <class Visitor>
decltype(auto) visit_real(ValueType type, Visitor&& visitor) {
    switch (type) {
    case ValueType::int8:
        return visitor(std::type_identity<std::int8_t>{});
    case ValueType::int16:
        return visitor(std::type_identity<std::int16_t>{});
    case ValueType::int32:
        return visitor(std::type_identity<std::int32_t>{});
    case ValueType::int64:
        return visitor(std::type_identity<std::int64_t>{});
    case ValueType::uint8:
        return visitor(std::type_identity<std::uint8_t>{});
    case ValueType::uint16:
        return visitor(std::type_identity<std::uint16_t>{});
    case ValueType::uint32:
        return visitor(std::type_identity<std::uint32_t>{});
    case ValueType::uint64:
        return visitor(std::type_identity<std::uint64_t>{});
    case ValueType::float32:
        return visitor(std::type_identity<float>{});
    case ValueType::boolean:
        return visitor(std::type_identity<bool>{});
    default:
        return visitor(std::type_identity<double>{});
    }
}

/// A column of a block: what each of its rows holds.
struct Field {
    std::string name;
    ValueType type = ValueType::float32;
    std::vector<std::uint64_t> shape{}; ///< Of one row; {} for one value a row. Text has none.

    /// Values in one row.
    [[nodiscard]] std::uint64_t elements() const {
        std::uint64_t count = 1;
        for (const auto extent : shape) {
            count *= extent;
        }
        return count;
    }

    /// 0 for text.
    [[nodiscard]] std::uint64_t row_bytes() const { return elements() * size_bytes(type); }

    bool operator==(const Field&) const = default;
};

/// "x (float32[784]), label (uint8)".
[[nodiscard]] std::string describe(const std::vector<Field>& fields);

} // namespace muster::data
