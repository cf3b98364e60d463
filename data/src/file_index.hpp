#pragma once

#include "storage.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace muster::data {

/// The descriptions of some files by name, as bytes and back. The bytes are this library's own;
/// what does not parse, or was written by a version that did it otherwise, is Error (malformed).
/// Integers are little-endian; a checksum of the rest stands behind the magic number.
using FileDescriptions = std::unordered_map<std::string, FileDescription>;
[[nodiscard]] std::vector<std::byte> encode_index(const FileDescriptions& files);
/// The bytes of an index from those behind its header; encode_index() does it itself.
[[nodiscard]] std::vector<std::byte> seal_index(std::vector<std::byte> body);
[[nodiscard]] FileDescriptions decode_index(std::span<const std::byte> bytes);

/// What HDF5 said of files, kept in a file between runs. A description counts only while the file
/// has the same stamp. One thread at a time.
class FileIndex {
public:
    /// Reads the index if there is one. A damaged one is as good as none.
    /// @param path  Empty: nothing is kept.
    explicit FileIndex(std::filesystem::path path);

    /// As describe_file(), from the index where it knows.
    [[nodiscard]] FileDescription describe(const std::string& path,
                                           const std::vector<std::string>& names);

    /// Writes the index if it has learnt something; other processes see the old or the new one.
    /// Throws Error.
    void save();

private:
    std::filesystem::path path_;
    FileDescriptions files_;
    bool is_changed_ = false;
};

} // namespace muster::data
