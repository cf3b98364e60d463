#include "actions.hpp"
#include "actor/host.hpp"

#include <gtest/gtest.h>

namespace muster::actor {
namespace {

using testing::orders;
using testing::sent;

constexpr ObjectId actor = make_object_id(Rank{0}, 1);
constexpr ObjectId driver{};
constexpr ObjectId other = make_object_id(Rank{2}, 50);

/// An actor on rank 1, called by rank 2; rank 3 keeps values.
class HostOfOneActor : public ::testing::Test {
protected:
    HostOfOneActor() { host.on_made(actor); }

    static TaskId call(std::uint64_t number) { return make_object_id(Rank{2}, number); }

    static ObjectId stored() { return make_object_id(Rank{3}, 1); }

    void send(std::uint64_t number,
              ObjectId context = driver,
              bool fetches = false,
              bool replays = false,
              bool urgent = false) {
        wire::ActorCall sent{{call(number), 1, {}, {}}, FunctionId{7}, context, 1, replays, urgent};
        if (fetches) {
            sent.spec.dependencies.push_back({stored(), {}, 5000, true, Rank{3}});
        }
        host.on_calls(Rank{2}, {actor, {sent}}, store, actions);
        host.check_invariants();
    }

    void finish(std::uint64_t number,
                std::size_t bytes = 0,
                std::optional<Buffer> saved = std::nullopt) {
        host.on_call_finished(
            {call(number), true, testing::bytes(bytes), {}, Duration{1}}, store, std::move(saved));
        host.check_invariants();
    }

    /// The calls handed to the executors since the last call.
    std::vector<TaskId> queued() {
        std::vector<TaskId> calls;
        for (const auto& order : orders<wire::EnqueueCall>(std::exchange(actions, {}))) {
            EXPECT_EQ(order.actor, actor);
            calls.push_back(order.call.id);
        }
        return calls;
    }

    std::vector<wire::TaskOutcome> results() {
        wire::Actions flushed;
        host.flush(flushed);
        std::vector<wire::TaskOutcome> outcomes;
        for (const auto& [to, message] : sent<wire::Finished>(flushed)) {
            EXPECT_EQ(to, Rank{2});
            outcomes.insert(outcomes.end(), message.tasks.begin(), message.tasks.end());
        }
        return outcomes;
    }

