#pragma once

#include <muster/base/amount.hpp>
#include <muster/base/result.hpp>

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

namespace muster {

/// A whole decimal number, and nothing else in the text: no blank, no plus sign. Nothing if it is
/// none, or too large for the type.
template <std::integral I>
[[nodiscard]] std::optional<I> parse_whole(std::string_view text) {
    I value{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

/// Without the blanks and tabs at either end.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Reads an amount of a resource: "2", "0.5", "0.3333": not negative, at most four digits behind
/// the point. @return a Failure (usage) that says so.
Result<Amount> parse_amount(std::string_view text);

/// Reads a size: "512", "512B", "16GiB", "1.5 G": K, M, G, T and KiB, MiB, GiB, TiB all are powers
/// of 1,024. @return a Failure (usage) that says so.
Result<Bytes> parse_bytes(std::string_view text);

} // namespace muster
