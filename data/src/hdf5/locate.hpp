#pragma once

#include "hdf5/call.hpp"
#include "storage.hpp"

namespace muster::data::hdf5 {

/// Where the dataset's bytes lie; opaque where only HDF5 can read them.
[[nodiscard]] Storage
describe_storage(const Dataset& dataset, const std::string& path, const Column& column);

/// The pieces of a virtual dataset; none where it is more than whole rows of other datasets in
/// order.
[[nodiscard]] std::vector<VirtualPiece>
describe_pieces(const Dataset& dataset, const std::string& path, const Column& column);

} // namespace muster::data::hdf5
