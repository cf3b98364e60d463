#pragma once

#include <muster/base/ids.hpp>

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

namespace muster {

/// The task, or the call of an actor, that the calling thread runs.
struct ThisTask {
    TaskId id{};
    std::uint32_t attempt = 1;    ///< Counts from 1.
    std::stop_token stop_token{}; ///< Asked to stop when the task is cancelled or the run ends.

    /// The GPUs that it has, in whole or (of a demand below 1) in part: as CUDA_VISIBLE_DEVICES
    /// names them. An isolated task, or a command, finds them in that variable and sees no others.
    /// A task on a thread sees all of its process, and is to use these: cudaSetDevice() counts
    /// places in the process's CUDA_VISIBLE_DEVICES.
    ///
    /// Of a call it is what its actor has; and here and below, what the calling thread runs counts.
    /// @throws Error (usage) if it runs no task.
    [[nodiscard]] static std::vector<std::string> gpus();

    /// The CPUs that it may run on, in order: as many as it demands, and no other task's, if that
    /// is a whole number and the rank has CPUs of its own (docs/environment.md, MUSTER_BIND); else
    /// all of its rank's. After it has waited for a future it may be on others.
    /// @throws Error (usage) if the calling thread runs no task.
    [[nodiscard]] static std::vector<int> cpus();
};

/// @throws Error (usage) if the calling thread runs no task.
ThisTask this_task();

} // namespace muster
