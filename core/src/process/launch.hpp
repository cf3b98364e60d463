#pragma once

#include "process/protocol.hpp"
#include "process/unique_fd.hpp"

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace muster::process {

/// What a command's process starts with, ready before the fork.
struct LaunchPlan {
    CommandSpec spec;
    UniqueFd report; ///< Where a failure between fork and exec is reported.
    UniqueFd out;    ///< Empty: the zygote's own.
    UniqueFd err;
};

/// What a hosted process starts with.
struct HostPlan {
    UniqueFd channel;
    UniqueFd error;
};

/// Forks, and runs `serve` in the new process, which is as launch() has it: the leader of a group,
/// with default signals and no descriptors besides 0 to 2 and the channel.
pid_t launch_hosted(HostPlan& plan,
                    const std::vector<std::string>& inherited,
                    const std::function<void(UniqueFd)>& serve);

/// Starts commands, in a process with one thread. Each leads a group of its own and has default
/// signal handling, no descriptors besides 0 to 2, and dies if the zygote does. What fails behind
/// the fork is reported by the child itself.
///
/// With vfork(2), which copies no page tables: that is two thirds of what starting a short command
/// costs here. But it stands still until the program is executed, and so would everything else of
/// the zygote while a file system answers slowly. So after a start that took long the next ones are
/// made with fork(2).
class CommandLauncher {
public:
    /// @param inherited  "NAME=value" entries that each command's own are added to.
    explicit CommandLauncher(std::vector<std::string> inherited);

    /// @return the process, or -1 with errno.
    pid_t launch(const LaunchPlan& plan);

private:
    std::vector<std::string> inherited_;
    std::vector<int> changed_signals_; ///< That are not handled as at login.
    int forks_left_ = 0;
};

/// Marks all descriptors above 2 to be closed by exec, or closes them now; but for `keep`.
void close_on_exec_above_2();
void close_above_2(int keep);

} // namespace muster::process
