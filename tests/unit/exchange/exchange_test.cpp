#include "actions.hpp"
#include "exchange/exchange.hpp"
#include "wire/gang_tags.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace muster::exchange {
namespace {

using muster::testing::bytes;
using muster::testing::orders;
using muster::testing::sent;

constexpr std::size_t large = Exchange::data_bytes_max + 1;
const LeaseId gang_id = make_lease_id(Term{1}, 7);

/// A completion, as far as the exchange sees one: something that it hands back.
using Token = std::shared_ptr<int>;

Token token() {
    return std::make_shared<int>();
}

/// The exchange of rank 1, with members 1 and 3 of a gang of four; members 0 and 2 are on rank 0
/// and rank 2. Invariants are checked after each step.
class Here {
public:
    Here() : exchange_({.self = Rank{1}, .closed_max = 3}) {}

    void open(std::int32_t member = 1, Token port = token()) {
        exchange_.open(gang_id, members, member, std::move(port), actions);
    }

    static wire::GangAddress
    address(std::int32_t from, std::int32_t to, std::uint64_t tag = wire::tag_of_users) {
        return {gang_id, from, to, tag};
    }

    Token send(std::int32_t from, std::int32_t to, std::size_t size) {
        Token done = token();
        exchange_.send(address(from, to), bytes(size), done, actions);
        return done;
    }

    Token receive(std::int32_t from, std::int32_t to, std::size_t size) {
        Token done = token();
        exchange_.receive(address(from, to), memory.data(), size, done, actions);
        return done;
    }

    void data(std::int32_t from, std::int32_t to, std::size_t size) {
        exchange_.on_data({address(from, to), bytes(size)}, actions);
    }

    void offer(std::int32_t from, std::int32_t to, std::uint64_t number, std::size_t size = large) {
        exchange_.on_offer(rank_of(from), {address(from, to), number, size}, actions);
    }

    void fail(std::int32_t member) {
        wire::GangFailed message{gang_id, member, {}};
        message.failure.type = "std::range_error";
        message.failure.message = "no paper";
        message.failure.rank = rank_of(member);
        message.failure.host = "n1";
        exchange_.on_failed(message, actions);
    }

    static Rank rank_of(std::int32_t member) { return members[static_cast<std::size_t>(member)]; }

    /// What was ordered since the last call.
    wire::Actions take() {
        exchange_.check_invariants();
        return std::exchange(actions, {});
    }

    /// The only settlement since the last take(); of nothing if there was none.
    wire::SettleMessage settled() {
        const auto found = orders<wire::SettleMessage>(take());
        EXPECT_EQ(found.size(), 1U);
        return found.empty() ? wire::SettleMessage{} : found.front();
    }

    Exchange* operator->() { return &exchange_; }

    static inline const std::vector<Rank> members{Rank{0}, Rank{1}, Rank{2}, Rank{1}};
    static constexpr const char* failed =
        "member 2 of the gang (rank 2 on n1) failed: std::range_error: no paper";

    wire::Actions actions;
    std::array<std::byte, 2 * large> memory{};

private:
    Exchange exchange_;
};

TEST(Exchange, SendsShortMessagesAtOnceAndNeedsTheirMemoryNoMore) {
    Here here;
    here.open();
    const Token done = here.send(1, 0, 16);
    const auto actions = here.take();
    const auto messages = sent<wire::GangData>(actions);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].first, Rank{0});
    EXPECT_EQ(messages[0].second.data.size(), 16U);
    EXPECT_EQ(orders<wire::SettleMessage>(actions).at(0).completion, done);
    EXPECT_TRUE(orders<wire::SettleMessage>(actions).at(0).why.empty());
}

