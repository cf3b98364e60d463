#pragma once

#include "process/hosted.hpp"
#include "process/protocol.hpp"
#include "process/unique_fd.hpp"
#include "process/zygote_loop.hpp"

#include <muster/base/result.hpp>
#include <muster/core/command.hpp>

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace muster::process {

class Zygote;

/// A command that was started; wait for it with Zygote::wait(). Dropped without that, it is killed.
/// Must not outlive its Zygote.
class Process {
public:
    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) = delete;
    ~Process();

    /// For Zygote::signal(), from any thread.
    [[nodiscard]] CommandId id() const { return id_; }

    /// For messages; may be reused by the system once the command has ended.
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    friend class Zygote;
    Process() = default;

    /// Why it could not be started.
    [[nodiscard]] Failure explain(const Report& report) const;

    Zygote* zygote_ = nullptr; ///< Null when it has been waited for.
    CommandId id_{};
    pid_t pid_ = 0;
    std::string name_; ///< For messages, as those below.
    std::string program_;
    std::string directory_;
    std::string input_file_;
    Bytes capture_max_;
    Bytes memory_limit_;
    UniqueFd report_;
    UniqueFd out_;
    UniqueFd err_;
};

/// The rank's side of its zygote: the process that starts commands and forks hosted processes.
///
/// Threading: start(), host(), wait() and signal() may be called from any thread, wait() by one
/// thread per Process.
class Zygote {
public:
    /// Forks the zygote. To be called first thing in main, before MPI and before any thread; a
    /// process that has several already is warned about, because a lock that another thread holds
    /// stays held in the zygote for ever.
    ///
    /// @param serve  What hosted processes run: given their end of the channel, in a process of one
    ///               thread with default signal handling. They end when it returns.
    static Result<std::unique_ptr<Zygote>>
    fork_off(std::function<void(UniqueFd)> serve = {},
             MemoryControl memory_control = MemoryControl::kernel_or_watch);

    Zygote(const Zygote&) = delete;
    Zygote& operator=(const Zygote&) = delete;

    /// Ends the zygote, which kills every command that still runs.
    ~Zygote();

    /// Starts a command. A program that does not exist may be found out only by wait().
    /// @param memory_limit  Of it and what it starts; none if zero. Exceeding it ends it.
    Result<Process> start(const CommandSpec& spec, Bytes memory_limit = {});

    /// Forks a process that runs `serve`.
    /// @param memory_limit  As of start().
    Result<HostedProcess> host(Bytes memory_limit = {});

    /// Blocks until the command has ended, and reads its output meanwhile: without wait() a command
    /// that writes much stands still. Output that processes write after the command itself has
    /// ended is not waited for.
    ///
    /// A command that ends with an exit code or by a signal is a result; a Failure is one that
    /// could not be started, or whose end nobody can tell because the zygote was killed.
    /// @param on_output  Hears what the command writes, all of it; if it throws, wait() does, and
    ///                   the command ends with its Process.
    /// @param timeout    After that it gets SIGTERM, and SIGKILL `kill_grace` later; 0: none.
    Result<CommandResult> wait(Process& process,
                               const CommandOutput& on_output = {},
                               std::chrono::milliseconds timeout = {});

    /// From SIGTERM to SIGKILL.
    static constexpr std::chrono::seconds kill_grace{3};

    /// Sends a signal to the command and all its group; does nothing if it has ended.
    void signal(CommandId id, int number);

    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    Zygote(UniqueFd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}

    UniqueFd socket_;
    pid_t pid_;
    std::atomic<std::uint64_t> next_id_{1};
};

/// Threads of this process, as /proc/self/task lists them; 0 if that cannot be read.
std::size_t count_threads();

} // namespace muster::process
