#include "resources/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace muster::resources {
namespace {

/// Far beyond any machine, and far from overflow: as an Amount, and in bytes.
constexpr std::int64_t whole_max = 1'000'000'000;
constexpr std::uint64_t cpus_max = 1'000'000;
constexpr std::uint64_t gpus_max = 1'000;
constexpr std::uint64_t bytes_max = std::uint64_t{1} << 49;

Failure usage(std::string message) {
    return {ErrorCode::usage, std::move(message)};
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Digits only: no sign, no blank.
std::optional<std::uint64_t> parse_digits(std::string_view text) {
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || stop != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

Result<std::optional<std::int64_t>>
read_count(const slurm::Environment& environment, std::string_view name, std::uint64_t most) {
    const auto text = environment.find(name);
    if (!text || trimmed(*text).empty()) {
        return std::optional<std::int64_t>{};
    }
    const auto value = parse_digits(trimmed(*text));
    if (!value || *value > most) {
        return usage(
            fmt::format("{} is '{}'; use a whole number from 0 to {}: how many each rank has",
                        name,
                        *text,
                        most));
    }
    return std::optional(static_cast<std::int64_t>(*value));
}

/// Letters, digits, '_', '-', '.', beginning with a letter: printable, and safe in a list.
bool is_name(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto rest = [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    };
    return !text.empty() && letter(text.front()) && std::ranges::all_of(text, rest);
}

Result<std::vector<std::pair<std::string, Amount>>> parse_custom(std::string_view text) {
    const auto wrong = [&](std::string_view why) {
        return usage(fmt::format(
            "MUSTER_RESOURCES is '{}': {}; write name=amount,name=amount, as in license=2,disk=0.5",
            text,
            why));
    };
    std::vector<std::pair<std::string, Amount>> custom;
    std::string_view rest = text;
    while (!trimmed(rest).empty()) {
        const auto comma = rest.find(',');
        const std::string_view entry = trimmed(rest.substr(0, comma));
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        const auto equals = entry.find('=');
        const std::string_view name = trimmed(entry.substr(0, equals));
        if (equals == std::string_view::npos) {
            return wrong(fmt::format("'{}' has no '='", entry));
        }
        if (!is_name(name)) {
            return wrong(fmt::format("'{}' is not a name", name));
        }
        if (name == "cpus" || name == "gpus" || name == "memory") {
            return wrong(fmt::format("'{}' has a variable of its own, MUSTER_{}",
                                     name,
                                     name == "cpus"   ? "CPUS"
                                     : name == "gpus" ? "GPUS"
                                                      : "MEMORY"));
        }
        auto amount = parse_amount(trimmed(entry.substr(equals + 1)));
        if (!amount) {
            return wrong(amount.error().message);
        }
        custom.emplace_back(name, *amount);
    }
    std::ranges::sort(custom);
    const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
    if (const auto twice = std::ranges::adjacent_find(custom, same); twice != custom.end()) {
        return wrong(fmt::format("'{}' is there twice", twice->first));
    }
    return custom;
}

} // namespace

Result<Amount> parse_amount(std::string_view text) {
    const auto point = text.find('.');
    const std::string_view fraction =
        point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
    const auto whole = parse_digits(text.substr(0, point));
    const auto parts = fraction.empty() ? std::optional<std::uint64_t>(0) : parse_digits(fraction);
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
    const auto whole = parse_digits(all.substr(0, end)); // amounts do not go as far
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

Result<Overrides> read_overrides(const slurm::Environment& environment) {
    Overrides overrides;
    auto cpus = read_count(environment, "MUSTER_CPUS", cpus_max);
    if (!cpus) {
        return cpus.error();
    }
    auto gpus = read_count(environment, "MUSTER_GPUS", gpus_max);
    if (!gpus) {
        return gpus.error();
    }
    overrides.cpus = *cpus;
    overrides.gpus = *gpus;
    if (const auto text = environment.find("MUSTER_MEMORY"); text && !trimmed(*text).empty()) {
        auto bytes = parse_bytes(*text);
        if (!bytes) {
            return usage("MUSTER_MEMORY: " + bytes.error().message);
        }
        overrides.memory = *bytes;
    }
    auto custom = parse_custom(environment.get_or_empty("MUSTER_RESOURCES"));
    if (!custom) {
        return custom.error();
    }
    overrides.custom = std::move(*custom);
    return overrides;
}

} // namespace muster::resources
