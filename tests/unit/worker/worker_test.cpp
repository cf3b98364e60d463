#include "lone_worker.hpp"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

using testing::bytes;
using testing::cpu_class;
using testing::orders;
using testing::sent;

const ObjectId value = make_object_id(Rank{2}, 1000);

wire::Dependency kept(ObjectId object) {
    return {object, {}, 5000, true, Rank{3}};
}

Resources cpus(Amount amount) {
    return {amount, {}, {}, {}};
}

TEST(Worker, QueuesTasksAndReportsTheirResults) {
    LoneWorker worker(cpus(2));
    worker.run(cpu_class(1), 1, 3);
    const auto actions = worker.flush();
    EXPECT_EQ(orders<wire::EnqueueTask>(actions).size(), 3U);
    EXPECT_EQ(granted(actions), (std::vector<wire::ClassIndex>{0, 0}));

    worker.finish(1, 10);
    worker.finish(2, 10);
    const auto report = worker.flush();
    const auto finished = sent<wire::Finished>(report);
    ASSERT_EQ(finished.size(), 1U);
    EXPECT_EQ(finished[0].first, Rank{2});
    ASSERT_EQ(finished[0].second.tasks.size(), 2U);
    EXPECT_EQ(finished[0].second.tasks[0].outcome.value.size(), 10U);
    const auto progress = sent<wire::Progress>(report);
    ASSERT_EQ(progress.size(), 1U);
    EXPECT_EQ(progress[0].first, Rank{0});
    ASSERT_EQ(progress[0].second.leases.size(), 1U);
    EXPECT_EQ(progress[0].second.leases[0].finished, 2U);

    worker.finish(3);
    worker.return_slot(0);
    worker.return_slot(0);
    EXPECT_TRUE(worker->idle());
}

TEST(Worker, KeepsLargeResultsHere) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 1);
    worker.flush();
    worker.finish(1, 5000);
    const auto finished = sent<wire::Finished>(worker.flush());
    const auto& outcome = finished.at(0).second.tasks.at(0).outcome;
    EXPECT_TRUE(outcome.kept);
    EXPECT_EQ(outcome.holder, Rank{1});
    EXPECT_EQ(outcome.size, 5000U);
    EXPECT_TRUE(outcome.value.empty());
    EXPECT_NE(worker.store.find(LoneWorker::task(1)), nullptr);
}

TEST(Worker, StartsATaskWhenItsDependenciesAreHere) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1),
               1,
               1,
               {kept(value), {advance(value, 1), bytes(3), 3, false, {}}, kept(value)});
    const auto waiting = worker.flush();
    EXPECT_TRUE(orders<wire::EnqueueTask>(waiting).empty());
    EXPECT_EQ(sent<wire::Fetch>(waiting).size(), 1U); // one value, though two arguments take it

    worker->on_dependency(LoneWorker::task(1), value, bytes(5000), worker.actions);
    worker->on_dependency(LoneWorker::task(1), value, bytes(5000), worker.actions);
    const auto ready = orders<wire::EnqueueTask>(worker.flush());
    ASSERT_EQ(ready.size(), 1U);
    ASSERT_EQ(ready[0].task.dependencies.size(), 3U);
    EXPECT_EQ(ready[0].task.dependencies[0].size(), 5000U);
    EXPECT_EQ(ready[0].task.dependencies[1].size(), 3U);
    EXPECT_EQ(ready[0].task.dependencies[2].size(), 5000U);
}

TEST(Worker, LostDependencyFailsTheTask) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 1, {kept(value)});
    worker->on_dependency(LoneWorker::task(1), value, std::nullopt, worker.actions);
    const auto finished = sent<wire::Finished>(worker.flush());
    ASSERT_EQ(finished.size(), 1U);
    EXPECT_EQ(finished[0].second.tasks[0].outcome.failure[0].kind,
              wire::FailureRecord::Kind::object_lost);
    EXPECT_TRUE(worker->idle());
}

TEST(Worker, StopsATaskThatIsFetchingAtOnceAndAsksTheExecutorsForOthers) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 1, {kept(value)});
    worker.run(cpu_class(1), 2, 1);
    worker.flush();
    worker->on_stop({LoneWorker::task(1), LoneWorker::lease(1)}, worker.actions);
    worker->on_stop({LoneWorker::task(2), LoneWorker::lease(2)}, worker.actions);
    worker->on_stop({LoneWorker::task(2), LoneWorker::lease(9)}, worker.actions); // an older lease
    worker->on_stop({LoneWorker::task(3), LoneWorker::lease(3)}, worker.actions); // not here
    const auto actions = worker.flush();
    ASSERT_EQ(orders<wire::StopTask>(actions).size(), 1U);
    EXPECT_EQ(orders<wire::StopTask>(actions)[0].task, LoneWorker::task(2));
    EXPECT_EQ(sent<wire::Finished>(actions).at(0).second.tasks.at(0).id, LoneWorker::task(1));

    worker->on_taken_back({LoneWorker::task(2)}, false, worker.actions);
    const auto cancelled = sent<wire::Finished>(worker.flush());
    EXPECT_EQ(cancelled.at(0).second.tasks.at(0).outcome.failure.at(0).kind,
              wire::FailureRecord::Kind::cancelled);
}

