#include "lone_worker.hpp"
#include "worker/run_queue.hpp"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

using testing::cpu_class;
using testing::orders;
using testing::sent;
using Kind = wire::FailureRecord::Kind;

const Resources two_cpus{2, {}, {}, {}};

wire::Dependency kept_elsewhere() {
    return {make_object_id(Rank{2}, 1000), {}, 5000, true, Rank{3}};
}

TEST(Worker, ThatDrainsStartsNothing) {
    LoneWorker worker(two_cpus);
    worker.run(cpu_class(1), 1, 1);
    EXPECT_EQ(granted(worker.flush()).size(), 1U);
    worker->drain();
    worker.run(cpu_class(1), 2, 3);
    EXPECT_TRUE(granted(worker.flush()).empty());
    worker.finish(1);
    worker.return_slot(0);
    EXPECT_TRUE(granted(worker.flush()).empty());
}

TEST(Worker, ThatDrainsSeatsMembersAndResumesTasks) {
    LoneWorker worker({1, {}, {}, {}});
    worker.run(cpu_class(1), 1, 1);
    worker.flush();
    worker->on_blocked(worker.task(1), false, worker.actions);
    worker->drain();
    auto members = cpu_class(2);
    members.ranks = 2;
    wire::Run run{worker.lease(5), members, "", {{worker.task(5), 1, {}, {}}}, {}, 0};
    run.gang = {worker.lease(5), {Rank{1}, Rank{0}}, false};
    worker->on_run(Rank{2}, std::move(run), worker.store, worker.actions);
    EXPECT_EQ(granted(worker.flush()).size(), 1U);
    worker->on_resuming(worker.task(1));
    worker.finish(5);
    worker.return_slot(1);
    EXPECT_EQ(orders<wire::ResumeTask>(worker.flush()).size(), 1U);
}

TEST(Worker, ThatHaltsFailsWhatHasNotStartedAndStopsTheRest) {
    LoneWorker worker(two_cpus);
    worker.run(cpu_class(1), 1, 3);
    worker.run(cpu_class(1), 7, 1, {kept_elsewhere()});
    worker.flush();
    worker->halt(worker.actions);
    const auto halted = worker.flush();
    ASSERT_EQ(orders<wire::StopTask>(halted).size(), 3U);
    EXPECT_EQ(orders<wire::StopTask>(halted)[0].task, worker.task(1));
    const auto failed = sent<wire::Finished>(halted);
    ASSERT_EQ(failed.size(), 1U);
    ASSERT_EQ(failed[0].second.tasks.size(), 1U);
    EXPECT_EQ(failed[0].second.tasks[0].id, worker.task(7));
    EXPECT_EQ(failed[0].second.tasks[0].outcome.failure.at(0).kind, Kind::ended);

    // The executors had not started the third.
    worker->on_taken_back({worker.task(3)}, false, worker.actions);
    const auto third = sent<wire::Finished>(worker.flush());
    EXPECT_EQ(third.at(0).second.tasks.at(0).outcome.failure.at(0).kind, Kind::ended);

    // One whose specification was on its way.
    worker.run(cpu_class(2), 9, 1, {kept_elsewhere()});
    const auto late = worker.flush();
    EXPECT_TRUE(orders<wire::EnqueueTask>(late).empty());
    EXPECT_EQ(sent<wire::Finished>(late).at(0).second.tasks.at(0).outcome.failure.at(0).kind,
              Kind::ended);
    worker.finish(1);
    worker.finish(2);
    worker.return_slot(0);
    worker.return_slot(0);
    worker.flush();
    EXPECT_TRUE(worker->idle());
}

