#include "hdf5/attributes.hpp"

#include "hdf5/describe.hpp"
#include "hdf5/stored_type.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <vector>

namespace muster::data::hdf5 {
namespace {

constexpr std::string_view advice = "give it another name or value";

/// How a value lies in memory, for HDF5.
struct Piece {
    ElementType type;
    const void* values;
    const std::size_t* length; ///< Nothing: a single value.
};

} // namespace

void write_attributes(const Subject& subject, hid_t object, std::span<const Attribute> attributes) {
    for (const Attribute& attribute : attributes) {
        const std::string action = fmt::format("write attribute '{}' of", attribute.name);
        std::vector<const char*> texts;
        std::size_t length = 0;
        Piece piece{};
        if (const auto* whole = std::get_if<std::int64_t>(&attribute.value)) {
            piece = {ElementType::int64, whole, nullptr};
        } else if (const auto* real = std::get_if<double>(&attribute.value)) {
            piece = {ElementType::float64, real, nullptr};
        } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
            texts.push_back(text->c_str());
            piece = {ElementType::string, texts.data(), nullptr};
        } else if (const auto* wholes = std::get_if<std::vector<std::int64_t>>(&attribute.value)) {
            length = wholes->size();
            piece = {ElementType::int64, wholes->data(), &length};
        } else if (const auto* reals = std::get_if<std::vector<double>>(&attribute.value)) {
            length = reals->size();
            piece = {ElementType::float64, reals->data(), &length};
        } else if (const auto* list = std::get_if<std::vector<std::string>>(&attribute.value)) {
            for (const std::string& each : *list) {
                texts.push_back(each.c_str());
            }
            length = texts.size();
            piece = {ElementType::string, texts.data(), &length};
        }
        const Type type = stored_type(subject, piece.type, 0);
        const Space space(checked(subject, action, advice, [&] {
            const hsize_t size = length;
            return piece.length == nullptr ? H5Screate(H5S_SCALAR)
                                           : H5Screate_simple(1, &size, nullptr);
        }));
        const AttributeHandle handle(checked(subject, action, advice, [&] {
            return H5Acreate2(
                object, attribute.name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT);
        }));
        if (piece.length == nullptr || length > 0) {
            checked(subject, action, advice, [&] {
                return H5Awrite(handle.get(), type.get(), piece.values);
            });
        }
    }
}

} // namespace muster::data::hdf5
