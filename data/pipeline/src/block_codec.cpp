// A block's encoding: a header, and all values behind it in one piece, whose length is a multiple
// of 64 bytes. Memory for values ends at such a multiple, so each column begins at one.

#include <muster/core/detail/client.hpp>
#include <muster/pipeline/block.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace muster::data {
namespace {

constexpr std::uint64_t line = 64;

std::uint64_t whole(std::uint64_t bytes) {
    return (bytes + line - 1) / line * line;
}

/// Memory that ends at a multiple of 64.
std::shared_ptr<std::byte[]> allocate(std::size_t size) {
    constexpr std::size_t aligned_min = 1024; // from where allocate_bytes() aligns
    if (size < aligned_min) {
        auto memory = allocate_bytes(aligned_min);
        return {memory, memory.get() + (aligned_min - size)};
    }
    auto* const client = detail::current_client_or_null();
    return client != nullptr ? client->allocate_value(size) : allocate_bytes(size);
}

/// Where each column's values lie in the payload; of text, its offsets and then its characters.
struct Layout {
    std::vector<std::uint64_t> begins;
    std::uint64_t bytes = 0;

    Layout(const std::vector<Field>& fields,
           std::uint64_t rows,
           const std::vector<std::uint64_t>& text_bytes) {
        std::size_t text = 0;
        for (const Field& field : fields) {
            begins.push_back(bytes);
            if (field.type == ValueType::text) {
                bytes += whole((rows + 1) * sizeof(std::uint64_t)) + whole(text_bytes.at(text++));
            } else {
                bytes += whole(rows * field.row_bytes());
            }
        }
    }
};

void write_header(Writer& writer,
                  const std::vector<Field>& fields,
                  std::uint64_t rows,
                  const std::vector<std::uint64_t>& marks,
                  const std::vector<std::uint64_t>& text_bytes,
                  std::uint64_t payload) {
    encode(writer, fields);
    encode(writer, rows);
    encode(writer, marks);
    encode(writer, text_bytes);
    writer.write_count(payload);
}

void check_fields(const std::vector<Field>& fields, std::uint64_t rows) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (fields[i].name == fields[j].name) {
                throw Error(fmt::format("two columns of a block are called \"{}\"", fields[i].name),
                            ErrorCode::usage);
            }
        }
        const std::uint64_t row_bytes = std::max<std::uint64_t>(fields[i].row_bytes(), 8);
        if (rows > (std::numeric_limits<std::uint64_t>::max() >> 8) / row_bytes) {
            throw Error(
                fmt::format("column \"{}\": {} rows of {} bytes are more than memory can hold",
                            fields[i].name,
                            rows,
                            row_bytes),
                ErrorCode::usage);
        }
    }
}

[[noreturn]] void throw_malformed_block(const char* what) {
    throw Error(fmt::format("malformed bytes: a block whose {}", what), ErrorCode::malformed);
}

} // namespace

NewBlock::NewBlock(std::vector<Field> fields,
                   std::uint64_t rows,
                   const std::vector<std::uint64_t>& text_bytes,
                   std::vector<std::uint64_t> marks) {
    check_fields(fields, rows);
    const auto texts = static_cast<std::size_t>(
        std::count_if(fields.begin(), fields.end(), [](const Field& field) {
            return field.type == ValueType::text;
        }));
    if (texts != text_bytes.size()) {
        throw Error("a NewBlock has no text columns: add them to the finished block, with add()",
                    ErrorCode::usage);
    }
    const Layout layout(fields, rows, text_bytes);
    Writer header;
    write_header(header, fields, rows, marks, text_bytes, layout.bytes);
    const std::size_t size = header.size() + layout.bytes;
    const auto memory = allocate(size);
    std::memcpy(memory.get(), header.bytes().data(), header.size());
    const Buffer encoded(memory, size);
    // Equal blocks have equal encodings: nothing is left as the memory happened to be.
    const auto clear_behind = [&](std::uint64_t end) {
        std::memset(memory.get() + end, 0, whole(end - header.size()) + header.size() - end);
    };
    std::size_t text = 0;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const std::uint64_t begin = header.size() + layout.begins[i];
        if (fields[i].type == ValueType::text) {
            const std::uint64_t offsets = (rows + 1) * sizeof(std::uint64_t);
            clear_behind(begin + offsets);
            clear_behind(begin + whole(offsets) + text_bytes[text]);
            block_.values_.push_back({encoded.slice(begin + whole(offsets), text_bytes[text++]),
                                      encoded.slice(begin, offsets)});
        } else {
            clear_behind(begin + rows * fields[i].row_bytes());
            block_.values_.push_back({encoded.slice(begin, rows * fields[i].row_bytes()), {}});
        }
    }
    block_.fields_ = std::move(fields);
    block_.rows_ = rows;
    block_.marks_ = std::move(marks);
    block_.encoded_ = encoded;
}

