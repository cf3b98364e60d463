#include "actions.hpp"
#include "store/store.hpp"

#include <gtest/gtest.h>

namespace muster::store {
namespace {

using testing::bytes;
using testing::orders;
using testing::sent;

const ObjectId object = make_object_id(Rank{3}, 1);

TEST(Store, KeepsAndDrops) {
    Store store({.self = Rank{0}});
    store.keep(object, bytes(100));
    ASSERT_NE(store.find(object), nullptr);
    EXPECT_EQ(store.size_bytes(), 100U);
    store.drop({{object}});
    EXPECT_EQ(store.find(object), nullptr);
    EXPECT_EQ(store.size_bytes(), 0U);
}

TEST(Store, FetchesAnObjectOnceForAllWhoWait) {
    Store store({.self = Rank{0}});
    wire::Actions actions;
    store.fetch(object, {Rank{3}, Rank{3}}, 100, {true, TaskId{7}}, actions);
    store.fetch(object, {Rank{3}, Rank{3}}, 100, {false, {}}, actions);
    const auto fetches = sent<wire::Fetch>(actions);
    ASSERT_EQ(fetches.size(), 1U);
    EXPECT_EQ(fetches[0].first, Rank{3});
    EXPECT_TRUE(orders<wire::ReceiveBulk>(actions).empty()) << "received before it was sent";

    actions.clear();
    store.on_fetch_started({object, fetches[0].second.transfer}, actions);
    const auto receives = orders<wire::ReceiveBulk>(actions);
    ASSERT_EQ(receives.size(), 1U);
    EXPECT_EQ(receives[0].from, Rank{3});
    EXPECT_EQ(receives[0].size, 100U);

    const auto arrival = store.on_bulk_received(receives[0].transfer, bytes(100), actions);
    EXPECT_EQ(arrival.object, object);
    ASSERT_EQ(arrival.waiters.size(), 2U);
    EXPECT_TRUE(arrival.waiters[0].is_task);
    EXPECT_EQ(arrival.waiters[0].task, TaskId{7});
    EXPECT_FALSE(arrival.waiters[1].is_task);
    EXPECT_FALSE(store.fetching());
    EXPECT_NE(store.find(object), nullptr);
}

TEST(Store, ServesWhatItHasAndRefusesTheRest) {
    Store store({.self = Rank{3}});
    store.keep(object, bytes(100));
    wire::Actions actions;
    store.on_fetch(Rank{1}, {object, 5}, actions);
    ASSERT_EQ(actions.size(), 2U);
    EXPECT_EQ(sent<wire::FetchStarted>(actions).at(0).second.transfer, 5U);
    const auto sends = orders<wire::SendBulk>(actions);
    ASSERT_EQ(sends.size(), 1U);
    EXPECT_EQ(sends[0].to, Rank{1});
    EXPECT_EQ(sends[0].data.size(), 100U);

    actions.clear();
    store.on_fetch(Rank{1}, {advance(object, 1), 6}, actions);
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(sent<wire::FetchFailed>(actions).at(0).second.transfer, 6U);
}

TEST(Store, ValueDroppedOnItsWayIsHandedOverButNotKept) {
    Store store({.self = Rank{0}});
    wire::Actions actions;
    store.fetch(object, {Rank{3}, Rank{3}}, 100, {false, {}}, actions);
    store.drop({{object}});
    const auto arrival = store.on_bulk_received(
        sent<wire::Fetch>(actions).at(0).second.transfer, bytes(100), actions);
    EXPECT_TRUE(arrival.value.has_value());
    EXPECT_EQ(arrival.waiters.size(), 1U);
    EXPECT_EQ(store.object_count(), 0U);
}

TEST(Store, FailedFetchTellsItsWaitersAndMayBeTriedAgain) {
    Store store({.self = Rank{0}});
    wire::Actions actions;
    store.fetch(object, {Rank{3}, Rank{3}}, 100, {false, {}}, actions);
    const auto arrival =
        store.on_fetch_failed({object, sent<wire::Fetch>(actions).at(0).second.transfer}, actions);
    EXPECT_FALSE(arrival.value.has_value());
    EXPECT_EQ(arrival.waiters.size(), 1U);
    actions.clear();
    store.fetch(object, {Rank{2}, Rank{2}}, 100, {false, {}}, actions);
    EXPECT_EQ(sent<wire::Fetch>(actions).size(), 1U);
}

TEST(Store, AnswersWhoAskedWhileItWasFetching) {
    Store store({.self = Rank{2}});
    wire::Actions actions;
    store.fetch(object, {Rank{3}, Rank{3}}, 100, {true, TaskId{7}}, actions);
    const auto transfer = sent<wire::Fetch>(actions).at(0).second.transfer;
    actions.clear();
    for (const int rank : {4, 5, 6}) {
        store.on_fetch(Rank{rank}, {object, 8}, actions);
    }
    EXPECT_TRUE(actions.empty());
    EXPECT_TRUE(store.on_lost(Rank{5}, actions).empty());
    store.drop({{object}}); // who asked gets it all the same
    (void)store.on_bulk_received(transfer, bytes(100), actions);
    const auto sends = orders<wire::SendBulk>(actions);
    ASSERT_EQ(sends.size(), 2U);
    EXPECT_EQ(sends[0].to, Rank{4});
    EXPECT_EQ(sends[1].to, Rank{6});
    EXPECT_EQ(sent<wire::FetchStarted>(actions).size(), 2U);
    EXPECT_EQ(store.object_count(), 0U);
}

TEST(Store, TellsWhoAskedWhenItDoesNotCome) {
    Store store({.self = Rank{2}});
    wire::Actions actions;
    store.fetch(object, {Rank{3}, Rank{3}}, 100, {true, TaskId{7}}, actions);
    const auto transfer = sent<wire::Fetch>(actions).at(0).second.transfer;
    actions.clear();
    store.on_fetch(Rank{4}, {object, 8}, actions);
    EXPECT_EQ(store.on_fetch_failed({object, transfer}, actions).waiters.size(), 1U);
    const auto failed = sent<wire::FetchFailed>(actions);
    ASSERT_EQ(failed.size(), 1U);
    EXPECT_EQ(failed[0].first, Rank{4});
    EXPECT_EQ(failed[0].second.transfer, 8U);
}

TEST(Store, AsksTheHolderWhenItsSourceHasNothing) {
    Store store({.self = Rank{2}});
    wire::Actions actions;
    store.fetch(object, {.source = Rank{1}, .holder = Rank{3}}, 100, {true, TaskId{7}}, actions);
    const auto first = sent<wire::Fetch>(actions).at(0);
    EXPECT_EQ(first.first, Rank{1});
    actions.clear();
    EXPECT_TRUE(store.on_fetch_failed({object, first.second.transfer}, actions).waiters.empty());
    const auto second = sent<wire::Fetch>(actions).at(0);
    EXPECT_EQ(second.first, Rank{3});
    EXPECT_TRUE(store.on_fetch_failed({object, first.second.transfer}, actions).waiters.empty());
    const auto arrival = store.on_fetch_failed({object, second.second.transfer}, actions);
    EXPECT_EQ(arrival.waiters.size(), 1U);
    EXPECT_FALSE(arrival.lost_with_holder);
    EXPECT_FALSE(store.fetching());
}

TEST(Store, AsksTheHolderWhenItsSourceIsLostUnlessThatIsLostToo) {
    for (const bool holder_lost_first : {false, true}) {
        Store store({.self = Rank{2}});
        wire::Actions actions;
        store.fetch(
            object, {.source = Rank{1}, .holder = Rank{3}}, 100, {true, TaskId{7}}, actions);
        actions.clear();
        if (holder_lost_first) {
            EXPECT_TRUE(store.on_lost(Rank{3}, actions).empty());
        }
        auto arrivals = store.on_lost(Rank{1}, actions);
        if (!holder_lost_first) {
            EXPECT_TRUE(arrivals.empty());
            EXPECT_EQ(sent<wire::Fetch>(actions).at(0).first, Rank{3});
            arrivals = store.on_lost(Rank{3}, actions);
        }
        ASSERT_EQ(arrivals.size(), 1U);
        EXPECT_TRUE(arrivals[0].lost_with_holder);
        EXPECT_EQ(arrivals[0].waiters.size(), 1U);
        EXPECT_FALSE(store.fetching());
    }
    Store store({.self = Rank{2}});
    wire::Actions actions;
    (void)store.on_lost(Rank{1}, actions);
    store.fetch(object, {.source = Rank{1}, .holder = Rank{3}}, 100, {true, TaskId{7}}, actions);
    EXPECT_EQ(sent<wire::Fetch>(actions).at(0).first, Rank{3});
}

/// Everything lies where others of the node can read it.
class Everywhere final : public Places {
public:
    [[nodiscard]] std::optional<wire::SharedPlace> place_of(const Buffer& value) const override {
        return wire::SharedPlace{.process = 17, .size = value.size()};
    }
};

class Lending : public ::testing::Test {
protected:
    Everywhere everywhere_;
    // Ranks 0 and 3 share a node, 1 is on another.
    std::vector<NodeId> nodes_{NodeId{0}, NodeId{1}, NodeId{1}, NodeId{0}};
    Store reader_{{.self = Rank{0}, .nodes = nodes_}};
    Store holder_{{.self = Rank{3}, .nodes = nodes_, .places = &everywhere_}};
    wire::Actions actions_;

