#include "storage.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

namespace muster::data {
namespace {

[[noreturn]] void refuse(const std::string& path) {
    throw Error(fmt::format("cannot open '{}': this muster was built without HDF5; install HDF5 "
                            "(Debian: libhdf5-dev) and configure with -DMUSTER_WITH_HDF5=ON",
                            path));
}

} // namespace

FileDescription describe_file(const std::string& path, const std::vector<std::string>&) {
    refuse(path);
}

std::unique_ptr<Hdf5Rows> open_with_hdf5(const std::string& path, const Column&) {
    refuse(path);
}

} // namespace muster::data
