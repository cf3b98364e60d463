#include "lone_owner.hpp"

#include <gtest/gtest.h>

namespace muster::owner {
namespace {

using namespace std::chrono_literals;
using testing::orders;
using testing::sent;
using Kind = wire::FailureRecord::Kind;

constexpr Rank worker{2};
const std::vector<LostRank> worker_lost{{worker, "there"}};

/// Owner of tasks that may be retried.
class Retrying {
public:
    explicit Retrying(RetryPolicy policy) : policy_(policy) {
        owner_.on_term(Rank{1}, {}, actions);
    }

    TaskId submit(const std::vector<ObjectId>& dependencies = {}) {
        const TaskId task = make_object_id(Rank{0}, next_++);
        Submission submission;
        submission.first = task;
        submission.task_class = testing::cpu_class(1);
        submission.tasks.resize(1);
        submission.tasks.front().dependencies = dependencies;
        submission.futures = std::make_shared<int>();
        submission.retry = policy_;
        owner_.submit(std::move(submission), actions);
        owner_.check_invariants();
        return task;
    }

    void grant(TaskId task, Rank to = worker) {
        owner_.on_grant({make_lease_id(Term{term}, ++lease_), {task, 1}, to, {}}, actions);
        owner_.check_invariants();
    }

    void finish(TaskId task, wire::Outcome outcome) {
        owner_.on_finished({{{task, make_lease_id(Term{term}, lease_), std::move(outcome)}}},
                           actions);
        owner_.check_invariants();
    }

    wire::Actions lose(const std::vector<LostRank>& ranks) {
        flush();
        ++term;
        owner_.on_term(Rank{1}, ranks, actions);
        return flush();
    }

    wire::Actions flush() {
        owner_.flush(actions);
        owner_.check_invariants();
        return std::exchange(actions, {});
    }

    static wire::Outcome failed(Kind kind) {
        wire::Outcome outcome;
        outcome.kind = wire::Outcome::Kind::failed;
        outcome.failure.emplace_back();
        outcome.failure.front().kind = kind;
        return outcome;
    }

    Owner* operator->() { return &owner_; }

private:
    Owner owner_{{.self = Rank{0}, .host = "host"}};
    RetryPolicy policy_;
    std::uint64_t next_ = 1;
    std::uint64_t lease_ = 0;

public:
    wire::Actions actions;
    std::uint32_t term = 1;
};

std::vector<ObjectId> submitted(const wire::Actions& actions) {
    std::vector<ObjectId> tasks;
    for (const auto& [to, message] : sent<wire::Submit>(actions)) {
        for (const auto& range : message.ranges) {
            for (std::uint64_t i = 0; i < range.count; ++i) {
                tasks.push_back(advance(range.first, i));
            }
        }
    }
    return tasks;
}

TEST(OwnerRecovery, AnAttemptOnALostRankIsMadeUpForAsOftenAsAllowed) {
    Retrying owner({.retries = 2});
    const TaskId task = owner.submit();
    for (std::int32_t i = 0; i < 2; ++i) {
        owner.grant(task, Rank{2 + i});
        EXPECT_EQ(submitted(owner.lose({{Rank{2 + i}, "there"}})), std::vector{task}) << i;
    }
    owner.grant(task, Rank{4});
    const auto failed = orders<wire::ResolveFuture>(owner.lose({{Rank{4}, "there"}}));
    ASSERT_EQ(failed.size(), 1U);
    const auto& record = failed[0].outcome.failure.front();
    EXPECT_EQ(record.kind, Kind::system);
    EXPECT_EQ(record.attempt, 3U);
    EXPECT_NE(record.message.find("rank 4 on there"), std::string::npos) << record.message;
}

TEST(OwnerRecovery, AProcessThatDiedIsALostAttempt) {
    Retrying owner({.retries = 1});
    const TaskId task = owner.submit();
    owner.flush();
    owner.grant(task);
    owner.finish(task, Retrying::failed(Kind::system));
    EXPECT_EQ(submitted(owner.flush()), std::vector{task});
    owner.grant(task);
    owner.finish(task, Retrying::failed(Kind::system));
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).size(), 1U);
}

TEST(OwnerRecovery, ExceptionsAreRetriedOnlyIfAskedForAndLaterEachTime) {
    Retrying plain({.retries = 3});
    const TaskId once = plain.submit();
    plain.grant(once);
    plain.finish(once, Retrying::failed(Kind::exception));
    EXPECT_EQ(plain->unfinished(), 0U);

    Retrying owner({.retries = 3, .exceptions = true, .delay = 100ms});
    const TaskId task = owner.submit();
    owner.flush();
    TimePoint now{};
    for (const auto delay : {100ms, 200ms, 400ms}) {
        owner->on_time(now, owner.actions);
        owner.grant(task);
        owner.finish(task, Retrying::failed(Kind::exception));
        EXPECT_TRUE(submitted(owner.flush()).empty());
        EXPECT_EQ(owner->next_timer(), now + delay);
        now += delay - 1ns;
        owner->on_time(now, owner.actions);
        EXPECT_TRUE(submitted(owner.flush()).empty());
        now += 1ns;
        owner->on_time(now, owner.actions);
        EXPECT_EQ(submitted(owner.flush()), std::vector{task});
    }
    EXPECT_EQ(owner->next_timer(), std::nullopt);
}

