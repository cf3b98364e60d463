#include "actor/mailboxes.hpp"

#include <gtest/gtest.h>

namespace muster::actor {
namespace {

constexpr ObjectId first = make_object_id(Rank{0}, 1);
constexpr ObjectId second = make_object_id(Rank{0}, 2);

wire::EnqueueCall call(ObjectId actor, std::uint64_t number) {
    wire::EnqueueCall order{actor, 0, {}};
    order.call.id = make_object_id(Rank{1}, number);
    return order;
}

TEST(Mailboxes, GiveAnActorToOneExecutorAtATime) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr);
    EXPECT_TRUE(boxes.push(call(first, 1)));
    EXPECT_FALSE(boxes.push(call(first, 2))); // it is in line already
    EXPECT_EQ(boxes.take(), first);
    EXPECT_FALSE(boxes.push(call(first, 3))); // it is run
    EXPECT_EQ(boxes.waiting(), 0U);
    EXPECT_EQ(boxes.next(first)->task.id, make_object_id(Rank{1}, 1));
    EXPECT_TRUE(boxes.put_back(first)); // two are left
    EXPECT_EQ(boxes.waiting(), 1U);
}

TEST(Mailboxes, ServeActorsInTheOrderInWhichTheyCame) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr);
    boxes.open(second, {}, nullptr);
    boxes.push(call(second, 1));
    boxes.push(call(first, 2));
    EXPECT_EQ(boxes.take(), second);
    boxes.push(call(second, 3));
    boxes.put_back(second);
    EXPECT_EQ(boxes.take(), first);
    EXPECT_EQ(boxes.take(), second);
}

TEST(Mailboxes, ForgetARemovedCall) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr);
    boxes.push(call(first, 1));
    EXPECT_TRUE(boxes.remove(first, make_object_id(Rank{1}, 1)));
    EXPECT_FALSE(boxes.remove(first, make_object_id(Rank{1}, 1)));
    EXPECT_FALSE(boxes.remove(second, make_object_id(Rank{1}, 1)));
    EXPECT_EQ(boxes.take(), first);
    EXPECT_FALSE(boxes.next(first));
    EXPECT_FALSE(boxes.put_back(first));
}

TEST(Mailboxes, DestroyAnActorInItsTurn) {
    Mailboxes boxes;
    auto instance = std::make_shared<int>(1);
    boxes.open(first, FunctionId{4}, instance);
    EXPECT_TRUE(boxes.close(first));
    EXPECT_EQ(boxes.take(), first);
    EXPECT_TRUE(boxes.to_be_destroyed(first));
    EXPECT_EQ(boxes.constructor(first), FunctionId{4});
    EXPECT_EQ(boxes.destroy(first), instance);
    EXPECT_TRUE(boxes.empty());
}

TEST(Mailboxes, NameTheLastActorMadeFirstAtTheEnd) {
    Mailboxes boxes;
    boxes.open(second, {}, nullptr);
    boxes.open(first, {}, nullptr);
    boxes.push(call(first, 1));
    boxes.stop();
    EXPECT_EQ(boxes.waiting(), 0U);
    EXPECT_EQ(boxes.all(), (std::vector{first, second}));
}

TEST(Mailboxes, AnActorIsSavedAfterSoManyCallsAndUntilItCanBe) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr, 2);
    EXPECT_FALSE(boxes.save_due(first));
    EXPECT_TRUE(boxes.save_due(first));
    EXPECT_TRUE(boxes.save_due(first)); // it was not
    boxes.saved(first);
    EXPECT_FALSE(boxes.save_due(first));
    boxes.open(second, {}, nullptr);
    EXPECT_FALSE(boxes.save_due(second));
}

} // namespace
} // namespace muster::actor
