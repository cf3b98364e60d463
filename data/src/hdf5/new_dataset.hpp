#pragma once

#include "hdf5/call.hpp"

#include <muster/data/new_column.hpp>

#include <cstdint>

namespace muster::data::hdf5 {

/// Properties of a dataset to be made, with its filters.
/// @throws Error where this HDF5 has not the filter of the column's codec.
[[nodiscard]] PropertyList
creation_properties(const Subject& subject, const NewColumn& column, std::uint64_t chunk_rows);

/// Of a link that makes the groups in its name, too.
[[nodiscard]] PropertyList link_properties(const Subject& subject);

/// (rows, row_shape...), growing or not.
[[nodiscard]] Space
rows_space(const Subject& subject, const NewColumn& column, std::uint64_t rows, bool may_grow);

} // namespace muster::data::hdf5