TEST(OwnerRecovery, ATaskThatWaitsForItsNextAttemptCanBeCancelled) {
    Retrying owner({.retries = 3, .exceptions = true, .delay = 100ms});
    const TaskId task = owner.submit();
    owner.grant(task);
    owner.finish(task, Retrying::failed(Kind::exception));
    owner->cancel(task, owner.actions);
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).size(), 1U);
    owner->on_time(TimePoint{1h}, owner.actions);
    EXPECT_TRUE(submitted(owner.flush()).empty());
}

TEST(OwnerRecovery, ATaskThatWaitsForItsNextAttemptThenWaitsForWhatWasLostMeanwhile) {
    Retrying owner({.retries = 3, .exceptions = true, .delay = 100ms});
    const TaskId made = owner.submit();
    const TaskId task = owner.submit({made});
    owner.grant(made, Rank{2});
    wire::Outcome kept;
    kept.kept = true;
    kept.holder = Rank{2};
    kept.size = 1'000'000;
    owner.finish(made, std::move(kept));
    owner.grant(task, Rank{3});
    owner.finish(task, Retrying::failed(Kind::exception));
    EXPECT_EQ(submitted(owner.lose({{Rank{2}, "there"}})), std::vector{made});
    owner->on_time(TimePoint{1h}, owner.actions);
    EXPECT_TRUE(submitted(owner.flush()).empty());
    owner.grant(made, Rank{3});
    owner.finish(made, {});
    EXPECT_EQ(submitted(owner.flush()), std::vector{task});
}

TEST(OwnerRecovery, ACancelledTaskWhoseRankIsLostIsCancelledAndNotRetried) {
    Retrying owner({.retries = 3});
    const TaskId task = owner.submit();
    owner.grant(task, Rank{2});
    owner->cancel(task, owner.actions);
    const auto ended = orders<wire::ResolveFuture>(owner.lose({{Rank{2}, "there"}}));
    ASSERT_EQ(ended.size(), 1U);
    const auto& record = ended[0].outcome.failure.front();
    EXPECT_EQ(record.kind, Kind::cancelled);
    EXPECT_NE(record.message.find("rank 2 on there"), std::string::npos) << record.message;
}

TEST(OwnerRecovery, LateResultsOfAnAttemptThatWasGivenUpDoNotCount) {
    Retrying owner({.retries = 3});
    const TaskId task = owner.submit();
    owner.grant(task);
    const LeaseId old = make_lease_id(Term{1}, 1);
    owner.lose(worker_lost);
    owner->on_finished({{{task, old, LoneOwner::value(1)}}}, owner.actions);
    EXPECT_EQ(owner->unfinished(), 1U);
    owner.grant(task, Rank{3});
    owner.finish(task, LoneOwner::value(1));
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).size(), 1U);
}

TEST(OwnerRecovery, ANewCoordinatorHearsOfAllThatWaitsForALease) {
    Retrying owner({.retries = 3});
    const TaskId waiting = owner.submit();
    const TaskId running = owner.submit();
    const TaskId later = owner.submit({running});
    owner.flush();
    owner.grant(running, Rank{3});
    const auto actions = owner.lose(worker_lost);
    EXPECT_EQ(submitted(actions), std::vector{waiting});
    const auto questions = sent<wire::Confirm>(actions);
    ASSERT_EQ(questions.size(), 1U);
    EXPECT_EQ(questions[0].first, Rank{3});
    EXPECT_EQ(questions[0].second.tasks[0].range.first, running);
    // It never came there.
    owner->on_not_here({{{make_lease_id(Term{1}, 1), running}}}, owner.actions);
    EXPECT_EQ(submitted(owner.flush()), std::vector{running});
    static_cast<void>(later);
}

TEST(OwnerRecovery, AValueThatALostRankKeptIsMadeAnew) {
    Retrying owner({.retries = 3});
    const TaskId task = owner.submit();
    owner.grant(task);
    owner.finish(task, LoneOwner::value(5000, true, worker));
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).size(), 1U);
    EXPECT_EQ(submitted(owner.lose(worker_lost)), std::vector{task});
    EXPECT_TRUE(owner->want(task));
    owner.grant(task, Rank{3});
    owner.finish(task, LoneOwner::value(5000, true, Rank{3}));
    EXPECT_TRUE(orders<wire::ResolveFuture>(owner.flush()).empty()); // it was resolved before
    EXPECT_EQ(owner->take_wanted(), std::vector{task});
    EXPECT_EQ(owner->outcome(task)->holder, Rank{3});
}

