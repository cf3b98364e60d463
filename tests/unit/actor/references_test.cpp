#include "actions.hpp"
#include "actor/references.hpp"

#include <gtest/gtest.h>

namespace muster::actor {
namespace {

using testing::orders;
using testing::sent;

constexpr ObjectId ours = make_object_id(Rank{0}, 1);
constexpr ObjectId theirs = make_object_id(Rank{1}, 1);

wire::Outcome made_on(Rank host) {
    wire::Outcome outcome;
    outcome.holder = host;
    return outcome;
}

wire::Outcome failed() {
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    outcome.failure.emplace_back();
    return outcome;
}

/// The part of rank 0, with coordinator 9.
class ReferencesOfRank0 : public ::testing::Test {
protected:
    ReferencesOfRank0() { references.on_term(Rank{9}, {}, actions); }

    wire::Actions take() {
        references.check_invariants();
        return std::exchange(actions, {});
    }

    References references{Rank{0}};
    wire::Actions actions;
};

TEST_F(ReferencesOfRank0, AnActorEndsWithItsLastHandleHereAndElsewhere) {
    references.create(ours, "hits");
    references.on_made(ours, made_on(Rank{2}), actions);
    references.on_borrow(Rank{3}, {ours}, actions);
    const auto known = sent<wire::ActorKnown>(take());
    ASSERT_EQ(known.size(), 1U);
    EXPECT_EQ(known[0].first, Rank{3});
    EXPECT_EQ(known[0].second.outcome->holder, Rank{2});
    references.release(ours, actions);
    EXPECT_TRUE(take().empty());
    references.on_released(Rank{3}, {ours}, actions);
    const auto last = take();
    const auto destroyed = sent<wire::ActorDestroy>(last);
    ASSERT_EQ(destroyed.size(), 1U);
    EXPECT_EQ(destroyed[0].first, Rank{2});
    ASSERT_EQ(sent<wire::NameFreed>(last).size(), 1U);
    EXPECT_EQ(references.take_ended(), std::vector{ours});
    EXPECT_TRUE(references.empty());
}

TEST_F(ReferencesOfRank0, AnActorForTheJobLivesWithoutHandlesUntilItIsKilled) {
    references.create(ours, "server");
    references.keep_for_job(ours);
    references.on_made(ours, made_on(Rank{2}), actions);
    references.release(ours, actions);
    EXPECT_TRUE(take().empty());
    references.on_borrow(Rank{3}, {ours}, actions);
    references.on_released(Rank{3}, {ours}, actions);
    EXPECT_TRUE(sent<wire::ActorDestroy>(take()).empty());
    EXPECT_FALSE(references.empty());

    EXPECT_TRUE(references.kill(ours));
    references.on_made(ours, failed(), actions); // as its owner says then
    const auto last = take();
    EXPECT_TRUE(sent<wire::ActorDestroy>(last).empty()); // which told its host
    EXPECT_EQ(sent<wire::NameFreed>(last).size(), 1U);
    EXPECT_EQ(references.take_ended(), std::vector{ours});
    EXPECT_TRUE(references.empty());
    EXPECT_FALSE(references.kill(ours));
}

TEST_F(ReferencesOfRank0, AnActorForTheJobThatCouldNotBeMadeEndsWithItsLastHandle) {
    references.create(ours, {});
    references.keep_for_job(ours);
    references.on_made(ours, failed(), actions);
    references.release(ours, actions);
    EXPECT_EQ(references.take_ended(), std::vector{ours});
}

TEST_F(ReferencesOfRank0, WhoHoldsAnActorHearsThatItWasKilled) {
    references.create(ours, {});
    references.on_made(ours, made_on(Rank{2}), actions);
    references.on_borrow(Rank{3}, {ours}, actions);
    take();
    EXPECT_TRUE(references.kill(ours));
    EXPECT_TRUE(references.killed(ours));
    references.on_made(ours, failed(), actions);
    const auto placed = sent<wire::ActorPlaced>(take());
    ASSERT_EQ(placed.size(), 1U);
    EXPECT_EQ(placed[0].first, Rank{3});
    EXPECT_EQ(placed[0].second.outcome.kind, wire::Outcome::Kind::failed);
    references.on_borrow(Rank{4}, {ours}, actions);
    const auto known = sent<wire::ActorKnown>(take());
    EXPECT_EQ(known.at(0).second.outcome->kind, wire::Outcome::Kind::failed);
}

TEST_F(ReferencesOfRank0, AnActorThatNobodyHoldsIsMadeAndThenDestroyed) {
    references.create(ours, {});
    references.release(ours, actions);
    EXPECT_TRUE(take().empty());
    references.on_made(ours, made_on(Rank{0}), actions);
    EXPECT_EQ(sent<wire::ActorDestroy>(take()).size(), 1U);
}

TEST_F(ReferencesOfRank0, BorrowersHearWhereItIsOnceItIsMade) {
    references.create(ours, {});
    references.on_borrow(Rank{1}, {ours}, actions);
    const auto known = sent<wire::ActorKnown>(take());
    ASSERT_EQ(known.size(), 1U);
    EXPECT_FALSE(known[0].second.outcome);
    references.on_made(ours, made_on(Rank{4}), actions);
    const auto placed = sent<wire::ActorPlaced>(take());
    ASSERT_EQ(placed.size(), 1U);
    EXPECT_EQ(placed[0].first, Rank{1});
    EXPECT_EQ(references.take_placed(), std::vector{ours});
}

TEST_F(ReferencesOfRank0, AFailedConstructorFreesTheNameAndDestroysNothing) {
    references.create(ours, "hits");
    references.on_made(ours, failed(), actions);
    EXPECT_EQ(sent<wire::NameFreed>(take()).size(), 1U);
    references.release(ours, actions);
    EXPECT_TRUE(take().empty());
    EXPECT_EQ(references.take_ended(), std::vector{ours});
}

TEST_F(ReferencesOfRank0, TheFirstHandleIsToldAndGatesUntilItIsAcknowledged) {
    references.hold(theirs, actions);
    references.hold(theirs, actions);
    EXPECT_EQ(sent<wire::ActorBorrow>(take()).size(), 1U);
    EXPECT_TRUE(references.gated());
    references.on_known({theirs, false, made_on(Rank{5})}, actions);
    EXPECT_FALSE(references.gated());
    EXPECT_EQ(references.outcome(theirs)->holder, Rank{5});
    references.release(theirs, actions);
    EXPECT_TRUE(take().empty());
    references.release(theirs, actions);
    EXPECT_EQ(sent<wire::ActorReleased>(take()).size(), 1U);
    EXPECT_TRUE(references.empty());
}

TEST_F(ReferencesOfRank0, AnActorFoundByNameMayBeGone) {
    references.find(7, {theirs, "Counter", 1}, actions);
    EXPECT_TRUE(orders<wire::AnswerName>(take()).empty());
    references.on_known({theirs, true, std::nullopt}, actions);
    const auto answers = orders<wire::AnswerName>(take());
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].request, 7U);
    EXPECT_FALSE(answers[0].actor);
    EXPECT_TRUE(references.empty());

