#pragma once

#include "process/unique_fd.hpp"

#include <sys/types.h>

namespace muster::process {

/// The zygote's whole life, in the process that Zygote::fork_off() has just made: serves requests
/// from `socket` until the rank closes its end, then kills all that it started and ends.
///
/// To be called with all signals blocked.
[[noreturn]] void run_zygote(UniqueFd socket, pid_t rank_pid);

} // namespace muster::process