TEST(Exchange, PlacesAMessageWhetherItOrItsReceiverIsFirst) {
    for (const bool early : {true, false}) {
        Here here;
        if (early) {
            here.data(0, 1, 16); // even before the member is there
        }
        here.open();
        const Token done = here.receive(0, 1, 16);
        if (!early) {
            EXPECT_TRUE(here.take().empty());
            here.data(0, 1, 16);
        }
        const auto placed = orders<wire::PlaceMessage>(here.take());
        ASSERT_EQ(placed.size(), 1U) << early;
        EXPECT_EQ(placed[0].into, here.memory.data());
        EXPECT_EQ(placed[0].data.size(), 16U);
        EXPECT_EQ(placed[0].completion, done);
    }
}

TEST(Exchange, KeepsTheOrderOfOneAddressAndAddressesApart) {
    Here here;
    here.open();
    here.data(0, 1, 1);
    here.data(0, 1, 2);
    here.data(2, 1, 3);
    for (const auto& [from, size] : {std::pair{2, 3U}, {0, 1U}, {0, 2U}}) {
        here.receive(from, 1, size);
        EXPECT_EQ(orders<wire::PlaceMessage>(here.take()).at(0).data.size(), size);
    }
    const Token first = here.receive(0, 1, 4);
    here.receive(0, 1, 4);
    here.data(0, 1, 4);
    EXPECT_EQ(orders<wire::PlaceMessage>(here.take()).at(0).completion, first);
}

TEST(Exchange, OffersLongMessagesAndSendsThemWhenTheyAreAccepted) {
    Here here;
    here.open();
    const Token done = here.send(1, 2, large);
    auto actions = here.take();
    const auto offers = sent<wire::GangOffer>(actions);
    ASSERT_EQ(offers.size(), 1U);
    EXPECT_EQ(offers[0].first, Rank{2});
    EXPECT_EQ(offers[0].second.size, large);
    EXPECT_TRUE(orders<wire::SettleMessage>(actions).empty());

    here->on_accept(Rank{2}, {offers[0].second.offer, 5}, here.actions);
    actions = here.take();
    EXPECT_EQ(sent<wire::GangStarted>(actions).at(0).second.transfer, 5U);
    EXPECT_EQ(orders<wire::SendBulk>(actions).at(0).data.size(), large);
    EXPECT_TRUE(orders<wire::SettleMessage>(actions).empty());

    here->on_bulk_sent(Rank{0}, 5, here.actions); // another rank's number
    EXPECT_TRUE(here.take().empty());
    here->on_bulk_sent(Rank{2}, 5, here.actions);
    EXPECT_EQ(here.settled().completion, done);
}

TEST(Exchange, ReceivesLongMessagesIntoTheReceiversMemory) {
    Here here;
    here.open();
    here.offer(0, 1, 9);
    EXPECT_TRUE(here.take().empty());
    const Token done = here.receive(0, 1, large);
    const auto accepts = sent<wire::GangAccept>(here.take());
    ASSERT_EQ(accepts.size(), 1U);
    EXPECT_EQ(accepts[0].second.offer, 9U);
    const std::uint64_t transfer = accepts[0].second.transfer;
    EXPECT_TRUE(Exchange::is_own(transfer));
    EXPECT_TRUE(here->receiving());

    here->on_started({transfer}, here.actions);
    const auto bulk = orders<wire::ReceiveBulk>(here.take());
    EXPECT_EQ(bulk.at(0).into, here.memory.data());
    EXPECT_EQ(bulk.at(0).size, large);
    here->on_bulk_received(transfer, here.actions);
    EXPECT_EQ(here.settled().completion, done);
    EXPECT_FALSE(here->receiving());
}

TEST(Exchange, CopiesLongMessagesBetweenMembersOfOneRank) {
    Here here;
    here.open(1);
    here.open(3);
    const Token sending = here.send(1, 3, large);
    const auto offer = sent<wire::GangOffer>(here.take());
    ASSERT_EQ(offer.at(0).first, Rank{1});
    here->on_offer(Rank{1}, offer.at(0).second, here.actions);
    const Token receiving = here.receive(1, 3, large);
    const auto actions = here.take();
    EXPECT_EQ(orders<wire::PlaceMessage>(actions).at(0).completion, receiving);
    EXPECT_EQ(orders<wire::SettleMessage>(actions).at(0).completion, sending);
    EXPECT_TRUE(orders<wire::SendMessage>(actions).empty());
}

