#pragma once

#include "hdf5/call.hpp"

#include <muster/data/new_column.hpp>

#include <span>

namespace muster::data::hdf5 {

using AttributeHandle = Handle<&H5Aclose>;

/// Writes notes beside a dataset or a file: numbers and text as h5py has them.
/// @param object  Identifier of either; borrowed.
void write_attributes(const Subject& subject, hid_t object, std::span<const Attribute> attributes);

} // namespace muster::data::hdf5
