#include "process/hosted.hpp"

#include "process/pipes.hpp"
#include "process/zygote.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

namespace muster::process {
namespace {

ProcessEnd to_end(const Report& report) {
    ProcessEnd end;
    end.signal = WIFSIGNALED(report.value) ? WTERMSIG(report.value) : 0;
    end.exit_code = end.signal != 0 ? 0 : WEXITSTATUS(report.value);
    end.memory_peak = Bytes{report.memory_peak_bytes};
    end.memory_exceeded = Bytes{report.memory_exceeded_bytes};
    return end;
}

/// sigabbrev_np(3) needs glibc 2.32.
std::string signal_name(int number) {
    static constexpr std::array names{std::pair(SIGABRT, "SIGABRT"),
                                      std::pair(SIGALRM, "SIGALRM"),
                                      std::pair(SIGBUS, "SIGBUS"),
                                      std::pair(SIGFPE, "SIGFPE"),
                                      std::pair(SIGHUP, "SIGHUP"),
                                      std::pair(SIGILL, "SIGILL"),
                                      std::pair(SIGINT, "SIGINT"),
                                      std::pair(SIGPIPE, "SIGPIPE"),
                                      std::pair(SIGQUIT, "SIGQUIT"),
                                      std::pair(SIGSEGV, "SIGSEGV"),
                                      std::pair(SIGSYS, "SIGSYS"),
                                      std::pair(SIGTERM, "SIGTERM"),
                                      std::pair(SIGTRAP, "SIGTRAP"),
                                      std::pair(SIGUSR1, "SIGUSR1"),
                                      std::pair(SIGUSR2, "SIGUSR2"),
                                      std::pair(SIGXCPU, "SIGXCPU"),
                                      std::pair(SIGXFSZ, "SIGXFSZ"),
                                      std::pair(SIGKILL, "SIGKILL")};
    const auto place =
        std::ranges::find_if(names, [&](const auto& name) { return name.first == number; });
    return place == names.end() ? fmt::format("signal {}", number)
                                : fmt::format("signal {} ({})", number, place->second);
}

} // namespace

std::string describe(const ProcessEnd& end, Bytes memory_limit) {
    if (!end.is_known) {
        return "is gone, with the process that started it and could have told why";
    }
    if (end.memory_exceeded.count > 0) {
        const auto used = end.memory_exceeded > memory_limit
                              ? fmt::format(" (it used {})", to_string(end.memory_exceeded))
                              : std::string(); // the kernel gave it no more
        return fmt::format("exceeded its memory limit of {}{}", to_string(memory_limit), used);
    }
    if (end.signal == SIGKILL) {
        return "was ended by signal 9 (SIGKILL) from outside: sent by somebody, or by the system "
               "because the node had no memory left";
    }
    if (end.signal != 0) {
        return fmt::format("was ended by {}", signal_name(end.signal));
    }
    return fmt::format("called exit({})", end.exit_code);
}

HostedProcess::HostedProcess(HostedProcess&& other) noexcept
    : zygote_(std::exchange(other.zygote_, nullptr)), id_(other.id_), pid_(other.pid_),
      memory_limit_(other.memory_limit_), channel_(std::move(other.channel_)),
      report_(std::move(other.report_)), error_(std::move(other.error_)), end_(other.end_) {
}

HostedProcess::~HostedProcess() {
    signal(SIGKILL);
}

void HostedProcess::signal(int number) {
    if (zygote_ != nullptr) {
        zygote_->signal(id_, number);
    }
}

std::optional<ProcessEnd> HostedProcess::poll_end() {
    if (!end_ && has_input(report_.get())) {
        (void)wait_end();
    }
    return end_;
}

ProcessEnd HostedProcess::wait_end() {
    if (!end_) {
        const auto report = next_report(report_.get());
        end_ = report ? to_end(*report) : ProcessEnd{};
        end_->is_known = report.has_value();
        zygote_ = nullptr;
    }
    return *end_;
}

} // namespace muster::process