    Host host{{.self = Rank{1}, .host = "host"}};
    store::Store store{{.self = Rank{1}}};
    wire::Actions actions;
};

using Calls = std::vector<TaskId>;

TEST_F(HostOfOneActor, QueuesCallsAsTheyComeAndSendsResults) {
    send(1);
    send(2, other);
    EXPECT_EQ(queued(), (Calls{call(1), call(2)}));
    finish(1, 10);
    finish(2, 5000);
    const auto outcomes = results();
    ASSERT_EQ(outcomes.size(), 2U);
    EXPECT_EQ(outcomes[0].lease, LeaseId{});
    EXPECT_FALSE(outcomes[0].outcome.kept);
    EXPECT_TRUE(outcomes[1].outcome.kept);
    EXPECT_EQ(outcomes[1].outcome.holder, Rank{1});
    EXPECT_EQ(store.object_count(), 1U);
}

TEST_F(HostOfOneActor, ACallThatFetchesHoldsBackItsContextOnly) {
    send(1, driver, true);
    send(2);
    send(3, other);
    EXPECT_EQ(queued(), Calls{call(3)});
    EXPECT_TRUE(host.on_dependency(call(1), stored(), testing::bytes(5000), actions));
    host.check_invariants();
    EXPECT_EQ(queued(), (Calls{call(1), call(2)}));
}

TEST_F(HostOfOneActor, ALostArgumentFailsTheCallAndLetsTheLaterOnesGo) {
    send(1, driver, true);
    send(2);
    actions.clear();
    EXPECT_TRUE(host.on_dependency(call(1), stored(), std::nullopt, actions));
    EXPECT_EQ(queued(), Calls{call(2)});
    const auto outcomes = results();
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(outcomes[0].outcome.failure.front().kind, wire::FailureRecord::Kind::object_lost);
}

TEST_F(HostOfOneActor, StopsACallWhereverItIs) {
    send(1, driver, true);
    send(2);
    send(3, other);
    actions.clear();
    EXPECT_TRUE(host.on_stop({call(1), LeaseId{}}, actions));
    EXPECT_EQ(queued(), Calls{call(2)});
    EXPECT_TRUE(host.on_stop({call(3), LeaseId{}}, actions));
    EXPECT_EQ(orders<wire::StopCall>(actions).size(), 1U);
    host.on_call_removed(call(3));
    EXPECT_EQ(results().size(), 2U);
    EXPECT_FALSE(host.on_stop({call(3), LeaseId{}}, actions));
}

TEST_F(HostOfOneActor, AnUrgentCallDoesNotWaitBehindOneThatFetches) {
    send(1, driver, true);
    send(2, driver, false, false, true);
    const auto queued = orders<wire::EnqueueCall>(std::exchange(actions, {}));
    ASSERT_EQ(queued.size(), 1U);
    EXPECT_EQ(queued[0].call.id, call(2));
    EXPECT_TRUE(queued[0].urgent);
    send(3);
    EXPECT_TRUE(this->queued().empty()); // behind the one that fetches
}

TEST_F(HostOfOneActor, TheCallsOfAKilledActorEndAndThenItsDestructorRuns) {
    send(1); // runs
    send(2); // is with the executors
    send(3, other, true);
    send(4, other);
    actions.clear();
    host.on_destroy({actor, true}, actions);
    host.check_invariants();
    EXPECT_TRUE(orders<wire::EnqueueCall>(actions).empty());
    EXPECT_EQ(orders<wire::StopCall>(actions).size(), 2U);
    host.on_call_removed(call(2));
    send(5); // its caller has not heard of it
    auto outcomes = results();
    ASSERT_EQ(outcomes.size(), 4U);
    for (const auto& one : outcomes) {
        EXPECT_TRUE(one.not_run);
        EXPECT_EQ(one.outcome.failure.front().kind, wire::FailureRecord::Kind::system);
        EXPECT_NE(one.outcome.failure.front().message.find("killed"), std::string::npos);
    }
    finish(1);
    actions.clear();
    host.flush(actions);
    EXPECT_EQ(orders<wire::DestroyActor>(actions).size(), 1U);
    host.on_destroyed(actor);
    EXPECT_TRUE(host.empty());
}

TEST_F(HostOfOneActor, ASaveNamesTheCallsSinceTheOneBefore) {
    for (std::uint64_t i = 1; i <= 4; ++i) {
        send(i, driver, false, i != 2);
    }
    host.on_call_removed(call(4)); // did not run, so the state has nothing of it
    finish(1);
    host.flush(actions);
    EXPECT_TRUE(sent<wire::ActorSaved>(std::exchange(actions, {})).empty());
    finish(2);
    finish(3, 10, testing::bytes(6));
    host.flush(actions);
    const auto saved = sent<wire::ActorSaved>(std::exchange(actions, {}));
    ASSERT_EQ(saved.size(), 1U);
    EXPECT_EQ(saved[0].first, owner_of(actor));
    EXPECT_EQ(saved[0].second.actor, actor);
    EXPECT_EQ(saved[0].second.state.size(), 6U);
    ASSERT_EQ(saved[0].second.calls.size(), 2U);
    EXPECT_EQ(saved[0].second.calls[0].id, call(1));
    EXPECT_EQ(saved[0].second.calls[1].id, call(3));
    EXPECT_EQ(saved[0].second.calls[1].outcome.size, 10U);
}

TEST_F(HostOfOneActor, OfTwoSavesTheSecondStandsForBoth) {
    send(1, driver, false, true);
    send(2, driver, false, true);
    finish(1, 0, testing::bytes(1));
    finish(2, 0, testing::bytes(2));
    host.flush(actions);
    const auto saved = sent<wire::ActorSaved>(actions);
    ASSERT_EQ(saved.size(), 1U);
    EXPECT_EQ(saved[0].second.state.size(), 2U);
    EXPECT_EQ(saved[0].second.calls.size(), 2U);
}

TEST_F(HostOfOneActor, SaysWhichCallsDidNotRun) {
    send(1, driver, true);
    send(2);
    EXPECT_TRUE(host.on_stop({call(1), LeaseId{}}, actions));
    finish(2);
    const auto outcomes = results();
    ASSERT_EQ(outcomes.size(), 2U);
    EXPECT_TRUE(outcomes[0].not_run);
    EXPECT_FALSE(outcomes[1].not_run);
}

TEST_F(HostOfOneActor, IsEmptyOnceTheDestructorHasRun) {
    send(1);
    finish(1);
    host.on_destroy({actor}, actions);
    host.flush(actions);
    EXPECT_EQ(orders<wire::DestroyActor>(actions).size(), 1U);
    host.on_destroyed(actor);
    EXPECT_TRUE(host.empty());
}

} // namespace
} // namespace muster::actor
