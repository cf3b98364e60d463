#include "kernel/gather.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <type_traits>

namespace muster::data::kernel {
namespace {

/// Units that rows of fixed size are copied in.
template <std::size_t bytes>
struct Unit {
    std::byte data[bytes];
};

const std::vector<Field> no_fields;

struct Source {
    const std::byte* values = nullptr;
};

/// Calls `copy` with each row's address, or null for none.
template <class Copy>
void for_each_row(std::span<const Source> sources,
                  std::span<const RowRef> rows,
                  std::uint64_t row_bytes,
                  Copy&& copy) {
    for (const RowRef& ref : rows) {
        copy(ref.block == RowRef::none ? nullptr : sources[ref.block].values + ref.row * row_bytes);
    }
}

template <std::size_t bytes>
void copy_units(std::span<const Source> sources,
                std::span<const RowRef> rows,
                const std::byte* missing,
                std::byte* out) {
    auto* to = reinterpret_cast<Unit<bytes>*>(out);
    for_each_row(sources, rows, bytes, [&](const std::byte* from) {
        std::memcpy(to++, from != nullptr ? from : missing, bytes);
    });
}

/// What stands for a value that is not there.
std::vector<std::byte> missing_row(const Field& field) {
    std::vector<std::byte> row(field.row_bytes());
    const auto fill = [&]<class T>(T value) {
        for (std::size_t at = 0; at < row.size(); at += sizeof(T)) {
            std::memcpy(row.data() + at, &value, sizeof(T));
        }
    };
    if (field.type == ValueType::float32 || field.type == ValueType::complex64) {
        fill(std::numeric_limits<float>::quiet_NaN());
    } else if (field.type == ValueType::float64 || field.type == ValueType::complex128) {
        fill(std::numeric_limits<double>::quiet_NaN());
    }
    return row;
}

void copy_rows(const Field& field,
               std::span<const Source> sources,
               std::span<const RowRef> rows,
               std::byte* out) {
    const std::vector<std::byte> missing = missing_row(field);
    switch (field.row_bytes()) {
    case 1:
        return copy_units<1>(sources, rows, missing.data(), out);
    case 2:
        return copy_units<2>(sources, rows, missing.data(), out);
    case 4:
        return copy_units<4>(sources, rows, missing.data(), out);
    case 8:
        return copy_units<8>(sources, rows, missing.data(), out);
    case 16:
        return copy_units<16>(sources, rows, missing.data(), out);
    default:
        for_each_row(sources, rows, missing.size(), [&](const std::byte* from) {
            std::memcpy(out, from != nullptr ? from : missing.data(), missing.size());
            out += missing.size();
        });
    }
}

std::string_view text_of(const std::vector<Texts>& texts, const RowRef& ref) {
    return ref.block == RowRef::none ? std::string_view() : texts[ref.block][ref.row];
}

std::vector<Texts> texts_of(std::span<const Block> blocks, std::size_t column) {
    std::vector<Texts> texts;
    for (const Block& block : blocks) {
        texts.push_back(block.fields().empty() ? Texts(nullptr, nullptr, 0)
                                               : block.texts_at(column));
    }
    return texts;
}

} // namespace

const std::vector<Field>& common_fields(std::span<const Block> blocks) {
    const std::vector<Field>* fields = &no_fields;
    for (const Block& block : blocks) {
        if (fields->empty()) {
            fields = &block.fields();
        } else if (!block.fields().empty() && block.fields() != *fields) {
            throw Error(fmt::format("blocks of one pipeline differ in their columns: {}; and: {}",
                                    describe(*fields),
                                    describe(block.fields())),
                        ErrorCode::usage);
        }
    }
    return *fields;
}

Block gather(std::span<const Block> blocks,
             std::span<const RowRef> rows,
             std::vector<std::uint64_t> marks) {
    const auto& fields = common_fields(blocks);
    std::vector<std::vector<Texts>> texts(fields.size());
    std::vector<std::uint64_t> text_bytes;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].type == ValueType::text) {
            texts[i] = texts_of(blocks, i);
            text_bytes.push_back(std::accumulate(rows.begin(),
                                                 rows.end(),
                                                 std::uint64_t{0},
                                                 [&](std::uint64_t bytes, const auto& row) {
                                                     return bytes + text_of(texts[i], row).size();
                                                 }));
        }
    }
    NewBlock out(fields, rows.size(), text_bytes, std::move(marks));
    std::vector<Source> sources(blocks.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].type == ValueType::text) {
            std::uint64_t* offset = out.offsets(i);
            auto* const characters = reinterpret_cast<char*>(out.values(i));
            *offset = 0;
            for (const RowRef& row : rows) {
                const std::string_view text = text_of(texts[i], row);
                if (!text.empty()) {
                    std::memcpy(characters + *offset, text.data(), text.size());
                }
                offset[1] = *offset + text.size();
                ++offset;
            }
            continue;
        }
        for (std::size_t block = 0; block < blocks.size(); ++block) {
            sources[block].values =
                blocks[block].fields().empty() ? nullptr : blocks[block].values(i).data();
        }
        copy_rows(fields[i], sources, rows, out.values(i));
    }
    return std::move(out).finish();
}

