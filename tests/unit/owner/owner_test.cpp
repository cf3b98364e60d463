#include "lone_owner.hpp"

#include <gtest/gtest.h>

namespace muster::owner {
namespace {

using testing::bytes;
using testing::orders;
using testing::sent;
using Kind = wire::FailureRecord::Kind;

TEST(Owner, SubmitsReadyTasksOncePerFlushAsRanges) {
    LoneOwner owner;
    const TaskId first = owner.submit(3);
    owner.submit(2);
    const auto submits = sent<wire::Submit>(owner.flush());
    ASSERT_EQ(submits.size(), 1U);
    EXPECT_EQ(submits[0].first, Rank{1});
    EXPECT_EQ(submits[0].second.ranges, (std::vector{wire::Range{first, 5}}));
    EXPECT_TRUE(owner.flush().empty());
}

TEST(Owner, SendsGrantedTasksToTheirWorker) {
    LoneOwner owner;
    const ObjectId argument = owner.put(10);
    const TaskId task = owner.submit(1, {argument});
    owner.flush();
    owner.grant(task, 1);
    const auto runs = sent<wire::Run>(owner.flush());
    ASSERT_EQ(runs.size(), 1U);
    EXPECT_EQ(runs[0].first, Rank{2});
    const auto& spec = runs[0].second.tasks.at(0);
    EXPECT_EQ(spec.attempt, 1U);
    EXPECT_EQ(spec.dependencies.at(0).object, argument);
    EXPECT_EQ(spec.dependencies.at(0).value.size(), 10U);
}

TEST(Owner, TellsAWorkerWhichGpusATaskHasAndWhichOfItsDemandsWasMet) {
    LoneOwner owner;
    auto task_class = testing::cpu_class(1);
    const Resources gpus{0, 2, {}, {}};
    task_class.alternatives = {task_class.demand, gpus};
    task_class.undecided = true;
    const TaskId task = make_object_id(Rank{0}, 100);
    owner->submit({task, task_class, "", {NewTask{{}, {}}}, std::make_shared<int>()},
                  owner.actions);
    EXPECT_EQ(sent<wire::Submit>(owner.flush()).at(0).second.task_class, task_class);
    wire::Grant grant{make_lease_id(Term{1}, 1), {task, 1}, Rank{2}, {}};
    grant.devices = {1, 4};
    grant.alternative = 1;
    owner->on_grant(grant, owner.actions);
    const auto runs = sent<wire::Run>(owner.flush());
    ASSERT_EQ(runs.size(), 1U);
    EXPECT_EQ(runs[0].second.devices, (wire::DeviceList{1, 4}));
    EXPECT_EQ(runs[0].second.task_class.demand, gpus);
    EXPECT_FALSE(runs[0].second.task_class.undecided);
}

TEST(Owner, SplitsALargeGrantIntoMessages) {
    LoneOwner owner;
    const TaskId first = owner.submit(600);
    owner.flush();
    owner.grant(first, 600);
    EXPECT_EQ(sent<wire::Run>(owner.flush()).size(), 3U);
}

TEST(Owner, TaskWaitsForItsDependency) {
    LoneOwner owner;
    const TaskId first = owner.submit(1);
    const TaskId second = owner.submit(1, {first, first});
    owner.flush();
    owner.grant(first, 1);
    owner.flush();
    owner.finish(first, LoneOwner::value(7));
    const auto actions = owner.flush();
    EXPECT_EQ(sent<wire::Submit>(actions).at(0).second.ranges,
              (std::vector{wire::Range{second, 1}}));
    const auto resolved = orders<wire::ResolveFuture>(actions);
    ASSERT_EQ(resolved.size(), 1U);
    EXPECT_EQ(resolved[0].object, first);
}

TEST(Owner, IgnoresResultsOfAnotherLease) {
    LoneOwner owner;
    const TaskId task = owner.submit(1);
    owner.flush();
    owner.grant(task, 1, Rank{2}, 1);
    owner.grant(task, 1, Rank{3}, 2); // it was recalled
    owner.flush();
    owner.finish(task, LoneOwner::value(1), 1);
    EXPECT_TRUE(owner.flush().empty());
    owner.finish(task, LoneOwner::value(1), 2);
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).size(), 1U);
    owner.finish(task, LoneOwner::value(1), 2);
    EXPECT_TRUE(owner.flush().empty());
}

TEST(Owner, FailureReachesAllThatDependOnItWithTheChainOfReasons) {
    LoneOwner owner;
    const TaskId first = owner.submit(1);
    const TaskId second = owner.submit(1, {first});
    const TaskId third = owner.submit(1, {second, first});
    owner.flush();
    owner.grant(first, 1);
    owner.flush();
    owner.finish(first, LoneOwner::thrown(first));
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 3U);
    EXPECT_EQ(resolved[0].object, first);
    for (const auto& future : {resolved[1], resolved[2]}) {
        EXPECT_EQ(future.outcome.failure.front().kind, Kind::dependency);
        EXPECT_EQ(future.outcome.failure.back().kind, Kind::exception);
        EXPECT_EQ(future.outcome.failure.back().task, first);
    }
    const TaskId late = owner.submit(1, {third});
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).at(0).object, late);
    EXPECT_EQ(owner->unfinished(), 0U);
}

