#pragma once

#include "filters/filter_pipeline.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

/// The filters, each undone by one function with the same signature: exactly `out.size()` bytes, or
/// DecodeError. Those with a library of their own throw where it was not found, but is_built_in()
/// is asked first.
namespace muster::data::filters {

/// Numbers that the HDF Group registered.
enum Id : int {
    deflate = 1,
    shuffle = 2,
    fletcher32 = 3,
    lzf = 32000,
    blosc = 32001,
    lz4 = 32004,
    zstd = 32015,
};

using Bytes = std::span<const std::byte>;
using Room = std::span<std::byte>;

[[nodiscard]] bool has_lzf();
[[nodiscard]] bool has_blosc();
[[nodiscard]] bool has_lz4();
[[nodiscard]] bool has_zstd();

void undo_deflate(Bytes in, Room out);
void undo_lzf(Bytes in, Room out);
void undo_blosc(Bytes in, Room out);
void undo_lz4(Bytes in, Room out);
void undo_zstd(Bytes in, Room out);

/// Bytes that were grouped by their place in an element, put back. Bytes beyond the last whole
/// element stay where they are.
void undo_shuffle(Bytes in, std::uint64_t element_bytes, Room out);

/// The data before the checksum, which is compared.
[[nodiscard]] Bytes check_fletcher32(Bytes in);

} // namespace muster::data::filters
