#pragma once

#include "hdf5/call.hpp"

#include <string>

namespace muster::data::hdf5 {

/// Whether the system has taken all that was written to a file.
struct WriteHealth {
    int error = 0; ///< errno of the first write that failed; 0: none has.
};

/// Makes a file for HDF5 to write, which must not exist.
///
/// HDF5's own driver passes a full disk on to HDF5, which in 1.10 then cannot write the chunks it
/// still keeps, and crashes when it is closed (a write past H5Dclose, seen with 1.10.8). This one
/// notes the first failure in `health`, and from then on keeps what is written in memory, where
/// HDF5 finds it again: that is at most what its caches hold, since the caller stops. So everything
/// is closed in order, and nothing leaks; whoever writes looks at `health` after each call.
///
/// @param health  Outlives the file.
[[nodiscard]] File create_file(const std::string& path, WriteHealth& health);

} // namespace muster::data::hdf5
