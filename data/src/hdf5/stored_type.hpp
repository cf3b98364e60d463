#pragma once

#include "hdf5/call.hpp"

#include <muster/data/new_column.hpp>

namespace muster::data::hdf5 {

/// How HDF5 keeps values of a column that we write, which is also how they lie in memory: numbers
/// in this machine's byte order, and what HDF5 has no type for as h5py has it.
[[nodiscard]] Type stored_type(const Subject& subject, ElementType type, std::uint64_t bytes);

} // namespace muster::data::hdf5
