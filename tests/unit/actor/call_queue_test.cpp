#include "actor/call_queue.hpp"

#include <gtest/gtest.h>

namespace muster::actor {
namespace {

constexpr ObjectId actor = make_object_id(Rank{1}, 1);
constexpr CallOrder driver{};
constexpr CallOrder other{make_object_id(Rank{0}, 100)};
constexpr CallOrder urgent{ObjectId{}, true}; // the driver's

TaskId call(std::uint64_t number) {
    return make_object_id(Rank{0}, number);
}

using Calls = std::vector<TaskId>;

/// Everything that may be sent, in order.
Calls drain(CallQueue& queue) {
    Calls calls;
    while (const auto batch = queue.take_sendable()) {
        queue.check_invariants();
        calls.insert(calls.end(), batch->calls.begin(), batch->calls.end());
    }
    return calls;
}

void add_ready(CallQueue& queue, CallOrder context, std::uint64_t number) {
    queue.add(actor, context, call(number));
    queue.ready(actor, context, call(number));
    queue.check_invariants();
}

TEST(CallQueue, KeepsCallsUntilTheActorIsPlaced) {
    CallQueue queue({});
    add_ready(queue, driver, 1);
    add_ready(queue, driver, 2);
    EXPECT_FALSE(queue.take_sendable());
    queue.place(actor, Rank{3});
    const auto batch = queue.take_sendable();
    ASSERT_TRUE(batch.has_value());
    EXPECT_EQ(batch->host, Rank{3});
    EXPECT_EQ(batch->calls, (Calls{call(1), call(2)}));
}

TEST(CallQueue, ACallThatIsNotReadyHoldsBackItsContextOnly) {
    CallQueue queue({});
    queue.add(actor, driver, call(1));
    queue.place(actor, Rank{1});
    add_ready(queue, driver, 2);
    add_ready(queue, other, 3);
    EXPECT_EQ(drain(queue), Calls{call(3)});
    queue.ready(actor, driver, call(1));
    EXPECT_EQ(drain(queue), (Calls{call(1), call(2)}));
}

TEST(CallQueue, ACallWithASmallerIdMayComeLater) {
    CallQueue queue({});
    queue.place(actor, Rank{1});
    add_ready(queue, driver, 2); // by another thread of the same context
    queue.place(actor, Rank{1});
    queue.add(actor, driver, call(1));
    queue.check_invariants();
    EXPECT_FALSE(queue.take_sendable());
    queue.ready(actor, driver, call(1));
    queue.check_invariants();
    EXPECT_EQ(drain(queue), (Calls{call(1), call(2)}));
    queue.done(actor, driver, call(1));
    queue.done(actor, driver, call(2));
    EXPECT_TRUE(queue.empty());
}

TEST(CallQueue, SendsAsManyAsThereAreCredits) {
    CallQueue queue({.under_way_max = 2});
    for (std::uint64_t i = 1; i <= 5; ++i) {
        add_ready(queue, driver, i);
    }
    queue.place(actor, Rank{1});
    EXPECT_EQ(drain(queue), (Calls{call(1), call(2)}));
    queue.done(actor, driver, call(2));
    EXPECT_EQ(drain(queue), Calls{call(3)});
    queue.done(actor, driver, call(1));
    queue.done(actor, driver, call(3));
    EXPECT_EQ(drain(queue), (Calls{call(4), call(5)}));
}

TEST(CallQueue, ContextsTakeTurns) {
    CallQueue queue({.under_way_max = 100, .batch_max = 2});
    for (std::uint64_t i = 1; i <= 4; ++i) {
        add_ready(queue, driver, i);
    }
    add_ready(queue, other, 5);
    queue.place(actor, Rank{1});
    EXPECT_EQ(drain(queue), (Calls{call(1), call(2), call(5), call(3), call(4)}));
}

TEST(CallQueue, UrgentCallsGoFirstAndNeedNoCredits) {
    CallQueue queue({.under_way_max = 2, .batch_max = 2});
    for (std::uint64_t i = 1; i <= 4; ++i) {
        add_ready(queue, driver, i);
    }
    queue.place(actor, Rank{1});
    EXPECT_EQ(drain(queue), (Calls{call(1), call(2)}));
    for (std::uint64_t i = 5; i <= 7; ++i) {
        add_ready(queue, urgent, i);
    }
    EXPECT_EQ(drain(queue), (Calls{call(5), call(6), call(7)}));
    queue.done(actor, urgent, call(5)); // gives no credit back
    EXPECT_TRUE(queue.take_done().empty());
    EXPECT_TRUE(drain(queue).empty());
    add_ready(queue, urgent, 8);
    queue.done(actor, driver, call(1));
    EXPECT_EQ(drain(queue), (Calls{call(8), call(3)}));
}

TEST(CallQueue, AnUrgentCallWaitsForItsArgumentsAndForUrgentOnesOnly) {
    CallQueue queue({});
    queue.add(actor, driver, call(1));
    queue.place(actor, Rank{1});
    add_ready(queue, urgent, 2);
    EXPECT_EQ(drain(queue), Calls{call(2)});
    queue.add(actor, urgent, call(3));
    add_ready(queue, urgent, 4);
    add_ready(queue, driver, 5);
    EXPECT_TRUE(drain(queue).empty());
    queue.ready(actor, driver, call(1));
    EXPECT_EQ(drain(queue), (Calls{call(1), call(5)}));
    queue.unready(actor, urgent, call(4));
    queue.check_invariants();
    queue.done(actor, urgent, call(3)); // cancelled
    EXPECT_TRUE(drain(queue).empty());
    queue.ready(actor, urgent, call(4));
    EXPECT_EQ(drain(queue), Calls{call(4)});
    queue.done(actor, driver, call(1));
    queue.done(actor, driver, call(5));
    queue.done(actor, urgent, call(2));
    queue.check_invariants();
    EXPECT_FALSE(queue.empty());
    queue.done(actor, urgent, call(4));
    EXPECT_TRUE(queue.empty());
}

TEST(CallQueue, ACallThatIsDoneBeforeItIsSentMakesWay) {
    CallQueue queue({});
    queue.place(actor, Rank{1}); // no effect: it has no calls
    queue.add(actor, driver, call(1));
    queue.place(actor, Rank{1});
    add_ready(queue, driver, 2);
    add_ready(queue, driver, 3);
    queue.done(actor, driver, call(2)); // cancelled
    queue.check_invariants();
    EXPECT_EQ(queue.unsent(actor), (Calls{call(1), call(3)}));
    queue.done(actor, driver, call(1));
    queue.check_invariants();
    EXPECT_EQ(drain(queue), Calls{call(3)});
    queue.done(actor, driver, call(3));
    EXPECT_TRUE(queue.empty());
    const auto done = queue.take_done();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].count, 3U);
    EXPECT_TRUE(queue.take_done().empty());
}