TEST(Exchange, ForgetsAnOfferOfItsOwnRankThatWasGivenUp) {
    Here here;
    here.open(1);
    here.open(3);
    here.send(1, 3, large);
    const auto offer = sent<wire::GangOffer>(here.take());
    here->give_up(gang_id, 1, "enough", here.actions);
    EXPECT_EQ(here.settled().why, "enough");
    here->on_offer(Rank{1}, offer.at(0).second, here.actions);
    here.receive(1, 3, large);
    EXPECT_TRUE(here.take().empty());
}

TEST(Exchange, AnotherSizeFailsBothSides) {
    const std::string why =
        "member 0 sent 8 bytes to member 1, which receives 16 from it there: both "
        "must name the same number of elements of the same type";
    Here here;
    here.open();
    here.receive(0, 1, 16);
    here.data(0, 1, 8);
    const auto settled = here.settled();
    EXPECT_EQ(settled.why, why);
    EXPECT_EQ(settled.code, ErrorCode::usage);

    here.receive(0, 1, 16);
    here.offer(0, 1, 4, large);
    const auto actions = here.take();
    const auto refused = sent<wire::GangRefuse>(actions);
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].first, Rank{0});
    EXPECT_EQ(refused[0].second.code, ErrorCode::usage);
    EXPECT_EQ(refused[0].second.why, orders<wire::SettleMessage>(actions).at(0).why);
}

TEST(Exchange, ARefusedOfferFailsItsSender) {
    Here here;
    here.open();
    const Token done = here.send(1, 0, large);
    const auto offer = sent<wire::GangOffer>(here.take()).at(0).second.offer;
    here->on_refuse({offer, "not now", ErrorCode::usage}, here.actions);
    const auto settled = here.settled();
    EXPECT_EQ(settled.completion, done);
    EXPECT_EQ(settled.why, "not now");
    EXPECT_EQ(settled.code, ErrorCode::usage);
    here->on_refuse({offer, "again", ErrorCode::usage}, here.actions);
    EXPECT_TRUE(here.take().empty());
}

TEST(Exchange, AnOfferThatWasGivenUpIsWithdrawnWhenItIsAccepted) {
    Here here;
    here.open();
    here.send(1, 0, large);
    const auto offer = sent<wire::GangOffer>(here.take()).at(0).second.offer;
    here->give_up(gang_id, 1, "enough", here.actions);
    EXPECT_EQ(here.settled().why, "enough");
    here->on_accept(Rank{0}, {offer, 3}, here.actions);
    const auto withdrawn = sent<wire::GangWithdrawn>(here.take());
    ASSERT_EQ(withdrawn.size(), 1U);
    EXPECT_EQ(withdrawn[0].second.transfer, 3U);
}

TEST(Exchange, AWithdrawnTransferEndsWhicheverSideIsFirst) {
    for (const bool withdrawn_first : {true, false}) {
        Here here;
        here.open();
        const Token done = here.receive(0, 1, large);
        here.offer(0, 1, 4);
        const auto transfer = sent<wire::GangAccept>(here.take()).at(0).second.transfer;
        if (withdrawn_first) {
            here->on_withdrawn({transfer});
            EXPECT_TRUE(here.take().empty()); // why is still to come
            EXPECT_TRUE(here->receiving());
        }
        here->give_up(gang_id, 1, "enough", here.actions);
        EXPECT_EQ(here.settled().completion, done);
        if (!withdrawn_first) {
            EXPECT_TRUE(here->receiving());
            here->on_withdrawn({transfer});
        }
        EXPECT_FALSE(here->receiving());
        here.take();
    }
}

