#include "data/values.hpp"

#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

namespace muster::launcher::data {
namespace {

std::string_view without_plus(std::string_view text) {
    const bool drops = text.size() > 1 && text.front() == '+' && text[1] != '-';
    return drops ? text.substr(1) : text;
}

template <class Real>
std::optional<Real> parse_real(std::string_view text) {
    text = without_plus(text);
    Real value{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

bool equals(std::string_view text, std::string_view lower) {
    return std::ranges::equal(text, lower, [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == b;
    });
}

std::optional<bool> parse_bool(std::string_view text) {
    return equals(text, "true")    ? std::optional(true)
           : equals(text, "false") ? std::optional(false)
                                   : std::nullopt;
}

/// Digits with perhaps a sign before them.
bool is_whole(std::string_view text) {
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
        text.remove_prefix(1);
    }
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool has_leading_zero(std::string_view text) {
    const auto first = text.find_first_of("0123456789");
    return first != std::string_view::npos && first + 1 < text.size() && text[first] == '0' &&
           std::isdigit(static_cast<unsigned char>(text[first + 1])) != 0;
}

template <class T>
void append(const T& value, std::vector<std::byte>& out) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), bytes, bytes + sizeof value);
}

Failure no_such(std::string_view text, ElementType type) {
    constexpr std::size_t shown_max = 40;
    const std::string shown(text.substr(0, shown_max));
    return {ErrorCode::malformed,
            fmt::format("'{}{}' is no {}",
                        shown,
                        text.size() > shown_max ? "…" : "",
                        muster::data::to_string(type))};
}

template <std::integral I>
Result<std::monostate>
append_whole(ElementType type, std::string_view text, std::vector<std::byte>& out) {
    const auto value = parse_whole<I>(without_plus(text));
    if (!value) {
        return no_such(text, type);
    }
    append(*value, out);
    return std::monostate{};
}

/// Nothing stands for NaN.
template <class Real>
Result<std::monostate>
append_real(ElementType type, std::string_view text, std::vector<std::byte>& out) {
    const auto value =
        text.empty() ? std::numeric_limits<Real>::quiet_NaN() : parse_real<Real>(text);
    if (!value) {
        return no_such(text, type);
    }
    append(*value, out);
    return std::monostate{};
}

struct NamedType {
    std::string_view name;
    ElementType type;
};

constexpr auto named_types = std::to_array<NamedType>({
    {"int8", ElementType::int8},
    {"int16", ElementType::int16},
    {"int32", ElementType::int32},
    {"int64", ElementType::int64},
    {"uint8", ElementType::uint8},
    {"uint16", ElementType::uint16},
    {"uint32", ElementType::uint32},
    {"uint64", ElementType::uint64},
    {"float16", ElementType::float16},
    {"float32", ElementType::float32},
    {"float64", ElementType::float64},
    {"bool", ElementType::boolean},
    {"boolean", ElementType::boolean},
    {"complex64", ElementType::complex64},
    {"complex128", ElementType::complex128},
    {"string", ElementType::string},
});

constexpr std::uint64_t string_bytes_max = 1U << 20U;

} // namespace

void TypeGuess::see(std::string_view text) {
    if (text.empty()) {
        has_empty_ = true;
        return;
    }
    has_value_ = true;
    may_be_bool_ = may_be_bool_ && parse_bool(text).has_value();
    if (may_be_int_ || may_be_uint_ || may_be_real_) {
        if (has_leading_zero(text) && is_whole(text)) {
            may_be_int_ = may_be_uint_ = may_be_real_ = false;
            return;
        }
        const auto signed_value = parse_whole<std::int64_t>(without_plus(text));
        const auto unsigned_value = parse_whole<std::uint64_t>(without_plus(text));
        may_be_int_ = may_be_int_ && signed_value.has_value();
        may_be_uint_ = may_be_uint_ && unsigned_value.has_value();
        may_be_real_ = may_be_real_ && parse_real<double>(text).has_value();
        if (is_whole(text)) {
            constexpr std::int64_t exact = std::int64_t{1} << 53U;
            has_large_whole_ = has_large_whole_ || !signed_value || *signed_value > exact ||
                               *signed_value < -exact;
        }
    }
}

