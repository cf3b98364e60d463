#include "data/npy.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <optional>

namespace muster::launcher::data {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t header_bytes_max = std::size_t{1} << 20U;
constexpr std::size_t axes_max = 32;
constexpr std::uint64_t character_bytes = 4; // of NumPy's U

Failure at(std::uint64_t byte, std::string_view text) {
    return {ErrorCode::malformed, fmt::format("byte {}: {}", byte, text)};
}

std::uint64_t little(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
        value = (value << 8U) | std::to_integer<std::uint64_t>(bytes[i]);
    }
    return value;
}

/// Walks over a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
/// Source: numpy/lib/format.py, "Format Version 1.0".
class Literal {
public:
    Literal(std::string_view text, std::uint64_t offset) : text_(text), offset_(offset) {}

    void skip_blanks() {
        while (place_ < text_.size() &&
               std::isspace(static_cast<unsigned char>(text_[place_])) != 0) {
            ++place_;
        }
    }

    bool take(std::string_view token) {
        skip_blanks();
        if (!text_.substr(place_).starts_with(token)) {
            return false;
        }
        place_ += token.size();
        return true;
    }

    /// '…' or "…", without escapes: neither names nor types have any.
    std::optional<std::string_view> text() {
        skip_blanks();
        const char quote = place_ < text_.size() ? text_[place_] : '\0';
        if (quote != '\'' && quote != '"') {
            return std::nullopt;
        }
        const auto end = text_.find(quote, place_ + 1);
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        const auto result = text_.substr(place_ + 1, end - place_ - 1);
        place_ = end + 1;
        return result;
    }

    std::optional<std::uint64_t> whole() {
        skip_blanks();
        auto end = place_;
        while (end < text_.size() && std::isdigit(static_cast<unsigned char>(text_[end])) != 0) {
            ++end;
        }
        const auto value = parse_whole<std::uint64_t>(text_.substr(place_, end - place_));
        place_ = value ? end : place_;
        return value;
    }

    [[nodiscard]] char next() {
        skip_blanks();
        return place_ < text_.size() ? text_[place_] : '\0';
    }

    [[nodiscard]] Failure failure(std::string_view text) const {
        return at(offset_ + place_, text);
    }

private:
    std::string_view text_;
    std::uint64_t offset_;
    std::size_t place_ = 0;
};

ElementType number_type(char kind, std::uint64_t bytes) {
    const auto whole = [&](ElementType one) {
        return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8
                   ? static_cast<ElementType>(static_cast<unsigned>(one) +
                                              static_cast<unsigned>(std::countr_zero(bytes)))
                   : ElementType::unsupported;
    };
    switch (kind) {
    case 'i':
        return whole(ElementType::int8);
    case 'u':
        return whole(ElementType::uint8);
    case 'b':
        return bytes == 1 ? ElementType::boolean : ElementType::unsupported;
    case 'f':
        return bytes == 2   ? ElementType::float16
               : bytes == 4 ? ElementType::float32
               : bytes == 8 ? ElementType::float64
                            : ElementType::unsupported;
    case 'c':
        return bytes == 8    ? ElementType::complex64
               : bytes == 16 ? ElementType::complex128
                             : ElementType::unsupported;
    default:
        return ElementType::unsupported;
    }
}

/// "<f4", ">i8", "|b1", "|S5", "<U7".
Result<std::monostate> read_type(const Literal& literal, std::string_view descr, Array& array) {
    const auto bytes =
        descr.size() > 2 ? parse_whole<std::uint64_t>(descr.substr(2)) : std::nullopt;
    const auto refuse = [&] {
        return literal.failure(fmt::format("values of type '{}' cannot be read; save them as "
                                           "numbers, bool or text",
                                           descr.substr(0, 40)));
    };
    if (!bytes || std::string_view("<>|=").find(descr.front()) == std::string_view::npos) {
        return refuse();
    }
    const bool is_big = descr.front() == '>';
    const char kind = descr[1];
    array.is_swapped =
        (descr.front() == '<' || is_big) && is_big != (std::endian::native == std::endian::big);
    if (kind == 'S' || kind == 'U') {
        const std::uint64_t width = kind == 'U' ? character_bytes : 1;
        if (*bytes == 0 || *bytes > (1U << 20U)) {
            return literal.failure(fmt::format("texts of {} characters cannot be read", *bytes));
        }
        array.type = kind == 'S' ? ElementType::fixed_string : ElementType::string;
        array.is_wide_text = kind == 'U';
        array.is_swapped = array.is_swapped && array.is_wide_text;
        array.element_bytes = width * *bytes;
        return std::monostate{};
    }
    array.type = number_type(kind, *bytes);
    array.element_bytes = *bytes;
    if (array.type == ElementType::unsupported) {
        return refuse();
    }
    return std::monostate{};
}

