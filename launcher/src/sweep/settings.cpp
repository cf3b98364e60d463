#include "sweep/settings.hpp"

#include <muster/base/duration.hpp>
#include <muster/base/error.hpp>
#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::launcher::sweep {
namespace {

template <class T>
T whole(std::string_view name, std::string_view text, T least, T most) {
    const auto value = parse_whole<T>(text);
    if (!value || *value < least || *value > most) {
        throw UsageError(
            fmt::format("{} {}: give a whole number from {} to {}", name, text, least, most));
    }
    return *value;
}

template <class T>
T value_of(std::string_view name, Result<T> result) {
    if (!result) {
        throw UsageError(fmt::format("{}: {}", name, result.error().message));
    }
    return *result;
}

} // namespace

Amount parse_amount(std::string_view name, std::string_view text) {
    return value_of(name, muster::parse_amount(text));
}

Bytes parse_memory(std::string_view text) {
    return value_of("memory", parse_bytes(text));
}

std::int32_t parse_priority(std::string_view text) {
    constexpr std::int32_t most = 1'000'000;
    return whole<std::int32_t>("priority", text, -most, most);
}

std::uint32_t parse_retries(std::string_view text) {
    return whole<std::uint32_t>("retries", text, 0, 1'000);
}

std::uint64_t parse_count(std::string_view name, std::string_view text, std::uint64_t least) {
    return whole<std::uint64_t>(name, text, least, 1'000'000'000'000);
}

std::chrono::milliseconds parse_timeout(std::string_view text) {
    const auto timeout =
        std::chrono::ceil<std::chrono::milliseconds>(value_of("timeout", parse_duration(text)));
    if (timeout.count() <= 0) {
        throw UsageError(fmt::format("timeout {}: is no time", text));
    }
    return timeout;
}

std::pair<std::string, std::string> parse_pair(std::string_view what, std::string_view text) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) {
        throw UsageError(fmt::format("{} {}: write NAME=value", what, text));
    }
    return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

void set_variable(std::vector<std::pair<std::string, std::string>>& variables,
                  const std::string& name,
                  std::string value) {
    const auto same = std::find_if(
        variables.begin(), variables.end(), [&](const auto& one) { return one.first == name; });
    if (same != variables.end()) {
        same->second = std::move(value);
    } else {
        variables.emplace_back(name, std::move(value));
    }
}

} // namespace muster::launcher::sweep