    /// The reader asks, and the holder answers. @return the order to map it.
    wire::MapValue lend() {
        holder_.keep(object, bytes(100));
        reader_.fetch(object, {Rank{3}, Rank{3}}, 100, {true, TaskId{7}}, actions_);
        const auto fetch = sent<wire::Fetch>(actions_).at(0).second;
        EXPECT_TRUE(fetch.in_place);
        actions_.clear();
        holder_.on_fetch(Rank{0}, fetch, actions_);
        EXPECT_TRUE(orders<wire::SendBulk>(actions_).empty());
        const auto lent = sent<wire::FetchLent>(actions_).at(0).second;
        actions_.clear();
        reader_.on_fetch_lent(lent, actions_);
        const auto order = orders<wire::MapValue>(actions_).at(0);
        actions_.clear();
        EXPECT_EQ(order.holder, Rank{3});
        EXPECT_EQ(order.place.process, 17);
        return order;
    }
};

TEST_F(Lending, OnlyWithinANodeIsAValueAskedForWhereItLies) {
    reader_.fetch(object, {Rank{1}, Rank{1}}, 100, {true, TaskId{7}}, actions_);
    EXPECT_FALSE(sent<wire::Fetch>(actions_).at(0).second.in_place);
    actions_.clear();
    holder_.keep(object, bytes(100));
    holder_.on_fetch(Rank{1}, {object, 2, false}, actions_);
    EXPECT_EQ(orders<wire::SendBulk>(actions_).size(), 1U);
    EXPECT_EQ(holder_.loans().size(), 0U);
}

TEST_F(Lending, ALentValueIsKeptUntilItIsReadNoMore) {
    const auto order = lend();
    const auto arrival = reader_.on_mapped(order.transfer, bytes(100), actions_);
    EXPECT_EQ(arrival.waiters.size(), 1U);
    EXPECT_NE(reader_.find(object), nullptr);
    holder_.drop({{object}});
    EXPECT_NE(holder_.loan(Rank{0}, order.transfer), nullptr);
    reader_.drop({{object}});
    reader_.on_unmapped(Rank{3}, order.transfer, actions_);
    const auto ended = sent<wire::LoanEnded>(actions_).at(0);
    EXPECT_EQ(ended.first, Rank{3});
    holder_.on_loan_ended(Rank{0}, ended.second);
    EXPECT_EQ(holder_.loans().size(), 0U);
}

TEST_F(Lending, AHolderLendsWithTheOrderSoThatNothingIsAsked) {
    holder_.keep(object, bytes(100));
    EXPECT_FALSE(holder_.lend(object, Rank{1})) << "on another node";
    EXPECT_FALSE(holder_.lend(ObjectId{99}, Rank{0})) << "not kept here";
    const auto loan = holder_.lend(object, Rank{0});
    ASSERT_TRUE(loan);
    const std::vector<wire::Dependency> order{{object, {}, 100, true, Rank{3}, Rank{3}, loan}};
    reader_.take_loans(Rank{3}, order, actions_);
    const auto map = orders<wire::MapValue>(actions_).at(0);
    EXPECT_EQ(map.holder, Rank{3});
    actions_.clear();

    // The task waits for what is on its way; a second loan of the same is given back at once.
    reader_.fetch(object, {Rank{3}, Rank{3}}, 100, {true, TaskId{7}}, actions_);
    EXPECT_TRUE(actions_.empty());
    const auto second = holder_.lend(object, Rank{0});
    ASSERT_TRUE(second);
    EXPECT_NE(second->transfer, loan->transfer);
    reader_.take_loans(Rank{3}, {{object, {}, 100, true, Rank{3}, Rank{3}, second}}, actions_);
    holder_.on_loan_ended(Rank{0}, sent<wire::LoanEnded>(actions_).at(0).second);
    EXPECT_EQ(holder_.loans().size(), 1U);
    actions_.clear();

    const auto arrival = reader_.on_mapped(map.transfer, bytes(100), actions_);
    EXPECT_EQ(arrival.waiters.size(), 1U);
    EXPECT_NE(reader_.find(object), nullptr);
}

TEST_F(Lending, WhatIsLentWithAnOrderAndCannotBeMappedIsFetched) {
    holder_.keep(object, bytes(100));
    const auto loan = holder_.lend(object, Rank{0});
    reader_.take_loans(Rank{3}, {{object, {}, 100, true, Rank{3}, Rank{3}, loan}}, actions_);
    actions_.clear();
    EXPECT_TRUE(reader_.on_mapped(loan->transfer, std::nullopt, actions_).waiters.empty());
    EXPECT_EQ(sent<wire::LoanEnded>(actions_).size(), 1U);
    EXPECT_FALSE(sent<wire::Fetch>(actions_).at(0).second.in_place);
}

TEST_F(Lending, ALostRankIsLentNothing) {
    holder_.keep(object, bytes(100));
    ASSERT_TRUE(holder_.lend(object, Rank{0}));
    (void)holder_.on_lost(Rank{0}, actions_);
    EXPECT_EQ(holder_.loans().size(), 0U);
    EXPECT_FALSE(holder_.lend(object, Rank{0}));
}

TEST_F(Lending, WhatCannotBeMappedIsFetched) {
    const auto order = lend();
    const auto arrival = reader_.on_mapped(order.transfer, std::nullopt, actions_);
    EXPECT_TRUE(arrival.waiters.empty());
    EXPECT_TRUE(reader_.fetching());
    holder_.on_loan_ended(Rank{0}, sent<wire::LoanEnded>(actions_).at(0).second);
    EXPECT_EQ(holder_.loans().size(), 0U);
    const auto again = sent<wire::Fetch>(actions_).at(0).second;
    EXPECT_FALSE(again.in_place);
    EXPECT_NE(again.transfer, order.transfer);
    const auto fetched = reader_.on_bulk_received(again.transfer, bytes(100), actions_);
    EXPECT_EQ(fetched.waiters.size(), 1U);
}

TEST_F(Lending, ALostReaderIsLentNothingAndALostHolderLendsNothing) {
    const auto order = lend();
    EXPECT_EQ(holder_.loans().size(), 1U);
    (void)holder_.on_lost(Rank{1}, actions_);
    EXPECT_EQ(holder_.loans().size(), 1U);
    (void)holder_.on_lost(Rank{0}, actions_);
    EXPECT_EQ(holder_.loans().size(), 0U);
    EXPECT_EQ(reader_.on_lost(Rank{3}, actions_).size(), 1U);
    const auto late = reader_.on_mapped(order.transfer, bytes(100), actions_);
    EXPECT_TRUE(late.waiters.empty());
    EXPECT_EQ(reader_.find(object), nullptr);
    EXPECT_TRUE(actions_.empty());
}

} // namespace
} // namespace muster::store
