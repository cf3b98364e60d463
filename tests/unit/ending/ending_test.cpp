#include "actions.hpp"
#include "ending/ending.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace muster::ending {
namespace {

using testing::orders;
using testing::sent;
using wire::EndCause;
using namespace std::chrono_literals;

using Phase = Ending::Phase;

/// The machines of all ranks, with messages that arrive at once and in order.
class World {
public:
    explicit World(std::int32_t ranks, std::optional<Duration> limit = {}, Duration lead = 60s) {
        for (std::int32_t rank = 0; rank < ranks; ++rank) {
            Ending::Config config{.self = Rank{rank}, .world_size = ranks, .driver = Rank{0}};
            if (limit) {
                config.limit = TimePoint{} + *limit;
            }
            config.lead = lead;
            machines_.emplace_back(config);
            actions.emplace_back();
        }
    }

    Ending& operator[](int rank) { return machines_[static_cast<std::size_t>(rank)]; }

    /// The driver's rank last: what it tells comes when the others have the same time.
    void to(Duration time) {
        for (std::size_t r = machines_.size(); r-- > 0;) {
            wire::Actions out;
            machines_[r].advance(TimePoint{} + time, out);
            carry(r, std::move(out));
        }
    }

    void want(int rank, EndCause cause, Duration left) {
        wire::Actions out;
        (*this)[rank].want(cause, left, out);
        carry(static_cast<std::size_t>(rank), std::move(out));
    }

    void busy(int rank, bool is) {
        wire::Actions out;
        (*this)[rank].set_busy(is, out);
        carry(static_cast<std::size_t>(rank), std::move(out));
    }

    [[nodiscard]] bool all_in(Phase phase) const {
        return std::all_of(machines_.begin(), machines_.end(), [&](const Ending& machine) {
            return machine.phase() == phase;
        });
    }

    template <class A>
    std::vector<A> ordered(int rank) {
        return orders<A>(actions[static_cast<std::size_t>(rank)]);
    }

    std::vector<wire::Actions> actions; ///< By rank; without messages.
    int messages = 0;

private:
    void carry(std::size_t from, wire::Actions out) {
        for (auto& action : out) {
            auto* send = std::get_if<wire::SendMessage>(&action);
            if (send == nullptr) {
                actions[from].push_back(std::move(action));
                continue;
            }
            ++messages;
            const auto to = static_cast<std::size_t>(index(send->to));
            wire::Actions next;
            if (const auto* wanted = std::get_if<wire::EndWanted>(&send->message)) {
                machines_[to].on_wanted(*wanted, next);
            } else if (const auto* drain = std::get_if<wire::Drain>(&send->message)) {
                machines_[to].on_drain(*drain, next);
            } else if (const auto* activity = std::get_if<wire::Activity>(&send->message)) {
                machines_[to].on_activity(Rank{static_cast<std::int32_t>(from)}, *activity);
            } else {
                ASSERT_TRUE(std::holds_alternative<wire::Halt>(send->message));
                machines_[to].on_halt(next);
            }
            carry(to, std::move(next));
        }
    }

