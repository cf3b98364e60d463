#include "hdf5/describe.hpp"

#include <muster/base/assert.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace muster::data::hdf5 {
namespace {

/// Decoded chunks kept per dataset, so that a shuffled pass over a moderate file decompresses each
/// chunk once. A bound, not an allocation; HDF5's own default of 1 MiB holds too few.
constexpr std::size_t chunk_cache_bytes_max = 32U << 20U;
constexpr std::size_t chunk_cache_slots = 4099; // a prime well above the chunks that fit

/// The shortest superblock (versions 2 and 3, with 8-byte addresses) of an HDF5 file.
constexpr std::uintmax_t header_bytes_min = 48;

constexpr std::size_t names_in_error_max = 20;

constexpr std::string_view damaged_advice =
    "the file is damaged or was not written to its end; write or copy it again";

/// What the system says about reading the file, before HDF5 wraps it in words of its own.
void check_readable(const std::string& path) {
    const auto refuse = [&](int error) {
        throw Error(fmt::format("cannot open '{}': {}; check the path, seen from the directory the "
                                "program was started in",
                                path,
                                std::strerror(error)));
    };
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        refuse(EISDIR);
    }
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        refuse(errno);
    }
    ::close(descriptor);
}

herr_t add_dataset_name(hid_t, const char* name, const H5O_info_t* info, void* names) noexcept {
    try {
        if (info->type == H5O_TYPE_DATASET) {
            static_cast<std::vector<std::string>*>(names)->emplace_back(name);
        }
    } catch (...) { // out of memory: ends the visit, which the caller reports
        return -1;
    }
    return 0;
}

ElementType integer_type(std::size_t bytes, bool is_signed) {
    switch (bytes) {
    case 1:
        return is_signed ? ElementType::int8 : ElementType::uint8;
    case 2:
        return is_signed ? ElementType::int16 : ElementType::uint16;
    case 4:
        return is_signed ? ElementType::int32 : ElementType::uint32;
    case 8:
        return is_signed ? ElementType::int64 : ElementType::uint64;
    default:
        return ElementType::unsupported;
    }
}

std::string_view class_text(H5T_class_t type_class) {
    switch (type_class) {
    case H5T_STRING:
        return "string";
    case H5T_COMPOUND:
        return "compound";
    case H5T_ENUM:
        return "enumeration";
    case H5T_VLEN:
        return "variable-length";
    case H5T_ARRAY:
        return "array";
    case H5T_REFERENCE:
        return "reference";
    case H5T_OPAQUE:
        return "opaque";
    case H5T_BITFIELD:
        return "bit field";
    case H5T_TIME:
        return "time";
    default:
        return "unknown";
    }
}

void describe_type(const Subject& subject, const Dataset& dataset, Column& column) {
    constexpr std::string_view action = "read the type of";
    const Type type(
        checked(subject, action, damaged_advice, [&] { return H5Dget_type(dataset.get()); }));
    const Guard guard;
    const H5T_class_t type_class = H5Tget_class(type.get());
    const std::size_t bytes = H5Tget_size(type.get());
    if (type_class != H5T_INTEGER && type_class != H5T_FLOAT) {
        column.type_text = class_text(type_class);
        return;
    }
    const std::size_t bits = H5Tget_precision(type.get());
    if (type_class == H5T_INTEGER && bits == 8 * bytes) {
        column.type = integer_type(bytes, H5Tget_sign(type.get()) == H5T_SGN_2);
    } else if (type_class == H5T_FLOAT && bits == 32 && bytes == 4) {
        column.type = ElementType::float32;
    } else if (type_class == H5T_FLOAT && bits == 64 && bytes == 8) {
        column.type = ElementType::float64;
    }
    column.type_text = column.type != ElementType::unsupported
                           ? std::string(to_string(column.type))
                           : fmt::format("{}-bit {}",
                                         bits,
                                         type_class == H5T_INTEGER ? "integer" : "floating-point");
}

void describe_chunks(const Subject& subject, const Dataset& dataset, Column& column) {
    constexpr std::string_view action = "read the layout of";
    const PropertyList creation(checked(
        subject, action, damaged_advice, [&] { return H5Dget_create_plist(dataset.get()); }));
    const Guard guard;
    if (H5Pget_layout(creation.get()) != H5D_CHUNKED) {
        return;
    }
    std::array<hsize_t, H5S_MAX_RANK> chunk{};
    const int rank = H5Pget_chunk(creation.get(), H5S_MAX_RANK, chunk.data());
    column.chunk.assign(chunk.begin(), chunk.begin() + std::max(rank, 0));
}

} // namespace

