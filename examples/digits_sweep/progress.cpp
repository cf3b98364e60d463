#include "digits_sweep/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <system_error>

namespace digits {
namespace {

/// Wide enough for any line: what goes into a file is not cut.
constexpr int uncut = 1000;

/// Whether somebody sees standard output drawn in place. Open MPI gives rank 0 a terminal of its
/// own, and copies what comes out of it to wherever mpirun's standard output goes, which may be a
/// file: then mpirun, our parent, tells.
bool is_seen_in_place() {
    if (::isatty(STDOUT_FILENO) != 1) {
        return false;
    }
    if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) {
        return true;
    }
    std::error_code error;
    const auto target = std::filesystem::read_symlink(
        fmt::format("/proc/{}/fd/{}", ::getppid(), STDOUT_FILENO), error);
    return !error && target.native().starts_with("/dev/");
}

} // namespace

ProgressDisplay::ProgressDisplay(std::ostream& out, bool is_terminal, int width)
    : out_(out), is_terminal_(is_terminal), width_(width) {
}

void ProgressDisplay::show(const Progress& progress) {
    if (is_terminal_) {
        std::string text;
        if (lines_drawn_ > 0) {
            text += fmt::format("\x1b[{}A", lines_drawn_); // up to the first line of last time
        }
        const std::vector<std::string> lines = progress_lines(progress, width_);
        for (const std::string& line : lines) {
            text += "\r\x1b[2K" + line + "\n"; // clears what was there
        }
        lines_drawn_ = lines.size();
        out_ << text << std::flush;
        return;
    }
    const std::size_t tenths = progress.trials > 0 ? 10 * progress.jobs_done / progress.trials : 0;
    if (tenths > tenths_shown_) {
        tenths_shown_ = tenths;
        for (const std::string& line : progress_lines(progress, uncut)) {
            out_ << line << '\n';
        }
        out_ << std::flush;
    }
}

ProgressDisplay standard_output_display() {
    winsize size{};
    const bool is_terminal = is_seen_in_place();
    if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return {std::cout, true, size.ws_col};
    }
    return {std::cout, is_terminal};
}

} // namespace digits
