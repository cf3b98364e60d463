#include "hdf5/stored_type.hpp"

#include <muster/base/assert.hpp>

#include <cstdint>

namespace muster::data::hdf5 {
namespace {

constexpr std::string_view action = "make a type for";
constexpr std::string_view advice = "this HDF5 is not of much use; install another";

Type copy_of(const Subject& subject, hid_t predefined) {
    return Type(checked(subject, action, advice, [&] { return H5Tcopy(predefined); }));
}

/// HDF5's own types, asked for under the Guard: their names are macros that may initialise the
/// library.
hid_t predefined(ElementType type) {
    const Guard guard;
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
    case ElementType::float64:
        return H5T_NATIVE_DOUBLE;
    case ElementType::string:
        return H5T_C_S1;
    default:
        return H5T_NATIVE_FLOAT;
    }
}

Type number(const Subject& subject, ElementType type) {
    return copy_of(subject, predefined(type));
}

/// binary16 of IEEE 754: HDF5 before 1.14.4 has no name for it.
Type half(const Subject& subject) {
    Type type = number(subject, ElementType::float32);
    checked(subject, action, advice, [&] { return H5Tset_fields(type.get(), 15, 10, 5, 0, 10); });
    checked(subject, action, advice, [&] { return H5Tset_size(type.get(), 2); });
    checked(subject, action, advice, [&] { return H5Tset_ebias(type.get(), 15); });
    return type;
}

/// h5py's and netCDF's: a byte of which two values have names.
Type boolean(const Subject& subject) {
    const hid_t byte = predefined(ElementType::int8);
    Type type(checked(subject, action, advice, [&] { return H5Tenum_create(byte); }));
    constexpr std::int8_t no = 0;
    constexpr std::int8_t yes = 1;
    checked(subject, action, advice, [&] { return H5Tenum_insert(type.get(), "FALSE", &no); });
    checked(subject, action, advice, [&] { return H5Tenum_insert(type.get(), "TRUE", &yes); });
    return type;
}

Type complex_number(const Subject& subject, const Type& part, std::size_t part_bytes) {
    Type type(
        checked(subject, action, advice, [&] { return H5Tcreate(H5T_COMPOUND, 2 * part_bytes); }));
    checked(subject, action, advice, [&] { return H5Tinsert(type.get(), "r", 0, part.get()); });
    checked(subject, action, advice, [&] {
        return H5Tinsert(type.get(), "i", part_bytes, part.get());
    });
    return type;
}

Type text(const Subject& subject, std::size_t bytes) {
    Type type = copy_of(subject, predefined(ElementType::string));
    checked(subject, action, advice, [&] { return H5Tset_size(type.get(), bytes); });
    checked(subject, action, advice, [&] { return H5Tset_cset(type.get(), H5T_CSET_UTF8); });
    if (bytes != H5T_VARIABLE) {
        checked(
            subject, action, advice, [&] { return H5Tset_strpad(type.get(), H5T_STR_NULLPAD); });
    }
    return type;
}

} // namespace

Type stored_type(const Subject& subject, ElementType type, std::uint64_t bytes) {
    switch (type) {
    case ElementType::int8:
    case ElementType::int16:
    case ElementType::int32:
    case ElementType::int64:
    case ElementType::uint8:
    case ElementType::uint16:
    case ElementType::uint32:
    case ElementType::uint64:
    case ElementType::float32:
    case ElementType::float64:
        return number(subject, type);
    case ElementType::float16:
        return half(subject);
    case ElementType::boolean:
        return boolean(subject);
    case ElementType::complex64:
        return complex_number(subject, number(subject, ElementType::float32), sizeof(float));
    case ElementType::complex128:
        return complex_number(subject, number(subject, ElementType::float64), sizeof(double));
    case ElementType::fixed_string:
        return text(subject, bytes);
    case ElementType::string:
        return text(subject, H5T_VARIABLE);
    case ElementType::unsupported:
        break;
    }
    MUSTER_ASSERT(type != ElementType::unsupported); // declarable() lets none through
    return {};
}

} // namespace muster::data::hdf5
