#pragma once

#include <muster/data/column.hpp>

#include <cstddef>
#include <cstdint>

namespace muster::data {

/// Copies `count` elements of a column as stored to `out` as `to`; the column's type widens to it,
/// so no value changes. Puts bytes in this machine's order.
void convert(
    const Column& column, const std::byte* in, ElementType to, std::byte* out, std::size_t count);

/// Whether convert() would only copy.
[[nodiscard]] bool is_as_stored(const Column& column, ElementType to);

} // namespace muster::data
