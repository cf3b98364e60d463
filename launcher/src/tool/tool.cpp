#include "tool/tool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

// NOLINTNEXTLINE(readability-redundant-declaration): POSIX wants it declared by its users.
extern char** environ;

namespace muster::launcher {
namespace {

using Clock = std::chrono::steady_clock;

class Fd {
public:
    Fd() = default;

    explicit Fd(int fd) : fd_(fd) {}

    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }

    ~Fd() { close(); }

    void close() {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }

    [[nodiscard]] int get() const { return fd_; }

    [[nodiscard]] bool is_open() const { return fd_ >= 0; }

private:
    int fd_ = -1;
};

struct Pipe {
    Fd read;
    Fd write;
};

std::optional<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::nullopt;
    }
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// Argument vectors as C wants them; they live as long as `texts`.
std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (const std::string& text : texts) {
        result.push_back(const_cast<char*>(text.c_str()));
    }
    result.push_back(nullptr);
    return result;
}

struct Child {
    pid_t pid = -1;
    Fd input;
    Fd out;
    Fd err;
};

Result<Child> start(const std::vector<std::string>& command, const ToolOptions& options) {
    auto input = make_pipe();
    auto out = make_pipe();
    auto err = make_pipe();
    if (!input || !out || !err) {
        return Failure{ErrorCode::failed,
                       fmt::format("a pipe cannot be made: {}", strerror(errno))};
    }
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input->read.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out->write.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err->write.get(), STDERR_FILENO);
    Child child;
    const auto arguments = pointers(command);
    const auto variables = pointers(options.environment);
    const int error = ::posix_spawnp(&child.pid,
                                     arguments.front(),
                                     &actions,
                                     nullptr,
                                     arguments.data(),
                                     options.environment.empty() ? environ : variables.data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        return Failure{ErrorCode::failed,
                       fmt::format("{} cannot be started: {}", command.front(), strerror(error))};
    }
    ::fcntl(input->write.get(), F_SETFL, O_NONBLOCK);
    child.input = std::move(input->write);
    child.out = std::move(out->read);
    child.err = std::move(err->read);
    return child;
}

/// Reads what is there; closes at the end.
void take(Fd& from, std::string& into) {
    std::array<char, 4096> buffer{};
    const ssize_t size = ::read(from.get(), buffer.data(), buffer.size());
    if (size > 0) {
        into.append(buffer.data(), static_cast<std::size_t>(size));
    } else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
        from.close();
    }
}

void give(Fd& to, std::string_view& rest) {
    const ssize_t size = ::write(to.get(), rest.data(), rest.size());
    if (size > 0) {
        rest.remove_prefix(static_cast<std::size_t>(size));
    } else if (size < 0 && errno != EINTR && errno != EAGAIN) {
        rest = {}; // It does not read any more.
    }
    if (rest.empty()) {
        to.close();
    }
}

/// @return false if it has not closed its output in time.
bool converse(Child& child, std::string_view input, ToolAnswer& answer, Clock::time_point end) {
    if (input.empty()) {
        child.input.close();
    }
    while (child.out.is_open() || child.err.is_open()) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        if (left.count() <= 0) {
            return false;
        }
        std::array<pollfd, 3> waiting{pollfd{child.out.get(), POLLIN, 0},
                                      pollfd{child.err.get(), POLLIN, 0},
                                      pollfd{child.input.get(), POLLOUT, 0}};
        if (::poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) < 0) {
            continue;
        }
        if (waiting[0].revents != 0) {
            take(child.out, answer.out);
        }
        if (waiting[1].revents != 0) {
            take(child.err, answer.err);
        }
        if (waiting[2].revents != 0) {
            give(child.input, input);
        }
    }
    return true;
}

/// A tool may close its output and go on.
bool has_ended(pid_t pid, Clock::time_point end) {
    const Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!handle.is_open()) {
        return true; // A kernel before 5.3: it is waited for without a limit.
    }
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        if (left.count() <= 0) {
            return false;
        }
        pollfd waiting{handle.get(), POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(left.count())) > 0) {
            return true;
        }
    }
}

/// A tool that has ended must not end us while we still write to it.
class NoBrokenPipe {
public:
    NoBrokenPipe() : before_(std::signal(SIGPIPE, SIG_IGN)) {}

    NoBrokenPipe(const NoBrokenPipe&) = delete;
    NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;

    ~NoBrokenPipe() { std::signal(SIGPIPE, before_); }

private:
    void (*before_)(int);
};

} // namespace

Result<ToolAnswer> ask_tool(const std::vector<std::string>& command, const ToolOptions& options) {
    const NoBrokenPipe guard;
    auto child = start(command, options);
    if (!child) {
        return child.error();
    }
    ToolAnswer answer;
    const auto end = Clock::now() + options.patience;
    const bool in_time = converse(*child, options.input, answer, end) && has_ended(child->pid, end);
    if (!in_time) {
        ::kill(child->pid, SIGKILL);
    }
    int status = 0;
    while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!in_time) {
        return Failure{ErrorCode::timed_out,
                       fmt::format("{} has not answered within {} s{}",
                                   command.front(),
                                   options.patience.count() / 1000,
                                   answer.err.empty() ? "" : ": " + first_complaint(answer))};
    }
    answer.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return answer;
}

std::string first_complaint(const ToolAnswer& answer) {
    const std::string& text = answer.err.empty() ? answer.out : answer.err;
    return text.empty() ? fmt::format("it ended with exit code {}", answer.code)
                        : text.substr(0, text.find('\n'));
}

} // namespace muster::launcher
