#pragma once

#include "process/protocol.hpp"
#include "process/unique_fd.hpp"

#include <muster/core/resources.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace muster::process {

class Zygote;

/// How a hosted process ended.
struct ProcessEnd {
    int exit_code = 0; ///< If no signal ended it.
    int signal = 0;
    Bytes memory_peak; ///< Its largest resident size.
    /// What it used when it was ended for exceeding its limit; zero if it was not.
    Bytes memory_exceeded;
    bool is_known = true; ///< False if the zygote was killed, which would tell.
};

/// "called exit(3)", "was ended by signal 11 (SIGSEGV)", "exceeded its memory limit of 64 MiB (it
/// used 71 MiB)": to follow the name of the process.
std::string describe(const ProcessEnd& end, Bytes memory_limit);

/// A fork of the zygote that runs what the zygote was made with, at the other end of a socket.
/// Dropped, it is killed. Must not outlive its Zygote.
///
/// Threads: one at a time, but for signal().
class HostedProcess {
public:
    HostedProcess(HostedProcess&& other) noexcept;
    HostedProcess& operator=(HostedProcess&& other) = delete;
    ~HostedProcess();

    [[nodiscard]] pid_t pid() const { return pid_; }

    [[nodiscard]] Bytes memory_limit() const { return memory_limit_; }

    /// A SOCK_SEQPACKET socket.
    [[nodiscard]] int channel() const { return channel_.get(); }

    /// Readable once it has ended.
    [[nodiscard]] int report() const { return report_.get(); }

    /// The pipe that its standard error goes to; the caller's from now on.
    [[nodiscard]] UniqueFd take_error() { return std::move(error_); }

    /// To its process group; does nothing if it has ended.
    void signal(int number);

    /// Whether it has ended, and how.
    [[nodiscard]] std::optional<ProcessEnd> poll_end();

    /// Waits for that.
    [[nodiscard]] ProcessEnd wait_end();

private:
    friend class Zygote;
    HostedProcess() = default;

    Zygote* zygote_ = nullptr; ///< Null when moved from, or its end is known.
    CommandId id_{};
    pid_t pid_ = 0;
    Bytes memory_limit_;
    UniqueFd channel_;
    UniqueFd report_;
    UniqueFd error_;
    std::optional<ProcessEnd> end_;
};

} // namespace muster::process