TEST(Exchange, ATransferThatStartsAfterItsReceiverGaveUpTouchesNoMemory) {
    Here here;
    here.open();
    here.receive(0, 1, large);
    here.offer(0, 1, 4);
    const auto transfer = sent<wire::GangAccept>(here.take()).at(0).second.transfer;
    here->give_up(gang_id, 1, "enough", here.actions);
    here.take();
    here->on_started({transfer}, here.actions);
    EXPECT_EQ(orders<wire::ReceiveBulk>(here.take()).at(0).into, nullptr);
    here->on_bulk_received(transfer, here.actions);
    EXPECT_TRUE(here.take().empty());
    EXPECT_FALSE(here->receiving());
}

TEST(Exchange, ATransferUnderWayIsAwaitedBeforeItsMemoryIsGivenBack) {
    Here here;
    here.open();
    const Token done = here.receive(0, 1, large);
    here.offer(0, 1, 4);
    const auto transfer = sent<wire::GangAccept>(here.take()).at(0).second.transfer;
    here->on_started({transfer}, here.actions);
    here.fail(2);
    EXPECT_TRUE(orders<wire::SettleMessage>(here.take()).empty());
    here->on_bulk_received(transfer, here.actions);
    EXPECT_EQ(here.settled().completion, done);
}

TEST(Exchange, WhoGaveUpBeginsNothingMoreAndOthersWaitForItsEnd) {
    Here here;
    here.open();
    const Token waiting = here.receive(0, 1, 16);
    here->give_up(gang_id, 1, "enough", here.actions);
    const auto settled = here.settled();
    EXPECT_EQ(settled.completion, waiting);
    EXPECT_EQ(settled.why, "enough");
    here.send(1, 0, 16);
    EXPECT_EQ(here.settled().why, "this member has given up");
    here.receive(0, 1, 16);
    EXPECT_EQ(here.settled().why, "this member has given up");
    // Whether it fails or returns is not known yet, so nobody is told that it has returned.
    here.offer(0, 1, 4);
    here->close(gang_id, 1, here.actions);
    here.offer(2, 1, 5);
    EXPECT_TRUE(here.take().empty());
    here->end(gang_id, 1, true, here.actions);
    const auto refused = sent<wire::GangRefuse>(here.take());
    ASSERT_EQ(refused.size(), 2U);
    EXPECT_EQ(refused[0].second.why, "member 1 of the gang has returned and receives no more");
}

TEST(Exchange, AFailureReleasesMembersWithItsReasonAndLeavesTheirPeersToHearOfIt) {
    Here here;
    const Token port = token();
    here.open(1, port);
    here.receive(0, 1, 16);
    here.send(1, 0, large);
    here.offer(0, 3, 4); // its member is not there yet
    here.take();
    here.fail(2);
    auto actions = here.take();
    EXPECT_EQ(orders<wire::AbortMember>(actions).at(0).port, port);
    EXPECT_EQ(orders<wire::AbortMember>(actions).at(0).why, Here::failed);
    ASSERT_EQ(orders<wire::SettleMessage>(actions).size(), 2U);
    EXPECT_EQ(orders<wire::SettleMessage>(actions)[0].why, Here::failed);
    // An answer could reach the peer before the word that its own rank gets.
    EXPECT_TRUE(sent<wire::GangRefuse>(actions).empty());

    here.fail(0); // another one: the first reason stays
    EXPECT_TRUE(here.take().empty());
    EXPECT_EQ(here->failure(gang_id)->member, 2);
    const Token late = token();
    here.open(3, late);
    EXPECT_EQ(orders<wire::AbortMember>(here.take()).at(0).port, late);
    here.offer(0, 3, 5);
    here->on_ask(Rank{0}, {Here::address(3, 0)}, here.actions);
    EXPECT_TRUE(here.take().empty());
    here.send(3, 0, 16);
    EXPECT_EQ(here.settled().why, Here::failed);
    // Nor after its end.
    here->close(gang_id, 1, here.actions);
    here->end(gang_id, 1, false, here.actions);
    here->close(gang_id, 3, here.actions);
    here->end(gang_id, 3, true, here.actions);
    here.offer(0, 3, 6);
    here->on_ask(Rank{0}, {Here::address(3, 0)}, here.actions);
    EXPECT_TRUE(here.take().empty());
    EXPECT_TRUE(here->idle());
}

