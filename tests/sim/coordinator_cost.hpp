#pragma once

#include <muster/base/clock.hpp>

#include <cstdint>
#include <string>

namespace muster::sim {

/// A world of virtual workers and one owner around one real coordinator.
struct CoordinatorLoad {
    enum class Shape : std::uint8_t {
        map,   ///< One submission; all tasks of one class.
        graph, ///< Each task depends on two of those before it; eight classes in two priorities.
    };

    Shape shape = Shape::map;
    std::uint64_t tasks = 1'000'000;
    std::int32_t ranks = 1024;
    std::int32_t cpus_per_rank = 2;
    Duration task_time =
        std::chrono::milliseconds{10}; ///< On average; from half to one and a half.
    /// Virtual time between two rounds of the coordinator's progress loop; what arrives meanwhile
    /// is one batch.
    Duration round = std::chrono::microseconds{50};
    /// The coordinator's rank dies when so many tasks are left; 0: it does not. Another one takes
    /// over, and runs the rest.
    std::uint64_t lost_with_left = 0;
    bool measures_memory = false; ///< Which takes time of its own.
};

struct CoordinatorCost {
    std::uint64_t tasks = 0;
    std::uint64_t rounds = 0;
    std::uint64_t messages_in = 0;
    std::uint64_t messages_out = 0;
    std::uint64_t recalls = 0;
    Duration deciding{};    ///< Real time inside the state machines.
    Duration coding{};      ///< Real time to decode what came and encode what went.
    Duration taking_over{}; ///< Of both: from the word of the election to the first leases.
    std::uint64_t held = 0; ///< Tasks that workers had then.
    /// The most bytes on the heap: the coordinator's, of messages, and what workers hold of tasks.
    std::int64_t memory = 0;
    Duration makespan{}; ///< Virtual time from the submission to the last result.

    [[nodiscard]] double deciding_ns_per_task() const {
        return static_cast<double>(deciding.count()) / static_cast<double>(tasks);
    }

    [[nodiscard]] double coding_ns_per_task() const {
        return static_cast<double>(coding.count()) / static_cast<double>(tasks);
    }
};

/// What the coordinator costs, in real time, for a load in virtual time. Workers and owner cost
/// nothing, so that all that is measured is the shipped rank machine as the coordinator.
[[nodiscard]] CoordinatorCost coordinator_cost(const CoordinatorLoad& load);

} // namespace muster::sim
