// muster top: a page that is drawn again and again, or lines where there is no terminal.

#include "look/commands.hpp"
#include "look/runs.hpp"
#include "look/view.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>

namespace muster::launcher::look {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t told_to_end = 0;
volatile std::sig_atomic_t resized = 0;

void on_signal(int signal) {
    if (signal == SIGWINCH) {
        resized = 1;
    } else {
        told_to_end = signal;
    }
}

void write_all(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            told_to_end = SIGPIPE;
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

/// The terminal's other screen, without echo; given back however this ends.
class Screen {
public:
    Screen() {
        has_input_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        if (has_input_) {
            termios quiet = before_;
            quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
            ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
        }
        write_all("\x1b[?1049h\x1b[?25l"); // other screen, no cursor
    }

    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    ~Screen() {
        write_all("\x1b[?25h\x1b[?1049l");
        if (has_input_) {
            ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
        }
    }

    [[nodiscard]] bool has_input() const { return has_input_; }

    static void draw(const std::vector<std::string>& lines) {
        std::string text = "\x1b[H";
        for (std::size_t i = 0; i < lines.size(); ++i) {
            text += lines[i] + "\x1b[K" + (i + 1 < lines.size() ? "\r\n" : "");
        }
        write_all(text + "\x1b[J");
    }

    static Page size() {
        winsize window{};
        if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0) {
            return {80, 24, true};
        }
        return {window.ws_col, window.ws_row, true};
    }

private:
    bool has_input_ = false;
    termios before_{};
};

/// An answer, kept.
struct Kept {
    json hello;
    json status;

    [[nodiscard]] Sample sample() const { return {hello, status}; }
};

Kept fetch(const muster::look::Place& run) {
    Kept kept;
    kept.hello =
        ask(run, "status", [&](const json& item, const std::string&) { kept.status = item; });
    return kept;
}

/// Waits, and sees keys. @return false if it is to end.
bool pause(Clock::time_point until, bool has_input) {
    while (told_to_end == 0 && resized == 0) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) {
            return true;
        }
        pollfd keys{STDIN_FILENO, POLLIN, 0};
        const int ready = ::poll(&keys, has_input ? 1 : 0, static_cast<int>(left));
        if (ready > 0) {
            char key = 0;
            const ssize_t size = ::read(STDIN_FILENO, &key, 1);
            if (size > 0 && (key == 'q' || key == 'Q' || key == 3)) {
                return false;
            }
            if (size > 0 && key == ' ') {
                return true;
            }
            if (size <= 0) {
                has_input = false; // the terminal is gone
            }
        }
    }
    return told_to_end == 0;
}

int exit_code() {
    return told_to_end == 0 || told_to_end == SIGINT || told_to_end == SIGPIPE ? 0
                                                                               : 128 + told_to_end;
}

struct Setup {
    muster::look::Place run;
    Clock::duration interval;
    std::uint64_t count = 0; ///< 0: until the run ends.
};

/// What was seen last, and why no more is.
struct Ended {
    std::optional<Kept> last;
    std::string why;
};

Ended watch_on_screen(const Setup& setup) {
    const Screen screen;
    std::optional<Kept> before;
    std::optional<Kept> now;
    auto next = Clock::now();
    std::uint64_t drawn = 0;
    while (told_to_end == 0) {
        if (resized != 0 && now) {
            resized = 0;
        } else {
            try {
                Kept fresh = fetch(setup.run);
                before = std::exchange(now, std::move(fresh));
            } catch (const Error& error) {
                return {std::move(now), error.what()};
            }
            next = Clock::now() + setup.interval;
            ++drawn;
        }
        Page page = Screen::size();
        page.height -= page.height > 8 ? 1U : 0U; // for the keys
        std::optional<Sample> earlier;
        if (before) {
            earlier.emplace(before->sample());
        }
        auto lines = render(now->sample(), earlier ? &*earlier : nullptr, page);
        if (page.height > 7) {
            lines.resize(page.height);
            lines.push_back(fit("q ends this, space draws at once; the run goes on", page.width));
        }
        Screen::draw(lines);
        if (setup.count > 0 && drawn >= setup.count) {
            break;
        }
        if (!pause(next, screen.has_input())) {
            break;
        }
    }
    return {};
}

Ended watch_in_lines(const Setup& setup) {
    std::optional<Kept> before;
    for (std::uint64_t i = 0; (setup.count == 0 || i < setup.count) && told_to_end == 0; ++i) {
        Kept now;
        try {
            now = fetch(setup.run);
        } catch (const Error& error) {
            return {std::move(before), error.what()};
        }
        std::optional<Sample> earlier;
        if (before) {
            earlier.emplace(before->sample());
        }
        write_all(summarize(now.sample(), earlier ? &*earlier : nullptr) + '\n');
        before = std::move(now);
        if (i + 1 != setup.count) {
            (void)pause(Clock::now() + setup.interval, false);
        }
    }
    return {};
}

void add_options(po::options_description& options) {
    add_run_options(options);
    options.add_options()("interval,i",
                          po::value<double>()->default_value(1)->value_name("SECONDS"),
                          "from one look to the next");
    options.add_options()("count,c",
                          po::value<std::uint64_t>()->default_value(0)->value_name("N"),
                          "looks; 0: until the run ends");
    options.add_options()("lines", po::bool_switch(), "a line for each look, also in a terminal");
}

int run_top(const Arguments& arguments) {
    const double seconds = arguments.get<double>("interval");
    if (!(seconds >= 0.05 && seconds <= 86'400)) {
        throw UsageError("--interval is from 0.05 to 86400 seconds");
    }
    Setup setup;
    setup.run = find_run(arguments);
    setup.interval =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    setup.count = arguments.get<std::uint64_t>("count");

    struct sigaction action {};

    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) {
        ::sigaction(signal, &action, nullptr);
    }
    ::signal(SIGPIPE, SIG_IGN);
    const bool on_screen = ::isatty(STDOUT_FILENO) != 0 && !arguments.is_set("lines");
    const Ended ended = on_screen ? watch_on_screen(setup) : watch_in_lines(setup);
    if (!ended.why.empty()) {
        if (!ended.last) {
            throw Error(ended.why);
        }
        if (on_screen) {
            write_all(summarize(ended.last->sample(), nullptr) + '\n');
        }
        std::cerr << "muster: no more to see: " << ended.why << '\n';
    }
    return exit_code();
}

} // namespace

const Subcommand& top_command() {
    static const Subcommand command{
        .name = "top",
        .summary = "shows a run as it goes on: ranks, tasks by state, rates, memory, failures",
        .usage = "[options]",
        .examples = {{"muster top", "the run on this machine, until it ends, or a q"},
                     {"muster top --job 4711", "one of several, or a Slurm job, from a login node"},
                     {"muster top --interval 10 >> log", "a line every ten seconds"}},
        .description =
            "In a terminal it draws a page again and again, and leaves nothing behind on it "
            "but a last line. Elsewhere it prints lines of name=value.\n\n"
            "Of what does not fit on the page it says how much there is; ranks that are lost "
            "or silent stand first. muster status shows all of it.",
        .exit_codes = {{"0", "the run has ended, or a q, or Ctrl-C"},
                       {"1", "no run is there"},
                       {"2",
                        "the command line cannot be used, or it is not clear which run is meant"}},
        .words = Words::none,
        .add_options = add_options,
        .run = run_top};
    return command;
}

} // namespace muster::launcher::look