ElementType TypeGuess::type() const {
    if (!has_value_) {
        return ElementType::string;
    }
    if (may_be_bool_ && !has_empty_) {
        return ElementType::boolean;
    }
    if (!has_empty_ && may_be_int_) {
        return ElementType::int64;
    }
    if (!has_empty_ && may_be_uint_) {
        return ElementType::uint64;
    }
    return may_be_real_ && !has_large_whole_ ? ElementType::float64 : ElementType::string;
}

Result<TypeText> parse_type(std::string_view text) {
    TypeText result;
    const auto colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    const auto refuse = [&] {
        std::string names;
        for (const NamedType& each : named_types) {
            names += fmt::format("{}{}", names.empty() ? "" : ", ", each.name);
        }
        return Failure{ErrorCode::usage,
                       fmt::format("'{}' is no type; there are {} and string8 for text of 8 bytes, "
                                   "and behind a colon may stand the shape of a row: uint8:28x28",
                                   text,
                                   names)};
    };
    const auto* const found = std::ranges::find(named_types, name, &NamedType::name);
    if (found != named_types.end()) {
        result.type = found->type;
    } else if (name.starts_with("string")) {
        const auto bytes = parse_whole<std::uint64_t>(name.substr(6));
        if (!bytes || *bytes == 0 || *bytes > string_bytes_max) {
            return refuse();
        }
        result.type = ElementType::fixed_string;
        result.string_bytes = *bytes;
    } else {
        return refuse();
    }
    if (colon == std::string_view::npos) {
        return result;
    }
    std::string_view rest = text.substr(colon + 1);
    for (;;) {
        const auto cross = rest.find('x');
        const auto axis = parse_whole<std::uint64_t>(rest.substr(0, cross));
        if (!axis || *axis == 0 || *axis > (std::uint64_t{1} << 32U) ||
            result.row_shape.size() >= 31) {
            return refuse();
        }
        result.row_shape.push_back(*axis);
        if (cross == std::string_view::npos) {
            return result;
        }
        rest.remove_prefix(cross + 1);
    }
}

Result<std::monostate> append_value(ElementType type,
                                    std::uint64_t string_bytes,
                                    std::string_view text,
                                    std::vector<std::byte>& out) {
    switch (type) {
    case ElementType::int8:
        return append_whole<std::int8_t>(type, text, out);
    case ElementType::int16:
        return append_whole<std::int16_t>(type, text, out);
    case ElementType::int32:
        return append_whole<std::int32_t>(type, text, out);
    case ElementType::int64:
        return append_whole<std::int64_t>(type, text, out);
    case ElementType::uint8:
        return append_whole<std::uint8_t>(type, text, out);
    case ElementType::uint16:
        return append_whole<std::uint16_t>(type, text, out);
    case ElementType::uint32:
        return append_whole<std::uint32_t>(type, text, out);
    case ElementType::uint64:
        return append_whole<std::uint64_t>(type, text, out);
    case ElementType::float32:
        return append_real<float>(type, text, out);
    case ElementType::float64:
        return append_real<double>(type, text, out);
    case ElementType::boolean: {
        const auto value = text == "1"   ? std::optional(true)
                           : text == "0" ? std::optional(false)
                                         : parse_bool(text);
        if (!value) {
            return no_such(text, type);
        }
        append(static_cast<std::uint8_t>(*value ? 1 : 0), out);
        return std::monostate{};
    }
    case ElementType::fixed_string: {
        if (text.size() > string_bytes) {
            return Failure{ErrorCode::malformed,
                           fmt::format("a text of {} bytes is too long for string{}",
                                       text.size(),
                                       string_bytes)};
        }
        const auto* const bytes = reinterpret_cast<const std::byte*>(text.data());
        out.insert(out.end(), bytes, bytes + text.size());
        out.resize(out.size() + string_bytes - text.size());
        return std::monostate{};
    }
    case ElementType::float16:
    case ElementType::complex64:
    case ElementType::complex128:
    case ElementType::string:
    case ElementType::unsupported:
        break;
    }
    return Failure{ErrorCode::usage,
                   fmt::format("a text cannot be read as {}", muster::data::to_string(type))};
}

} // namespace muster::launcher::data
