#include <muster/data/column.hpp>

#include <array>

namespace muster::data {
namespace {

enum class Kind { integer, real, complex, none };

struct Traits {
    std::string_view name;
    std::uint64_t size_bytes;
    Kind kind;
    bool is_signed;
    unsigned digits; ///< Binary digits of magnitude that are held exactly.
};

constexpr std::array<Traits, 17> traits{{
    {"int8", 1, Kind::integer, true, 7},
    {"int16", 2, Kind::integer, true, 15},
    {"int32", 4, Kind::integer, true, 31},
    {"int64", 8, Kind::integer, true, 63},
    {"uint8", 1, Kind::integer, false, 8},
    {"uint16", 2, Kind::integer, false, 16},
    {"uint32", 4, Kind::integer, false, 32},
    {"uint64", 8, Kind::integer, false, 64},
    {"float32", 4, Kind::real, true, 24},
    {"float64", 8, Kind::real, true, 53},
    {"float16", 2, Kind::real, true, 11},
    {"bool", 1, Kind::integer, false, 1},
    {"complex64", 8, Kind::complex, true, 24},
    {"complex128", 16, Kind::complex, true, 53},
    {"fixed-length string", 0, Kind::none, false, 0},
    {"string", 0, Kind::none, false, 0},
    {"unsupported", 0, Kind::none, false, 0},
}};

constexpr std::array<std::string_view, 5> layouts{
    "contiguous", "chunked", "compact", "virtual", "external"};

constexpr const Traits& of(ElementType type) {
    return traits[static_cast<std::size_t>(type)];
}

} // namespace

std::uint64_t size_bytes(ElementType type) {
    return of(type).size_bytes;
}

std::string_view to_string(ElementType type) {
    return of(type).name;
}

std::string_view to_string(StorageLayout layout) {
    return layouts[static_cast<std::size_t>(layout)];
}

bool widens(ElementType from, ElementType to) {
    const Traits& stored = of(from);
    const Traits& wanted = of(to);
    if (stored.kind == Kind::none || wanted.kind == Kind::none) {
        return false;
    }
    if ((stored.kind == Kind::complex) != (wanted.kind == Kind::complex)) {
        return false;
    }
    if (stored.kind == Kind::real && wanted.kind == Kind::integer) {
        return false;
    }
    if (stored.is_signed && !wanted.is_signed) {
        return false;
    }
    return stored.digits <= wanted.digits;
}

} // namespace muster::data