TEST(Exchange, AFailureThatComesBeforeAnyMemberIsRemembered) {
    Here here;
    here.fail(2);
    EXPECT_TRUE(here.take().empty());
    ASSERT_NE(here->failure(gang_id), nullptr);
    here.open();
    EXPECT_EQ(orders<wire::AbortMember>(here.take()).at(0).why, Here::failed);
}

TEST(Exchange, ACancelledMemberIsSaidToBeCancelled) {
    Here here;
    const Token port = token();
    here.open(1, port);
    wire::GangFailed message{gang_id, 0, {}};
    message.failure.kind = wire::FailureRecord::Kind::cancelled;
    message.failure.message = "the gang was cancelled";
    message.failure.host = "n0";
    here->on_failed(message, here.actions);
    EXPECT_EQ(orders<wire::AbortMember>(here.take()).at(0).why,
              "member 0 of the gang (rank 0 on n0) was cancelled: the gang was cancelled");
}

TEST(Exchange, AMemberThatReturnedTurnsUsersMessagesAwayButNotThoseOfCollectives) {
    Here here;
    here.open();
    here.offer(0, 1, 4);
    here->on_offer(
        Rank{0}, {Here::address(0, 1, wire::tag_of_collectives), 5, large}, here.actions);
    here->on_offer(Rank{0}, {Here::address(0, 1, wire::tag_of_segments), 6, large}, here.actions);
    here.data(2, 1, 16);
    EXPECT_TRUE(here.take().empty());
    here->returned(gang_id, 1, here.actions);
    auto refused = sent<wire::GangRefuse>(here.take());
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].second.offer, 4U);
    here.offer(0, 1, 7);
    refused = sent<wire::GangRefuse>(here.take());
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused[0].second.why, "member 1 of the gang has returned and receives no more");
    here->receive(Here::address(0, 1, wire::tag_of_collectives),
                  here.memory.data(),
                  large,
                  token(),
                  here.actions);
    EXPECT_EQ(sent<wire::GangAccept>(here.take()).at(0).second.offer, 5U);
}

TEST(Exchange, AsksForAMessageThatIsLongInComing) {
    Here here;
    here.open();
    here->ask(Here::address(0, 1), here.actions); // nobody waits
    EXPECT_TRUE(here.take().empty());
    const Token done = here.receive(0, 1, 16);
    here->ask(Here::address(0, 1), here.actions);
    const auto asked = sent<wire::GangAsk>(here.take());
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].first, Rank{0});
    here->on_none({Here::address(0, 1)}, here.actions);
    const auto settled = here.settled();
    EXPECT_EQ(settled.completion, done);
    EXPECT_EQ(settled.why, "member 0 of the gang has returned and sends no more");
    here->on_none({Here::address(0, 1)}, here.actions); // the message came first
    EXPECT_TRUE(here.take().empty());
}

TEST(Exchange, AnswersWhoAsksOnceTheMemberHasReturned) {
    Here here;
    here->on_ask(Rank{0}, {Here::address(1, 0)}, here.actions); // it has not even begun
    here.open();
    EXPECT_TRUE(here.take().empty());
    here->returned(gang_id, 1, here.actions);
    const auto none = sent<wire::GangNone>(here.take());
    ASSERT_EQ(none.size(), 1U);
    EXPECT_EQ(none[0].first, Rank{0});
    EXPECT_EQ(none[0].second.address, Here::address(1, 0));
    here->on_ask(Rank{2}, {Here::address(1, 2)}, here.actions);
    EXPECT_EQ(sent<wire::GangNone>(here.take()).at(0).first, Rank{2});
    here->close(gang_id, 1, here.actions);
    here->end(gang_id, 1, true, here.actions);
    here->on_ask(Rank{2}, {Here::address(1, 2)}, here.actions);
    EXPECT_EQ(sent<wire::GangNone>(here.take()).size(), 1U);
}

