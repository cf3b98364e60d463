#include "hdf5/describe.hpp"

#include <muster/base/assert.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
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

bool is_swapped(hid_t type) {
    const H5T_order_t order = H5Tget_order(type);
    constexpr H5T_order_t ours =
        std::endian::native == std::endian::little ? H5T_ORDER_LE : H5T_ORDER_BE;
    return H5Tget_size(type) > 1 && (order == H5T_ORDER_LE || order == H5T_ORDER_BE) &&
           order != ours;
}

/// IEEE 754 binary of 16, 32 or 64 bits, whatever its byte order.
ElementType real_type(hid_t type) {
    const std::size_t bytes = H5Tget_size(type);
    std::size_t sign = 0;
    std::size_t exponent = 0;
    std::size_t exponent_bits = 0;
    std::size_t mantissa = 0;
    std::size_t mantissa_bits = 0;
    if (H5Tget_precision(type) != 8 * bytes ||
        H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0) {
        return ElementType::unsupported;
    }
    const auto is = [&](std::size_t size, std::size_t exponent_size) {
        return bytes == size && exponent_bits == exponent_size &&
               mantissa_bits == 8 * size - 1 - exponent_size && mantissa == 0 &&
               exponent == mantissa_bits && sign == 8 * size - 1;
    };
    return is(4, 8)    ? ElementType::float32
           : is(8, 11) ? ElementType::float64
           : is(2, 5)  ? ElementType::float16
                       : ElementType::unsupported;
}

/// A byte with the two values FALSE = 0 and TRUE = 1, by any case of those names.
bool is_boolean(hid_t type) {
    if (H5Tget_size(type) != 1 || H5Tget_nmembers(type) != 2) {
        return false;
    }
    for (unsigned i = 0; i < 2; ++i) {
        signed char value = -1;
        char* const name = H5Tget_member_name(type, i);
        if (name == nullptr || H5Tget_member_value(type, i, &value) < 0) {
            H5free_memory(name);
            return false;
        }
        const bool fits =
            ::strcasecmp(name, value == 0 ? "FALSE" : "TRUE") == 0 && (value == 0 || value == 1);
        H5free_memory(name);
        if (!fits) {
            return false;
        }
    }
    return true;
}

/// Two reals of one type, packed, in the byte order `swapped` tells.
ElementType complex_type(hid_t type, bool& swapped) {
    if (H5Tget_nmembers(type) != 2) {
        return ElementType::unsupported;
    }
    const Type real(H5Tget_member_type(type, 0));
    const Type imaginary(H5Tget_member_type(type, 1));
    if (real.get() < 0 || imaginary.get() < 0 || H5Tget_class(real.get()) != H5T_FLOAT ||
        H5Tequal(real.get(), imaginary.get()) <= 0) {
        return ElementType::unsupported;
    }
    const std::size_t half = H5Tget_size(real.get());
    if (H5Tget_size(type) != 2 * half || H5Tget_member_offset(type, 0) != 0 ||
        H5Tget_member_offset(type, 1) != half) {
        return ElementType::unsupported;
    }
    swapped = is_swapped(real.get());
    const ElementType part = real_type(real.get());
    return part == ElementType::float32   ? ElementType::complex64
           : part == ElementType::float64 ? ElementType::complex128
                                          : ElementType::unsupported;
}

