#pragma once

#include "wire/status.hpp"

#include <muster/base/ids.hpp>

#include <cstdint>
#include <optional>
#include <vector>

/// What those who look at a run ask its ranks, beside their status; and what traces need.
namespace muster::wire {

/// Which tasks does this rank own, and which does it run? In pages, each of a bounded amount of
/// work: however many there are, nothing else waits for long. Answered by TasksPage.
struct TasksWanted {
    std::uint64_t request = 0;
    bool running = false;    ///< What runs here, instead of what is owned.
    ObjectId after{};        ///< Where the last page ended; 0: nowhere.
    std::uint32_t looks = 0; ///< How many tasks may be looked at.
    TaskFilter filter;
};

struct TasksPage {
    std::uint64_t request = 0;
    std::vector<TaskRow> rows;
    std::vector<RunningStatus> running;
    std::optional<ObjectId> next; ///< What the next page is to come after; none: there is none.
};

// Clocks, for traces: see rank/clock_probe.hpp. Nanoseconds, each of its rank's own clock.

struct ClockAsked {
    std::int64_t sent = 0; ///< By the asker's clock.
};

struct ClockTold {
    std::int64_t sent = 0; ///< That of the question.
    std::int64_t here = 0; ///< When it came, by the clock of who tells.
};

} // namespace muster::wire