TEST(CallQueue, CallsThatAreSentAgainGoBeforeLaterOnes) {
    CallQueue queue({.under_way_max = 3});
    queue.place(actor, Rank{1});
    for (std::uint64_t i = 1; i <= 3; ++i) {
        add_ready(queue, driver, i);
    }
    queue.place(actor, Rank{1});
    EXPECT_EQ(drain(queue), (Calls{call(1), call(2), call(3)}));
    queue.done(actor, driver, call(1));
    EXPECT_EQ(queue.take_done().at(0).count, 1U);
    queue.on_lost({{Rank{1}, ""}});
    add_ready(queue, driver, 4);
    queue.place(actor, Rank{2});
    queue.again(actor, driver, call(1), false);
    queue.again(actor, driver, call(2), true);
    queue.again(actor, driver, call(3), true);
    queue.check_invariants();
    EXPECT_TRUE(drain(queue).empty());
    for (std::uint64_t i = 3; i >= 1; --i) {
        queue.ready(actor, driver, call(i));
        queue.check_invariants();
    }
    EXPECT_EQ(drain(queue), (Calls{call(1), call(2), call(3)}));
    queue.returned(actor, driver, call(1));
    EXPECT_TRUE(queue.take_done().empty()); // it was done before
    EXPECT_EQ(drain(queue), Calls{call(4)});
    for (std::uint64_t i = 2; i <= 4; ++i) {
        queue.done(actor, driver, call(i));
    }
    EXPECT_TRUE(queue.empty());
}

} // namespace
} // namespace muster::actor
