#include "run/capture.hpp"

#include "process/launch.hpp"
#include "process/pipes.hpp"
#include "run/loop.hpp"
#include "run/machine.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace muster::launcher::run {
namespace {

constexpr std::size_t answer_max = 1 << 20;

/// False at its end.
bool read_more(int fd, std::string& text) {
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count > 0 && text.size() < answer_max) {
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

} // namespace

Captured capture(const std::vector<std::string>& argv, std::chrono::milliseconds patience) {
    Captured captured;
    auto out = process::make_pipe();
    auto err = process::make_pipe();
    auto report = process::make_pipe();
    if (!out || !err || !report) {
        return captured;
    }
    process::LaunchPlan plan;
    plan.spec.argv = argv;
    plan.report = std::move(report->write);
    plan.out = std::move(out->write);
    plan.err = std::move(err->write);
    const pid_t child =
        process::CommandLauncher(variables_of(slurm::Environment::of_process())).launch(plan);
    plan = {};
    if (child < 0) {
        return captured;
    }
    const auto until = Loop::now() + patience;
    bool out_open = true;
    bool err_open = true;
    while (out_open || err_open) {
        std::array<pollfd, 2> fds{{{out_open ? out->read.get() : -1, POLLIN, 0},
                                   {err_open ? err->read.get() : -1, POLLIN, 0}}};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Loop::now()).count();
        if (left <= 0) {
            break;
        }
        ::poll(fds.data(), fds.size(), static_cast<int>(left));
        out_open = out_open && (fds[0].revents == 0 || read_more(out->read.get(), captured.out));
        err_open = err_open && (fds[1].revents == 0 || read_more(err->read.get(), captured.err));
    }
    const bool too_long = out_open || err_open;
    ::kill(-child, SIGKILL); // what is left of it, whether or not it has closed its output
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!too_long && !process::next_report(report->read.get())) {
        captured.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return captured;
}

} // namespace muster::launcher::run