TEST(Worker, HandsBackFetchingTasksFirstAndProgressBeforeThem) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 3);
    worker.run(cpu_class(1), 4, 1, {kept(value)});
    worker.flush();
    worker.finish(1);
    worker->on_recall(Rank{0}, {cpu_class(1), 2}, worker.actions);
    const auto order = orders<wire::TakeBackTasks>(worker.actions);
    ASSERT_EQ(order.size(), 1U);
    EXPECT_EQ(order[0].count, 1U);
    worker->on_taken_back({LoneWorker::task(3)}, true, worker.actions);
    const auto actions = worker.flush();
    const auto messages = orders<wire::SendMessage>(actions);
    ASSERT_GE(messages.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<wire::Progress>(messages[messages.size() - 2].message));
    const auto& returned = std::get<wire::Returned>(messages.back().message);
    ASSERT_EQ(returned.tasks.size(), 2U);
    EXPECT_EQ(returned.tasks[0].task, LoneWorker::task(4));
    EXPECT_EQ(returned.tasks[1].task, LoneWorker::task(3));
    EXPECT_EQ(worker->task_count(), 1U);
}

TEST(Worker, KeepsTwoRecallsApart) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 2, {kept(value)});
    worker.run(cpu_class(2), 3, 2);
    worker.flush();
    worker->on_recall(Rank{0}, {cpu_class(1), 2}, worker.actions);
    worker->on_recall(Rank{0}, {cpu_class(2), 1}, worker.actions);
    worker->on_taken_back({}, true, worker.actions);
    worker->on_taken_back({LoneWorker::task(4)}, true, worker.actions);
    const auto returned = sent<wire::Returned>(worker.flush());
    ASSERT_EQ(returned.size(), 2U);
    EXPECT_EQ(returned[0].second.task_class, cpu_class(1));
    EXPECT_EQ(returned[0].second.tasks.size(), 2U);
    EXPECT_EQ(returned[1].second.tasks.at(0).task, LoneWorker::task(4));
}

TEST(Worker, HandsBackWhatARecallAskedForBeforeItCame) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 1);
    worker.flush();
    worker->on_recall(Rank{0}, {cpu_class(1), 1}, worker.actions);
    worker->on_taken_back({}, true, worker.actions);
    EXPECT_TRUE(sent<wire::Returned>(worker.flush()).at(0).second.tasks.empty());

    worker.run(cpu_class(1), 2, 3); // none of them can start
    const auto late = orders<wire::TakeBackTasks>(worker.flush());
    ASSERT_EQ(late.size(), 1U);
    EXPECT_EQ(late[0].count, 1U);
    worker->on_taken_back({LoneWorker::task(4)}, true, worker.actions);
    EXPECT_EQ(sent<wire::Returned>(worker.flush()).at(0).second.tasks.at(0).task,
              LoneWorker::task(4));
}

TEST(Worker, OwesNothingToARecallAfterProgress) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 1);
    worker.flush();
    worker->on_recall(Rank{0}, {cpu_class(1), 1}, worker.actions);
    worker->on_taken_back({}, true, worker.actions);
    worker.finish(1);
    worker.flush();
    worker.run(cpu_class(1), 2, 3);
    EXPECT_TRUE(orders<wire::TakeBackTasks>(worker.flush()).empty());
}

TEST(Worker, RecalledTaskThatComesBackTakesTheValueOfItsFirstStay) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 1, {kept(value)});
    worker->on_recall(Rank{0}, {cpu_class(1), 1}, worker.actions);
    worker->on_taken_back({}, true, worker.actions);
    worker.run(cpu_class(1), 1, 1, {kept(value)});
    EXPECT_EQ(sent<wire::Fetch>(worker.flush()).size(), 1U);
    // Two waiters, one of each stay.
    worker->on_dependency(LoneWorker::task(1), value, bytes(5000), worker.actions);
    worker->on_dependency(LoneWorker::task(1), value, bytes(5000), worker.actions);
    EXPECT_EQ(orders<wire::EnqueueTask>(worker.flush()).size(), 1U);
}

} // namespace
} // namespace muster::worker
