#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace muster::train {

/// What a tensor is made of. uint8 and uint64 are for counts and flags, not for parameters.
enum class ElementType : std::uint8_t { float32, float64, float16, bfloat16, uint8, uint64 };

[[nodiscard]] std::size_t size_bytes_of(ElementType type) noexcept;
[[nodiscard]] const char* name_of(ElementType type) noexcept;

/// IEEE 754 binary16: 5 bits of exponent, 10 of mantissa, the largest 65504. Storage only.
struct Float16 {
    std::uint16_t bits = 0;
    bool operator==(const Float16&) const = default;
};

/// The upper half of a float: its range, with 7 bits of mantissa. Storage only.
struct BFloat16 {
    std::uint16_t bits = 0;
    bool operator==(const BFloat16&) const = default;
};

/// Rounds to the nearest, ties to even. What is too large for the type becomes infinite, what is
/// too small for float16 a subnormal or 0; a NaN stays one, quiet. Both spans have the same size.
void narrow(std::span<const float> from, std::span<Float16> to);
void narrow(std::span<const float> from, std::span<BFloat16> to);

/// Exact. Both spans have the same size.
void widen(std::span<const Float16> from, std::span<float> to);
void widen(std::span<const BFloat16> from, std::span<float> to);

[[nodiscard]] Float16 to_float16(float value);
[[nodiscard]] BFloat16 to_bfloat16(float value);
[[nodiscard]] float to_float(Float16 value);
[[nodiscard]] float to_float(BFloat16 value);

} // namespace muster::train
