#pragma once

#include <muster/base/ids.hpp>

#include <cstdint>
#include <stop_token>

namespace muster {

/// The task, or the call of an actor, that the calling thread runs.
struct ThisTask {
    TaskId id{};
    std::uint32_t attempt = 1;    ///< Counts from 1.
    std::stop_token stop_token{}; ///< Asked to stop when the task is cancelled or the run ends.
};

/// @throws Error (usage) if the calling thread runs no task.
ThisTask this_task();

} // namespace muster