    references.find(8, {ours, "Counter", 1}, actions); // one of ours that is gone
    EXPECT_FALSE(orders<wire::AnswerName>(take()).at(0).actor);
}

TEST_F(ReferencesOfRank0, AnActorFoundByNameIsHeld) {
    references.create(ours, "hits");
    references.find(1, {ours, "Counter", 1}, actions);
    EXPECT_TRUE(orders<wire::AnswerName>(take()).at(0).actor);
    EXPECT_EQ(references.holds(ours), 2U);
    references.find(2, {theirs, "Counter", 1}, actions);
    references.on_known({theirs, false, std::nullopt}, actions);
    EXPECT_TRUE(orders<wire::AnswerName>(take()).at(0).actor);
    EXPECT_EQ(references.holds(theirs), 1U);
}

TEST_F(ReferencesOfRank0, ABorrowOfAnEndedActorIsRefused) {
    references.on_borrow(Rank{1}, {ours}, actions);
    EXPECT_TRUE(sent<wire::ActorKnown>(take()).at(0).second.gone);
}

const std::map<Rank, std::string> rank_3_lost{{Rank{3}, "there"}};

TEST_F(ReferencesOfRank0, HandlesOfALostRankHoldNothingAnyMore) {
    references.create(ours, {});
    references.on_made(ours, made_on(Rank{2}), actions);
    references.on_borrow(Rank{3}, {ours}, actions);
    references.release(ours, actions);
    EXPECT_TRUE(sent<wire::ActorDestroy>(take()).empty());
    references.on_term(Rank{9}, rank_3_lost, actions);
    EXPECT_EQ(sent<wire::ActorDestroy>(take()).size(), 1U);
}

TEST_F(ReferencesOfRank0, AHandleThatComesHomeAfterItsHolderWasLostIsOfAnActorThatIsGone) {
    references.create(ours, {});
    references.on_made(ours, made_on(Rank{2}), actions);
    references.on_borrow(Rank{3}, {ours}, actions);
    references.release(ours, actions);
    references.on_term(Rank{9}, rank_3_lost, actions); // its handle is in what it has sent to us
    (void)references.take_placed();
    references.hold(ours, actions);
    ASSERT_NE(references.outcome(ours), nullptr);
    EXPECT_EQ(references.outcome(ours)->kind, wire::Outcome::Kind::failed);
    EXPECT_EQ(references.take_placed(), std::vector{ours});
    EXPECT_FALSE(references.gated());
    references.release(ours, actions);
    EXPECT_TRUE(references.empty());
}

