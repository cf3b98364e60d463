#pragma once

#include "hdf5/call.hpp"

#include <muster/data/column.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace muster::data::hdf5 {

/// Opens a file for reading. A missing file, one that is not HDF5 and a truncated one are told
/// apart in the error.
[[nodiscard]] File open_file(const std::filesystem::path& file);

/// Paths of all datasets of the file, without a leading '/', in order of name.
[[nodiscard]] std::vector<std::string> dataset_names(const File& file, const std::string& path);

/// Opens a dataset for reading rows in any order; one that is not there is answered with those
/// that are.
[[nodiscard]] Dataset
open_dataset(const File& file, const std::string& path, const std::string& name);

/// Shape, type and chunks of a dataset. The shape of a single value is empty.
[[nodiscard]] Column
describe(const Dataset& dataset, const std::string& path, const std::string& name);

} // namespace muster::data::hdf5
