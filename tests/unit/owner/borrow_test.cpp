#include "lone_owner.hpp"

#include <gtest/gtest.h>

namespace muster::owner {
namespace {

using testing::orders;
using testing::sent;
using Kind = wire::FailureRecord::Kind;

const ObjectId foreign = make_object_id(Rank{5}, 1);

TEST(Borrow, SubscribesOnceAndResolvesAllFuturesAndDependents) {
    LoneOwner owner;
    owner->borrow(foreign, std::make_shared<int>(), owner.actions);
    owner->borrow(foreign, std::make_shared<int>(), owner.actions);
    const TaskId task = owner.submit(1, {foreign});
    const auto subscribes = sent<wire::Subscribe>(owner.flush());
    ASSERT_EQ(subscribes.size(), 1U);
    EXPECT_EQ(subscribes[0].first, Rank{5});

    owner->on_object_ready({foreign, LoneOwner::value(5)}, owner.actions);
    const auto actions = owner.flush();
    EXPECT_EQ(orders<wire::ResolveFuture>(actions).size(), 2U);
    EXPECT_EQ(sent<wire::Submit>(actions).at(0).second.ranges.at(0).first, task);
}

TEST(Borrow, ForgetsAnObjectWhoseFuturesAreGone) {
    LoneOwner owner;
    owner->borrow(foreign, std::make_shared<int>(), owner.actions);
    owner.release(foreign); // before the answer
    owner->on_object_ready({foreign, LoneOwner::value(5)}, owner.actions);
    EXPECT_EQ(owner->outcome(foreign), nullptr);
    owner.flush();
    owner->borrow(foreign, std::make_shared<int>(), owner.actions);
    EXPECT_EQ(sent<wire::Subscribe>(owner.flush()).size(), 1U);
}

TEST(Borrow, AnswersSubscribersNowOrWhenTheObjectIsThere) {
    LoneOwner owner;
    const ObjectId ready = owner.put(10);
    const TaskId pending = owner.submit(1);
    owner.flush();
    owner->on_subscribe(Rank{4}, {ready}, owner.actions);
    owner->on_subscribe(Rank{4}, {pending}, owner.actions);
    EXPECT_EQ(sent<wire::ObjectReady>(owner.flush()).size(), 1U);
    owner.grant(pending, 1);
    owner.flush();
    owner.finish(pending, LoneOwner::value(1));
    const auto answers = sent<wire::ObjectReady>(owner.flush());
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].first, Rank{4});
    EXPECT_EQ(answers[0].second.object, pending);
}

TEST(Borrow, SaysSoWhenTheObjectIsGone) {
    LoneOwner owner;
    owner->on_subscribe(Rank{4}, {make_object_id(Rank{0}, 77)}, owner.actions);
    EXPECT_EQ(sent<wire::ObjectReady>(owner.flush()).at(0).second.outcome.failure.at(0).kind,
              Kind::object_lost);
}

TEST(Borrow, FutureOfOurOwnIsCountedWithTheOthers) {
    LoneOwner owner;
    const TaskId task = owner.submit(1);
    owner->pin(task);
    owner->borrow(task, std::make_shared<int>(), owner.actions);
    owner.release(task); // the one that came home
    for (const auto& [to, subscribe] : sent<wire::Subscribe>(owner.flush())) {
        EXPECT_EQ(to, Rank{0});
        owner->on_subscribe(Rank{0}, subscribe, owner.actions);
    }
    owner.grant(task, 1);
    owner.flush();
    owner.finish(task, LoneOwner::value(1));
    const auto actions = owner.flush();
    EXPECT_EQ(orders<wire::ResolveFuture>(actions).size(), 1U); // the first future
    owner->on_object_ready(sent<wire::ObjectReady>(actions).at(0).second, owner.actions);
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).size(), 1U); // the one that came home
}

TEST(Borrow, CancelGoesToTheOwner) {
    LoneOwner owner;
    owner->cancel(foreign, owner.actions);
    const auto cancels = sent<wire::Cancel>(owner.flush());
    ASSERT_EQ(cancels.size(), 1U);
    EXPECT_EQ(cancels[0].first, Rank{5});
}

} // namespace
} // namespace muster::owner
