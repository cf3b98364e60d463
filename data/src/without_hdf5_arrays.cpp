#include "write/array_output.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

namespace muster::data::write {
namespace {

[[noreturn]] void refuse(const std::string& shown) {
    throw Error(fmt::format("cannot use '{}': this muster was built without HDF5; install HDF5 "
                            "(Debian: libhdf5-dev) and configure with -DMUSTER_WITH_HDF5=ON",
                            shown));
}

} // namespace

std::unique_ptr<ArrayOutput> create_array_output(const std::filesystem::path&,
                                                 const std::string& shown) {
    refuse(shown);
}

std::unique_ptr<ArrayInput> open_array_input(const std::filesystem::path& file) {
    refuse(file.string());
}

} // namespace muster::data::write
