#pragma once

#include <cstdint>
#include <string>

namespace muster::launcher::pool {

/// What a pool is told.
struct Rules {
    int jobs_max = 4;      ///< Of its jobs that wait or run.
    int waiting_max = 1;   ///< Of its jobs that wait in the queue.
    int fruitless_max = 3; ///< Jobs in a row that end without a command finished.
};

/// How things stand.
struct Standing {
    std::uint64_t left = 0; ///< Commands that are not done, those that run among them.
    int waiting = 0;        ///< Jobs.
    int running = 0;
    int fruitless = 0; ///< Jobs that ended last, in a row, without a command finished.
};

enum class Step {
    submit,   ///< One more job.
    wait,     ///< For a job to start, to end, or to finish commands.
    withdraw, ///< The jobs that wait: nothing is left for them.
    done,
    give_up,
};

struct Decision {
    Step step = Step::wait;
    std::string why; ///< For people, without a full stop.
};

[[nodiscard]] Decision decide(const Rules& rules, const Standing& standing);

} // namespace muster::launcher::pool