    std::vector<Ending> machines_;
};

TEST(Ending, WithoutCauseNothingHappens) {
    World world(3);
    world.to(1000h);
    EXPECT_TRUE(world.all_in(Phase::running));
    EXPECT_EQ(world.messages, 0);
    EXPECT_EQ(world[0].exit_code(7), 7);
    EXPECT_FALSE(world[0].next_timer());
}

TEST(Ending, AtATimeLimitItDrainsThenHaltsThenEnds) {
    World world(3, 600s);
    EXPECT_EQ(world[0].next_timer(), TimePoint{} + 540s);
    world.to(539s);
    EXPECT_TRUE(world.all_in(Phase::running));
    world.to(540s);
    EXPECT_TRUE(world.all_in(Phase::draining));
    for (int rank = 0; rank < 3; ++rank) {
        ASSERT_EQ(world.ordered<wire::BeginDrain>(rank).size(), 1U);
        EXPECT_EQ(world.ordered<wire::BeginDrain>(rank)[0].end, TimePoint{} + 600s);
        EXPECT_EQ(world.ordered<wire::HoldTasks>(rank).size(), 1U);
    }
    world.to(579s);
    EXPECT_TRUE(world.all_in(Phase::draining));
    world.to(580s); // a third of the lead is left
    EXPECT_TRUE(world.all_in(Phase::halting));
    EXPECT_EQ(world.ordered<wire::HaltTasks>(2).size(), 1U);
    EXPECT_EQ(world[1].exit_code(0), exit_try_again);
    world.to(599s);
    EXPECT_TRUE(world.ordered<wire::EndProcess>(1).empty());
    world.to(600s);
    EXPECT_EQ(world.ordered<wire::EndProcess>(0).size(), 1U);
    EXPECT_TRUE(world.ordered<wire::EndProcess>(1).empty())
        << "the driver's rank has the last word";
    world.to(600s + Ending::others_later);
    for (int rank = 0; rank < 3; ++rank) {
        ASSERT_EQ(world.ordered<wire::EndProcess>(rank).size(), 1U);
        EXPECT_EQ(world.ordered<wire::EndProcess>(rank)[0].exit_code, exit_try_again);
    }
    world.to(700s);
    EXPECT_EQ(world.ordered<wire::EndProcess>(0).size(), 1U);
}

TEST(Ending, ItHaltsEarlyOnceNothingGetsOnAnywhere) {
    World world(3, 600s);
    world.to(540s);
    world.busy(0, false);
    world.busy(1, false);
    world.to(550s);
    EXPECT_TRUE(world.all_in(Phase::draining)) << "rank 2 has said nothing";
    world.busy(2, false);
    world.to(550s + 200ms);
    EXPECT_TRUE(world.all_in(Phase::draining));
    world.busy(1, true); // a result has reached who waited for it
    world.to(552s);
    EXPECT_TRUE(world.all_in(Phase::draining));
    world.busy(1, false);
    world.to(552s + 249ms);
    EXPECT_TRUE(world.all_in(Phase::draining));
    EXPECT_EQ(world[0].next_timer(), TimePoint{} + 552s + 250ms);
    world.to(552s + 250ms);
    EXPECT_TRUE(world.all_in(Phase::halting));
}

TEST(Ending, WhatIsSaidTwiceIsOneMessage) {
    World world(2, 600s);
    world.busy(1, false); // not while it runs
    world.to(540s);
    const int before = world.messages;
    world.busy(1, true); // as it is taken for at first
    EXPECT_EQ(world.messages, before);
    world.busy(1, false);
    world.busy(1, false);
    EXPECT_EQ(world.messages, before + 1);
}

TEST(Ending, ALostRankIsNotWaitedFor) {
    World world(2, 600s);
    world.to(540s);
    world.busy(0, false);
    world[0].forget(Rank{1});
    world.to(541s);
    EXPECT_EQ(world[0].phase(), Phase::halting);
}

TEST(Ending, ATerminatedRankEndsTheRunWithinTheTimeItHas) {
    World world(3);
    world.to(10s);
    world.want(2, EndCause::terminated, 20s);
    EXPECT_TRUE(world.all_in(Phase::draining));
    EXPECT_EQ(world.ordered<wire::BeginDrain>(0)[0].cause, EndCause::terminated);
    world.to(24s);
    EXPECT_TRUE(world.all_in(Phase::halting));
    world.to(30s + Ending::others_later);
    EXPECT_TRUE(world.all_in(Phase::ended));
}

TEST(Ending, WithLittleTimeItHaltsAtOnce) {
    World world(2);
    world.want(0, EndCause::terminated, 800ms);
    EXPECT_TRUE(world.all_in(Phase::halting));
    EXPECT_EQ(world.ordered<wire::HoldTasks>(1).size(), 1U);
    world.to(800ms + Ending::others_later);
    EXPECT_TRUE(world.all_in(Phase::ended));
}

TEST(Ending, ASignalToAllRanksIsTakenOnce) {
    World world(3);
    for (int rank = 0; rank < 3; ++rank) {
        world.want(rank, EndCause::terminated, 20s);
    }
    for (int rank = 0; rank < 3; ++rank) {
        EXPECT_EQ(world.ordered<wire::BeginDrain>(rank).size(), 1U);
    }
}

TEST(Ending, LessTimeThanThoughtIsToldToAll) {
    World world(3, 600s);
    world.to(545s);
    world.want(0, EndCause::terminated, 9s);
    for (int rank = 0; rank < 3; ++rank) {
        const auto drains = world.ordered<wire::BeginDrain>(rank);
        ASSERT_EQ(drains.size(), 2U);
        EXPECT_EQ(drains[1].end, TimePoint{} + 554s);
        EXPECT_EQ(drains[1].cause, EndCause::time_limit) << "the first cause stays";
    }
    world.to(551s);
    EXPECT_TRUE(world.all_in(Phase::halting));
    world.to(554s + Ending::others_later);
    EXPECT_TRUE(world.all_in(Phase::ended));
}

TEST(Ending, MoreTimeThanThoughtChangesNothing) {
    World world(2, 600s);
    world.to(545s);
    world.want(1, EndCause::notified, 100s);
    EXPECT_EQ(world.ordered<wire::BeginDrain>(1).size(), 1U);
    world.to(600s + Ending::others_later);
    EXPECT_TRUE(world.all_in(Phase::ended));
}

TEST(Ending, AnInterruptHaltsAtOnceAlsoARunThatDrains) {
    for (const bool draining : {false, true}) {
        World world(2, 600s);
        world.to(draining ? 550s : 50s);
        EXPECT_TRUE(world.all_in(draining ? Phase::draining : Phase::running));
        world.want(0, EndCause::interrupted, 1s);
        EXPECT_TRUE(world.all_in(Phase::halting));
        EXPECT_EQ(world[1].exit_code(0), exit_interrupted);
        world.to((draining ? 551s : 51s) + Ending::others_later);
        EXPECT_EQ(world.ordered<wire::EndProcess>(1).at(0).exit_code, exit_interrupted);
    }
}

TEST(Ending, ARankThatHearsNothingEndsAllTheSame) {
    Ending alone({.self = Rank{1}, .world_size = 2, .driver = Rank{0}});
    wire::Actions actions;
    alone.advance(TimePoint{} + 5s, actions);
    alone.want(EndCause::terminated, 2s, actions);
    ASSERT_EQ(sent<wire::EndWanted>(actions).size(), 1U);
    EXPECT_EQ(sent<wire::EndWanted>(actions)[0].first, Rank{0});
    EXPECT_EQ(alone.next_timer(), TimePoint{} + 7s + Ending::others_later);
    alone.advance(*alone.next_timer(), actions);
    ASSERT_EQ(orders<wire::EndProcess>(actions).size(), 1U);
    EXPECT_EQ(orders<wire::EndProcess>(actions)[0].exit_code, exit_try_again);
}

TEST(Ending, OnlyTheDriversRankWatchesTheLimit) {
    World world(2, 600s);
    EXPECT_FALSE(world[1].next_timer());
    wire::Actions actions;
    world[1].advance(TimePoint{} + 10h, actions);
    EXPECT_TRUE(actions.empty());
}

} // namespace
} // namespace muster::ending
