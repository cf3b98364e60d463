#include "run/guard.hpp"

#include "run/supervisor.hpp"

#include <muster/base/error.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <iostream>

namespace muster::launcher::run {
namespace {

sigset_t watched_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : forwarded_signals) {
        sigaddset(&set, number);
    }
    sigaddset(&set, SIGCHLD);
    return set;
}

process::UniqueFd signal_descriptor() {
    const sigset_t set = watched_signals();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    process::UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals) {
        throw Error(fmt::format("muster run cannot watch signals: {}", std::strerror(errno)));
    }
    return signals;
}

int run_body(const std::function<int(Guard&)>& body, process::UniqueFd life) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    int code = 1;
    try {
        Guard guard{signal_descriptor(), std::move(life)};
        code = body(guard);
    } catch (const Error& error) {
        std::cerr << "muster: " << error.what() << '\n';
        code = error.code() == ErrorCode::usage ? 2 : 1;
    } catch (const std::exception& error) {
        std::cerr << "muster: " << error.what() << '\n';
    }
    kill_descendants();
    return code;
}

/// How the child ended; what it leaves is this process's then.
int watch(pid_t child, int signals) {
    while (true) {
        pollfd event{signals, POLLIN, 0};
        ::poll(&event, 1, -1);
        signalfd_siginfo info{};
        while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
            if (static_cast<int>(info.ssi_signo) != SIGCHLD) {
                ::kill(child, static_cast<int>(info.ssi_signo));
            }
        }
        int status = 0;
        pid_t pid = 0;
        while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
            if (pid != child) {
                continue;
            }
            if (WIFEXITED(status)) {
                return WEXITSTATUS(status);
            }
            std::cerr << "muster: its supervising process was ended by signal " << WTERMSIG(status)
                      << "; all ranks are killed\n";
            kill_descendants();
            return 128 + WTERMSIG(status);
        }
    }
}

} // namespace

int run_guarded(const std::function<int(Guard&)>& body) {
    std::cout << std::flush;
    std::array<int, 2> life{};
    if (::pipe2(life.data(), O_CLOEXEC) != 0) {
        throw Error(fmt::format("muster run: {}", std::strerror(errno)));
    }
    process::UniqueFd life_read(life[0]);
    const process::UniqueFd life_write(life[1]);
    // Before the fork, so that no signal falls between.
    const process::UniqueFd signals = signal_descriptor();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t child = ::fork();
    if (child < 0) {
        throw Error(
            fmt::format("muster run cannot start its supervisor: {}", std::strerror(errno)));
    }
    if (child == 0) {
        ::close(life[1]);
        const int code = run_body(body, std::move(life_read));
        std::cout << std::flush;
        ::_exit(code);
    }
    life_read.reset();
    return watch(child, signals.get());
}

} // namespace muster::launcher::run
