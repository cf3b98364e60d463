#include "lone_owner.hpp"

#include <gtest/gtest.h>

namespace muster::owner {
namespace {

using testing::orders;
using testing::sent;
using Kind = wire::FailureRecord::Kind;

constexpr ObjectId actor = make_object_id(Rank{3}, 1);
constexpr Rank host{2};
constexpr Rank next_host{4};

/// Rank 0, which calls an actor that rank 3 owns. What the rank does with the owner's news is done
/// here: calls that are ready are sent to where the actor lives.
class Caller : public ::testing::Test {
protected:
    Caller() { owner.on_term(Rank{1}, {}, actions); }

    TaskId call(const std::vector<ObjectId>& dependencies = {}) {
        const TaskId id = make_object_id(Rank{0}, next_++);
        Submission submission;
        submission.first = id;
        submission.task_class = testing::cpu_class(1);
        submission.tasks.push_back({{}, dependencies});
        submission.futures = std::make_shared<int>();
        submission.call = CallTarget{actor, {}, true};
        owner.submit(std::move(submission), actions);
        owner.check_invariants();
        return id;
    }

    /// What is ready goes to the host. @return the calls sent.
    std::vector<TaskId> send() {
        auto news = take_news();
        std::vector<TaskId> calls;
        for (const auto& ready : news.ready) {
            calls.push_back(ready.task);
        }
        if (!calls.empty()) {
            owner.send_calls(actor, lives_on, calls, actions);
        }
        owner.check_invariants();
        return calls;
    }

    ActorNews take_news() {
        auto news = owner.take_news();
        done += news.done.size();
        returned += news.returned.size();
        for (const auto& again : news.again) {
            under_way_again += again.under_way ? 1 : 0;
        }
        return news;
    }

    void finish(TaskId id, std::size_t size = 8, bool kept = false, bool not_run = false) {
        wire::TaskOutcome report{id, {}, LoneOwner::value(size, kept, lives_on), not_run};
        if (not_run) {
            report.outcome = LoneOwner::thrown(id);
            report.outcome.failure.front().kind = Kind::cancelled;
        }
        owner.on_finished({{report}}, actions, lives_on);
        owner.check_invariants();
    }

    void cover(TaskId id) {
        owner.on_covered({actor, {{id, LoneOwner::value(8)}}, false}, actions);
        owner.check_invariants();
    }

    /// @return the calls that are sent again.
    std::vector<TaskId> restart(Rank to = next_host) {
        owner.on_term(Rank{1}, {{lives_on, "there"}}, actions);
        owner.check_invariants();
        take_news();
        lives_on = to;
        owner.replay_calls(actor, to, actions);
        owner.check_invariants();
        return send();
    }

    void release(TaskId id) {
        owner.release(id, actions);
        owner.check_invariants();
    }

    std::size_t resolved() const { return orders<wire::ResolveFuture>(actions).size(); }

    /// Nothing is known of any call any more.
    void expect_empty() {
        EXPECT_FALSE(owner.keeps_calls(actor));
        EXPECT_TRUE(owner.empty()) << owner.describe();
    }

