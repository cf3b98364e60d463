// The Blosc filter registered as 32001: one Blosc buffer.

#include "filters/filter.hpp"

#include <blosc.h>
#include <fmt/format.h>

namespace muster::data::filters {

bool has_blosc() {
    return true;
}

void undo_blosc(Bytes in, Room out) {
    std::size_t size = 0;
    if (::blosc_cbuffer_validate(in.data(), in.size(), &size) != 0 || size != out.size()) {
        throw DecodeError(fmt::format("blosc: it is not a buffer of {} bytes", out.size()));
    }
    const int written = ::blosc_decompress_ctx(in.data(), out.data(), out.size(), 1);
    if (written < 0 || static_cast<std::size_t>(written) != out.size()) {
        throw DecodeError("blosc: the data is damaged");
    }
}

} // namespace muster::data::filters
