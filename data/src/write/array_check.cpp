#include "write/array_check.hpp"

#include <muster/base/crc32c.hpp>
#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <variant>

namespace muster::data {

std::uint64_t ArrayInfo::elements() const {
    std::uint64_t product = 1;
    for (const std::uint64_t axis : shape) {
        product *= axis;
    }
    return product;
}

std::uint64_t Slab::elements() const {
    std::uint64_t product = 1;
    for (const std::uint64_t axis : count) {
        product *= axis;
    }
    return product;
}

Slab whole(const ArrayInfo& array) {
    return {std::vector<std::uint64_t>(array.shape.size(), 0), array.shape};
}

Slab intersection(const Slab& a, const Slab& b) {
    Slab shared;
    for (std::size_t axis = 0; axis < a.start.size(); ++axis) {
        const std::uint64_t first = std::max(a.start[axis], b.start[axis]);
        const std::uint64_t last =
            std::min(a.start[axis] + a.count[axis], b.start[axis] + b.count[axis]);
        shared.start.push_back(first);
        shared.count.push_back(last > first ? last - first : 0);
    }
    return shared;
}

} // namespace muster::data

namespace muster::data::write {

void writable(const std::string& path, const ArrayInfo& info) {
    const bool is_number = info.type <= ElementType::float64;
    if (!is_number) {
        throw UsageError(fmt::format("'{}': array '{}' is of type {}; arrays are of whole or "
                                     "floating-point numbers of this machine",
                                     path,
                                     info.name,
                                     to_string(info.type)));
    }
    if (info.name.empty() || info.name.front() == '/' || info.name.back() == '/') {
        throw UsageError(
            fmt::format("'{}': '{}' is no name for an array; write it as 'name' or 'group/name'",
                        path,
                        info.name));
    }
    if (info.shape.empty() || info.shape.size() > 32) {
        throw UsageError(fmt::format("'{}': array '{}' has {} axes; it takes 1 to 32 (a single "
                                     "value is a note)",
                                     path,
                                     info.name,
                                     info.shape.size()));
    }
}

void fitting(const std::string& path,
             const ArrayInfo& info,
             const Slab& slab,
             std::uint64_t bytes) {
    const bool has_axes =
        slab.start.size() == info.shape.size() && slab.count.size() == info.shape.size();
    bool is_inside = has_axes;
    for (std::size_t axis = 0; is_inside && axis < info.shape.size(); ++axis) {
        is_inside = slab.count[axis] <= info.shape[axis] &&
                    slab.start[axis] <= info.shape[axis] - slab.count[axis];
    }
    if (!is_inside) {
        throw UsageError(fmt::format(
            "'{}': the slab of [{}] elements from [{}] on is not inside array '{}' of shape [{}]",
            path,
            fmt::join(slab.count, ", "),
            fmt::join(slab.start, ", "),
            info.name,
            fmt::join(info.shape, ", ")));
    }
    const std::uint64_t needed = slab.elements() * size_bytes(info.type);
    if (bytes != needed) {
        throw UsageError(
            fmt::format("'{}': {} bytes of memory for [{}] values of array '{}', which "
                        "are {} bytes ({})",
                        path,
                        bytes,
                        fmt::join(slab.count, ", "),
                        info.name,
                        needed,
                        to_string(info.type)));
    }
}

std::vector<StitchedArray> stitched(const std::string& path, std::span<const ArrayShard> shards) {
    std::map<std::string, StitchedArray> arrays;
    for (std::size_t shard = 0; shard < shards.size(); ++shard) {
        for (const ArrayPiece& piece : shards[shard].pieces) {
            StitchedArray& array =
                arrays.try_emplace(piece.array.name, StitchedArray{piece.array, {}, {}})
                    .first->second;
            if (array.info != piece.array) {
                throw UsageError(fmt::format("'{}': its writers do not agree on array '{}': {} of "
                                             "shape [{}], and {} of shape [{}]",
                                             path,
                                             piece.array.name,
                                             to_string(array.info.type),
                                             fmt::join(array.info.shape, ", "),
                                             to_string(piece.array.type),
                                             fmt::join(piece.array.shape, ", ")));
            }
            if (piece.slab.elements() == 0) {
                continue;
            }
            for (const Slab& other : array.slabs) {
                if (intersection(other, piece.slab).elements() > 0) {
                    throw UsageError(
                        fmt::format("'{}': two writers have written the element at "
                                    "[{}] of array '{}'; pieces must not overlap",
                                    path,
                                    fmt::join(intersection(other, piece.slab).start, ", "),
                                    piece.array.name));
                }
            }
            array.slabs.push_back(piece.slab);
            array.shards.push_back(shard);
        }
    }
    std::vector<StitchedArray> result;
    for (auto& [name, array] : arrays) {
        std::uint64_t covered = 0;
        for (const Slab& slab : array.slabs) {
            covered += slab.elements();
        }
        if (covered != array.info.elements()) {
            throw UsageError(fmt::format(
                "'{}': its writers have {} of the {} elements of array '{}'; every element must be "
                "in one piece",
                path,
                covered,
                array.info.elements(),
                name));
        }
        result.push_back(std::move(array));
    }
    return result;
}

namespace {

/// Values as bytes, with their kind and number before them.
struct Digest {
    std::uint32_t crc = 0;

    void add(std::string_view text) {
        add(static_cast<std::uint64_t>(text.size()));
        crc = crc32c(std::as_bytes(std::span(text)), crc);
    }

    void add(const std::string& text) { add(std::string_view(text)); }

    template <class T>
    void add(const T& number) requires std::is_arithmetic_v<T> {
        crc = crc32c(std::as_bytes(std::span(&number, 1)), crc);
    }

    template <class T>
    void add(const std::vector<T>& values) {
        add(static_cast<std::uint64_t>(values.size()));
        for (const T& value : values) {
            add(value);
        }
    }
};

} // namespace

std::uint32_t checksum_of(std::vector<Attribute> attributes) {
    std::erase_if(attributes,
                  [](const Attribute& note) { return note.name == notes_checksum_name; });
    std::ranges::sort(attributes, {}, &Attribute::name);
    Digest digest;
    for (const Attribute& note : attributes) {
        digest.add(note.name);
        digest.add(static_cast<std::uint64_t>(note.value.index()));
        std::visit([&](const auto& value) { digest.add(value); }, note.value);
    }
    return digest.crc;
}

} // namespace muster::data::write