    Owner owner{{.self = Rank{0}, .host = "host"}};
    wire::Actions actions;
    Rank lives_on = host;
    std::size_t done = 0;
    std::size_t returned = 0;
    std::size_t under_way_again = 0;

private:
    std::uint64_t next_ = 1;
};

using Calls = std::vector<TaskId>;

TEST_F(Caller, KeepsADoneCallUntilItIsCovered) {
    const TaskId one = call();
    EXPECT_EQ(send(), Calls{one});
    EXPECT_TRUE(sent<wire::ActorCalls>(actions).at(0).second.calls.at(0).replays);
    finish(one);
    release(one);
    EXPECT_EQ(resolved(), 1U);
    EXPECT_TRUE(owner.keeps_calls(actor));
    EXPECT_EQ(owner.unfinished(), 0U);
    cover(one);
    expect_empty();
    cover(one); // twice does no harm
}

TEST_F(Caller, ACallWhoseSaveWasLostIsSentAgainAndResolvedOnce) {
    const TaskId one = call();
    const TaskId two = call();
    send();
    finish(one);
    finish(two);
    cover(one); // the save behind the second was lost
    EXPECT_EQ(restart(), Calls{two});
    EXPECT_EQ(under_way_again, 0U);
    EXPECT_EQ(owner.unfinished(), 0U);
    ASSERT_NE(owner.outcome(two), nullptr); // also while it runs again
    finish(two, 5);
    EXPECT_EQ(owner.outcome(two)->size, 8U); // the first result stays
    EXPECT_EQ(resolved(), 2U);
    take_news();
    EXPECT_EQ(done, 2U);
    EXPECT_EQ(returned, 1U);
    cover(two);
    release(one);
    release(two);
    expect_empty();
}

TEST_F(Caller, ACallWhoseResultWasLostIsResolvedByItsCover) {
    const TaskId one = call();
    send();
    cover(one);
    EXPECT_EQ(resolved(), 1U);
    EXPECT_TRUE(restart().empty());
    finish(one); // of the first host, behind its cover
    EXPECT_EQ(resolved(), 1U);
    release(one);
    expect_empty();
}

TEST_F(Caller, ACallWhoseSaveAndResultWereLostRunsAgain) {
    const TaskId one = call();
    const TaskId two = call();
    send();
    EXPECT_EQ(restart(), (Calls{one, two}));
    EXPECT_EQ(under_way_again, 2U);
    finish(one);
    finish(two);
    EXPECT_EQ(resolved(), 2U);
    EXPECT_EQ(restart(Rank{5}), (Calls{one, two})); // lost twice
    EXPECT_EQ(under_way_again, 2U);
    finish(one);
    cover(one);
    cover(two);
    EXPECT_EQ(resolved(), 2U);
    release(one);
    release(two);
    expect_empty();
}

TEST_F(Caller, AResultCountsFromTheLastHostOnly) {
    const TaskId one = call();
    send();
    restart();
    wire::TaskOutcome late{one, {}, LoneOwner::value(5)};
    owner.on_finished({{late}}, actions, host);
    EXPECT_EQ(resolved(), 0U);
    finish(one);
    EXPECT_EQ(resolved(), 1U);
}

TEST_F(Caller, ACallThatDidNotRunIsNotKept) {
    const TaskId one = call();
    send();
    finish(one, 0, false, true);
    EXPECT_EQ(resolved(), 1U);
    EXPECT_FALSE(owner.keeps_calls(actor));
    EXPECT_TRUE(restart().empty());
    release(one);
    expect_empty();
}

TEST_F(Caller, ACallThatWasToBeCancelledIsNotSentAgain) {
    const TaskId one = call();
    send();
    owner.cancel(one, actions);
    EXPECT_TRUE(restart().empty());
    EXPECT_EQ(owner.outcome(one)->failure.front().kind, Kind::cancelled);
    release(one);
    expect_empty();
}

TEST_F(Caller, AReleasedCallIsSentAgainAllTheSame) {
    const TaskId one = call();
    send();
    finish(one);
    release(one);
    EXPECT_EQ(restart(), Calls{one});
    finish(one);
    cover(one);
    expect_empty();
}

TEST_F(Caller, AnArgumentStaysForAsLongAsTheCallMayRunAgain) {
    const ObjectId object = make_object_id(Rank{0}, 1'000);
    owner.put(object, std::make_shared<int>(), LoneOwner::value(5'000, true), actions);
    const TaskId one = call({object});
    send();
    finish(one);
    release(one);
    release(object);
    owner.flush(actions);
    EXPECT_TRUE(sent<wire::Drop>(actions).empty());
    EXPECT_EQ(restart(), Calls{one});
    EXPECT_EQ(sent<wire::ActorCalls>(actions).back().second.calls.at(0).spec.dependencies.size(),
              1U);
    finish(one);
    cover(one);
    owner.flush(actions);
    EXPECT_EQ(sent<wire::Drop>(actions).size(), 2U); // where it is kept, and where it was fetched
    expect_empty();
}

TEST_F(Caller, ALargeResultThatWasLostWithTheHostIsMadeAnew) {
    const TaskId one = call();
    send();
    finish(one, 5'000, true);
    EXPECT_EQ(restart(), Calls{one});
    EXPECT_EQ(owner.outcome(one), nullptr);
    EXPECT_TRUE(owner.want(one));
    finish(one, 5'000, true);
    EXPECT_EQ(owner.outcome(one)->holder, next_host);
    EXPECT_EQ(owner.take_wanted(), Calls{one});
    EXPECT_EQ(resolved(), 1U);
    take_news();
    EXPECT_EQ(done, 1U);
    cover(one);
    release(one);
    owner.flush(actions);
    expect_empty();
}

TEST_F(Caller, NothingIsKeptOfAnActorThatIsGone) {
    const TaskId one = call();
    const TaskId two = call();
    send();
    finish(one);
    owner.on_term(Rank{1}, {{host, "there"}}, actions);
    owner.forget_calls(actor, LoneOwner::thrown(actor), actions);
    EXPECT_EQ(owner.outcome(two)->failure.front().kind, Kind::dependency);
    release(one);
    release(two);
    expect_empty();
}

TEST(ActorsOwner, RestartsItWithTheLastStateAndTellsTheCallers) {
    LoneOwner owner;
    const TaskId made = make_object_id(Rank{0}, 500);
    Submission submission;
    submission.first = made;
    submission.task_class = testing::cpu_class(1);
    submission.task_class.actor = true;
    submission.tasks.resize(1);
    submission.retry = {.retries = 2, .restarts = 2};
    submission.making = {.save_every = 3};
    owner->submit(std::move(submission), owner.actions);
    owner.grant(made, 1, host, 1);
    EXPECT_EQ(sent<wire::Run>(owner.flush()).at(0).second.making.save_every, 3U);
    owner.finish(made, LoneOwner::value(0, false, host), 1);

    const TaskId of_1 = make_object_id(Rank{1}, 7);
    const TaskId of_3 = make_object_id(Rank{3}, 7);
    owner->on_saved(
        host, {made, testing::bytes(4), {{of_3, {}}, {of_1, {}}, {of_3, {}}}}, owner.actions);
    const auto told = sent<wire::ActorCovered>(owner.flush());
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].first, Rank{1});
    EXPECT_EQ(told[1].second.calls.size(), 2U);

    owner->on_term(Rank{1}, {{host, "there"}}, owner.actions);
    owner->on_saved(host, {made, testing::bytes(9), {}}, owner.actions); // it lives there no more
    owner.grant(made, 1, next_host, 2);
    const auto run = sent<wire::Run>(owner.flush()).at(0);
    EXPECT_EQ(run.first, next_host);
    ASSERT_TRUE(run.second.making.saved.has_value());
    EXPECT_EQ(run.second.making.saved->size(), 4U);
    owner.finish(made, LoneOwner::value(0, false, next_host), 2);
    owner->on_saved(next_host, {made, testing::bytes(5), {}}, owner.actions);
    owner.release(made);
    owner.flush();
    EXPECT_TRUE(owner->empty());
}

} // namespace
} // namespace muster::owner
