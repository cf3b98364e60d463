#pragma once

#include "process/unique_fd.hpp"

#include <sys/types.h>

#include <functional>

namespace muster::process {

/// How the memory of what has a limit is controlled.
enum class MemoryControl {
    kernel_or_watch, ///< By the kernel in a cgroup where one can be made, else as below.
    watch,           ///< By looking at what it uses.
};

struct ZygoteOptions {
    std::function<void(UniqueFd)> serve; ///< Of hosted processes.
    MemoryControl memory_control = MemoryControl::kernel_or_watch;
};

/// The zygote's whole life, in the process that Zygote::fork_off() has just made: serves requests
/// from `socket` until the rank closes its end, then kills all that it started and ends.
///
/// To be called with all signals blocked.
[[noreturn]] void run_zygote(UniqueFd socket, pid_t rank_pid, ZygoteOptions options);

} // namespace muster::process
