#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

namespace muster {
namespace {

/// Far beyond any machine, and far from overflow: as an Amount, and in bytes.
constexpr std::int64_t whole_max = 1'000'000'000;
constexpr std::uint64_t bytes_max = std::uint64_t{1} << 49;

Failure usage(std::string message) {
    return {ErrorCode::usage, std::move(message)};
}

} // namespace

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Result<Amount> parse_amount(std::string_view text) {
    const auto point = text.find('.');
    const std::string_view fraction =
        point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
    const auto whole = parse_whole<std::uint64_t>(text.substr(0, point));
    const auto parts =
        fraction.empty() ? std::optional<std::uint64_t>(0) : parse_whole<std::uint64_t>(fraction);
    const bool dangling = point != std::string_view::npos && fraction.empty();
    if (!whole || !parts || dangling || fraction.size() > 4 ||
        *whole > static_cast<std::uint64_t>(whole_max)) {
        return usage(
            fmt::format("'{}' is not an amount (a number such as 2 or 0.5, up to four digits "
                        "behind the point)",
                        text));
    }
    std::uint64_t units = *parts;
    for (std::size_t digits = fraction.size(); digits < 4; ++digits) {
        units *= 10;
    }
    return Amount{*whole} + Amount::from_units(static_cast<std::int64_t>(units));
}

Result<Bytes> parse_bytes(std::string_view text) {
    struct Suffix {
        std::string_view name;
        int shift;
    };

    static constexpr std::array<Suffix, 10> suffixes{{{"", 0},
                                                      {"B", 0},
                                                      {"K", 10},
                                                      {"M", 20},
                                                      {"G", 30},
                                                      {"T", 40},
                                                      {"KiB", 10},
                                                      {"MiB", 20},
                                                      {"GiB", 30},
                                                      {"TiB", 40}}};
    const std::string_view all = trimmed(text);
    const auto end = std::min(all.find_first_not_of("0123456789."), all.size());
    const std::string_view name = trimmed(all.substr(end));
    const auto suffix = std::ranges::find(suffixes, name, &Suffix::name);
    const auto whole = parse_whole<std::uint64_t>(all.substr(0, end)); // amounts do not go as far
    if (whole && suffix != suffixes.end()) {
        if (*whole > bytes_max >> suffix->shift) {
            return usage(fmt::format("'{}' is more than any node has", text));
        }
        return Bytes{*whole << suffix->shift};
    }
    auto amount = parse_amount(all.substr(0, end));
    if (!amount || suffix == suffixes.end()) {
        return usage(fmt::format(
            "'{}' is not a size; use a number and B, KiB, MiB, GiB, TiB, K, M, G or T", text));
    }
    const auto units = static_cast<std::uint64_t>(amount->units());
    if (units / static_cast<std::uint64_t>(Amount::units_per_one) > bytes_max >> suffix->shift) {
        return usage(fmt::format("'{}' is more than any node has", text));
    }
    __extension__ using Wide = unsigned __int128;
    return Bytes{static_cast<std::uint64_t>((static_cast<Wide>(units) << suffix->shift) /
                                            Amount::units_per_one)};
}

} // namespace muster
