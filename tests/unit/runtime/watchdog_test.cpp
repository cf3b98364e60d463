#include "runtime/stall_judge.hpp"
#include "runtime/watchdog.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

namespace muster::runtime {
namespace {

using namespace std::chrono_literals;

TEST(StallJudge, CountsTimeWithoutARound) {
    StallJudge judge(10s, 1s);
    for (int i = 0; i < 9; ++i) {
        EXPECT_FALSE(judge.look(5, 1s)) << i; // the first look sees a new count
    }
    EXPECT_FALSE(judge.look(5, 1s));
    EXPECT_TRUE(judge.look(5, 1s));
}

TEST(StallJudge, BeginsAnewWithEveryRound) {
    StallJudge judge(3s, 1s);
    for (std::uint64_t round = 1; round < 100; ++round) {
        EXPECT_FALSE(judge.look(round, 1s));
        EXPECT_FALSE(judge.look(round, 1s));
        EXPECT_FALSE(judge.look(round, 1900ms - 1s));
    }
}

TEST(StallJudge, DoesNotCountTimeInWhichTheProcessWasStopped) {
    StallJudge judge(3s, 1s);
    EXPECT_FALSE(judge.look(1, 1s));
    EXPECT_FALSE(judge.look(1, 1s));
    EXPECT_FALSE(judge.look(1, 3600s)); // stopped for an hour
    EXPECT_FALSE(judge.look(1, 2100ms));
    EXPECT_FALSE(judge.look(1, 1s));
    EXPECT_TRUE(judge.look(1, 1s)); // what was counted before is not forgotten
}

TEST(Watchdog, BarksOnceWhenTheRoundsStop) {
    std::atomic<std::uint64_t> rounds{7};
    std::atomic<int> barks{0};
    Watchdog watchdog(rounds, 20ms, [&] {
        ++barks;
        barks.notify_all();
    });
    barks.wait(0);
    EXPECT_EQ(barks, 1);
}

TEST(Watchdog, CanBeStoppedBeforeItBarks) {
    const std::atomic<std::uint64_t> rounds{7};
    std::atomic<int> barks{0};
    {
        Watchdog watchdog(rounds, 1h, [&] { ++barks; });
        watchdog.stop();
    } // joins
    EXPECT_EQ(barks, 0);
}

} // namespace
} // namespace muster::runtime
