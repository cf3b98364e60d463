// A zlib stream (RFC 1950), by zlib, which is there wherever HDF5 is.

#include "filters/filter.hpp"

#include <fmt/format.h>
#include <zlib.h>

namespace muster::data::filters {

void undo_deflate(Bytes in, Room out) {
    uLongf written = out.size();
    const int result = ::uncompress(reinterpret_cast<Bytef*>(out.data()),
                                    &written,
                                    reinterpret_cast<const Bytef*>(in.data()),
                                    in.size());
    if (result == Z_BUF_ERROR) {
        throw DecodeError(fmt::format(
            "deflate: the data ends early, or is more than the {} bytes of a chunk", out.size()));
    }
    if (result != Z_OK) {
        throw DecodeError("deflate: the data is damaged");
    }
    if (written != out.size()) {
        throw DecodeError(
            fmt::format("deflate: it is {} bytes instead of {}", written, out.size()));
    }
}

} // namespace muster::data::filters
