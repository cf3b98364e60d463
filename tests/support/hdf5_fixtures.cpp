#include "hdf5_fixtures.hpp"

#include <hdf5.h>

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <stdexcept>

namespace muster::test {
namespace {

template <class Id>
Id must(Id id) {
    if (id < 0) {
        throw std::runtime_error("the fixture file could not be written");
    }
    return id;
}

hid_t stored_type(const Hdf5Dataset& dataset) {
    if (dataset.is_big_endian) {
        return H5T_STD_I16BE;
    }
    switch (dataset.type) {
    case data::ElementType::int8:
        return H5T_STD_I8LE;
    case data::ElementType::int16:
        return H5T_STD_I16LE;
    case data::ElementType::int32:
        return H5T_STD_I32LE;
    case data::ElementType::int64:
        return H5T_STD_I64LE;
    case data::ElementType::uint8:
        return H5T_STD_U8LE;
    case data::ElementType::uint16:
        return H5T_STD_U16LE;
    case data::ElementType::uint32:
        return H5T_STD_U32LE;
    case data::ElementType::uint64:
        return H5T_STD_U64LE;
    case data::ElementType::float32:
        return H5T_IEEE_F32LE;
    case data::ElementType::float64:
        return H5T_IEEE_F64LE;
    case data::ElementType::unsupported:
        break;
    }
    return H5T_C_S1;
}

void write_values(hid_t id, const Hdf5Dataset& dataset) {
    const std::uint64_t elements = std::accumulate(
        dataset.shape.begin(), dataset.shape.end(), std::uint64_t{1}, std::multiplies<>());
    if (dataset.type == data::ElementType::unsupported || elements == 0) {
        return;
    }
    std::vector<int> values(elements);
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = dataset.first + static_cast<int>(i % 10);
    }
    must(H5Dwrite(id, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
}

void write_dataset(hid_t file, const Hdf5Dataset& dataset) {
    const std::vector<hsize_t> shape(dataset.shape.begin(), dataset.shape.end());
    const hid_t space = must(
        shape.empty() ? H5Screate(H5S_SCALAR)
                      : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr));
    const hid_t type = must(H5Tcopy(stored_type(dataset)));
    if (dataset.type == data::ElementType::unsupported) {
        must(H5Tset_size(type, 4));
    }
    const hid_t links = must(H5Pcreate(H5P_LINK_CREATE));
    must(H5Pset_create_intermediate_group(links, 1));
    const hid_t creation = must(H5Pcreate(H5P_DATASET_CREATE));
    if (!dataset.chunk.empty()) {
        const std::vector<hsize_t> chunk(dataset.chunk.begin(), dataset.chunk.end());
        must(H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data()));
        must(H5Pset_deflate(creation, 1));
    }
    const hid_t id =
        must(H5Dcreate2(file, dataset.name.c_str(), type, space, links, creation, H5P_DEFAULT));
    write_values(id, dataset);
    H5Dclose(id);
    H5Pclose(creation);
    H5Pclose(links);
    H5Tclose(type);
    H5Sclose(space);
}

} // namespace

Hdf5Fixtures::Hdf5Fixtures() {
    std::string name = (std::filesystem::temp_directory_path() / "muster-hdf5-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("cannot make a temporary directory " + name);
    }
    directory_ = name;
}

Hdf5Fixtures::~Hdf5Fixtures() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

std::filesystem::path Hdf5Fixtures::path(const std::string& name) const {
    return directory_ / name;
}

std::filesystem::path Hdf5Fixtures::write(const std::string& name,
                                          const std::vector<Hdf5Dataset>& datasets) {
    const hid_t file = must(H5Fcreate(path(name).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    for (const Hdf5Dataset& dataset : datasets) {
        write_dataset(file, dataset);
    }
    must(H5Fclose(file));
    return path(name);
}

std::filesystem::path Hdf5Fixtures::write_digits(const std::string& name, std::uint64_t rows) {
    return write(name,
                 {{.name = "images", .shape = {rows, 28, 28}, .chunk = {1, 28, 28}},
                  {.name = "labels", .shape = {rows}}});
}

std::filesystem::path Hdf5Fixtures::write_text(const std::string& name, const std::string& text) {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
}

} // namespace muster::test
