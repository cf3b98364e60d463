#include "sweep/progress.hpp"

#include "cli/digits.hpp"

#include <muster/base/duration.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace muster::launcher::sweep {
namespace {

using namespace std::chrono_literals;

constexpr auto terminal_period = 200ms;
constexpr auto line_period = 30s;

std::string duration_text(double seconds) {
    return format_duration(std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(std::clamp(seconds, 0.0, 3.0e9))));
}

} // namespace

std::string progress_line(const Standing& standing) {
    const std::uint64_t done = standing.succeeded + standing.failed;
    std::string text = grouped_digits(done);
    if (standing.total) {
        text += " of " + grouped_digits(*standing.total);
    }
    text += " done";
    if (standing.failed > 0) {
        text += fmt::format(", {} failed", grouped_digits(standing.failed));
    }
    const double now = static_cast<double>(done - std::min(done, standing.earlier));
    if (standing.time.count() > 0 && now > 0) {
        const double rate = now / standing.time.count();
        text += fmt::format("; {:.{}f}/s", rate, rate < 100 ? 1 : 0);
        if (standing.total && *standing.total > done) {
            text += fmt::format(", {} left",
                                duration_text(static_cast<double>(*standing.total - done) / rate));
        }
    }
    return text;
}

std::string summary_line(const Standing& standing) {
    const std::uint64_t done = standing.succeeded + standing.failed;
    std::string text = fmt::format("{} command{}", grouped_digits(done), done == 1 ? "" : "s");
    if (standing.earlier > 0) {
        text += fmt::format(" ({} of them before)", grouped_digits(standing.earlier));
    }
    text += fmt::format(": {} succeeded", grouped_digits(standing.succeeded));
    if (standing.failed > 0) {
        text += fmt::format(", {} failed", grouped_digits(standing.failed));
    }
    return text + ", in " + duration_text(standing.time.count());
}

ProgressDisplay::ProgressDisplay(bool quiet)
    : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1),
      due_(Clock::now() +
           (terminal_ ? Clock::duration(terminal_period) : Clock::duration(line_period))) {
}

std::optional<std::chrono::nanoseconds> ProgressDisplay::next() const {
    if (quiet_) {
        return std::nullopt;
    }
    return std::max<std::chrono::nanoseconds>(due_ - Clock::now(), 1ms);
}

void ProgressDisplay::show(const Standing& standing) {
    if (quiet_ || Clock::now() < due_) {
        return;
    }
    due_ = Clock::now() +
           (terminal_ ? Clock::duration(terminal_period) : Clock::duration(line_period));
    const std::string line = progress_line(standing);
    if (terminal_) {
        fmt::print(stderr, "\r\x1b[K{}", line);
        line_open_ = true;
    } else {
        fmt::print(stderr, "muster sweep: {}\n", line);
    }
    std::fflush(stderr);
}

void ProgressDisplay::clear() {
    if (std::exchange(line_open_, false)) {
        fmt::print(stderr, "\r\x1b[K");
        std::fflush(stderr);
    }
}

} // namespace muster::launcher::sweep
