// HDF5's checksum (H5_checksum_fletcher32): Fletcher's, over 16-bit words of the bytes in
// big-endian order, stored after the data in little-endian order. Source: Fletcher, "An Arithmetic
// Checksum for Serial Transmissions", IEEE Trans. Comm. 30, 1982.

#include "filters/filter.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace muster::data::filters {
namespace {

constexpr std::size_t stored_bytes = 4;
constexpr std::size_t words_per_fold = 360; // the sums do not overflow 32 bits in that many

std::uint32_t fold(std::uint32_t sum) {
    return (sum & 0xffffU) + (sum >> 16U);
}

std::uint32_t checksum(Bytes in) {
    const auto at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(in[i]); };
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    const std::size_t words = in.size() / 2;
    for (std::size_t word = 0; word < words;) {
        const std::size_t end = std::min(words, word + words_per_fold);
        for (; word < end; ++word) {
            first += (at(2 * word) << 8U) | at(2 * word + 1);
            second += first;
        }
        first = fold(first);
        second = fold(second);
    }
    if (in.size() % 2 != 0) {
        first += at(in.size() - 1) << 8U;
        second += first;
        first = fold(first);
        second = fold(second);
    }
    return (fold(second) << 16U) | fold(first);
}

} // namespace

Bytes check_fletcher32(Bytes in) {
    if (in.size() < stored_bytes) {
        throw DecodeError(
            fmt::format("fletcher32: the chunk has {} bytes, less than a checksum", in.size()));
    }
    const Bytes data = in.first(in.size() - stored_bytes);
    std::uint32_t stored = 0;
    for (std::size_t i = 0; i < stored_bytes; ++i) {
        stored |= std::to_integer<std::uint32_t>(in[data.size() + i]) << (8U * i);
    }
    const std::uint32_t computed = checksum(data);
    // HDF5 up to 1.6.2 wrote the bytes of each half the other way round.
    const std::uint32_t swapped =
        ((computed & 0x00ff00ffU) << 8U) | ((computed & 0xff00ff00U) >> 8U);
    if (stored != computed && stored != swapped) {
        throw DecodeError(fmt::format(
            "fletcher32: the checksum is {:08x}, but the data gives {:08x}", stored, computed));
    }
    return data;
}

} // namespace muster::data::filters
