#include "run/supervisor.hpp"

#include "process/launch.hpp"
#include "process/pipes.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

namespace muster::launcher::run {
namespace {

constexpr auto rest_patience = std::chrono::milliseconds(200);
constexpr std::size_t tail_lines = 15;
constexpr std::size_t error_file_max = 1 << 20;

/// The last lines, without the last one's end.
std::string last_lines(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.pop_back();
    }
    std::size_t start = text.size();
    for (std::size_t i = 0; i < tail_lines && start != std::string::npos && start > 0; ++i) {
        start = text.rfind('\n', start - 1);
    }
    return start == std::string::npos || start == 0 ? text : text.substr(start + 1);
}

std::string read_and_remove(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return {};
    }
    std::string text{std::istreambuf_iterator<char>(file), {}};
    ::unlink(path.c_str());
    return text.size() > error_file_max ? text.substr(0, error_file_max) : text;
}

std::string_view stage_name(process::Report::Stage stage) {
    using Stage = process::Report::Stage;
    switch (stage) {
    case Stage::directory:
        return "its working directory";
    case Stage::input:
        return "its standard input";
    case Stage::affinity:
        return "its CPUs";
    default:
        return "the program";
    }
}

/// Where a rank's standard input comes from; empty: /dev/null. A terminal's stays with the shell:
/// the ranks are in process groups of their own, which may not read from it.
std::string input_path() {
    struct stat status {};

    if (::isatty(STDIN_FILENO) == 1 || ::fstat(STDIN_FILENO, &status) != 0 ||
        S_ISSOCK(status.st_mode)) {
        return {};
    }
    return "/proc/self/fd/0";
}

std::vector<pid_t> children_of_this() {
    const std::string self = fmt::to_string(::getpid());
    std::ifstream file("/proc/self/task/" + self + "/children");
    std::vector<pid_t> pids;
    for (pid_t pid = 0; file >> pid;) {
        pids.push_back(pid);
    }
    return pids;
}

} // namespace

int find_free_port() {
    const process::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    socklen_t size = sizeof address;
    if (!socket ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return 0;
    }
    return ntohs(address.sin_port);
}

void kill_descendants() {
    const auto until = Loop::now() + std::chrono::seconds(2);
    while (Loop::now() < until) {
        for (const pid_t pid : children_of_this()) {
            ::kill(pid, SIGKILL);
        }
        const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
        if (pid < 0 && errno == ECHILD) {
            return;
        }
        if (pid == 0) {
            ::poll(nullptr, 0, 2); // SIGCHLD may be blocked, and belongs to the loop
        }
    }
}

Supervisor::Supervisor(Loop& loop, SupervisorOptions options, Output& output, Report report)
    : loop_(loop), options_(std::move(options)), output_(output), report_(std::move(report)) {
}

std::vector<int> Supervisor::cpus_of(int index) const {
    return cpus_of_rank(options_.bind,
                        options_.cpus,
                        placement_.first_local_rank + index,
                        placement_.local_world_size);
}

void Supervisor::carry_out(const Start& order) {
    placement_ = order.placement;
    processes_.clear();
    stopping_ = false;
    kill_at_.reset();
    output_.start_generation(placement_.generation, placement_.first_rank, options_.processes);
    if (options_.show_binding) {
        for (int index = 0; index < options_.processes; ++index) {
            const auto cpus = cpus_of(index);
            output_.say(fmt::format("rank {} on {}: {}",
                                    placement_.first_rank + index,
                                    options_.host,
                                    cpus.empty() ? "not bound" : "CPUs " + format_cpus(cpus)));
        }
    }
    for (int index = 0; index < options_.processes; ++index) {
        processes_.push_back(std::make_unique<Process>());
        processes_.back()->index = index;
    }
    for (int index = 0; index < options_.processes; ++index) {
        if (stopping_) {
            report_failed_start(index, "another rank failed first");
        } else {
            start_process(index);
        }
    }
    consider_stopped();
}