TEST(OwnerRecovery, SoIsWhatItWasMadeFromThoughNobodyElseNeedsThat) {
    Retrying owner({.retries = 3});
    const TaskId first = owner.submit();
    const TaskId second = owner.submit({first});
    owner.grant(first);
    owner.finish(first, LoneOwner::value(5000, true, worker));
    owner.grant(second);
    owner.finish(second, LoneOwner::value(5000, true, worker));
    owner->release(first, owner.actions);
    EXPECT_EQ(sent<wire::Drop>(owner.flush()).size(), 1U);
    EXPECT_EQ(submitted(owner.lose(worker_lost)), std::vector{first});
    owner.grant(first, Rank{3});
    owner.finish(first, LoneOwner::value(5000, true, Rank{3}));
    EXPECT_EQ(submitted(owner.flush()), std::vector{second});
    owner.grant(second, Rank{3});
    owner.finish(second, LoneOwner::value(5000, true, Rank{3}));
    EXPECT_EQ(sent<wire::Drop>(owner.flush()).size(), 1U); // the first again
    owner->release(second, owner.actions);
    owner.flush();
    EXPECT_TRUE(owner->empty());
}

TEST(OwnerRecovery, AValueThatMayNotBeMadeAgainIsLostAndItsDependentsWithIt) {
    Retrying owner({.retries = 0});
    const TaskId task = owner.submit();
    owner.grant(task);
    owner.finish(task, LoneOwner::value(5000, true, worker));
    const TaskId waiting = owner.submit({task});
    owner.flush();
    const auto resolved = orders<wire::ResolveFuture>(owner.lose(worker_lost));
    ASSERT_EQ(resolved.size(), 1U);
    EXPECT_EQ(resolved[0].object, waiting);
    EXPECT_EQ(resolved[0].outcome.failure.back().kind, Kind::object_lost);
    EXPECT_EQ(owner->outcome(task)->failure.front().kind, Kind::object_lost);
}

TEST(OwnerRecovery, TasksWaitAgainForAnArgumentThatIsMadeAnew) {
    Retrying owner({.retries = 3});
    const TaskId task = owner.submit();
    owner.grant(task);
    owner.finish(task, LoneOwner::value(5000, true, worker));
    const TaskId queued = owner.submit({task});
    const TaskId fetching = owner.submit({task});
    owner.flush();
    owner.grant(fetching, Rank{3});
    EXPECT_EQ(submitted(owner.lose(worker_lost)), std::vector{task});
    owner->on_finished(
        {{{fetching, make_lease_id(Term{1}, 2), Retrying::failed(Kind::object_lost)}}},
        owner.actions);
    EXPECT_TRUE(submitted(owner.flush()).empty());
    owner.grant(task, Rank{3});
    owner.finish(task, LoneOwner::value(5000, true, Rank{3}));
    EXPECT_EQ(submitted(owner.flush()), (std::vector{queued, fetching}));
}

TEST(OwnerRecovery, ABorrowedValueWhoseOwnerIsLostIsLostUnlessItWasThere) {
    Retrying owner({});
    const ObjectId there = make_object_id(worker, 1);
    const ObjectId coming = make_object_id(worker, 2);
    for (const ObjectId object : {there, coming}) {
        owner->borrow(object, std::make_shared<int>(), owner.actions);
    }
    owner->on_object_ready({there, LoneOwner::value(5000, true, Rank{3})}, owner.actions);
    const auto resolved = orders<wire::ResolveFuture>(owner.lose(worker_lost));
    ASSERT_EQ(resolved.size(), 1U);
    EXPECT_EQ(resolved[0].object, coming);
    EXPECT_EQ(owner->outcome(there)->holder, Rank{3});
    // And one that comes here later.
    owner->borrow(make_object_id(worker, 3), std::make_shared<int>(), owner.actions);
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).size(), 1U);
}

TEST(OwnerRecovery, WhatNoRankThatIsLeftCanRunFails) {
    Retrying owner({.retries = 3});
    const TaskId task = owner.submit();
    owner.lose(worker_lost);
    owner->on_infeasible({{{task, 1}}}, owner.actions);
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 1U);
    EXPECT_NE(resolved[0].outcome.failure.front().message.find("rank 2 on there"),
              std::string::npos);
}

TEST(OwnerRecovery, ATaskRecalledFromAValueThatWasLostMeanwhileIsNotSentOn) {
    Retrying owner({.retries = 2});
    const TaskId maker = owner.submit();
    owner.flush();
    owner.grant(maker);
    owner.finish(maker, LoneOwner::value(5000, true, worker));
    const TaskId user = owner.submit({maker});
    owner.flush();
    owner.grant(user, Rank{3});
    owner.flush();
    (void)owner.lose(worker_lost); // the value is made anew
    owner.grant(user, Rank{4});    // rank 3 was waiting for it, and has given the task back
    const auto orders = owner.flush();
    EXPECT_TRUE(sent<wire::Run>(orders).empty());
    EXPECT_EQ(sent<wire::Progress>(orders).at(0).second.leases.at(0).finished, 1U);
    owner.grant(maker, Rank{4});
    owner.finish(maker, LoneOwner::value(5000, true, Rank{4}));
    EXPECT_EQ(sent<wire::Submit>(owner.flush()).at(0).second.ranges.at(0).first, user);
}

} // namespace
} // namespace muster::owner
