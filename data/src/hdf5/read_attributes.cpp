#include "hdf5/read_attributes.hpp"

#include "hdf5/attributes.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace muster::data::hdf5 {
namespace {

constexpr std::string_view action = "read an attribute of";
constexpr std::string_view advice = "the file is damaged; write or copy it again";
constexpr std::uint64_t values_max = 1U << 16U; // of an array that is kept as one

herr_t add_name(hid_t, const char* name, const H5A_info_t*, void* names) noexcept {
    try {
        static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    } catch (...) { // out of memory: ends the visit, which the caller reports
        return -1;
    }
    return 0;
}

/// One text, or a list of them.
bool read_texts(hid_t attribute,
                hid_t type,
                const Space& space,
                bool is_scalar,
                std::size_t count,
                Attribute& out) {
    std::vector<std::string> texts;
    if (H5Tis_variable_str(type) > 0) {
        std::vector<char*> values(count, nullptr);
        if (count > 0 && H5Aread(attribute, type, values.data()) < 0) {
            return false;
        }
        for (const char* const value : values) {
            texts.emplace_back(value == nullptr ? "" : value);
        }
        if (count > 0) {
            H5Dvlen_reclaim(type, space.get(), H5P_DEFAULT, values.data());
        }
    } else {
        const std::size_t size = H5Tget_size(type);
        std::string all(size * count, '\0');
        if (count > 0 && H5Aread(attribute, type, all.data()) < 0) {
            return false;
        }
        for (std::size_t i = 0; i < count; ++i) {
            std::string text = all.substr(i * size, size);
            text.resize(std::min(text.find('\0'), text.size()));
            if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) {
                text.resize(text.find_last_not_of(' ') + 1);
            }
            texts.push_back(std::move(text));
        }
    }
    if (is_scalar) {
        out.value = std::move(texts.front());
    } else {
        out.value = std::move(texts);
    }
    return true;
}

/// A number, or a list of numbers.
template <class T>
bool read_numbers(
    hid_t attribute, hid_t memory, bool is_scalar, std::size_t count, Attribute& out) {
    std::vector<T> values(count);
    if (count > 0 && H5Aread(attribute, memory, values.data()) < 0) {
        return false;
    }
    if (is_scalar) {
        out.value = values.front();
    } else {
        out.value = std::move(values);
    }
    return true;
}

/// Nothing if Attribute cannot hold it. Called under the Guard.
std::optional<Attribute> read_one(hid_t object, const std::string& name) {
    const AttributeHandle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT));
    if (attribute.get() < 0) {
        return std::nullopt;
    }
    const Type type(H5Aget_type(attribute.get()));
    const Space space(H5Aget_space(attribute.get()));
    if (type.get() < 0 || space.get() < 0) {
        return std::nullopt;
    }
    const hssize_t count = H5Sget_simple_extent_npoints(space.get());
    const int rank = H5Sget_simple_extent_ndims(space.get());
    const bool is_scalar = rank == 0 && count == 1;
    if (count < 0 || static_cast<std::uint64_t>(count) > values_max || rank > 1 ||
        (rank == 0 && !is_scalar)) {
        return std::nullopt;
    }
    Attribute result{name, {}};
    const H5T_class_t type_class = H5Tget_class(type.get());
    const bool is_wide_unsigned = H5Tget_size(type.get()) >= 8 && type_class == H5T_INTEGER &&
                                  H5Tget_sign(type.get()) == H5T_SGN_NONE;
    const auto size = static_cast<std::size_t>(count);
    bool is_read = false;
    if (type_class == H5T_INTEGER && !is_wide_unsigned) {
        is_read =
            read_numbers<std::int64_t>(attribute.get(), H5T_NATIVE_INT64, is_scalar, size, result);
    } else if (type_class == H5T_FLOAT && H5Tget_size(type.get()) <= 8) {
        is_read = read_numbers<double>(attribute.get(), H5T_NATIVE_DOUBLE, is_scalar, size, result);
    } else if (type_class == H5T_STRING) {
        is_read = read_texts(attribute.get(), type.get(), space, is_scalar, size, result);
    }
    if (!is_read) {
        return std::nullopt;
    }
    return result;
}

} // namespace

Notes read_attributes(const Subject& subject, hid_t object) {
    std::vector<std::string> names;
    checked(subject, action, advice, [&] {
        hsize_t at = 0;
        return H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &at, &add_name, &names);
    });
    Notes notes;
    for (const std::string& name : names) {
        auto attribute = [&] {
            const Guard guard;
            return read_one(object, name);
        }();
        if (attribute) {
            notes.attributes.push_back(std::move(*attribute));
        } else {
            notes.others.push_back(name);
        }
    }
    return notes;
}

std::vector<std::string> virtual_sources(const Subject& subject, hid_t dataset) {
    const PropertyList creation(checked(
        subject, "read the layout of", advice, [&] { return H5Dget_create_plist(dataset); }));
    const Guard guard;
    std::set<std::string> names;
    std::size_t count = 0;
    if (H5Pget_layout(creation.get()) == H5D_VIRTUAL &&
        H5Pget_virtual_count(creation.get(), &count) >= 0) {
        for (std::size_t i = 0; i < count; ++i) {
            const ssize_t length = H5Pget_virtual_filename(creation.get(), i, nullptr, 0);
            if (length > 0) {
                std::string name(static_cast<std::size_t>(length) + 1, '\0');
                H5Pget_virtual_filename(creation.get(), i, name.data(), name.size());
                name.pop_back();
                names.insert(std::move(name));
            }
        }
    }
    return {names.begin(), names.end()};
}

std::uint64_t read_generation(const File& file) {
    const Guard guard;
    if (H5Aexists(file.get(), generation_name) <= 0) {
        return 0;
    }
    std::int64_t generation = 0;
    const AttributeHandle attribute(H5Aopen(file.get(), generation_name, H5P_DEFAULT));
    const bool is_read =
        attribute.get() >= 0 && H5Aread(attribute.get(), H5T_NATIVE_INT64, &generation) >= 0;
    return is_read && generation > 0 ? static_cast<std::uint64_t>(generation) : 0;
}

} // namespace muster::data::hdf5
