#pragma once

#include <muster/base/ids.hpp>

#include <fmt/format.h>

#include <string>
#include <string_view>

/// Events with fields, one line each, on standard error:
///
///     2026-11-25T10:02:11.125 info  rank 0 | elect coordinator_elected term=1 rank=0 why="..."
///
/// The level comes from MUSTER_LOG (error, warn, info, debug; default warn). A line is one
/// write(2), so lines of several ranks do not mix. Callable from any thread.
namespace muster::log {

enum class Level { error, warn, info, debug };

/// Which rank this process is, for the line prefix; before it is known, lines name the pid.
void set_rank(Rank rank);
void set_level(Level level);
[[nodiscard]] bool enabled(Level level);

/// Parses "error", "warn", "info" or "debug"; false on anything else.
bool parse_level(std::string_view text, Level& level);

void write(Level level, std::string_view area, std::string_view text);

template <class... Args>
void error(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::error)) {
        write(Level::error, area, fmt::format(format, std::forward<Args>(args)...));
    }
}

template <class... Args>
void warn(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::warn)) {
        write(Level::warn, area, fmt::format(format, std::forward<Args>(args)...));
    }
}

template <class... Args>
void info(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::info)) {
        write(Level::info, area, fmt::format(format, std::forward<Args>(args)...));
    }
}

template <class... Args>
void debug(std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::debug)) {
        write(Level::debug, area, fmt::format(format, std::forward<Args>(args)...));
    }
}

} // namespace muster::log
