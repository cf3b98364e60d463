// Random schedules in which ranks fail. Several cases, so that they run side by side.

#include "random_schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace muster::sim {
namespace {

#if defined(MUSTER_SIM_SHORT) && defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t seeds = 60;
#elif defined(MUSTER_SIM_SHORT)
constexpr std::uint64_t seeds = 250;
#else
constexpr std::uint64_t seeds = 2'500;
#endif

#ifndef MUSTER_SIM_SHORT
// Taken a few times in ten thousand schedules: not by each case's share of them.
constexpr std::array rare_paths{Path::rank_cut_off,
                                Path::object_lost,
                                Path::call_interrupted,
                                Path::call_replayed,
                                Path::state_loaded,
                                Path::group_failed};

bool is_rare(Path path) {
    return std::find(rare_paths.begin(), rare_paths.end(), path) != rare_paths.end();
}
#endif

class FaultSchedules : public testing::TestWithParam<std::uint64_t> {};

TEST_P(FaultSchedules, KeepEveryPromise) {
    if (const char* seed = std::getenv("MUSTER_SIM_SEED"); seed != nullptr && *seed != '\0') {
        run_fault_schedule(std::stoull(seed));
        return;
    }
    Statistics total;
    for (std::uint64_t i = 0; i < seeds; ++i) {
        total.add(run_fault_schedule(1 + GetParam() * seeds + i));
    }
    EXPECT_GT(total.crashes, 0U);
#ifndef MUSTER_SIM_SHORT
    for (std::size_t i = first_fault_path; i < path_count; ++i) {
        const Path path = static_cast<Path>(i);
        EXPECT_TRUE(is_rare(path) || total.times(path) > 0) << name(path);
    }
#endif
}

#ifdef MUSTER_SIM_SHORT
INSTANTIATE_TEST_SUITE_P(Some, FaultSchedules, testing::Values(0));
#else
INSTANTIATE_TEST_SUITE_P(All, FaultSchedules, testing::Range<std::uint64_t>(0, 4));

TEST(FaultSchedule, TakesRarePathsAsWell) {
    Statistics total;
    const auto missing = [&] {
        return std::find_if(rare_paths.begin(), rare_paths.end(), [&](Path path) {
            return total.times(path) == 0;
        });
    };
    // Seeds of no other case.
    for (std::uint64_t seed = 1'000'001; missing() != rare_paths.end(); ++seed) {
        ASSERT_LE(seed, 1'010'000U) << name(*missing());
        total.add(run_fault_schedule(seed));
    }
}

TEST(FaultSchedule, IsTheSameForTheSameSeed) {
    const Statistics once = run_fault_schedule(7);
    const Statistics again = run_fault_schedule(7);
    EXPECT_EQ(once.events, again.events);
    EXPECT_EQ(once.messages, again.messages);
    EXPECT_EQ(once.paths, again.paths);
}
#endif

} // namespace
} // namespace muster::sim