File open_file(const std::filesystem::path& file) {
    const std::string path = file.string();
    check_readable(path);
    const Subject subject{path};
    const htri_t is_hdf5 =
        checked(subject, "open", damaged_advice, [&] { return H5Fis_hdf5(path.c_str()); });
    if (is_hdf5 == 0) {
        std::error_code ignored;
        const bool is_empty = std::filesystem::file_size(file, ignored) == 0;
        throw Error(fmt::format("'{}' is not an HDF5 file: {}; name a file written by HDF5, h5py "
                                "or netCDF-4",
                                path,
                                is_empty ? "it is empty" : "it does not begin as one"));
    }
    const Guard guard;
    const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    if (id < 0) {
        const std::string reason = last_reason();
        std::error_code ignored;
        const bool is_stump = std::filesystem::file_size(file, ignored) < header_bytes_min;
        if (is_stump || reason.find("truncated") != std::string::npos) {
            fail(subject, "open", reason, "the file is cut off at its end; write or copy it again");
        }
        if (reason.find("lock") != std::string::npos) {
            fail(subject,
                 "open",
                 reason,
                 "another program is writing it, or the file system has no locks: then set "
                 "HDF5_USE_FILE_LOCKING=FALSE");
        }
        fail(subject, "open", reason, damaged_advice);
    }
    return File(id);
}

std::vector<std::string> dataset_names(const File& file, const std::string& path) {
    std::vector<std::string> names;
    checked({path}, "list the datasets of", damaged_advice, [&] {
        return H5Ovisit(file.get(), H5_INDEX_NAME, H5_ITER_INC, &add_dataset_name, &names);
    });
    return names;
}

Dataset open_dataset(const File& file, const std::string& path, const std::string& name) {
    const Subject subject{path, name};
    constexpr std::string_view action = "open";
    const PropertyList access(
        checked(subject, action, damaged_advice, [] { return H5Pcreate(H5P_DATASET_ACCESS); }));
    checked(subject, action, damaged_advice, [&] {
        return H5Pset_chunk_cache(
            access.get(), chunk_cache_slots, chunk_cache_bytes_max, H5D_CHUNK_CACHE_W0_DEFAULT);
    });
    std::string reason;
    {
        const Guard guard;
        const hid_t id = H5Dopen2(file.get(), name.c_str(), access.get());
        if (id >= 0) {
            return Dataset(id);
        }
        reason = last_reason();
    }
    const std::vector<std::string> names = dataset_names(file, path);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
        fail(subject, action, reason, damaged_advice);
    }
    if (names.empty()) {
        throw Error(
            fmt::format("'{}' has no dataset '{}', nor any other; check that it is the right file",
                        path,
                        name));
    }
    std::string list;
    for (std::size_t i = 0; i < std::min(names.size(), names_in_error_max); ++i) {
        list += fmt::format("{}'{}'", i == 0 ? "" : ", ", names[i]);
    }
    if (names.size() > names_in_error_max) {
        list += fmt::format(" and {} more", names.size() - names_in_error_max);
    }
    throw Error(fmt::format("'{}' has no dataset '{}'; it has {}", path, name, list));
}

Column describe(const Dataset& dataset, const std::string& path, const std::string& name) {
    const Subject subject{path, name};
    constexpr std::string_view action = "read the shape of";
    Column column;
    column.name = name;
    const Space space(
        checked(subject, action, damaged_advice, [&] { return H5Dget_space(dataset.get()); }));
    std::array<hsize_t, H5S_MAX_RANK> shape{};
    const int rank = checked(subject, action, damaged_advice, [&] {
        return H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr);
    });
    column.shape.assign(shape.begin(), shape.begin() + rank);
    describe_type(subject, dataset, column);
    describe_chunks(subject, dataset, column);
    return column;
}

hid_t memory_type(ElementType type) {
    const Guard guard; // the names below are macros that may initialise the library
    switch (type) {
    case ElementType::int8:
        return H5T_NATIVE_INT8;
    case ElementType::int16:
        return H5T_NATIVE_INT16;
    case ElementType::int32:
        return H5T_NATIVE_INT32;
    case ElementType::int64:
        return H5T_NATIVE_INT64;
    case ElementType::uint8:
        return H5T_NATIVE_UINT8;
    case ElementType::uint16:
        return H5T_NATIVE_UINT16;
    case ElementType::uint32:
        return H5T_NATIVE_UINT32;
    case ElementType::uint64:
        return H5T_NATIVE_UINT64;
    case ElementType::float32:
        return H5T_NATIVE_FLOAT;
    case ElementType::float64:
        return H5T_NATIVE_DOUBLE;
    case ElementType::unsupported:
        break;
    }
    MUSTER_ASSERT(!"an unsupported type was let through");
    return H5I_INVALID_HID;
}

} // namespace muster::data::hdf5
