// The LZ4 filter registered as 32004: the size of the data (8 bytes) and of its blocks (4 bytes),
// then for each block its compressed size (4 bytes) and its bytes; all numbers big-endian. A block
// that did not shrink is stored as it is. Source: the HDF Group's registered filter plugins,
// H5Zlz4.c.

#include "filters/filter.hpp"

#include <fmt/format.h>
#include <lz4.h>

#include <algorithm>
#include <cstring>

namespace muster::data::filters {
namespace {

std::uint64_t take(Bytes& in, std::size_t bytes) {
    if (in.size() < bytes) {
        throw DecodeError("lz4: the data ends early");
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        value = (value << 8U) | std::to_integer<std::uint64_t>(in[i]);
    }
    in = in.subspan(bytes);
    return value;
}

} // namespace

bool has_lz4() {
    return true;
}

void undo_lz4(Bytes in, Room out) {
    const std::uint64_t size = take(in, 8);
    const std::uint64_t block_size = take(in, 4);
    if (size != out.size() || block_size == 0 || block_size > LZ4_MAX_INPUT_SIZE) {
        throw DecodeError(fmt::format(
            "lz4: it is {} bytes in blocks of {} instead of {}", size, block_size, out.size()));
    }
    while (!out.empty()) {
        const std::size_t block = std::min<std::size_t>(block_size, out.size());
        const std::uint64_t stored = take(in, 4);
        if (stored > in.size()) {
            throw DecodeError("lz4: the data ends early");
        }
        if (stored == block) {
            std::memcpy(out.data(), in.data(), block);
        } else {
            const int written = ::LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()),
                                                      reinterpret_cast<char*>(out.data()),
                                                      static_cast<int>(stored),
                                                      static_cast<int>(block));
            if (written < 0 || static_cast<std::size_t>(written) != block) {
                throw DecodeError("lz4: the data is damaged");
            }
        }
        in = in.subspan(stored);
        out = out.subspan(block);
    }
}

} // namespace muster::data::filters
