#include "write/table_sink.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

namespace muster::data::write {
namespace {

[[noreturn]] void refuse(const std::string& shown) {
    throw Error(fmt::format("cannot write '{}': this muster was built without HDF5; install HDF5 "
                            "(Debian: libhdf5-dev) and configure with -DMUSTER_WITH_HDF5=ON",
                            shown));
}

} // namespace

std::unique_ptr<TableSink> create_sink(const std::filesystem::path&,
                                       const std::string& shown,
                                       std::vector<NewColumn>,
                                       const std::vector<Attribute>&) {
    refuse(shown);
}

void create_stitched(const std::filesystem::path&,
                     const std::string& shown,
                     const std::vector<NewColumn>&,
                     std::span<const Source>,
                     std::uint64_t,
                     const std::vector<Attribute>&) {
    refuse(shown);
}

Stitched read_stitched(const std::filesystem::path&) {
    return {};
}

std::uint64_t read_generation(const std::filesystem::path&) {
    return 0;
}

} // namespace muster::data::write
