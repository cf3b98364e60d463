#include "random_schedule.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace muster::sim {
namespace {

/// MUSTER_SIM_SEED=N runs that seed alone, as a failure's report says.
Statistics run_schedules(std::uint64_t first, std::uint64_t count) {
    if (const char* seed = std::getenv("MUSTER_SIM_SEED"); seed != nullptr && *seed != '\0') {
        first = std::stoull(seed);
        count = 1;
    }
    Statistics total;
    for (std::uint64_t i = 0; i < count; ++i) {
        total.add(run_schedule(first + i));
    }
    return total;
}

#ifdef MUSTER_SIM_SHORT

#ifdef __SANITIZE_ADDRESS__ // fifty times as slow
constexpr std::uint64_t schedules = 30;
#else
constexpr std::uint64_t schedules = 100;
#endif

TEST(RandomSchedules, KeepEveryPromise) {
    EXPECT_GT(run_schedules(1, schedules).tasks, 0U);
}

#else

TEST(RandomSchedules, KeepEveryPromiseAndTakeEveryRarePath) {
    const Statistics total = run_schedules(1, 1000);
    if (total.schedules == 1) {
        return;
    }
    for (std::size_t i = 0; i < first_fault_path; ++i) {
        const Path path = static_cast<Path>(i);
        EXPECT_GT(total.times(path), 0U) << name(path);
    }
}

TEST(RandomSchedules, AreTheSameForTheSameSeed) {
    const Statistics once = run_schedule(7);
    const Statistics again = run_schedule(7);
    EXPECT_EQ(once.events, again.events);
    EXPECT_EQ(once.messages, again.messages);
    EXPECT_EQ(once.paths, again.paths);
}

#endif

} // namespace
} // namespace muster::sim