void Supervisor::report_failed_start(int index, const std::string& why) {
    processes_[static_cast<std::size_t>(index)]->ended = true;
    Exited event;
    event.node = options_.node;
    event.generation = placement_.generation;
    event.index = index;
    event.ending.exit_code = 127; // as shells have it
    event.ending.start = why;
    report_(event);
}

void Supervisor::start_process(int index) {
    Process& process = *processes_[static_cast<std::size_t>(index)];
    process::LaunchPlan plan;
    plan.spec.argv = options_.argv;
    if (options_.gives_contract) {
        auto variables = contract(placement_, index, options_.contract);
        if (!variables) {
            report_failed_start(index, variables.error().message);
            return;
        }
        plan.spec.environment = std::move(*variables);
    }
    plan.spec.cpu_ids = cpus_of(index);
    if (options_.gives_input && placement_.first_rank + index == 0) {
        plan.spec.input_file = input_path();
    }
    auto report = process::make_pipe();
    auto out = process::make_pipe();
    auto err = process::make_pipe();
    if (!report || !out || !err) {
        report_failed_start(index,
                            fmt::format("{}; raise the limit of open files (ulimit -n)",
                                        std::generic_category().message(errno)));
        return;
    }
    plan.report = std::move(report->write);
    if (!options_.passes_through) {
        plan.out = std::move(out->write);
        plan.err = std::move(err->write);
    }
    process.pid = process::CommandLauncher(options_.inherited).launch(plan);
    if (process.pid < 0) {
        report_failed_start(index, std::generic_category().message(errno));
        return;
    }
    process.report = std::move(report->read);
    if (options_.passes_through) {
        return;
    }
    for (auto* end : {&out->read, &err->read}) {
        auto pipe = std::make_unique<Pipe>();
        pipe->stream = end == &out->read ? Stream::out : Stream::error;
        pipe->fd = std::move(*end);
        Pipe& reference = *pipe;
        process.pipes.push_back(std::move(pipe));
        loop_.watch(reference.fd.get(),
                    paused_ ? short{0} : short{POLLIN},
                    [this, &process, &reference] { read_pipe(process, reference); });
    }
}

void Supervisor::pass_on(Process& process, Pipe& pipe, std::string text) {
    if (pipe.stream == Stream::error) {
        process.error_tail.append(text);
    }
    output_.add(placement_.first_rank + process.index, pipe.stream, std::move(text));
}

void Supervisor::close_pipe(Process& process, Pipe& pipe) {
    if (!pipe.fd) {
        return;
    }
    if (pipe.lines.has_rest()) {
        // The next thing that is printed begins a line of its own.
        pass_on(process, pipe, pipe.lines.rest() + "\n");
    }
    loop_.forget(pipe.fd.get());
    pipe.fd.reset();
}

void Supervisor::read_pipe(Process& process, Pipe& pipe) {
    std::array<char, 65536> buffer;
    if (output_.is_broken(pipe.stream)) {
        // As if the rank had written there itself: SIGPIPE.
        loop_.forget(pipe.fd.get());
        pipe.fd.reset();
        return;
    }
    const ssize_t count = ::read(pipe.fd.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (count <= 0) {
        close_pipe(process, pipe);
        return;
    }
    for (std::string& line : pipe.lines.take({buffer.data(), static_cast<std::size_t>(count)})) {
        pass_on(process, pipe, std::move(line));
    }
    pipe.rest_since = Loop::now();
}

void Supervisor::reap() {
    while (true) {
        // Look before reaping: as long as the leader is a zombie, its group's number is taken.
        siginfo_t info{};
        if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
            return;
        }
        const auto place = std::ranges::find_if(processes_, [&](const auto& process) {
            return process->pid == info.si_pid && !process->ended;
        });
        if (place != processes_.end()) {
            ::kill(-info.si_pid, SIGKILL); // what it has left behind in its group
        }
        int status = 0;
        if (::waitpid(info.si_pid, &status, 0) == info.si_pid && place != processes_.end()) {
            process_ended(**place, status);
        }
    }
}

