#include "journal/claim_window.hpp"

#include <gtest/gtest.h>

namespace muster::journal {
namespace {

using namespace std::chrono_literals;

TEST(ClaimWindow, KeepsAJobBusyFromTheStart) {
    ClaimWindow window;
    window.set_slots(16);
    EXPECT_EQ(window.room(TimePoint(1s), 0), 32U);
    EXPECT_EQ(window.room(TimePoint(1s), 17), 0U) << "more than half is still to be done";
}

TEST(ClaimWindow, GrowsForShortTasksAndShrinksForLongOnes) {
    ClaimWindow window;
    window.set_slots(2);
    TimePoint now(1s);
    std::uint64_t room = window.room(now, 0);
    EXPECT_EQ(room, 4U);
    for (int i = 0; i < 100; ++i) {
        now += 1ms;
        room = window.room(now, 0);
    }
    EXPECT_EQ(room, 131'072U);
    now += 100ms;
    EXPECT_EQ(window.room(now, 1'072), 130'000U) << "between soon and late it stays";
    for (int i = 0; i < 100; ++i) {
        now += 10s;
        room = window.room(now, 0);
    }
    EXPECT_EQ(room, 4U);
}

} // namespace
} // namespace muster::journal
