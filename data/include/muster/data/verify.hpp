#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace muster::data {

/// Something in a file that cannot be read, or not be trusted.
struct Damage {
    std::string file;
    std::string dataset;                 ///< Empty: the file as a whole.
    std::optional<std::uint64_t> offset; ///< In the file, of the chunk or block, where it is known.
    std::string text;                    ///< What is wrong with it, and what to try.
};

/// What verify() has seen.
struct Verification {
    std::uint64_t files = 0;
    std::uint64_t datasets = 0;
    std::uint64_t chunks = 0; ///< Or blocks of datasets that have none.
    std::uint64_t bytes = 0;  ///< Stored, as far as they were read.
    std::vector<Damage> damages = {};
};

/// Reads every chunk of every dataset of a file, and of the files that its virtual datasets refer
/// to: what cannot be decoded, has another checksum, lies behind the end of its file or is not
/// there is a damage. Without fletcher32 or compression, bytes that have changed cannot be told
/// from others. Memory: a chunk at a time. Any thread.
///
/// @throws Error only where it cannot go on at all; a file that cannot be opened is a damage.
[[nodiscard]] Verification verify(const std::filesystem::path& file);

} // namespace muster::data
