#pragma once

#include "process/unique_fd.hpp"

#include <sys/types.h>

#include <functional>

namespace muster::launcher::run {

/// What the supervising process has of the one that the user started.
struct Guard {
    process::UniqueFd signals; ///< signalfd: what the user sends, once each, and SIGCHLD.
    process::UniqueFd life;    ///< Readable, at its end, when the user's process is gone.
};

/// Runs `body` in a child process, and ends with its code.
///
/// The two watch each other, so that nothing is left behind when either is killed: the child is the
/// subreaper of all that it starts, and in a process group of its own; when this process is gone,
/// `life` ends, and the child is to kill everything and end. When the child is gone, what it
/// started has become this process's, and is killed here. Signals come to this process, which hands
/// each on once.
///
/// Called before there are threads.
[[nodiscard]] int run_guarded(const std::function<int(Guard&)>& body);

/// The signals that are handed on to ranks.
inline constexpr int forwarded_signals[] = {1, 2, 3, 10, 12, 15}; // HUP INT QUIT USR1 USR2 TERM

} // namespace muster::launcher::run