TEST(Owner, CancelsAtOnceWhatWasNotGranted) {
    LoneOwner owner;
    const TaskId first = owner.submit(2);
    const TaskId waiting = owner.submit(1, {first});
    owner.flush();
    owner->cancel(advance(first, 1), owner.actions);
    owner->cancel(waiting, owner.actions);
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 2U);
    EXPECT_EQ(resolved[0].outcome.failure.at(0).kind, Kind::cancelled);
    // The coordinator still has it, and grants it.
    owner.grant(first, 2);
    const auto actions = owner.flush();
    EXPECT_EQ(sent<wire::Run>(actions).at(0).second.tasks.size(), 1U);
    const auto progress = sent<wire::Progress>(actions);
    ASSERT_EQ(progress.size(), 1U);
    EXPECT_EQ(progress[0].second.leases.at(0).finished, 1U);
    EXPECT_EQ(progress[0].second.leases.at(0).busy, Duration{});
}

TEST(Owner, AsksTheWorkerToStopAGrantedTaskAndNeverGrantsItAgain) {
    LoneOwner owner;
    const TaskId task = owner.submit(1);
    owner.flush();
    owner.grant(task, 1);
    owner.flush();
    owner->cancel(task, owner.actions);
    owner->cancel(task, owner.actions);
    const auto stops = sent<wire::Stop>(owner.flush());
    ASSERT_EQ(stops.size(), 1U);
    EXPECT_EQ(stops[0].first, Rank{2});
    owner.grant(task, 1, Rank{3}, 2); // it was recalled before the worker heard of it
    const auto actions = owner.flush();
    EXPECT_TRUE(sent<wire::Run>(actions).empty());
    EXPECT_EQ(orders<wire::ResolveFuture>(actions).at(0).outcome.failure.at(0).kind,
              Kind::cancelled);
    EXPECT_EQ(sent<wire::Progress>(actions).size(), 1U);
}

TEST(Owner, DropsAValueWithItsLastUseEverywhere) {
    LoneOwner owner;
    const TaskId maker = owner.submit(1);
    owner.flush();
    owner.grant(maker, 1, Rank{2});
    owner.finish(maker, LoneOwner::value(5000, true, Rank{2}));
    const TaskId user = owner.submit(1, {maker});
    owner.flush();
    owner.grant(user, 1, Rank{3}, 2);
    owner.release(maker);
    EXPECT_TRUE(sent<wire::Drop>(owner.flush()).empty()) << "a task still uses it";
    owner.finish(user, LoneOwner::value(1), 2);
    const auto drops = sent<wire::Drop>(owner.flush());
    ASSERT_EQ(drops.size(), 2U);
    EXPECT_EQ(drops[0].first, Rank{2});
    EXPECT_EQ(drops[1].first, Rank{3});
    owner.release(user);
    EXPECT_TRUE(owner->empty());
}

TEST(Owner, KeepsATaskWhoseFutureWasDroppedUntilItIsDone) {
    LoneOwner owner;
    const TaskId task = owner.submit(1);
    owner.release(task);
    owner.flush();
    EXPECT_FALSE(owner->empty());
    owner.grant(task, 1);
    owner.flush();
    owner.finish(task, LoneOwner::value(1));
    EXPECT_TRUE(owner.flush().empty()); // nobody to tell
    EXPECT_TRUE(owner->empty());
}

TEST(Owner, TaskOnAValueThatIsGoneFails) {
    LoneOwner owner;
    const ObjectId object = owner.put(10);
    owner.release(object);
    owner.flush();
    owner.submit(1, {object});
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 1U);
    EXPECT_EQ(resolved[0].outcome.failure.at(0).kind, Kind::object_lost);
}

TEST(Owner, AFreedValueGoesWithItsLastTaskWhateverHoldsIt) {
    LoneOwner owner;
    const TaskId maker = owner.submit(1);
    owner->free(maker, owner.actions); // not done: no effect
    owner.flush();
    owner.grant(maker, 1, Rank{2});
    owner.finish(maker, LoneOwner::value(5000, true, Rank{2}));
    owner->pin(maker);
    const TaskId user = owner.submit(1, {maker});
    owner.flush();
    owner.grant(user, 1, Rank{3}, 2);
    owner->free(maker, owner.actions);
    EXPECT_TRUE(sent<wire::Drop>(owner.flush()).empty()) << "a task still uses it";
    owner.finish(user, LoneOwner::value(1), 2);
    EXPECT_EQ(sent<wire::Drop>(owner.flush()).size(), 2U);
    EXPECT_EQ(owner->outcome(maker), nullptr);
    owner.submit(1, {maker});
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 1U);
    EXPECT_EQ(resolved[0].outcome.failure.at(0).kind, Kind::object_lost);
    owner.release(maker);
    owner->free(maker, owner.actions);
    owner->free(make_object_id(Rank{3}, 1), owner.actions);
    EXPECT_EQ(sent<wire::Free>(owner.flush()).at(0).first, Rank{3});
}

TEST(Owner, PinnedObjectOutlivesItsFutures) {
    LoneOwner owner;
    const ObjectId object = owner.put(10);
    owner->pin(object);
    owner.release(object);
    EXPECT_NE(owner->outcome(object), nullptr);
}

} // namespace
} // namespace muster::owner
