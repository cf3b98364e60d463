#include "journal/liveness.hpp"

#include <gtest/gtest.h>

namespace muster::journal {
namespace {

using namespace std::chrono_literals;

TEST(Liveness, ALockThatMeansSomethingDecides) {
    Liveness liveness(1min);
    EXPECT_TRUE(liveness.observe(TimePoint(0s), true, 1));
    EXPECT_TRUE(liveness.observe(TimePoint(1h), true, 1));
    EXPECT_FALSE(liveness.observe(TimePoint(1h), false, 2));
}

TEST(Liveness, WithoutOneAJobIsGoneAfterALongSilence) {
    Liveness liveness(1min);
    TimePoint now(100s);
    for (int i = 0; i < 100; ++i, now += 1s) {
        EXPECT_TRUE(liveness.observe(now, std::nullopt, static_cast<std::uint64_t>(i / 50)));
    }
    for (int i = 50; i < 60; ++i, now += 1s) {
        EXPECT_TRUE(liveness.observe(now, std::nullopt, 1)) << i;
    }
    now += 1s;
    EXPECT_FALSE(liveness.observe(now, std::nullopt, 1));
    EXPECT_TRUE(liveness.observe(now, std::nullopt, 2)); // it was only slow
}

TEST(Liveness, TimeInWhichNobodyLookedDoesNotCount) {
    Liveness liveness(1min);
    EXPECT_TRUE(liveness.observe(TimePoint(0s), std::nullopt, 1));
    for (int hour = 1; hour <= 11; ++hour) {
        EXPECT_TRUE(liveness.observe(TimePoint(hour * 1h), std::nullopt, 1));
    }
    EXPECT_FALSE(liveness.observe(TimePoint(12h), std::nullopt, 1));
}

} // namespace
} // namespace muster::journal
