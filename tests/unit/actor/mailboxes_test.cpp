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
    boxes.ended(first);
    EXPECT_FALSE(boxes.give_back(first)); // two are left
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
    EXPECT_FALSE(boxes.give_back(second));
    EXPECT_EQ(boxes.take(), first);
    EXPECT_EQ(boxes.take(), second);
}

TaskId id(std::uint64_t number) {
    return make_object_id(Rank{1}, number);
}

TEST(Mailboxes, StartUrgentCallsFirst) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr);
    for (std::uint64_t i = 1; i <= 2; ++i) {
        boxes.push(call(first, i));
    }
    for (std::uint64_t i = 3; i <= 5; ++i) {
        auto order = call(first, i);
        order.urgent = true;
        boxes.push(std::move(order));
    }
    EXPECT_TRUE(boxes.remove(first, id(4)));
    EXPECT_EQ(boxes.take(), first);
    for (const std::uint64_t number : std::vector<std::uint64_t>{3, 5, 1, 2}) {
        EXPECT_EQ(boxes.next(first)->task.id, id(number));
        boxes.ended(first);
    }
    EXPECT_FALSE(boxes.next(first));
}

TEST(Mailboxes, AnActorWithSeveralThreadsIsTakenAsOftenAsItHasCalls) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr, {.calls = 2, .threads = 2});
    EXPECT_EQ(boxes.further_turns(), 1U);
    for (std::uint64_t i = 1; i <= 4; ++i) {
        boxes.push(call(first, i));
    }
    EXPECT_EQ(boxes.take(), first);
    EXPECT_EQ(boxes.next(first)->task.id, id(1));
    EXPECT_TRUE(boxes.in_line(first));
    EXPECT_EQ(boxes.take(), first);
    EXPECT_EQ(boxes.next(first)->task.id, id(2));
    EXPECT_FALSE(boxes.in_line(first));
    EXPECT_FALSE(boxes.next(first)); // two are under way
    boxes.ended(first);
    EXPECT_EQ(boxes.next(first)->task.id, id(3));
}

TEST(Mailboxes, SuspendedCallsLetOthersStartAndGoOnBeforeThem) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr, {.calls = 3, .threads = 1});
    for (std::uint64_t i = 1; i <= 4; ++i) {
        boxes.push(call(first, i));
    }
    for (std::uint64_t i = 1; i <= 2; ++i) {
        EXPECT_EQ(boxes.take(), first);
        EXPECT_EQ(boxes.next(first)->task.id, id(i));
        EXPECT_FALSE(boxes.in_line(first));   // its thread is taken
        EXPECT_FALSE(boxes.give_back(first)); // it is suspended
    }
    EXPECT_EQ(boxes.take(), first);
    EXPECT_EQ(boxes.next(first)->task.id, id(3));
    EXPECT_FALSE(boxes.resume(first, id(2)));
    EXPECT_FALSE(boxes.resume(first, id(1)));
    boxes.ended(first);
    EXPECT_FALSE(boxes.next(first)); // though there is a fourth
    EXPECT_EQ(boxes.give_back(first), id(2));
    boxes.ended(first);
    EXPECT_EQ(boxes.give_back(first), id(1));
    EXPECT_FALSE(boxes.give_back(first)); // suspended once more
    EXPECT_TRUE(boxes.resume(first, id(1)));
    boxes.ended(first);
    EXPECT_EQ(boxes.next(first)->task.id, id(4));
}

TEST(Mailboxes, OfASuspendedCallOfAnOrdinaryActorTheOthersWait) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr);
    boxes.push(call(first, 1));
    boxes.push(call(first, 2));
    EXPECT_EQ(boxes.take(), first);
    EXPECT_EQ(boxes.next(first)->task.id, id(1));
    EXPECT_FALSE(boxes.give_back(first));
    EXPECT_EQ(boxes.waiting(), 0U);
    EXPECT_TRUE(boxes.resume(first, id(1)));
    boxes.ended(first);
    EXPECT_EQ(boxes.next(first)->task.id, id(2));
}

TEST(Mailboxes, AnActorIsDestroyedInTheLastTurnThatIsLeft) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr, {.calls = 2, .threads = 2});
    for (std::uint64_t i = 1; i <= 2; ++i) {
        boxes.push(call(first, i));
        EXPECT_EQ(boxes.take(), first);
        EXPECT_EQ(boxes.next(first)->task.id, id(i));
    }
    boxes.ended(first);
    boxes.ended(first); // neither has given its turn back
    EXPECT_FALSE(boxes.close(first));
    EXPECT_FALSE(boxes.to_be_destroyed(first));
    EXPECT_FALSE(boxes.give_back(first));
    EXPECT_TRUE(boxes.to_be_destroyed(first));
    (void)boxes.destroy(first);
    EXPECT_EQ(boxes.further_turns(), 0U);
}

TEST(Mailboxes, AnActorThatIsDestroyedIsInLineNoMore) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr, {.calls = 2, .threads = 2});
    boxes.push(call(first, 1));
    EXPECT_EQ(boxes.take(), first);
    EXPECT_EQ(boxes.next(first)->task.id, id(1));
    boxes.push(call(first, 2));
    EXPECT_EQ(boxes.waiting(), 1U);
    EXPECT_TRUE(boxes.remove(first, id(2)));
    boxes.ended(first);
    boxes.close(first);
    EXPECT_TRUE(boxes.to_be_destroyed(first));
    (void)boxes.destroy(first);
    EXPECT_EQ(boxes.waiting(), 0U);
    EXPECT_FALSE(boxes.take());
}

TEST(Mailboxes, ForgetARemovedCall) {
    Mailboxes boxes;
    boxes.open(first, {}, nullptr);
    boxes.push(call(first, 1));
    EXPECT_TRUE(boxes.remove(first, make_object_id(Rank{1}, 1)));
    EXPECT_FALSE(boxes.remove(first, make_object_id(Rank{1}, 1)));
    EXPECT_FALSE(boxes.remove(second, make_object_id(Rank{1}, 1)));
    EXPECT_FALSE(boxes.take()); // it has nothing to do any more
    EXPECT_EQ(boxes.waiting(), 0U);
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
    boxes.open(first, {}, nullptr, {}, 2);
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