TEST(Exchange, AGangIsOverWithItsLastMemberHere) {
    Here here;
    here.open(1);
    here.open(3);
    here->close(gang_id, 1, here.actions);
    here->end(gang_id, 1, false, here.actions);
    here.offer(0, 1, 4);
    EXPECT_EQ(sent<wire::GangRefuse>(here.take()).size(), 1U);
    here.offer(0, 3, 5);
    EXPECT_TRUE(here.take().empty());
    here->close(gang_id, 3, here.actions);
    here->end(gang_id, 3, true, here.actions);
    EXPECT_EQ(sent<wire::GangRefuse>(here.take()).size(), 1U);
    EXPECT_TRUE(here->idle());
    // What comes late finds nobody, and is not kept.
    here.data(0, 1, 16);
    here.fail(2);
    here.offer(0, 3, 6);
    EXPECT_EQ(sent<wire::GangRefuse>(here.take()).size(), 1U);
    EXPECT_TRUE(here->idle());
    EXPECT_EQ(here->failure(gang_id), nullptr);
}

TEST(Exchange, AMemberThatNeverStartedEndsToo) {
    Here here;
    here.data(0, 1, 16);
    here.offer(0, 1, 4);
    here->end(gang_id, 1, true, here.actions);
    EXPECT_EQ(sent<wire::GangRefuse>(here.take()).size(), 1U);
    EXPECT_TRUE(here->idle());
}

TEST(Exchange, WhatCameForAMemberThatWillNeverStartIsDropped) {
    // Its owner is lost, and did not come to have it started here. (Fault seed 190373.)
    Here here;
    here.data(0, 1, 16);
    here.offer(2, 3, 5);
    EXPECT_EQ(here->gangs(), std::vector{gang_id});
    here->abandon(gang_id);
    EXPECT_TRUE(here->idle());
    here.data(0, 3, 16);
    here.fail(2);
    here->on_ask(Rank{0}, {Here::address(1, 0)}, here.actions);
    EXPECT_TRUE(here->idle());
    EXPECT_TRUE(here.take().empty());
}

TEST(Exchange, AGangThatHasAMemberHereIsNotAbandoned) {
    Here here;
    here.open();
    here->abandon(gang_id);
    const Token done = here.receive(0, 1, 16);
    here.data(0, 1, 16);
    EXPECT_EQ(orders<wire::PlaceMessage>(here.take()).at(0).completion, done);
}

TEST(Exchange, RemembersTheLastGangsThatEndedOnly) {
    Here here;
    for (std::uint64_t i = 0; i < 4; ++i) {
        here->end(make_lease_id(Term{1}, 100 + i), 0, true, here.actions);
    }
    here->on_data({{make_lease_id(Term{1}, 103), 0, 1, 0}, bytes(1)}, here.actions);
    EXPECT_TRUE(here->idle());
    here->on_data({{make_lease_id(Term{1}, 100), 0, 1, 0}, bytes(1)}, here.actions);
    EXPECT_FALSE(here->idle());
}

TEST(Exchange, TheEndOfTheRunFailsWhatWaitsAndWhatFollows) {
    Here here;
    here.open();
    here.receive(0, 1, 16);
    here.send(1, 0, large);
    const auto offer = sent<wire::GangOffer>(here.take()).at(0).second.offer;
    here->fall_silent(here.actions);
    const auto settled = orders<wire::SettleMessage>(here.take());
    ASSERT_EQ(settled.size(), 2U);
    EXPECT_EQ(settled[0].why, "the run has ended");
    here.receive(0, 1, 16);
    EXPECT_EQ(here.settled().why, "the run has ended");
    // Its peer may have accepted meanwhile, and must not wait.
    here->on_accept(Rank{0}, {offer, 3}, here.actions);
    EXPECT_EQ(sent<wire::GangWithdrawn>(here.take()).size(), 1U);
}

} // namespace
} // namespace muster::exchange
