#include "actions.hpp"
#include "elect/heartbeats.hpp"

#include <gtest/gtest.h>

namespace muster::elect {
namespace {

using namespace std::chrono_literals;
using testing::sent;

/// One rank's heartbeats, in steps of a tenth of a second.
class Beating {
public:
    Beating(Rank self, std::int32_t ranks)
        : heartbeats_({.self = self, .world_size = ranks, .driver = Rank{0}}) {}

    /// @return who was found silent.
    std::vector<Rank> pass(Duration time, const std::vector<Rank>& talking = {}) {
        std::vector<Rank> silent;
        for (Duration step{}; step < time; step += 100ms) {
            now_ += 100ms;
            for (const Rank rank : talking) {
                heartbeats_.heard(rank);
            }
            const auto found = heartbeats_.on_time(now_, actions);
            silent.insert(silent.end(), found.begin(), found.end());
        }
        return silent;
    }

    void stop_for(Duration time) { now_ += time; }

    std::size_t sent_to(Rank rank) const {
        std::size_t count = 0;
        for (const auto& [to, heartbeat] : sent<wire::Heartbeat>(actions)) {
            count += to == rank ? 1 : 0;
        }
        return count;
    }

    Heartbeats* operator->() { return &heartbeats_; }

    wire::Actions actions;

private:
    Heartbeats heartbeats_;
    TimePoint now_{};
};

TEST(Heartbeats, ASilentRankIsFoundOnceAndUnderFiveSeconds) {
    Beating driver(Rank{0}, 3);
    EXPECT_TRUE(driver.pass(10s, {Rank{1}, Rank{2}}).empty());
    EXPECT_TRUE(driver.pass(3700ms, {Rank{2}}).empty());
    EXPECT_EQ(driver.pass(1s, {Rank{2}}), std::vector{Rank{1}});
    EXPECT_TRUE(driver.pass(1min, {Rank{2}}).empty());
}

TEST(Heartbeats, TimeInWhichTheWatcherDidNotRunDoesNotCount) {
    Beating driver(Rank{0}, 2);
    driver.pass(1s, {Rank{1}});
    for (int i = 0; i < 3; ++i) {
        driver.stop_for(1min);
        EXPECT_TRUE(driver.pass(500ms).empty());
        driver->heard(Rank{1});
    }
    EXPECT_FALSE(driver.pass(5s).empty());
}

TEST(Heartbeats, OnlyWhoSaysNothingElseSendsThem) {
    Beating rank(Rank{1}, 3);
    rank.pass(10s, {Rank{0}});
    const auto alone = rank.sent_to(Rank{0});
    EXPECT_GE(alone, 8U);
    EXPECT_LE(alone, 11U);
    EXPECT_EQ(rank.sent_to(Rank{2}), 0U);
    for (int i = 0; i < 100; ++i) {
        rank->sent(Rank{0});
        rank.pass(100ms, {Rank{0}});
    }
    EXPECT_EQ(rank.sent_to(Rank{0}), alone);
}

TEST(Heartbeats, RanksWatchTheDriversRankMorePatiently) {
    Beating rank(Rank{1}, 3);
    EXPECT_TRUE(rank.pass(14s).empty());
    EXPECT_EQ(rank.pass(2s), std::vector{Rank{0}});
}

TEST(Heartbeats, WhoIsForgottenIsNeitherWatchedNorSpokenTo) {
    Beating driver(Rank{0}, 2);
    driver->forget(Rank{1});
    EXPECT_TRUE(driver.pass(1min).empty());
    EXPECT_EQ(driver.sent_to(Rank{1}), 0U);
    EXPECT_EQ(driver->next_timer(), std::nullopt);
}

TEST(Heartbeats, ARankAloneHasNobodyToWatch) {
    Beating alone(Rank{0}, 1);
    EXPECT_TRUE(alone.pass(1min).empty());
    EXPECT_TRUE(alone.actions.empty());
}

} // namespace
} // namespace muster::elect
