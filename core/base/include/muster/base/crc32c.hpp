#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace muster {

/// CRC-32C (Castagnoli), as iSCSI and most logs use it: RFC 3720, section 12.1. By the processor's
/// own instruction where it has one.
///
/// @param before  The CRC of the bytes in front of these, to continue.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);

/// The same without the instruction: for processors that lack it, and for the test that compares.
[[nodiscard]] std::uint32_t crc32c_by_table(std::span<const std::byte> bytes,
                                            std::uint32_t before = 0);

} // namespace muster
