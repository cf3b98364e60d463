// h5py's LZF filter: a bare LibLZF stream.

#include "filters/filter.hpp"

#include <fmt/format.h>
#include <liblzf/lzf.h>

#include <limits>

namespace muster::data::filters {

bool has_lzf() {
    return true;
}

void undo_lzf(Bytes in, Room out) {
    constexpr std::size_t size_max = std::numeric_limits<unsigned>::max();
    if (in.empty() || in.size() > size_max || out.size() > size_max) {
        throw DecodeError(fmt::format("lzf: a chunk of {} bytes cannot be one", in.size()));
    }
    const unsigned written = ::lzf_decompress(
        in.data(), static_cast<unsigned>(in.size()), out.data(), static_cast<unsigned>(out.size()));
    if (written != out.size()) {
        throw DecodeError("lzf: the data is damaged");
    }
}

} // namespace muster::data::filters