Block gather(const Block& block, std::span<const std::uint32_t> rows) {
    std::vector<RowRef> refs;
    refs.reserve(rows.size());
    for (const std::uint32_t row : rows) {
        refs.push_back({0, row});
    }
    return gather({&block, 1}, refs);
}

Block gather(std::span<const Block> blocks, std::span<const RowRange> ranges) {
    if (ranges.size() == 1) {
        return blocks[ranges[0].block].slice(ranges[0].first, ranges[0].count);
    }
    const auto& fields = common_fields(blocks);
    std::uint64_t rows = 0;
    for (const RowRange& range : ranges) {
        rows += range.count;
    }
    std::vector<std::vector<Texts>> texts(fields.size());
    std::vector<std::uint64_t> text_bytes;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].type == ValueType::text) {
            texts[i] = texts_of(blocks, i);
            std::uint64_t bytes = 0;
            for (const RowRange& range : ranges) {
                for (std::uint64_t row = 0; row < range.count; ++row) {
                    bytes += texts[i][range.block][range.first + row].size();
                }
            }
            text_bytes.push_back(bytes);
        }
    }
    NewBlock out(fields, rows, text_bytes, {});
    for (std::size_t i = 0; i < fields.size(); ++i) {
        std::byte* to = out.values(i);
        const std::uint64_t row_bytes = fields[i].row_bytes();
        std::uint64_t* offset = fields[i].type == ValueType::text ? out.offsets(i) : nullptr;
        if (offset != nullptr) {
            *offset = 0;
        }
        for (const RowRange& range : ranges) {
            if (range.count == 0) {
                continue;
            }
            if (offset == nullptr) {
                const std::size_t bytes = range.count * row_bytes;
                std::memcpy(
                    to, blocks[range.block].values(i).data() + range.first * row_bytes, bytes);
                to += bytes;
                continue;
            }
            for (std::uint64_t row = 0; row < range.count; ++row) {
                const std::string_view text = texts[i][range.block][range.first + row];
                if (!text.empty()) {
                    std::memcpy(to, text.data(), text.size());
                }
                to += text.size();
                offset[1] = *offset + text.size();
                ++offset;
            }
        }
    }
    return std::move(out).finish();
}

Block concat(std::span<const Block> blocks) {
    std::vector<RowRange> ranges;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (blocks[i].rows() > 0) {
            ranges.push_back({static_cast<std::uint32_t>(i), 0, blocks[i].rows()});
        }
    }
    if (ranges.empty()) {
        for (const Block& block : blocks) {
            if (!block.fields().empty()) {
                return block;
            }
        }
        return {};
    }
    (void)common_fields(blocks);
    return gather(blocks, ranges);
}

} // namespace muster::data::kernel
