#include "data/advise.hpp"

#include "data/sizes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

namespace muster::launcher::data {
namespace {

using muster::data::Column;
using muster::data::StorageLayout;

constexpr std::uint64_t large_bytes = std::uint64_t{8} << 20U;
constexpr std::uint64_t small_bytes = std::uint64_t{16} << 10U;
constexpr std::uint64_t wanted_bytes = std::uint64_t{1} << 20U;
constexpr std::uint64_t worth_bytes = std::uint64_t{16} << 20U; // from here on it pays to compress
constexpr std::uint64_t many_chunks = 1000;                     // below, finding them costs nothing
constexpr std::size_t shown_max = 60;

std::uint64_t product(const std::vector<std::uint64_t>& shape) {
    std::uint64_t result = 1;
    for (const std::uint64_t axis : shape) {
        result *= axis;
    }
    return result;
}

bool is_compressed(const Column& column) {
    return std::ranges::any_of(column.filters, [](const muster::data::Filter& filter) {
        return filter.name != "shuffle" && filter.name != "fletcher32";
    });
}

std::uint64_t rows_of_about(std::uint64_t bytes, const Column& column) {
    return std::max<std::uint64_t>(bytes / std::max<std::uint64_t>(column.row_bytes(), 1), 1);
}

void advise_chunks(const Column& column, std::vector<std::string>& advice) {
    const std::uint64_t bytes = product(column.chunk) * column.element_bytes;
    const bool crosses =
        !std::equal(column.chunk.begin() + 1,
                    column.chunk.end(),
                    column.shape.begin() + 1,
                    column.shape.end(),
                    [](std::uint64_t chunk, std::uint64_t axis) { return chunk >= axis; });
    if (crosses) {
        std::uint64_t pieces = 1;
        for (std::size_t axis = 1; axis < column.shape.size(); ++axis) {
            pieces *= (column.shape[axis] + column.chunk[axis] - 1) /
                      std::max<std::uint64_t>(column.chunk[axis], 1);
        }
        advice.push_back(
            fmt::format("chunks of {} cut each row into {} pieces, so that a row is {} reads: "
                        "muster data reshard "
                        "makes chunks of whole rows, --chunk-rows {} would be about 1 MiB",
                        shape_text(column.chunk),
                        pieces,
                        pieces,
                        rows_of_about(wanted_bytes, column)));
        return;
    }
    if (bytes > large_bytes && column.chunk.front() > 1) {
        advice.push_back(fmt::format("chunks have {}, and all of one is read and decoded for any "
                                     "row of it: --chunk-rows {} of "
                                     "muster data reshard would be about 1 MiB",
                                     size_text(bytes),
                                     rows_of_about(wanted_bytes, column)));
    }
    if (bytes < small_bytes && column.rows() / column.chunk.front() >= many_chunks) {
        advice.push_back(fmt::format("chunks have {} only, so that finding them takes longer than "
                                     "reading them: --chunk-rows {} "
                                     "of muster data reshard would be about 1 MiB",
                                     size_text(bytes),
                                     rows_of_about(wanted_bytes, column)));
    }
}

} // namespace

std::vector<std::string> advise(const Column& column) {
    std::vector<std::string> advice;
    if (column.shape.empty() || column.rows() == 0 || column.element_bytes == 0) {
        return advice; // a value, nothing, or texts of any length
    }
    const std::uint64_t bytes = product(column.shape) * column.element_bytes;
    if (column.layout == StorageLayout::chunked && column.chunk.size() == column.shape.size()) {
        advise_chunks(column, advice);
        const std::uint64_t chunk_bytes = product(column.chunk) * column.element_bytes;
        if (is_compressed(column) && column.stored_bytes >= bytes && bytes >= chunk_bytes) {
            advice.push_back(
                "compression makes it no smaller and reading slower: --compress none of "
                "muster data reshard leaves it out");
        }
    }
    if (column.layout == StorageLayout::contiguous && bytes >= worth_bytes) {
        advice.push_back(fmt::format(
            "it is kept in one piece, which is fast and cannot be compressed: if {} are too many, "
            "--compress deflate --shuffle --chunk-rows {} of muster data reshard makes it smaller",
            size_text(bytes),
            rows_of_about(wanted_bytes, column)));
    }
    if (column.is_swapped) {
        advice.push_back(
            "its numbers are in the other order of bytes than this machine's, and are turned "
            "round at every read: muster data reshard writes them in this one's");
    }
    return advice;
}

std::string filter_text(const muster::data::Filter& filter) {
    const bool has_level = filter.name == "deflate" || filter.name == "zstd";
    if (has_level && !filter.values.empty()) {
        return fmt::format("{} {}", filter.name, filter.values.front());
    }
    if (filter.name == "blosc" && filter.values.size() > 4) {
        return fmt::format("blosc {}", filter.values[4]);
    }
    return filter.name;
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
    return shape.empty() ? "one value" : fmt::format("{}", fmt::join(shape, " x "));
}

std::string value_text(const muster::data::Attribute& attribute) {
    std::string text = std::visit(
        []<class T>(const T& value) {
            if constexpr (std::is_same_v<T, std::string>) {
                return fmt::format("\"{}\"", value);
            } else if constexpr (std::is_arithmetic_v<T>) {
                return fmt::format("{}", value);
            } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
                return value.empty() ? std::string("[]")
                                     : fmt::format("[\"{}\"]", fmt::join(value, "\", \""));
            } else {
                return fmt::format("[{}]", fmt::join(value, ", "));
            }
        },
        attribute.value);
    std::replace(text.begin(), text.end(), '\n', ' ');
    if (text.size() > shown_max) {
        std::size_t end = shown_max;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
            --end; // not inside of a character
        }
        text = text.substr(0, end) + "…";
    }
    return text;
}

} // namespace muster::launcher::data
