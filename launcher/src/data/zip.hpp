#pragma once

#include <muster/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace muster::launcher::data {

/// A file inside of a zip archive.
struct ZipEntry {
    std::string name;
    bool is_deflated = false;
    std::uint32_t checksum = 0; ///< CRC-32 of its bytes.
    std::uint64_t bytes = 0;
    std::span<const std::byte> packed; ///< As they lie in the archive, which is borrowed.
    std::uint64_t offset = 0;          ///< Of those.
};

/// Reads the directory of an archive as numpy.savez and others write it: stored or deflated, also
/// of more than 4 GiB, in one piece, not encrypted. Folders are left out. Pure. Source: PKWARE,
/// APPNOTE.TXT 6.3.3, sections 4.3 and 4.5.3.
/// @return a Failure that names the byte where it is wrong.
[[nodiscard]] Result<std::vector<ZipEntry>> parse_zip(std::span<const std::byte> file);

/// Hands out the bytes of an entry, in pieces of at most 64 KiB, and checks their number and
/// checksum.
/// @return a Failure that names entry and byte; what was handed out before is then worth nothing.
[[nodiscard]] Result<std::monostate>
unpack(const ZipEntry& entry, const std::function<void(std::span<const std::byte>)>& take);

} // namespace muster::launcher::data
