#include "actions.hpp"
#include "rank/clock_probe.hpp"

#include <gtest/gtest.h>

namespace muster::rank {
namespace {

using testing::orders;
using testing::sent;
using namespace std::chrono_literals;

/// A rank and the driver's, whose clock is ahead of it.
class Compared : public ::testing::Test {
protected:
    /// @return how many questions were answered, each after `there` and `back`.
    int answer_all(Duration there, Duration back) {
        int answers = 0;
        while (true) {
            auto asked = sent<wire::ClockAsked>(actions);
            actions.clear();
            if (asked.empty()) {
                return answers;
            }
            const std::int64_t question = asked.back().second.sent;
            const TimePoint here = now + there + ahead;
            now += there + back;
            probe.advance(now, actions);
            probe.on_told({question, here.time_since_epoch().count()}, actions);
            if (auto notes = orders<wire::NoteClock>(actions); !notes.empty()) {
                noted.push_back(notes.front());
            }
            ++answers;
            there += 1us; // the first was the quickest
        }
    }

    TimePoint now{1000s};
    Duration ahead = 5s;
    ClockProbe probe{{.enabled = true, .driver = Rank{0}}};
    wire::Actions actions;
    std::vector<wire::NoteClock> noted;
};

TEST_F(Compared, TheQuickestAnswerCountsAndIsRightWithinHalfItsWay) {
    probe.advance(now, actions);
    EXPECT_EQ(answer_all(10us, 14us), ClockProbe::questions);
    ASSERT_EQ(noted.size(), 1U);
    EXPECT_EQ(noted[0].round_trip, 24us);
    EXPECT_LE(std::chrono::abs(noted[0].offset - ahead), noted[0].round_trip / 2);
}

TEST_F(Compared, ItIsAskedAgainNowAndThen) {
    probe.advance(now, actions);
    answer_all(1us, 1us);
    EXPECT_EQ(probe.next_timer(), TimePoint{1000s} + ClockProbe::first_interval);
    now = *probe.next_timer() - 1ns;
    probe.advance(now, actions);
    EXPECT_TRUE(sent<wire::ClockAsked>(actions).empty());
    now += 1ns;
    ahead += 1ms; // it has drifted
    probe.advance(now, actions);
    answer_all(1us, 1us);
    ASSERT_EQ(noted.size(), 2U);
    EXPECT_EQ(noted[1].offset, 5s + 1ms);
    EXPECT_EQ(*probe.next_timer(),
              TimePoint{1000s} + ClockProbe::first_interval + ClockProbe::interval);
}

TEST_F(Compared, AnAnswerOfARoundThatWasGivenUpIsIgnored) {
    probe.advance(now, actions);
    const auto late = sent<wire::ClockAsked>(actions).at(0).second;
    now += ClockProbe::first_interval;
    actions.clear();
    probe.advance(now, actions);
    ASSERT_EQ(sent<wire::ClockAsked>(actions).size(), 1U);
    actions.clear();
    probe.on_told(wire::ClockTold{late.sent, 0}, actions);
    EXPECT_TRUE(actions.empty());
}

TEST(ClockProbe, AsksNobodyIfItIsNotEnabled) {
    ClockProbe probe{{}};
    wire::Actions actions;
    probe.advance(TimePoint{1s}, actions);
    EXPECT_TRUE(actions.empty());
    EXPECT_FALSE(probe.next_timer());
}

} // namespace
} // namespace muster::rank
