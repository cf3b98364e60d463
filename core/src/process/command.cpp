#include "process/command.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace muster::process {
namespace {

bool has_zero_byte(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

} // namespace

std::optional<Failure> check(const CommandSpec& spec) {
    const auto usage = [](std::string message) {
        return Failure{ErrorCode::usage, std::move(message)};
    };
    if (spec.argv.empty() || spec.argv.front().empty()) {
        return usage("a command needs a program: its first argument is missing or empty");
    }
    for (const auto& [name, value] : spec.environment) {
        if (name.empty() || name.find('=') != std::string::npos || has_zero_byte(name) ||
            has_zero_byte(value)) {
            return usage(
                fmt::format("command '{}': '{}' cannot be set in an environment (names are "
                            "not empty and have no '=', nothing has a zero byte)",
                            describe(spec),
                            name));
        }
    }
    if (std::ranges::any_of(spec.argv, has_zero_byte) || has_zero_byte(spec.directory) ||
        has_zero_byte(spec.input_file)) {
        return usage(
            fmt::format("command '{}': an argument or path has a zero byte, which the system "
                        "cannot pass on",
                        describe(spec)));
    }
    if (!spec.input.empty() && !spec.input_file.empty()) {
        return usage(
            fmt::format("command '{}': has both input and input_file; give one", describe(spec)));
    }
    return std::nullopt;
}

std::string describe(const CommandSpec& spec) {
    constexpr std::size_t characters_max = 80;
    std::string text;
    for (const std::string& argument : spec.argv) {
        text += (text.empty() ? "" : " ") + argument;
        if (text.size() > characters_max) {
            text.resize(characters_max - 3);
            return text + "...";
        }
    }
    return text;
}

} // namespace muster::process
