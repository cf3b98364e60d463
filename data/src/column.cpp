#include <muster/data/column.hpp>

#include <array>

namespace muster::data {
namespace {

struct Traits {
    std::string_view name;
    std::uint64_t size_bytes;
    bool is_float;
    bool is_signed;
    unsigned digits; ///< Binary digits of magnitude that are held exactly.
};

constexpr std::array<Traits, 11> traits{{
    {"int8", 1, false, true, 7},
    {"int16", 2, false, true, 15},
    {"int32", 4, false, true, 31},
    {"int64", 8, false, true, 63},
    {"uint8", 1, false, false, 8},
    {"uint16", 2, false, false, 16},
    {"uint32", 4, false, false, 32},
    {"uint64", 8, false, false, 64},
    {"float32", 4, true, true, 24},
    {"float64", 8, true, true, 53},
    {"unsupported", 0, false, false, 0},
}};

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

bool widens(ElementType from, ElementType to) {
    if (from == ElementType::unsupported || to == ElementType::unsupported) {
        return false;
    }
    if (of(from).is_float && !of(to).is_float) {
        return false;
    }
    if (of(from).is_signed && !of(to).is_signed) {
        return false;
    }
    return of(from).digits <= of(to).digits;
}

} // namespace muster::data
