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

/// Forks and executes. The new process leads a group of its own and has default signal handling, no
/// descriptors besides 0 to 2, and dies if the zygote does.
///
/// Called in a process with one thread. A failure after the fork is reported by the child itself,
/// so that a slow file system does not hold up the zygote.
///
/// @param inherited  "NAME=value" entries that the command's own are added to.
/// @return the process, or -1 with errno.
pid_t launch(const LaunchPlan& plan, const std::vector<std::string>& inherited);

/// Marks all descriptors above 2 to be closed by exec, or closes them now; but for `keep`.
void close_on_exec_above_2();
void close_above_2(int keep);

} // namespace muster::process
