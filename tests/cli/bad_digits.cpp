/// bad_digits <folder>: writes files that are HDF5 but not digits, one per mistake, for
/// digits_sweep_test.py.

#include "hdf5_fixtures.hpp"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>

namespace {

using muster::data::ElementType;
using muster::test::Hdf5Dataset;

struct BadFile {
    const char* name;
    std::vector<Hdf5Dataset> datasets;
};

const std::vector<BadFile> bad_files = {
    {"wrong_shape.h5",
     {{.name = "images", .shape = {50, 14, 56}}, {.name = "labels", .shape = {50}}}},
    {"wrong_type.h5",
     {{.name = "images", .shape = {50, 28, 28}, .type = ElementType::unsupported},
      {.name = "labels", .shape = {50}}}},
    {"wrong_length.h5",
     {{.name = "images", .shape = {50, 28, 28}}, {.name = "labels", .shape = {49}}}},
    {"no_labels.h5", {{.name = "images", .shape = {50, 28, 28}}}},
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: bad_digits <folder>\n";
        return EXIT_FAILURE;
    }
    try {
        muster::test::Hdf5Fixtures fixtures;
        for (const BadFile& file : bad_files) {
            std::filesystem::copy_file(fixtures.write(file.name, file.datasets),
                                       std::filesystem::path(argv[1]) / file.name,
                                       std::filesystem::copy_options::overwrite_existing);
        }
    } catch (const std::exception& error) {
        std::cerr << "bad_digits: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