TEST(Worker, ATaskThatTimesOutIsReportedAtOnceAndChargedUntilItReturns) {
    LoneWorker worker({1, {}, {}, {}});
    worker.run(cpu_class(1), 1, 1);
    worker.run(cpu_class(2), 5, 1);
    worker.flush();
    worker->on_timed_out(worker.task(1), std::chrono::seconds{30}, worker.actions);
    const auto late = worker.flush();
    EXPECT_EQ(orders<wire::StopTask>(late).size(), 1U);
    const auto reported = sent<wire::Finished>(late);
    ASSERT_EQ(reported.size(), 1U);
    const auto& record = reported[0].second.tasks.at(0).outcome.failure.at(0);
    EXPECT_EQ(record.kind, Kind::timed_out);
    EXPECT_EQ(record.message, "it ran for longer than 30 s, and has been asked to stop");
    EXPECT_TRUE(sent<wire::Progress>(late).empty());
    EXPECT_TRUE(granted(late).empty()) << "its CPU is taken";

    // Another attempt, while this one has not stopped.
    wire::Run again{worker.lease(9), cpu_class(1), "", {{worker.task(1), 2, {}, {}}}, {}, 0};
    worker->on_run(Rank{2}, std::move(again), worker.store, worker.actions);
    const auto refused = worker.flush();
    EXPECT_EQ(sent<wire::Finished>(refused).at(0).second.tasks.at(0).lease, worker.lease(9));
    EXPECT_EQ(sent<wire::Progress>(refused).at(0).second.leases.at(0).lease, worker.lease(9));

    worker.finish(1, 5000);
    worker.return_slot(0);
    const auto returned = worker.flush();
    EXPECT_TRUE(sent<wire::Finished>(returned).empty());
    EXPECT_EQ(sent<wire::Progress>(returned).at(0).second.leases.at(0).lease, worker.lease(1));
    EXPECT_EQ(worker.store.find(worker.task(1)), nullptr);
    EXPECT_EQ(granted(returned).size(), 1U);

    worker->on_timed_out(worker.task(1), std::chrono::seconds{30}, worker.actions);
    EXPECT_TRUE(worker.flush().empty()) << "it has returned";
}

TEST(Worker, AMemberThatTimesOutReleasesTheOthers) {
    LoneWorker worker({1, {}, {}, {}});
    auto members = cpu_class(2);
    members.ranks = 2;
    wire::Run run{worker.lease(5), members, "", {{worker.task(5), 1, {}, {}}}, {}, 0};
    run.gang = {worker.lease(5), {Rank{1}, Rank{3}}, false};
    worker->on_run(Rank{2}, std::move(run), worker.store, worker.actions);
    worker.flush();
    worker->on_timed_out(worker.task(5), std::chrono::seconds{30}, worker.actions);
    const auto late = worker.flush();
    const auto told = sent<wire::GangFailed>(late);
    ASSERT_EQ(told.size(), 2U); // this rank, too
    EXPECT_EQ(told[1].first, Rank{3});
    EXPECT_EQ(told[1].second.failure.kind, Kind::timed_out);
    worker->on_gang_failed(told[0].second, worker.actions);
    worker.flush();
    worker.finish(5);
    worker.return_slot(0);
    const auto returned = worker.flush();
    EXPECT_TRUE(sent<wire::GangFailed>(returned).empty());
    EXPECT_TRUE(sent<wire::Finished>(returned).empty());
    EXPECT_TRUE(worker->idle());
}

TEST(Worker, SaysWhatItHas) {
    LoneWorker worker({1, {}, {}, {}});
    worker.run(cpu_class(1), 1, 4);
    worker.run(cpu_class(2), 7, 2, {kept_elsewhere()});
    worker.flush();
    worker->on_blocked(worker.task(1), false, worker.actions);
    wire::Status status;
    worker->describe(status);
    EXPECT_EQ(status.held, 3U);
    EXPECT_EQ(status.fetching, 2U);
    EXPECT_EQ(status.blocked, 1U);
    EXPECT_EQ(status.capacity.cpus, Amount{1});
    EXPECT_EQ(status.free.cpus, Amount{1});
}

TEST(RunQueue, ThatIsHeldGivesMembersOnly) {
    RunQueue queue;
    wire::ReadyTask task;
    task.id = TaskId{1};
    queue.push(0, task);
    task.id = TaskId{2};
    task.gang = std::make_shared<const wire::Gang>();
    queue.push(1, task);
    queue.hold();
    EXPECT_FALSE(queue.take(0).has_value());
    EXPECT_EQ(queue.take(1)->id, TaskId{2});
    EXPECT_TRUE(queue.remove(0, TaskId{1})) << "it is still there";
}

} // namespace
} // namespace muster::worker
