#include "actions.hpp"
#include "elect/election.hpp"

#include <gtest/gtest.h>

namespace muster::elect {
namespace {

using testing::sent;

std::vector<std::pair<Rank, wire::CoordinatorElected>> elect(const std::vector<wire::Bid>& bids,
                                                             Rank driver) {
    Election election({driver, static_cast<std::int32_t>(bids.size()), driver});
    wire::Actions actions;
    for (const auto& bid : bids) {
        EXPECT_TRUE(actions.empty()) << "decided before all bids were in";
        election.on_bid(bid, actions);
    }
    return sent<wire::CoordinatorElected>(actions);
}

Rank winner(const std::vector<wire::Bid>& bids, Rank driver) {
    return elect(bids, driver).front().second.coordinator;
}

TEST(Election, EveryRankBidsAtTheDriversRank) {
    Election election({Rank{2}, 3, Rank{1}});
    wire::Actions actions;
    election.start({Rank{2}, 4, false}, actions);
    const auto bids = sent<wire::Bid>(actions);
    ASSERT_EQ(bids.size(), 1U);
    EXPECT_EQ(bids[0].first, Rank{1});
    EXPECT_EQ(bids[0].second.rank, Rank{2});
}

TEST(Election, MostCpusWin) {
    EXPECT_EQ(winner({{Rank{0}, 2, false}, {Rank{1}, 8, false}, {Rank{2}, 4, false}}, Rank{0}),
              Rank{1});
}

TEST(Election, AmongEqualsTheDriversRankWins) {
    EXPECT_EQ(winner({{Rank{0}, 2, false}, {Rank{1}, 2, false}, {Rank{2}, 2, false}}, Rank{1}),
              Rank{1});
}

TEST(Election, AmongOtherEqualsTheLowestRankWins) {
    EXPECT_EQ(winner({{Rank{0}, 1, false}, {Rank{2}, 2, false}, {Rank{1}, 2, false}}, Rank{0}),
              Rank{1});
}

TEST(Election, PreferredRankWinsOverMoreCpus) {
    EXPECT_EQ(winner({{Rank{0}, 8, false}, {Rank{1}, 1, true}}, Rank{0}), Rank{1});
}

TEST(Election, TellsEveryRankTheNextTermAndWhy) {
    const auto elected = elect({{Rank{0}, 2, false}, {Rank{1}, 8, false}}, Rank{0});
    ASSERT_EQ(elected.size(), 2U);
    EXPECT_EQ(elected[0].first, Rank{0});
    EXPECT_EQ(elected[1].first, Rank{1});
    EXPECT_EQ(elected[0].second.term, Term{1});
    EXPECT_EQ(elected[0].second.reason, "it has the most CPUs (8 cpus), best of 2 bids");
}

TEST(Election, AdoptsOnlyNewerTerms) {
    Election election({Rank{1}, 2, Rank{0}});
    EXPECT_FALSE(election.decided());
    EXPECT_TRUE(election.on_elected({Term{2}, Rank{1}, ""}));
    EXPECT_FALSE(election.on_elected({Term{2}, Rank{0}, ""}));
    EXPECT_FALSE(election.on_elected({Term{1}, Rank{0}, ""}));
    EXPECT_EQ(election.coordinator(), Rank{1});
    EXPECT_EQ(election.term(), Term{2});
    EXPECT_TRUE(election.decided());
}

TEST(Election, NamesTheRanksWhoseBidsAreMissing) {
    Election election({Rank{0}, 4, Rank{0}});
    wire::Actions actions;
    election.on_bid({Rank{2}, 1, false}, actions);
    EXPECT_EQ(election.missing_bids(8), (std::vector{Rank{0}, Rank{1}, Rank{3}}));
    EXPECT_EQ(election.missing_bids(1), std::vector{Rank{0}});
}

TEST(Election, AfterALossThoseThatAreLeftHearOfANewTerm) {
    Election election({Rank{0}, 3, Rank{0}});
    wire::Actions actions;
    for (std::int32_t rank = 0; rank < 3; ++rank) {
        election.on_bid({Rank{rank}, rank + 1, false}, actions);
    }
    EXPECT_EQ(sent<wire::CoordinatorElected>(actions).front().second.coordinator, Rank{2});
    actions.clear();
    election.on_lost({Rank{2}}, actions);
    const auto elected = sent<wire::CoordinatorElected>(actions);
    ASSERT_EQ(elected.size(), 2U);
    EXPECT_EQ(elected[0].first, Rank{0});
    EXPECT_EQ(elected[1].first, Rank{1});
    EXPECT_EQ(elected[0].second.term, Term{2});
    EXPECT_EQ(elected[0].second.coordinator, Rank{1});
    EXPECT_EQ(elected[0].second.lost, std::vector{Rank{2}});
}

TEST(Election, ARankLostBeforeItsBidIsNotWaitedFor) {
    Election election({Rank{0}, 3, Rank{0}});
    wire::Actions actions;
    election.on_bid({Rank{0}, 1, false}, actions);
    election.on_lost({Rank{2}}, actions);
    EXPECT_TRUE(actions.empty());
    election.on_bid({Rank{1}, 1, false}, actions);
    EXPECT_EQ(sent<wire::CoordinatorElected>(actions).size(), 2U);
    election.on_bid({Rank{2}, 1, false}, actions);
    EXPECT_EQ(sent<wire::CoordinatorElected>(actions).size(), 2U);
}

TEST(Election, UntilOnlyTheDriversRankIsLeft) {
    Election election({Rank{0}, 3, Rank{0}});
    wire::Actions actions;
    for (std::int32_t rank = 0; rank < 3; ++rank) {
        election.on_bid({Rank{rank}, 1, rank == 2}, actions);
    }
    election.on_lost({Rank{2}}, actions);
    election.on_lost({Rank{1}}, actions);
    const auto elected = sent<wire::CoordinatorElected>(actions);
    EXPECT_EQ(elected.back().first, Rank{0});
    EXPECT_EQ(elected.back().second.coordinator, Rank{0});
    EXPECT_EQ(elected.back().second.term, Term{3});
    EXPECT_EQ(elected.back().second.lost, (std::vector{Rank{1}, Rank{2}}));
}

} // namespace
} // namespace muster::elect
