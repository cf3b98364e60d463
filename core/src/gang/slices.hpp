#pragma once

#include <algorithm>
#include <cstdint>

namespace muster::gang {

/// A run of elements, or of bytes.
struct Slice {
    std::uint64_t begin = 0;
    std::uint64_t size = 0;

    friend bool operator==(const Slice&, const Slice&) = default;
};

/// Slice `i` of `count` elements cut into `n`: contiguous, in order, sizes that differ by at most
/// one. No product overflows, whatever the count.
constexpr Slice slice_of(std::uint64_t count, std::uint64_t n, std::uint64_t i) {
    const std::uint64_t each = count / n;
    const std::uint64_t larger = count % n;
    return {each * i + std::min(i, larger), each + (i < larger ? 1 : 0)};
}

/// Piece `i` of `count` elements cut into pieces of `each`: the last is smaller, those after it
/// are empty.
constexpr Slice piece_of(std::uint64_t count, std::uint64_t each, std::uint64_t i) {
    const std::uint64_t begin = std::min(count, i <= count / each ? each * i : count);
    return {begin, std::min(each, count - begin)};
}

constexpr std::uint64_t piece_count(std::uint64_t count, std::uint64_t each) {
    return count / each + (count % each == 0 ? 0 : 1);
}

} // namespace muster::gang
