#pragma once

#include <muster/data/column.hpp>
#include <muster/data/new_column.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace muster::data {

/// A dataset as it is kept, and the notes beside it.
struct DatasetReport {
    /// A single value has an empty shape: then rows() may not be asked for.
    Column column;
    std::vector<Attribute> attributes = {};
    std::vector<std::string> other_attributes = {}; ///< Names of those that Attribute cannot hold.
    std::vector<std::string> sources =
        {}; ///< Of a virtual dataset: files, as they are named in it.
};

/// What is in a file, without its values.
struct FileReport {
    std::string file;
    std::uint64_t file_bytes = 0;
    std::uint64_t generation = 0;             ///< Of a table that commit() has made; else 0.
    std::vector<DatasetReport> datasets = {}; ///< In order of name.
    std::vector<Attribute> attributes = {};
    std::vector<std::string> other_attributes = {};
};

/// Reads the headers of an HDF5 file; its size does not matter. Any thread.
/// @throws Error for a file that is missing, damaged, or not HDF5.
[[nodiscard]] FileReport inspect(const std::filesystem::path& file);

} // namespace muster::data
