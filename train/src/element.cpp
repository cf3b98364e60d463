#include "vectorised.hpp"

#include <muster/base/assert.hpp>
#include <muster/train/element.hpp>

#include <bit>

namespace muster::train {
namespace {

// Branches are written as choices between values, so that compilers make vectors of them. After
// Giesen, "Float->half conversion" (public domain): the variants with round to nearest even.

inline std::uint16_t half_bits(float value) {
    constexpr std::uint32_t infinity = 255U << 23U;
    constexpr std::uint32_t too_large = (127U + 16U) << 23U;
    constexpr std::uint32_t subnormal_below = 113U << 23U;
    constexpr std::uint32_t magic = ((127U - 15U) + (23U - 10U) + 1U) << 23U;
    const auto all = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = all & 0x80000000U;
    const std::uint32_t bits = all ^ sign;
    // Adding the magic number lets the float adder round to the subnormals' last place.
    const std::uint32_t small =
        std::bit_cast<std::uint32_t>(std::bit_cast<float>(bits) + std::bit_cast<float>(magic)) -
        magic;
    const std::uint32_t normal =
        (bits - ((127U - 15U) << 23U) + 0xfffU + ((bits >> 13U) & 1U)) >> 13U;
    const std::uint32_t special = bits > infinity ? 0x7e00U : 0x7c00U;
    const std::uint32_t finite = bits < subnormal_below ? small : normal;
    return static_cast<std::uint16_t>((bits >= too_large ? special : finite) | (sign >> 16U));
}

inline float from_half_bits(std::uint16_t half) {
    constexpr std::uint32_t exponent_mask = 0x7c00U << 13U;
    constexpr std::uint32_t magic = 113U << 23U;
    const std::uint32_t moved = (half & 0x7fffU) << 13U;
    const std::uint32_t exponent = moved & exponent_mask;
    const std::uint32_t normal = moved + ((127U - 15U) << 23U);
    const std::uint32_t special = normal + ((128U - 16U) << 23U);
    const std::uint32_t small = std::bit_cast<std::uint32_t>(
        std::bit_cast<float>(normal + (1U << 23U)) - std::bit_cast<float>(magic));
    const std::uint32_t bits = exponent == exponent_mask ? special : exponent == 0 ? small : normal;
    return std::bit_cast<float>(bits | ((half & 0x8000U) << 16U));
}

inline std::uint16_t bfloat_bits(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U;
    const std::uint32_t quiet = (bits >> 16U) | 0x40U;
    return static_cast<std::uint16_t>((bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

inline float from_bfloat_bits(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

MUSTER_VECTORISED void narrow_halves(const float* from, Float16* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        to[i].bits = half_bits(from[i]);
    }
}

MUSTER_VECTORISED void narrow_bfloats(const float* from, BFloat16* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        to[i].bits = bfloat_bits(from[i]);
    }
}

MUSTER_VECTORISED void widen_halves(const Float16* from, float* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        to[i] = from_half_bits(from[i].bits);
    }
}

MUSTER_VECTORISED void widen_bfloats(const BFloat16* from, float* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        to[i] = from_bfloat_bits(from[i].bits);
    }
}

} // namespace

std::size_t size_bytes_of(ElementType type) noexcept {
    switch (type) {
    case ElementType::float64:
    case ElementType::uint64:
        return 8;
    case ElementType::float32:
        return 4;
    case ElementType::float16:
    case ElementType::bfloat16:
        return 2;
    case ElementType::uint8:
        break;
    }
    return 1;
}

const char* name_of(ElementType type) noexcept {
    constexpr const char* names[] = {
        "float32", "float64", "float16", "bfloat16", "uint8", "uint64"};
    return names[static_cast<std::size_t>(type)];
}

void narrow(std::span<const float> from, std::span<Float16> to) {
    MUSTER_ASSERT(from.size() == to.size());
    narrow_halves(from.data(), to.data(), from.size());
}

void narrow(std::span<const float> from, std::span<BFloat16> to) {
    MUSTER_ASSERT(from.size() == to.size());
    narrow_bfloats(from.data(), to.data(), from.size());
}

void widen(std::span<const Float16> from, std::span<float> to) {
    MUSTER_ASSERT(from.size() == to.size());
    widen_halves(from.data(), to.data(), from.size());
}

void widen(std::span<const BFloat16> from, std::span<float> to) {
    MUSTER_ASSERT(from.size() == to.size());
    widen_bfloats(from.data(), to.data(), from.size());
}

Float16 to_float16(float value) {
    return {half_bits(value)};
}

BFloat16 to_bfloat16(float value) {
    return {bfloat_bits(value)};
}

float to_float(Float16 value) {
    return from_half_bits(value.bits);
}

float to_float(BFloat16 value) {
    return from_bfloat_bits(value.bits);
}

} // namespace muster::train
