#include "image_file.hpp"

#include <muster/base/random.hpp>

#include <hdf5.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {
namespace {

template <class Id>
Id must(Id id) {
    if (id < 0) {
        throw std::runtime_error("cannot write the file of images");
    }
    return id;
}

} // namespace

ImageFile::ImageFile(const std::filesystem::path& directory,
                     std::uint64_t rows,
                     ImageStorage storage) {
    static int made = 0;
    path_ = directory /
            ("muster-bench-" + std::to_string(::getpid()) + "-" + std::to_string(++made) + ".h5");
    std::vector<float> images(rows * image_values);
    std::vector<std::int64_t> labels(rows);
    muster::Random random(1);
    constexpr double ink = 0.8; // less of it is background
    for (float& value : images) {
        const double drawn = random.uniform();
        value = drawn < ink ? 0.0F : static_cast<float>(drawn);
    }
    for (std::int64_t& label : labels) {
        label = static_cast<std::int64_t>(random.below(10));
    }
    const hid_t file = must(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    const std::array<hsize_t, 2> shape{rows, image_values};
    const hid_t creation = must(H5Pcreate(H5P_DATASET_CREATE));
    if (storage != ImageStorage::contiguous) {
        const std::array<hsize_t, 2> chunk{image_chunk_rows, image_values};
        must(H5Pset_chunk(creation, 2, chunk.data()));
    }
    if (storage == ImageStorage::gzip) {
        constexpr unsigned level = 4;
        must(H5Pset_deflate(creation, level));
    }
    const auto write =
        [&](const char* name, int rank, hid_t type, hid_t native, hid_t how, const void* values) {
            const hid_t space = must(H5Screate_simple(rank, shape.data(), nullptr));
            const hid_t set =
                must(H5Dcreate2(file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT));
            must(H5Dwrite(set, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
            const std::uint64_t offset = H5Dget_offset(set);
            H5Dclose(set);
            H5Sclose(space);
            return offset;
        };
    offset_ = write("x", 2, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, creation, images.data());
    write("y", 1, H5T_STD_I64LE, H5T_NATIVE_INT64, H5P_DEFAULT, labels.data());
    H5Pclose(creation);
    must(H5Fclose(file));
}

ImageFile::~ImageFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

} // namespace bench