TEST_F(ReferencesOfRank0, AnActorWhoseHostIsLostIsPlacedAgain) {
    references.create(ours, "hits");
    references.named({ours, "Counter", 1});
    references.on_made(ours, made_on(Rank{3}), actions);
    references.on_borrow(Rank{1}, {ours}, actions);
    take();
    static_cast<void>(references.take_placed());
    references.on_term(Rank{8}, rank_3_lost, actions);
    EXPECT_EQ(references.outcome(ours), nullptr);
    const auto names = sent<wire::NameHeld>(take());
    ASSERT_EQ(names.size(), 1U);
    EXPECT_EQ(names[0].first, Rank{8});
    references.on_made(ours, made_on(Rank{4}), actions);
    EXPECT_EQ(sent<wire::ActorPlaced>(take()).size(), 1U);
    EXPECT_EQ(references.take_placed(), std::vector{ours});
}

TEST_F(ReferencesOfRank0, AnActorWhoseOwnerIsLostIsGoneAndGatesNothing) {
    const ObjectId orphan = make_object_id(Rank{3}, 1);
    references.hold(orphan, actions);
    EXPECT_TRUE(references.gated());
    references.on_term(Rank{9}, rank_3_lost, actions);
    EXPECT_FALSE(references.gated());
    EXPECT_EQ(references.outcome(orphan)->kind, wire::Outcome::Kind::failed);
    references.hold(make_object_id(Rank{3}, 2), actions); // a handle that comes later
    EXPECT_FALSE(references.gated());
    references.check_invariants();
}

TEST_F(ReferencesOfRank0, WhatTheOwnerSaysBeforeOrAfterTheLossIsKnownHereCounts) {
    references.hold(theirs, actions);
    references.on_known({theirs, false, made_on(Rank{3})}, actions);
    references.on_placed({theirs, made_on(Rank{4})}); // it knew of the loss before
    references.on_term(Rank{9}, rank_3_lost, actions);
    EXPECT_EQ(references.outcome(theirs)->holder, Rank{4});
    references.on_placed({theirs, made_on(Rank{3})}); // said before it knew
    EXPECT_EQ(references.outcome(theirs)->holder, Rank{4});
}

TEST_F(ReferencesOfRank0, WhoKeepsCallsHearsWhereTheActorLivesThoughItHoldsNone) {
    references.hold(theirs, actions);
    references.on_known({theirs, false, made_on(Rank{3})}, actions);
    take();
    references.release(theirs, actions, true);
    EXPECT_TRUE(sent<wire::ActorReleased>(take()).at(0).second.follows);
    EXPECT_TRUE(references.empty());
    EXPECT_EQ(references.outcome(theirs)->holder, Rank{3});
    references.on_term(Rank{9}, rank_3_lost, actions);
    EXPECT_EQ(references.outcome(theirs), nullptr);
    static_cast<void>(references.take_placed());
    references.on_placed({theirs, made_on(Rank{4})});
    EXPECT_EQ(references.take_placed(), std::vector{theirs});
    EXPECT_EQ(references.outcome(theirs)->holder, Rank{4});
    references.unfollow(theirs);
    EXPECT_EQ(references.outcome(theirs), nullptr);
}

TEST_F(ReferencesOfRank0, AFollowerKeepsNoActorAliveAndHearsOfItsEnd) {
    references.create(ours, {});
    references.on_made(ours, made_on(Rank{2}), actions);
    references.on_borrow(Rank{3}, {ours}, actions);
    references.on_borrow(Rank{4}, {ours}, actions);
    references.on_released(Rank{4}, {ours, true}, actions);
    take();
    references.on_term(Rank{9}, {{Rank{2}, ""}}, actions);
    references.on_made(ours, made_on(Rank{5}), actions);
    EXPECT_EQ(sent<wire::ActorPlaced>(take()).size(), 2U); // the borrower, and the follower
    references.release(ours, actions);
    references.on_released(Rank{3}, {ours}, actions);
    const auto last = take();
    EXPECT_EQ(sent<wire::ActorDestroy>(last).size(), 1U);
    const auto ended = sent<wire::ActorCovered>(last);
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].first, Rank{4});
    EXPECT_TRUE(ended[0].second.ended);
}

} // namespace
} // namespace muster::actor