Result<std::monostate> read_shape(Literal& literal, Array& array) {
    if (!literal.take("(")) {
        return literal.failure("the shape is no tuple");
    }
    while (!literal.take(")")) {
        const auto axis = literal.whole();
        if (!axis || array.shape.size() == axes_max) {
            return literal.failure("the shape is no tuple of whole numbers");
        }
        array.shape.push_back(*axis);
        literal.take("L"); // of Python 2
        if (!literal.take(",") && literal.next() != ')') {
            return literal.failure("the shape is no tuple of whole numbers");
        }
    }
    return std::monostate{};
}

Result<Array> read_header(Literal literal) {
    Array array;
    bool has_type = false;
    bool has_order = false;
    bool has_shape = false;
    if (!literal.take("{")) {
        return literal.failure("the header is no dictionary");
    }
    while (!literal.take("}")) {
        const auto key = literal.text();
        if (!key || !literal.take(":")) {
            return literal.failure("the header is no dictionary of three keys");
        }
        if (*key == "descr" && !has_type) {
            if (literal.next() == '[') {
                return literal.failure("records of several fields cannot be read; save each field "
                                       "as an array, in one .npz");
            }
            const auto descr = literal.text();
            if (!descr) {
                return literal.failure("the type is no text");
            }
            if (descr->find('O') != std::string_view::npos) {
                return literal.failure("the values are Python objects; save them as numbers, bool "
                                       "or text");
            }
            if (auto read = read_type(literal, *descr, array); !read) {
                return read.error();
            }
            has_type = true;
        } else if (*key == "fortran_order" && !has_order) {
            array.is_column_major = literal.take("True");
            if (!array.is_column_major && !literal.take("False")) {
                return literal.failure("fortran_order is neither True nor False");
            }
            has_order = true;
        } else if (*key == "shape" && !has_shape) {
            if (auto read = read_shape(literal, array); !read) {
                return read.error();
            }
            has_shape = true;
        } else {
            return literal.failure("the header is no dictionary of three keys");
        }
        if (!literal.take(",") && literal.next() != '}') {
            return literal.failure("the header is no dictionary of three keys");
        }
    }
    if (!has_type || !has_order || !has_shape) {
        return literal.failure("the header lacks descr, fortran_order or shape");
    }
    return array;
}

/// Bytes of one number whose bytes stand the other way round; a complex number has two.
std::uint64_t swapped_width(const Array& array) {
    const bool is_complex =
        array.type == ElementType::complex64 || array.type == ElementType::complex128;
    return is_complex ? array.element_bytes / 2 : array.element_bytes;
}

/// Where element (row, place in the row) lies, place counted in C's order.
class Places {
public:
    explicit Places(const Array& array) : array_(array) {
        std::uint64_t stride = array.rows();
        strides_.assign(array.shape.size(), 1);
        for (std::size_t axis = 1; axis < array.shape.size(); ++axis) {
            strides_[axis] = stride;
            stride *= array.shape[axis];
        }
    }

    /// Of the first row's element, in Fortran's order; the other rows' follow it.
    [[nodiscard]] std::uint64_t operator()(std::uint64_t place) const {
        std::uint64_t result = 0;
        for (std::size_t axis = array_.shape.size(); axis-- > 1;) {
            result += place % array_.shape[axis] * strides_[axis];
            place /= array_.shape[axis];
        }
        return result;
    }

private:
    const Array& array_;
    std::vector<std::uint64_t> strides_;
};

void append_utf8(std::uint32_t character, std::string& out) {
    if (character > 0x10FFFF || (character >= 0xD800 && character < 0xE000)) {
        character = 0xFFFD;
    }
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (character < 0x80) {
        put(character);
    } else if (character < 0x800) {
        put(0xC0U | character >> 6U);
        put(0x80U | (character & 0x3FU));
    } else if (character < 0x10000) {
        put(0xE0U | character >> 12U);
        put(0x80U | (character >> 6U & 0x3FU));
        put(0x80U | (character & 0x3FU));
    } else {
        put(0xF0U | character >> 18U);
        put(0x80U | (character >> 12U & 0x3FU));
        put(0x80U | (character >> 6U & 0x3FU));
        put(0x80U | (character & 0x3FU));
    }
}

} // namespace

