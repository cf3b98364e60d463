// HDF5's shuffle (H5Zshuffle.c): all first bytes of the elements, then all second bytes, …

#include "filters/filter.hpp"

#include <cstring>

namespace muster::data::filters {
namespace {

/// Elements of a size known to the compiler, which then interleaves with vector instructions.
template <std::size_t size>
void interleave(const std::byte* __restrict in, std::size_t elements, std::byte* __restrict out) {
    for (std::size_t i = 0; i < elements; ++i) {
        for (std::size_t byte = 0; byte < size; ++byte) {
            out[i * size + byte] = in[byte * elements + i];
        }
    }
}

void interleave(const std::byte* in, std::size_t elements, std::size_t size, std::byte* out) {
    switch (size) {
    case 2:
        return interleave<2>(in, elements, out);
    case 4:
        return interleave<4>(in, elements, out);
    case 8:
        return interleave<8>(in, elements, out);
    case 16:
        return interleave<16>(in, elements, out);
    default:
        break;
    }
    for (std::size_t byte = 0; byte < size; ++byte) {
        for (std::size_t i = 0; i < elements; ++i) {
            out[i * size + byte] = in[byte * elements + i];
        }
    }
}

} // namespace

void undo_shuffle(Bytes in, std::uint64_t element_bytes, Room out) {
    const std::size_t elements = element_bytes == 0 ? 0 : in.size() / element_bytes;
    if (element_bytes <= 1 || elements <= 1) {
        std::memcpy(out.data(), in.data(), in.size());
        return;
    }
    interleave(in.data(), elements, element_bytes, out.data());
    const std::size_t whole = elements * element_bytes;
    std::memcpy(out.data() + whole, in.data() + whole, in.size() - whole);
}

} // namespace muster::data::filters
