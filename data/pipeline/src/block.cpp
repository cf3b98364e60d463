#include <muster/pipeline/block.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace muster::data {
namespace {

/// Bytes of one's own, at a multiple of 64.
Buffer copied(std::span<const std::byte> bytes) {
    constexpr std::size_t aligned_min = 1024; // from where allocate_bytes() aligns
    const std::size_t whole = std::max(aligned_min, (bytes.size() + 63) / 64 * 64);
    auto memory = allocate_bytes(whole);
    if (!bytes.empty()) {
        std::memcpy(memory.get(), bytes.data(), bytes.size());
    }
    return {std::move(memory), bytes.size()};
}

} // namespace

std::string_view to_string(ValueType type) {
    constexpr std::string_view names[] = {"int8",
                                          "int16",
                                          "int32",
                                          "int64",
                                          "uint8",
                                          "uint16",
                                          "uint32",
                                          "uint64",
                                          "float32",
                                          "float64",
                                          "bool",
                                          "complex64",
                                          "complex128",
                                          "text"};
    const auto index = static_cast<std::size_t>(type);
    return index < std::size(names) ? names[index] : "unknown";
}

std::uint64_t size_bytes(ValueType type) {
    constexpr std::uint64_t sizes[] = {1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 1, 8, 16, 0};
    const auto index = static_cast<std::size_t>(type);
    return index < std::size(sizes) ? sizes[index] : 0;
}

std::string describe(const std::vector<Field>& fields) {
    if (fields.empty()) {
        return "none";
    }
    std::string text;
    for (const Field& field : fields) {
        text +=
            fmt::format("{}{} ({}", text.empty() ? "" : ", ", field.name, to_string(field.type));
        for (std::size_t axis = 0; axis < field.shape.size(); ++axis) {
            text += fmt::format("{}{}", axis == 0 ? "[" : " x ", field.shape[axis]);
        }
        text += field.shape.empty() ? ")" : "])";
    }
    return text;
}

bool Block::has(std::string_view name) const {
    return std::any_of(
        fields_.begin(), fields_.end(), [&](const Field& field) { return field.name == name; });
}

std::size_t Block::index_of(std::string_view name) const {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (fields_[i].name == name) {
            return i;
        }
    }
    throw Error(fmt::format("no column \"{}\"; the columns are: {}", name, describe(fields_)),
                ErrorCode::usage);
}

std::size_t Block::checked(std::string_view name, ValueType type) const {
    const std::size_t index = index_of(name);
    if (fields_[index].type != type) {
        throw Error(fmt::format("column \"{}\" is {}, and was asked for as {}; the columns are: {}",
                                name,
                                to_string(fields_[index].type),
                                to_string(type),
                                describe(fields_)),
                    ErrorCode::usage);
    }
    return index;
}

std::span<const std::byte> Block::values(std::size_t index) const {
    return values_[index].bytes.bytes();
}

Texts Block::texts_at(std::size_t index) const {
    const auto bytes = values_[index].bytes.bytes();
    return {reinterpret_cast<const std::uint64_t*>(values_[index].offsets.bytes().data()),
            reinterpret_cast<const char*>(bytes.data()),
            rows_};
}

void Block::append(Field field, std::uint64_t rows, Values values) {
    if (has(field.name)) {
        throw Error(fmt::format("there is a column \"{}\" already; the columns are: {}",
                                field.name,
                                describe(fields_)),
                    ErrorCode::usage);
    }
    if (!fields_.empty() && rows != rows_) {
        throw Error(
            fmt::format("column \"{}\" has {} rows, and the block has {}", field.name, rows, rows_),
            ErrorCode::usage);
    }
    fields_.push_back(std::move(field));
    values_.push_back(std::move(values));
    rows_ = rows;
    encoded_ = {};
}

void Block::add_bytes(Field field, std::span<const std::byte> bytes) {
    const std::uint64_t row_bytes = field.row_bytes();
    if (row_bytes == 0 || bytes.size() % row_bytes != 0) {
        throw Error(fmt::format("column \"{}\": {} values are no whole number of rows of {} values",
                                field.name,
                                bytes.size() / data::size_bytes(field.type),
                                field.elements()),
                    ErrorCode::usage);
    }
    append(std::move(field), bytes.size() / row_bytes, {copied(bytes), {}});
}

void Block::add_texts(std::string name, std::span<const std::string_view> texts) {
    std::vector<std::uint64_t> offsets{0};
    std::string characters;
    for (const std::string_view text : texts) {
        characters += text;
        offsets.push_back(characters.size());
    }
    append(
        {std::move(name), ValueType::text, {}},
        texts.size(),
        {copied(std::as_bytes(std::span(characters))), copied(std::as_bytes(std::span(offsets)))});
}

Block& Block::adopt(const Block& other, std::string_view column) {
    const std::size_t index = other.index_of(column);
    append(other.fields_[index], other.rows_, other.values_[index]);
    return *this;
}

Block Block::slice(std::uint64_t first, std::uint64_t count) const {
    if (first == 0 && count == rows_) {
        return *this;
    }
    if (first > rows_ || count > rows_ - first) {
        throw Error(fmt::format("rows {} to {} of a block of {}", first, first + count, rows_),
                    ErrorCode::usage);
    }
    Block part;
    part.fields_ = fields_;
    part.rows_ = count;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (fields_[i].type == ValueType::text) {
            part.values_.push_back({values_[i].bytes,
                                    values_[i].offsets.slice(first * sizeof(std::uint64_t),
                                                             (count + 1) * sizeof(std::uint64_t))});
        } else {
            const std::uint64_t row_bytes = fields_[i].row_bytes();
            part.values_.push_back(
                {values_[i].bytes.slice(first * row_bytes, count * row_bytes), {}});
        }
    }
    return part;
}

Block Block::select(const std::vector<std::string>& names) const {
    Block part;
    for (const std::string& name : names) {
        part.adopt(*this, name);
    }
    part.rows_ = rows_;
    return part;
}

Block Block::drop(const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
        (void)index_of(name);
    }
    Block part;
    for (const Field& field : fields_) {
        if (std::find(names.begin(), names.end(), field.name) == names.end()) {
            part.adopt(*this, field.name);
        }
    }
    part.rows_ = rows_;
    return part;
}

Block Block::rename(std::string_view from, std::string to) const {
    Block renamed = *this;
    const std::size_t index = index_of(from);
    if (from != to && has(to)) {
        throw Error(fmt::format("\"{}\" cannot be renamed to \"{}\", which is there already; the "
                                "columns are: {}",
                                from,
                                to,
                                describe(fields_)),
                    ErrorCode::usage);
    }
    renamed.fields_[index].name = std::move(to);
    renamed.encoded_ = {};
    return renamed;
}

std::uint64_t Block::size_bytes() const {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        bytes += fields_[i].type == ValueType::text
                     ? texts_at(i).characters() + (rows_ + 1) * sizeof(std::uint64_t)
                     : rows_ * fields_[i].row_bytes();
    }
    return bytes;
}

} // namespace muster::data