void describe_type(const Subject& subject, const Dataset& dataset, Column& column) {
    constexpr std::string_view action = "read the type of";
    const Type type(
        checked(subject, action, damaged_advice, [&] { return H5Dget_type(dataset.get()); }));
    const Guard guard;
    const H5T_class_t type_class = H5Tget_class(type.get());
    const std::size_t bytes = H5Tget_size(type.get());
    column.element_bytes = bytes;
    column.is_swapped = is_swapped(type.get());
    column.type_text = class_text(type_class);
    switch (type_class) {
    case H5T_INTEGER:
        if (H5Tget_precision(type.get()) == 8 * bytes) {
            column.type = integer_type(bytes, H5Tget_sign(type.get()) == H5T_SGN_2);
        }
        column.type_text = fmt::format("{}-bit integer", H5Tget_precision(type.get()));
        break;
    case H5T_FLOAT:
        column.type = real_type(type.get());
        column.type_text = fmt::format("{}-bit floating-point", H5Tget_precision(type.get()));
        break;
    case H5T_ENUM:
        column.type = is_boolean(type.get()) ? ElementType::boolean : ElementType::unsupported;
        break;
    case H5T_COMPOUND:
        column.type = complex_type(type.get(), column.is_swapped);
        break;
    case H5T_STRING:
        if (H5Tis_variable_str(type.get()) > 0) {
            column.type = ElementType::string;
            column.element_bytes = 0;
            column.type_text = to_string(column.type);
        } else {
            column.type = ElementType::fixed_string;
            column.type_text = fmt::format("string of {} bytes", bytes);
        }
        return;
    default:
        break;
    }
    if (column.type != ElementType::unsupported) {
        column.type_text = to_string(column.type);
    }
}

std::string filter_name(H5Z_filter_t id, const char* given) {
    switch (id) {
    case H5Z_FILTER_DEFLATE:
        return "deflate";
    case H5Z_FILTER_SHUFFLE:
        return "shuffle";
    case H5Z_FILTER_FLETCHER32:
        return "fletcher32";
    case H5Z_FILTER_SZIP:
        return "szip";
    case H5Z_FILTER_NBIT:
        return "nbit";
    case H5Z_FILTER_SCALEOFFSET:
        return "scaleoffset";
    case 32000:
        return "lzf";
    case 32001:
        return "blosc";
    case 32004:
        return "lz4";
    case 32008:
        return "bitshuffle";
    case 32015:
        return "zstd";
    case 32026:
        return "blosc2";
    default:
        return given[0] != 0 ? std::string(given) : fmt::format("filter {}", id);
    }
}

void describe_layout(const Subject& subject, const Dataset& dataset, Column& column) {
    constexpr std::string_view action = "read the layout of";
    const PropertyList creation(checked(
        subject, action, damaged_advice, [&] { return H5Dget_create_plist(dataset.get()); }));
    const Guard guard;
    column.stored_bytes = H5Dget_storage_size(dataset.get());
    switch (H5Pget_layout(creation.get())) {
    case H5D_COMPACT:
        column.layout = StorageLayout::compact;
        return;
    case H5D_VIRTUAL:
        column.layout = StorageLayout::virtual_dataset;
        return;
    case H5D_CHUNKED:
        column.layout = StorageLayout::chunked;
        break;
    default:
        column.layout = H5Pget_external_count(creation.get()) > 0 ? StorageLayout::external
                                                                  : StorageLayout::contiguous;
        return;
    }
    std::array<hsize_t, H5S_MAX_RANK> chunk{};
    const int rank = H5Pget_chunk(creation.get(), H5S_MAX_RANK, chunk.data());
    column.chunk.assign(chunk.begin(), chunk.begin() + std::max(rank, 0));
    const int filters = H5Pget_nfilters(creation.get());
    for (int i = 0; i < filters; ++i) {
        constexpr std::size_t values_max = 32;
        std::array<unsigned, values_max> values{};
        std::size_t count = values.size();
        std::array<char, 64> name{};
        unsigned flags = 0;
        unsigned config = 0;
        const H5Z_filter_t id = H5Pget_filter2(creation.get(),
                                               static_cast<unsigned>(i),
                                               &flags,
                                               &count,
                                               values.data(),
                                               name.size() - 1,
                                               name.data(),
                                               &config);
        column.filters.push_back(
            {id,
             filter_name(id, name.data()),
             {values.begin(),
              values.begin() + static_cast<std::ptrdiff_t>(std::min(count, values_max))}});
    }
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
    describe_layout(subject, dataset, column);
    return column;
}

} // namespace muster::data::hdf5
