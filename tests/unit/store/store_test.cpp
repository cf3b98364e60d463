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
    Store store(Rank{0});
    store.keep(object, bytes(100));
    ASSERT_NE(store.find(object), nullptr);
    EXPECT_EQ(store.size_bytes(), 100U);
    store.drop({{object}});
    EXPECT_EQ(store.find(object), nullptr);
    EXPECT_EQ(store.size_bytes(), 0U);
}

TEST(Store, FetchesAnObjectOnceForAllWhoWait) {
    Store store(Rank{0});
    wire::Actions actions;
    store.fetch(object, Rank{3}, 100, {true, TaskId{7}}, actions);
    store.fetch(object, Rank{3}, 100, {false, {}}, actions);
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

    const auto arrival = store.on_bulk_received(receives[0].transfer, bytes(100));
    EXPECT_EQ(arrival.object, object);
    ASSERT_EQ(arrival.waiters.size(), 2U);
    EXPECT_TRUE(arrival.waiters[0].is_task);
    EXPECT_EQ(arrival.waiters[0].task, TaskId{7});
    EXPECT_FALSE(arrival.waiters[1].is_task);
    EXPECT_FALSE(store.fetching());
    EXPECT_NE(store.find(object), nullptr);
}

TEST(Store, ServesWhatItHasAndRefusesTheRest) {
    Store store(Rank{3});
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
    Store store(Rank{0});
    wire::Actions actions;
    store.fetch(object, Rank{3}, 100, {false, {}}, actions);
    store.drop({{object}});
    const auto arrival =
        store.on_bulk_received(sent<wire::Fetch>(actions).at(0).second.transfer, bytes(100));
    EXPECT_TRUE(arrival.value.has_value());
    EXPECT_EQ(arrival.waiters.size(), 1U);
    EXPECT_EQ(store.object_count(), 0U);
}

TEST(Store, FailedFetchTellsItsWaitersAndMayBeTriedAgain) {
    Store store(Rank{0});
    wire::Actions actions;
    store.fetch(object, Rank{3}, 100, {false, {}}, actions);
    const auto arrival =
        store.on_fetch_failed({object, sent<wire::Fetch>(actions).at(0).second.transfer});
    EXPECT_FALSE(arrival.value.has_value());
    EXPECT_EQ(arrival.waiters.size(), 1U);
    actions.clear();
    store.fetch(object, Rank{2}, 100, {false, {}}, actions);
    EXPECT_EQ(sent<wire::Fetch>(actions).size(), 1U);
}

} // namespace
} // namespace muster::store