Buffer Block::muster_encoding() const {
    if (!encoded_.empty()) {
        return encoded_;
    }
    std::vector<std::uint64_t> text_bytes;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (fields_[i].type == ValueType::text) {
            text_bytes.push_back(texts_at(i).characters());
        }
    }
    NewBlock packed(fields_, rows_, text_bytes, marks_);
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (fields_[i].type != ValueType::text) {
            if (!values(i).empty()) {
                std::memcpy(packed.values(i), values(i).data(), values(i).size());
            }
            continue;
        }
        const auto* const from =
            reinterpret_cast<const std::uint64_t*>(values_[i].offsets.bytes().data());
        std::uint64_t* const to = packed.offsets(i);
        for (std::uint64_t row = 0; row <= rows_; ++row) {
            to[row] = from[row] - from[0];
        }
        if (to[rows_] != 0) {
            std::memcpy(packed.values(i), values(i).data() + from[0], to[rows_]);
        }
    }
    return std::move(packed).finish().encoded_;
}

void muster_encode(muster::Writer& writer, const Block& block) {
    const Buffer encoded = block.muster_encoding();
    writer.write(encoded.bytes().data(), encoded.size());
}

void muster_decode(muster::Reader& reader, Block& block) {
    Block read;
    decode(reader, read.fields_);
    decode(reader, read.rows_);
    decode(reader, read.marks_);
    const auto text_bytes = decode<std::vector<std::uint64_t>>(reader);
    const std::size_t size = reader.read_count_of(1);
    check_fields(read.fields_, read.rows_);
    std::uint64_t texts = 0;
    for (const Field& field : read.fields_) {
        texts += field.type == ValueType::text ? 1 : 0;
        if (field.type > ValueType::text) {
            throw_malformed_block("column has a type that there is not");
        }
    }
    if (texts != text_bytes.size() ||
        std::any_of(text_bytes.begin(), text_bytes.end(), [&](auto b) { return b > size; }) ||
        Layout(read.fields_, read.rows_, text_bytes).bytes != size) {
        throw_malformed_block("values are of another size than its columns");
    }
    Buffer payload = reader.take_buffer(size);
    if (reinterpret_cast<std::uintptr_t>(payload.bytes().data()) % line != 0) {
        // It came inside a message, or in a slice of memory for small values.
        // Of its own, since nothing that is read may wait for room.
        const std::size_t capacity = std::max<std::size_t>(size, 1024);
        auto memory = allocate_bytes(capacity);
        std::memcpy(memory.get(), payload.bytes().data(), size);
        payload = Buffer(std::move(memory), size);
    }
    const Layout layout(read.fields_, read.rows_, text_bytes);
    std::size_t text = 0;
    for (std::size_t i = 0; i < read.fields_.size(); ++i) {
        const std::uint64_t begin = layout.begins[i];
        if (read.fields_[i].type != ValueType::text) {
            read.values_.push_back(
                {payload.slice(begin, read.rows_ * read.fields_[i].row_bytes()), {}});
            continue;
        }
        const std::uint64_t offsets = (read.rows_ + 1) * sizeof(std::uint64_t);
        const std::uint64_t characters = text_bytes[text++];
        read.values_.push_back(
            {payload.slice(begin + whole(offsets), characters), payload.slice(begin, offsets)});
        const auto* const at =
            reinterpret_cast<const std::uint64_t*>(read.values_.back().offsets.bytes().data());
        // What lies between is trusted: only NewBlock writes it, in the same program.
        if (at[0] != 0 || at[read.rows_] != characters) {
            throw_malformed_block("texts reach beyond it");
        }
    }
    block = std::move(read);
}

} // namespace muster::data
