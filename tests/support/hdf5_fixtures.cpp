#include "hdf5_fixtures.hpp"

#include <hdf5.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <limits>
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
    default:
        return H5T_C_S1;
    }
}

void write_values(hid_t id, const Hdf5Dataset& dataset) {
    const std::uint64_t elements = std::accumulate(
        dataset.shape.begin(), dataset.shape.end(), std::uint64_t{1}, std::multiplies<>());
    if (dataset.type == data::ElementType::unsupported || elements == 0 ||
        dataset.rows_written == 0) {
        return;
    }
    std::vector<int> values(elements);
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = dataset.first + static_cast<int>(i % 10);
    }
    if (dataset.shape.empty() || dataset.rows_written >= dataset.shape.front()) {
        must(H5Dwrite(id, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
        return;
    }
    std::vector<hsize_t> count(dataset.shape.begin(), dataset.shape.end());
    const std::vector<hsize_t> start(count.size(), 0);
    count[0] = dataset.rows_written;
    const hid_t space = must(H5Dget_space(id));
    must(H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr));
    const hid_t memory =
        must(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
    must(H5Dwrite(id, H5T_NATIVE_INT, memory, space, H5P_DEFAULT, values.data()));
    H5Sclose(memory);
    H5Sclose(space);
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
    if (dataset.is_big_endian) {
        must(H5Tset_order(type, H5T_ORDER_BE));
    }
    const hid_t links = must(H5Pcreate(H5P_LINK_CREATE));
    must(H5Pset_create_intermediate_group(links, 1));
    const hid_t creation = must(H5Pcreate(H5P_DATASET_CREATE));
    if (!dataset.chunk.empty()) {
        const std::vector<hsize_t> chunk(dataset.chunk.begin(), dataset.chunk.end());
        must(H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data()));
        for (const std::string& filter : dataset.filters) {
            must(filter == "deflate"   ? H5Pset_deflate(creation, 1)
                 : filter == "shuffle" ? H5Pset_shuffle(creation)
                                       : H5Pset_fletcher32(creation));
        }
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

std::filesystem::path
Hdf5Fixtures::write_not_a_number(const std::string& name, std::uint64_t rows, std::uint64_t which) {
    std::vector<double> values(rows, 1.0);
    values[which] = std::numeric_limits<double>::quiet_NaN();
    const hid_t file = must(H5Fcreate(path(name).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    const hsize_t count = rows;
    const hid_t space = must(H5Screate_simple(1, &count, nullptr));
    const hid_t id =
        must(H5Dcreate2(file, "x", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    must(H5Dwrite(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
    H5Dclose(id);
    H5Sclose(space);
    must(H5Fclose(file));
    return path(name);
}

std::filesystem::path Hdf5Fixtures::write_virtual(const std::string& name,
                                                  const std::vector<std::string>& sources,
                                                  const std::vector<std::uint64_t>& rows,
                                                  std::uint64_t row_elements) {
    const hsize_t total = std::accumulate(rows.begin(), rows.end(), std::uint64_t{0});
    const std::array<hsize_t, 2> shape{total, row_elements};
    const hid_t file = must(H5Fcreate(path(name).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    const hid_t space = must(H5Screate_simple(2, shape.data(), nullptr));
    const hid_t creation = must(H5Pcreate(H5P_DATASET_CREATE));
    hsize_t first = 0;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const std::array<hsize_t, 2> start{first, 0};
        const std::array<hsize_t, 2> count{rows[i], row_elements};
        must(H5Sselect_hyperslab(
            space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr));
        const hid_t source = must(H5Screate_simple(2, count.data(), nullptr));
        must(H5Pset_virtual(creation, space, sources[i].c_str(), "x", source));
        H5Sclose(source);
        first += rows[i];
    }
    must(H5Sselect_all(space));
    const hid_t id =
        must(H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Dclose(id);
    H5Pclose(creation);
    H5Sclose(space);
    must(H5Fclose(file));
    return path(name);
}

std::filesystem::path Hdf5Fixtures::write_text(const std::string& name, const std::string& text) {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
}

} // namespace muster::test