void Supervisor::process_ended(Process& process, int status) {
    process.ended = true;
    for (const auto& pipe : process.pipes) {
        // What it has written. Nobody waits for what has left its group and holds the pipe open.
        while (pipe->fd && process::has_input(pipe->fd.get())) {
            read_pipe(process, *pipe);
        }
        close_pipe(process, *pipe);
    }
    Exited event;
    event.node = options_.node;
    event.generation = placement_.generation;
    event.index = process.index;
    event.pid = process.pid;
    if (WIFSIGNALED(status)) {
        event.ending.signal = WTERMSIG(status);
    } else {
        event.ending.exit_code = WEXITSTATUS(status);
    }
    if (process::has_input(process.report.get())) {
        const auto report = process::next_report(process.report.get());
        if (report && report->kind == process::Report::Kind::failed) {
            event.ending.exit_code = report->value == ENOENT ? 127 : 126;
            event.ending.start = fmt::format("'{}', {}: {}",
                                             options_.argv.front(),
                                             stage_name(report->stage),
                                             std::generic_category().message(report->value));
            event.pid = 0;
        }
    }
    event.error_tail = last_lines(process.error_tail.take());
    if (!options_.contract.error_folder.empty()) {
        const std::string json =
            read_and_remove(error_file_path(placement_, process.index, options_.contract));
        if (!json.empty() && !event.ending.ok()) {
            event.error_file = read_error_file(json);
        }
    }
    report_(event);
    consider_stopped();
}

int Supervisor::running() const {
    return static_cast<int>(
        std::ranges::count_if(processes_, [](const auto& each) { return !each->ended; }));
}

void Supervisor::signal_all(int number) {
    for (const auto& process : processes_) {
        if (!process->ended && process->pid > 0) {
            ::kill(-process->pid, number);
        }
    }
}

void Supervisor::carry_out(const Stop& order) {
    if (order.generation != placement_.generation) {
        return;
    }
    const bool first = !stopping_;
    stopping_ = true;
    if (order.at_once) {
        kill_at_.reset();
        signal_all(SIGKILL);
    } else if (first) {
        kill_at_ = Loop::now() + options_.grace;
        signal_all(SIGTERM);
        signal_all(SIGCONT); // one that is stopped cannot end
    }
    consider_stopped();
}

void Supervisor::carry_out(const Forward& order) {
    signal_all(order.signal);
}

void Supervisor::consider_stopped() {
    if (!stopping_ || running() > 0 || processes_.empty()) {
        return;
    }
    processes_.clear();
    kill_at_.reset();
    kill_descendants();
    output_.flush();
    report_(Stopped{options_.node, placement_.generation, find_free_port()});
}

std::optional<TimePoint> Supervisor::deadline() const {
    std::optional<TimePoint> first = kill_at_;
    const auto consider = [&](TimePoint time) {
        if (!first || time < *first) {
            first = time;
        }
    };
    for (const auto& process : processes_) {
        for (const auto& pipe : process->pipes) {
            if (pipe->fd && pipe->lines.has_rest()) {
                consider(pipe->rest_since + rest_patience);
            }
        }
    }
    return first;
}

void Supervisor::tick() {
    const auto now = Loop::now();
    if (kill_at_ && now >= *kill_at_) {
        kill_at_.reset();
        signal_all(SIGKILL);
    }
    for (const auto& process : processes_) {
        for (const auto& pipe : process->pipes) {
            if (pipe->fd && pipe->lines.has_rest() && now >= pipe->rest_since + rest_patience) {
                pass_on(*process, *pipe, pipe->lines.rest());
            }
        }
    }
    if (output_.full() != paused_) {
        paused_ = output_.full();
        for (const auto& process : processes_) {
            for (const auto& pipe : process->pipes) {
                if (pipe->fd) {
                    loop_.set_events(pipe->fd.get(), paused_ ? short{0} : short{POLLIN});
                }
            }
        }
    }
}

void Supervisor::kill_all() {
    signal_all(SIGKILL);
    kill_descendants();
    for (const auto& process : processes_) {
        for (const auto& pipe : process->pipes) {
            close_pipe(*process, *pipe);
        }
    }
    processes_.clear();
}

} // namespace muster::launcher::run
