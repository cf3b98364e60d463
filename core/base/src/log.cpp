#include <muster/base/log.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>

namespace muster::log {
namespace {

// The one process-wide state of the library: where lines come from and how many are wanted.
std::atomic<int> current_rank{-1};
std::atomic<Level> current_level{Level::warn};

constexpr std::array<std::string_view, 4> level_names{"error", "warn", "info", "debug"};

} // namespace

void set_rank(Rank rank) {
    current_rank = index(rank);
}

void set_level(Level level) {
    current_level = level;
}

bool enabled(Level level) {
    return level <= current_level.load(std::memory_order_relaxed);
}

bool parse_level(std::string_view text, Level& level) {
    for (std::size_t i = 0; i < level_names.size(); ++i) {
        if (text == level_names[i]) {
            level = static_cast<Level>(i);
            return true;
        }
    }
    return false;
}

void write(Level level, std::string_view area, std::string_view text) {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    const auto millis =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() %
        1000;
    std::tm calendar{};
    gmtime_r(&seconds, &calendar);
    std::array<char, 32> stamp{};
    std::strftime(stamp.data(), stamp.size(), "%Y-%m-%dT%H:%M:%S", &calendar);
    const int rank = current_rank;
    const std::string who =
        rank >= 0 ? fmt::format("rank {}", rank) : fmt::format("pid {}", ::getpid());
    const std::string line = fmt::format("{}.{:03} {:<5} {} | {} {}\n",
                                         stamp.data(),
                                         millis,
                                         level_names[static_cast<std::size_t>(level)],
                                         who,
                                         area,
                                         text);
    // Nothing can be done about a log that cannot be written.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

} // namespace muster::log
