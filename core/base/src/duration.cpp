#include <muster/base/duration.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace muster {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr Seconds longest = std::chrono::hours{24 * 365 * 100};

constexpr std::array<std::pair<std::string_view, Seconds>, 6> units{
    {{"ms", std::chrono::milliseconds{1}},
     {"min", std::chrono::minutes{1}},
     {"s", std::chrono::seconds{1}},
     {"m", std::chrono::minutes{1}},
     {"h", std::chrono::hours{1}},
     {"d", std::chrono::hours{24}}}};

std::optional<double> whole_number(std::string_view text) {
    std::int32_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end && text.front() != '-'
               ? std::optional{static_cast<double>(value)}
               : std::nullopt;
}

std::optional<Seconds> with_unit(std::string_view text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (error != std::errc{} || !(value >= 0)) {
        return std::nullopt;
    }
    const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
    for (const auto& [name, length] : units) {
        if (unit == name) {
            return length * value;
        }
    }
    return std::nullopt;
}

// [days-]hours:minutes:seconds, or minutes:seconds.
std::optional<Seconds> with_colons(std::string_view text) {
    Seconds sum{};
    const bool has_days = text.find('-') != std::string_view::npos;
    if (has_days) {
        const auto dash = text.find('-');
        const auto days = whole_number(text.substr(0, dash));
        if (!days) {
            return std::nullopt;
        }
        sum = std::chrono::hours{24} * *days;
        text.remove_prefix(dash + 1);
    }
    std::vector<double> fields;
    while (true) {
        const auto colon = text.find(':');
        const auto field = whole_number(text.substr(0, colon));
        if (!field) {
            return std::nullopt;
        }
        fields.push_back(*field);
        if (colon == std::string_view::npos) {
            break;
        }
        text.remove_prefix(colon + 1);
    }
    if (has_days ? fields.size() > 3 : fields.size() < 2 || fields.size() > 3) {
        return std::nullopt;
    }
    if (has_days) {
        fields.resize(3); // days-hours is complete, too
    }
    Seconds rest{};
    for (const double field : fields) {
        rest = rest * 60 + Seconds{field};
    }
    return sum + rest;
}

} // namespace

Result<Duration> parse_duration(std::string_view text) {
    auto value = with_unit(text);
    if (!value) {
        value = with_colons(text);
    }
    if (!value || *value > longest) {
        return Failure{ErrorCode::usage,
                       fmt::format("\"{}\" is no length of time; it is a number with a unit, as in "
                                   "90s, 10min, 1.5h, 2d, or hours:minutes:seconds",
                                   text)};
    }
    return std::chrono::duration_cast<Duration>(*value);
}

std::string format_duration(Duration duration) {
    using std::chrono::duration_cast;
    if (duration <= Duration{}) {
        return "0 s";
    }
    if (duration < std::chrono::milliseconds{100}) {
        return fmt::format("{} ms", duration_cast<std::chrono::milliseconds>(duration).count());
    }
    if (duration < std::chrono::milliseconds{9'950}) {
        std::string text = fmt::format("{:.1f}", Seconds(duration).count());
        if (text.ends_with(".0")) {
            text.resize(text.size() - 2);
        }
        return text + " s";
    }
    const auto seconds =
        duration_cast<std::chrono::seconds>(duration + std::chrono::milliseconds{500});
    if (seconds < std::chrono::minutes{2}) {
        return fmt::format("{} s", seconds.count());
    }
    const auto minutes = duration_cast<std::chrono::minutes>(seconds);
    if (minutes < std::chrono::hours{1}) {
        const auto rest = (seconds - minutes).count();
        return minutes < std::chrono::minutes{10} && rest > 0
                   ? fmt::format("{} min {} s", minutes.count(), rest)
                   : fmt::format("{} min", minutes.count());
    }
    const auto hours = duration_cast<std::chrono::hours>(minutes);
    if (hours < std::chrono::hours{24}) {
        const auto rest = (minutes - hours).count();
        return rest > 0 ? fmt::format("{} h {} min", hours.count(), rest)
                        : fmt::format("{} h", hours.count());
    }
    const auto rest = hours.count() % 24;
    return rest > 0 ? fmt::format("{} d {} h", hours.count() / 24, rest)
                    : fmt::format("{} d", hours.count() / 24);
}

} // namespace muster