std::uint64_t Array::row_elements() const {
    std::uint64_t elements = 1;
    for (std::size_t axis = 1; axis < shape.size(); ++axis) {
        elements *= shape[axis];
    }
    return elements;
}

Result<Array> parse_npy(std::span<const std::byte> file) {
    constexpr std::size_t fixed_bytes = 8; // magic and version
    if (file.size() < fixed_bytes + 2 ||
        std::memcmp(file.data(), magic.data(), magic.size()) != 0) {
        return at(0, "it does not begin as a file of NumPy");
    }
    const auto version = std::to_integer<unsigned>(file[6]);
    if (version < 1 || version > 3) {
        return at(6, fmt::format("version {} of the format is not known", version));
    }
    const std::size_t length_bytes = version == 1 ? 2 : 4;
    if (file.size() < fixed_bytes + length_bytes) {
        return at(fixed_bytes, "the file ends in its header");
    }
    const std::uint64_t length = little(file.subspan(fixed_bytes, length_bytes));
    const std::size_t offset = fixed_bytes + length_bytes;
    if (length > header_bytes_max) {
        return at(fixed_bytes, fmt::format("a header of {} bytes is no header", length));
    }
    if (length > file.size() - offset) {
        return at(fixed_bytes, "the file ends in its header");
    }
    const std::string_view text(reinterpret_cast<const char*>(file.data()) + offset, length);
    auto array = read_header(Literal(text, offset));
    if (!array) {
        return array;
    }
    if (array->shape.empty()) {
        return at(offset, "it holds a single value, which has no rows");
    }
    const auto values = file.subspan(offset + length);
    std::uint64_t bytes = array->element_bytes;
    // An axis of 0 anywhere makes it empty, and the others must not overflow before it comes.
    const bool is_empty = std::ranges::find(array->shape, 0U) != array->shape.end();
    for (const std::uint64_t axis : array->shape) {
        if (is_empty) {
            bytes = 0;
        } else if (bytes > values.size() / axis) {
            return at(file.size(),
                      fmt::format("the file ends before the last of its values; its shape is {}",
                                  fmt::join(array->shape, " x ")));
        } else {
            bytes *= axis;
        }
    }
    if (is_empty && array->row_elements() == 0) {
        return at(offset, "its rows are empty");
    }
    array->values = values.first(bytes);
    return array;
}

void copy_rows(const Array& array,
               std::uint64_t first,
               std::uint64_t count,
               std::vector<std::byte>& out) {
    MUSTER_ASSERT(first + count <= array.rows());
    const std::uint64_t size = array.element_bytes;
    const std::uint64_t elements = array.row_elements();
    const std::byte* const from = array.values.data();
    out.resize(count * elements * size);
    if (out.empty()) {
        return;
    }
    if (!array.is_column_major || array.shape.size() == 1) {
        std::memcpy(out.data(), from + first * elements * size, out.size());
    } else {
        const Places places(array);
        for (std::uint64_t place = 0; place < elements; ++place) {
            const std::byte* const start = from + (places(place) + first) * size;
            for (std::uint64_t row = 0; row < count; ++row) {
                std::memcpy(&out[(row * elements + place) * size], start + row * size, size);
            }
        }
    }
    const auto width = static_cast<std::ptrdiff_t>(swapped_width(array));
    if (array.is_swapped && width > 1) {
        for (auto place = out.begin(); place != out.end(); place += width) {
            std::reverse(place, place + width);
        }
    }
    if (array.type == ElementType::boolean) { // any byte but 0 is true to NumPy
        for (std::byte& value : out) {
            value = value == std::byte{0} ? std::byte{0} : std::byte{1};
        }
    }
}

void copy_texts(const Array& array,
                std::uint64_t first,
                std::uint64_t count,
                std::vector<std::string>& out) {
    MUSTER_ASSERT(array.is_wide_text);
    Array bytes = array;
    bytes.is_swapped = false;
    std::vector<std::byte> block;
    copy_rows(bytes, first, count, block);
    out.clear();
    for (std::size_t start = 0; start < block.size(); start += array.element_bytes) {
        std::string text;
        for (std::size_t i = 0; i < array.element_bytes; i += character_bytes) {
            std::uint32_t character = 0;
            std::memcpy(&character, &block[start + i], character_bytes);
            if (array.is_swapped) {
                character = __builtin_bswap32(character);
            }
            if (character == 0) {
                break; // padding; NumPy drops it too
            }
            append_utf8(character, text);
        }
        out.push_back(std::move(text));
    }
}

} // namespace muster::launcher::data
