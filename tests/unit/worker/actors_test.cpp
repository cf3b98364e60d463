#include "lone_worker.hpp"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

using testing::cpu_class;
using testing::orders;
using testing::sent;
using Classes = std::vector<wire::ClassIndex>;

wire::TaskClass actor_class(std::uint32_t function, Amount cpus, std::int32_t priority = 0) {
    auto task_class = cpu_class(function, cpus, priority);
    task_class.actor = true;
    return task_class;
}

TEST(WorkerWithActors, AnActorKeepsItsResourcesAndItsLeaseUntilItIsDestroyed) {
    LoneWorker worker({1, {}, {}, {}});
    worker.run(actor_class(1, 1), 1, 1);
    EXPECT_EQ(granted(worker.flush()), Classes{0});
    worker.finish(1);
    const auto made = worker.flush();
    const auto finished = sent<wire::Finished>(made);
    ASSERT_EQ(finished.size(), 1U);
    EXPECT_EQ(finished[0].second.tasks.at(0).outcome.holder, Rank{1});
    EXPECT_TRUE(sent<wire::Progress>(made).empty());
    worker.run(cpu_class(2), 2, 1);
    EXPECT_TRUE(granted(worker.flush()).empty());
    worker->on_actor_destroyed(LoneWorker::task(1));
    const auto ended = worker.flush();
    const auto progress = sent<wire::Progress>(ended);
    ASSERT_EQ(progress.size(), 1U);
    EXPECT_EQ(progress[0].second.leases.at(0).lease, LoneWorker::lease(1));
    EXPECT_EQ(granted(ended), Classes{1});
}

TEST(WorkerWithActors, MoreActorsLiveThanAClassHasSlots) {
    LoneWorker worker({1, {}, {}, {}});
    worker.run(actor_class(1, 0), 1, 300);
    EXPECT_EQ(granted(worker.flush()).size(), 256U);
    for (std::uint64_t i = 1; i <= 256; ++i) {
        worker.finish(i);
    }
    EXPECT_EQ(granted(worker.flush()).size(), 44U);
}

TEST(WorkerWithActors, ASlotInWhichAnActorIsMadeIsNotRevoked) {
    LoneWorker worker({1, {}, {}, {}});
    worker.run(actor_class(1, 1), 1, 1);
    worker.flush();
    worker.run(cpu_class(2, 1, 5), 2, 1); // goes first
    EXPECT_TRUE(revoked(worker.flush()).empty());
}

TEST(WorkerWithActors, AConstructorThatFailsReturnsItsSlot) {
    LoneWorker worker({1, {}, {}, {}});
    worker.run(actor_class(1, 1), 1, 1);
    worker.flush();
    EXPECT_FALSE(
        worker->on_attempt_finished({LoneWorker::task(1), false, {}, {wire::FailureRecord{}}, {}},
                                    worker.store,
                                    worker.actions));
    worker.return_slot(0);
    EXPECT_EQ(sent<wire::Progress>(worker.flush()).size(), 1U);
    EXPECT_TRUE(worker->idle());
}

TEST(WorkerWithActors, ATaskThatResumesSharesTheCpusOfAnActorThatCameMeanwhile) {
    LoneWorker worker({1, {}, {}, {}});
    worker.run(cpu_class(1), 1, 1);
    worker.flush();
    worker->on_blocked(LoneWorker::task(1), false, worker.actions);
    worker.run(actor_class(2, 1), 2, 1);
    EXPECT_EQ(granted(worker.flush()), Classes{1});
    worker->on_resuming(LoneWorker::task(1));
    EXPECT_TRUE(orders<wire::ResumeTask>(worker.flush()).empty()); // its constructor runs
    worker.finish(2);
    EXPECT_EQ(orders<wire::ResumeTask>(worker.flush()).size(), 1U);
    worker.run(cpu_class(3), 3, 1);
    EXPECT_TRUE(granted(worker.flush()).empty());
    worker.finish(1);
    worker.return_slot(0);
    EXPECT_TRUE(granted(worker.flush()).empty()); // the actor's again, alone
    worker->on_actor_destroyed(LoneWorker::task(2));
    EXPECT_EQ(granted(worker.flush()), Classes{2});
}

} // namespace
} // namespace muster::worker
