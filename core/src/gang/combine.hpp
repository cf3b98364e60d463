#pragma once

#include <muster/core/communicator.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace muster::gang {

using detail::ElementType;

[[nodiscard]] std::size_t size_of(ElementType type);
[[nodiscard]] const char* name_of(ElementType type);
[[nodiscard]] const char* name_of(ReduceOp op);

/// Where the canonical tree over members [low, high) divides: all who combine use this one, so that
/// results have the same bits whoever computes them, and where.
constexpr int middle(int low, int high) {
    return low + (high - low) / 2;
}

/// out[i] becomes the reduction of element i of all inputs, in the order of a balanced binary tree:
/// the reduction of the inputs below middle(0, n), then that of the others, then both combined.
///
/// Integers wrap. Of a minimum or maximum with a NaN, the first operand's side stays.
/// `out` may be one of the inputs; otherwise it overlaps none. Pointers are aligned for the type.
void combine(ElementType type,
             ReduceOp op,
             std::span<const std::byte* const> inputs,
             std::byte* out,
             std::uint64_t count);

} // namespace muster::gang
