#include "lone_worker.hpp"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

using testing::cpu_class;
using testing::sent;

constexpr ObjectId group = make_object_id(Rank{2}, 1000);

Resources cpus(Amount amount) {
    return {amount, {}, {}, {}};
}

wire::BundleTake take(std::int32_t bundle, Amount amount) {
    return {{{group, bundle}, cpus(amount)}};
}

wire::TaskClass in(std::int32_t bundle, Amount amount = 1) {
    auto task_class = cpu_class(9, amount);
    task_class.placement = {Placement::Kind::in_group, bundle, group};
    return task_class;
}

TEST(WorkerBundles, TakeTheirResourcesOffTheRanksOwn) {
    LoneWorker worker(cpus(4));
    worker->on_bundle_take(take(0, 3));
    EXPECT_EQ(sent<wire::BundleTaken>(worker.flush()).size(), 1U);
    worker.run(cpu_class(1), 1, 2);
    EXPECT_EQ(granted(worker.flush()).size(), 1U);
    worker.run(in(0), 10, 4);
    EXPECT_EQ(granted(worker.flush()).size(), 3U);
    EXPECT_EQ(*worker->free_in({group, 0}), cpus(0));
}

TEST(WorkerBundles, WaitForRoomAndGetItBeforeAnythingNew) {
    LoneWorker worker(cpus(2));
    worker.run(cpu_class(1), 1, 4); // two of them ahead
    EXPECT_EQ(granted(worker.flush()).size(), 2U);
    worker->on_bundle_take(take(0, 2));
    const auto asked = worker.flush();
    EXPECT_TRUE(sent<wire::BundleTaken>(asked).empty());
    EXPECT_EQ(revoked(asked).size(), 2U);
    EXPECT_EQ(worker->bundles_waiting(), 1U);
    worker.finish(1);
    worker.return_slot(0);
    EXPECT_TRUE(granted(worker.flush()).empty());
    worker.finish(2);
    worker.return_slot(0);
    EXPECT_EQ(sent<wire::BundleTaken>(worker.flush()).size(), 1U);
    EXPECT_EQ(worker->bundles_waiting(), 0U);
}

TEST(WorkerBundles, BlockedTasksLendWithinThem) {
    LoneWorker worker(cpus(2));
    worker->on_bundle_take(take(0, 1));
    worker.flush();
    worker.run(in(0), 1, 2);
    EXPECT_EQ(granted(worker.flush()).size(), 1U);
    worker.run(cpu_class(1), 10, 2);
    EXPECT_EQ(granted(worker.flush()).size(), 1U);
    worker->on_blocked(LoneWorker::task(1), false, worker.actions);
    const auto lent = granted(worker.flush());
    ASSERT_EQ(lent.size(), 1U);
    EXPECT_EQ(worker->task_class(lent.front()).function, FunctionId{9});
    worker->on_resuming(LoneWorker::task(1));
    EXPECT_TRUE(testing::orders<wire::ResumeTask>(worker.flush()).empty());
    worker.finish(2);
    worker.return_slot(lent.front());
    EXPECT_EQ(testing::orders<wire::ResumeTask>(worker.flush()).size(), 1U);
}

TEST(WorkerBundles, ShareTheirCpusWithATaskThatHadLentThem) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 1);
    worker.flush();
    worker->on_blocked(LoneWorker::task(1), false, worker.actions);
    worker->on_bundle_take(take(0, 1));
    EXPECT_EQ(sent<wire::BundleTaken>(worker.flush()).size(), 1U);
    worker->on_resuming(LoneWorker::task(1)); // which may be the one that waits for the group
    EXPECT_EQ(testing::orders<wire::ResumeTask>(worker.flush()).size(), 1U);
    worker.run(cpu_class(2), 5, 1);
    EXPECT_TRUE(granted(worker.flush()).empty());
    // Freed while both use the CPU: the rank's own falls short until one ends.
    worker.run(in(0), 7, 1);
    EXPECT_EQ(granted(worker.flush()).size(), 1U);
    worker->on_bundle_free({{group, 0}});
    EXPECT_TRUE(granted(worker.flush()).empty());
    worker.finish(1);
    worker.return_slot(0);
    EXPECT_TRUE(granted(worker.flush()).empty());
}

TEST(WorkerBundles, LeaveWhatRunsInThemTheRanksOwnResources) {
    LoneWorker worker(cpus(3));
    worker->on_bundle_take(take(0, 3));
    worker.flush();
    worker.run(in(0), 1, 1);
    const auto slots = granted(worker.flush());
    ASSERT_EQ(slots.size(), 1U);
    worker.run(cpu_class(1), 10, 3);
    EXPECT_TRUE(granted(worker.flush()).empty());
    worker->on_bundle_free({{group, 0}});
    EXPECT_EQ(granted(worker.flush()).size(), 2U);
    EXPECT_EQ(worker->free_in({group, 0}), nullptr);
    // One that was granted before comes late, and runs beside the others.
    worker.run(in(0), 2, 1);
    EXPECT_TRUE(granted(worker.flush()).empty());
    worker.finish(1);
    worker.return_slot(slots.front());
    EXPECT_EQ(granted(worker.flush()), slots);
    worker.finish(2);
    worker.return_slot(slots.front());
    EXPECT_EQ(granted(worker.flush()).size(), 1U);
    // Nothing is kept of the class: its number is another's.
    worker.run(cpu_class(5), 20, 1);
    worker.flush();
    EXPECT_EQ(worker->task_class(slots.front()).function, FunctionId{5});
}

TEST(WorkerBundles, AreHeldFromOneCoordinatorToTheNextUnlessTheyWait) {
    LoneWorker worker(cpus(2));
    worker->on_bundle_take(take(1, 2));
    worker.flush();
    worker.run(in(1), 1, 1);
    worker.flush();
    worker->on_bundle_take(take(0, 1));
    worker.flush();
    EXPECT_EQ(worker->bundles_waiting(), 1U);
    worker->on_term(Term{2}, Rank{0}, {}, worker.actions);
    EXPECT_EQ(worker->bundles_waiting(), 0U);
    const auto held = worker->held_bundles();
    ASSERT_EQ(held.size(), 1U);
    EXPECT_EQ(held.front().id, (wire::BundleId{group, 1}));
    EXPECT_EQ(worker->held().front().task_class.placement.target, 1);
}

TEST(WorkerBundles, ComeBackOnlyWhereNothingOfThemRunsAnyMore) {
    LoneWorker worker(cpus(2));
    worker->on_bundle_take(take(0, 1));
    worker.flush();
    worker.run(in(0), 1, 1);
    const auto slots = granted(worker.flush());
    worker->on_bundle_free({{group, 0}});
    worker->on_bundle_take(take(0, 1));
    EXPECT_TRUE(sent<wire::BundleTaken>(worker.flush()).empty());
    worker.finish(1);
    worker.return_slot(slots.front());
    EXPECT_EQ(sent<wire::BundleTaken>(worker.flush()).size(), 1U);
}

} // namespace
} // namespace muster::worker
