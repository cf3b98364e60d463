#include "resources/overrides.hpp"

#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace muster::resources {
namespace {

/// Far beyond any machine.
constexpr std::uint64_t cpus_max = 1'000'000;
constexpr std::uint64_t gpus_max = 1'000;

Failure usage(std::string message) {
    return {ErrorCode::usage, std::move(message)};
}

Result<std::optional<std::int64_t>>
read_count(const slurm::Environment& environment, std::string_view name, std::uint64_t most) {
    const auto text = environment.find(name);
    if (!text || trimmed(*text).empty()) {
        return std::optional<std::int64_t>{};
    }
    const auto value = parse_whole<std::uint64_t>(trimmed(*text));
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
