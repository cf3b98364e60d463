#include "table_source.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

namespace muster::data {

std::shared_ptr<TableSource> open_hdf5_source(const std::filesystem::path& file,
                                              const std::vector<std::string>&) {
    throw Error(fmt::format("cannot open '{}': this muster was built without HDF5; install HDF5 "
                            "(Debian: libhdf5-dev) and configure with -DMUSTER_WITH_HDF5=ON",
                            file.string()));
}

} // namespace muster::data
