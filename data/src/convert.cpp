#include "convert.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <bit>
#include <complex>
#include <cstring>

namespace muster::data {
namespace {

/// IEEE 754 half precision, as its bits.
struct Half {
    std::uint16_t bits;

    explicit operator float() const {
        const std::uint32_t sign = (bits & 0x8000U) << 16U;
        const std::uint32_t exponent = (bits >> 10U) & 0x1fU;
        const std::uint32_t mantissa = bits & 0x3ffU;
        if (exponent == 0x1f) { // infinity and NaN
            return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13U));
        }
        if (exponent == 0) { // zero and subnormal
            const float value = static_cast<float>(mantissa) * 0x1p-24F;
            return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
        }
        return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (mantissa << 13U));
    }

    explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
};

/// Calls `use` with a value of the C++ type that `type` stands for.
template <class Use>
void with_type(ElementType type, const Use& use) {
    switch (type) {
    case ElementType::int8:
        return use(std::int8_t{});
    case ElementType::int16:
        return use(std::int16_t{});
    case ElementType::int32:
        return use(std::int32_t{});
    case ElementType::int64:
        return use(std::int64_t{});
    case ElementType::uint8:
    case ElementType::boolean:
        return use(std::uint8_t{});
    case ElementType::uint16:
        return use(std::uint16_t{});
    case ElementType::uint32:
        return use(std::uint32_t{});
    case ElementType::uint64:
        return use(std::uint64_t{});
    case ElementType::float32:
        return use(float{});
    case ElementType::float64:
        return use(double{});
    case ElementType::float16:
        return use(Half{});
    case ElementType::complex64:
        return use(std::complex<float>{});
    case ElementType::complex128:
        return use(std::complex<double>{});
    default:
        break;
    }
    MUSTER_ASSERT(!"a type that does not convert was let through");
}

template <class T>
struct is_complex : std::false_type {};

template <class T>
struct is_complex<std::complex<T>> : std::true_type {};

template <class T>
T swapped(T value) {
    if constexpr (is_complex<T>::value) {
        return {swapped(value.real()), swapped(value.imag())};
    } else {
        std::byte bytes[sizeof(T)];
        std::memcpy(bytes, &value, sizeof(T));
        std::reverse(bytes, bytes + sizeof(T));
        std::memcpy(&value, bytes, sizeof(T));
        return value;
    }
}

/// Of what widens() lets through; the rest is not compiled.
template <class Stored, class Wanted>
constexpr bool converts = [] {
    if constexpr (is_complex<Stored>::value || is_complex<Wanted>::value) {
        return is_complex<Stored>::value && is_complex<Wanted>::value;
    } else if constexpr (std::is_same_v<Wanted, Half>) {
        return std::is_same_v<Stored, Half>; // only to put its bytes in order
    } else {
        return std::is_floating_point_v<Wanted> || std::is_integral_v<Stored>;
    }
}();

/// Addresses need not be aligned: rows follow one another in chunks as they come.
template <class Stored, class Wanted>
void convert_all(const std::byte* in, std::byte* out, std::size_t count, bool swap) {
    for (std::size_t i = 0; i < count; ++i) {
        Stored value;
        std::memcpy(&value, in + i * sizeof(Stored), sizeof(Stored));
        const auto wanted = static_cast<Wanted>(swap ? swapped(value) : value);
        std::memcpy(out + i * sizeof(Wanted), &wanted, sizeof(Wanted));
    }
}

} // namespace

bool is_as_stored(const Column& column, ElementType to) {
    return column.type == to && !column.is_swapped;
}

void convert(
    const Column& column, const std::byte* in, ElementType to, std::byte* out, std::size_t count) {
    if (is_as_stored(column, to)) {
        std::memcpy(out, in, count * column.element_bytes);
        return;
    }
    with_type(column.type, [&](auto stored) {
        with_type(to, [&](auto wanted) {
            if constexpr (converts<decltype(stored), decltype(wanted)>) {
                column.is_swapped
                    ? convert_all<decltype(stored), decltype(wanted)>(in, out, count, true)
                    : convert_all<decltype(stored), decltype(wanted)>(in, out, count, false);
            } else {
                MUSTER_ASSERT(!"a conversion that does not widen was let through");
            }
        });
    });
}

} // namespace muster::data
