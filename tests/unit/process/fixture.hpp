#pragma once

#include "process/zygote.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

namespace muster::process {

inline std::size_t open_descriptors() {
    const std::filesystem::directory_iterator fds("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
}

/// A zygote per test. Tests fork, so none of them may leave a thread behind.
class ZygoteTest : public testing::Test {
protected:
    CommandResult run(CommandSpec spec) {
        Process process = zygote_->start(spec).value_or_throw();
        return zygote_->wait(process).value_or_throw();
    }

    CommandResult shell(std::string script) { return run(shell_spec(std::move(script))); }

    /// Why a command does not start. The zygote and the child race: start() or wait() may tell.
    Failure failure_of(const CommandSpec& spec) {
        auto process = zygote_->start(spec);
        return process ? zygote_->wait(*process).error() : process.error();
    }

    static CommandSpec shell_spec(std::string script) {
        CommandSpec spec;
        spec.argv = {"sh", "-c", std::move(script)};
        return spec;
    }

    std::unique_ptr<Zygote> zygote_ = Zygote::fork_off().value_or_throw();
};

/// Whether a process runs; a zombie does not.
inline bool runs(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(") ");
    return name_end != std::string::npos && line[name_end + 2] != 'Z' && line[name_end + 2] != 'X';
}

/// Waits for the end of a process that need not be a child; false if it takes ten seconds.
inline bool ends_soon(int pid) {
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd event{process.get(), POLLIN, 0};
    return !process || ::poll(&event, 1, 10'000) == 1;
}

} // namespace muster::process
