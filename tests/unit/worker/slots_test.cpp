#include "lone_worker.hpp"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

using testing::cpu_class;
using testing::orders;
using testing::sent;
using Classes = std::vector<wire::ClassIndex>;

Resources cpus(Amount amount) {
    return {amount, {}, {}, {}};
}

TEST(Slots, GoToTheClassThatGoesFirst) {
    LoneWorker worker(cpus(2));
    worker.run(cpu_class(1), 1, 1);
    worker.run(cpu_class(2, 1, 0, 1), 2, 1); // deeper
    worker.run(cpu_class(3, 1, 1), 3, 1);    // urgent
    EXPECT_EQ(granted(worker.flush()), (Classes{2, 1}));
}

TEST(Slots, AreRevokedForAClassThatGoesFirst) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 5);
    worker.flush();
    worker.run(cpu_class(2, 1, 1), 6, 1);
    EXPECT_EQ(revoked(worker.flush()), Classes{0});
    EXPECT_TRUE(worker.flush().empty()); // once
    worker.finish(1);
    worker.return_slot(0);
    EXPECT_EQ(granted(worker.flush()), Classes{1});
}

TEST(Slots, AreNotRevokedIfThatDoesNotMakeEnoughRoom) {
    LoneWorker worker({2, 1, {}, {}});
    auto wants_gpu = cpu_class(1, 1, 1);
    wants_gpu.demand.gpus = 1;
    worker.run(wants_gpu, 1, 1);
    worker.run(cpu_class(2), 2, 5);
    EXPECT_EQ(granted(worker.flush()), (Classes{0, 1}));
    worker.run(wants_gpu, 10, 1); // the GPU is taken by a task of its own class
    EXPECT_TRUE(revoked(worker.flush()).empty());
}

TEST(Slots, AreRevokedTogetherForALargeDemandAndKeptForIt) {
    LoneWorker worker(cpus(2));
    worker.run(cpu_class(1), 1, 6);
    worker.flush();
    worker.run(cpu_class(2, 2, 1), 7, 1);
    EXPECT_EQ(revoked(worker.flush()), (Classes{0, 0}));
    worker.finish(1);
    worker.return_slot(0);
    EXPECT_TRUE(granted(worker.flush()).empty()); // the class behind does not get it back
    worker.finish(2);
    worker.return_slot(0);
    EXPECT_EQ(granted(worker.flush()), Classes{1});
}

TEST(Slots, AreSharedAmongEqualClasses) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 5);
    worker.flush();
    worker.run(cpu_class(2), 6, 5);
    EXPECT_TRUE(revoked(worker.flush()).empty()); // not before it has run one
    worker.finish(1);
    EXPECT_EQ(revoked(worker.flush()), Classes{0});
    worker.return_slot(0);
    EXPECT_EQ(granted(worker.flush()), Classes{1});
    EXPECT_TRUE(revoked(worker.flush()).empty());
    worker.finish(6);
    EXPECT_EQ(revoked(worker.flush()), Classes{1});
}

TEST(Slots, BlockedTaskLendsItsCpusAndNothingElse) {
    LoneWorker worker({1, 1, {}, {}});
    auto wants_gpu = cpu_class(1);
    wants_gpu.demand.gpus = 1;
    worker.run(wants_gpu, 1, 2);
    EXPECT_EQ(granted(worker.flush()), Classes{0});
    worker->on_blocked(LoneWorker::task(1), false, worker.actions);
    const auto actions = worker.flush();
    ASSERT_EQ(sent<wire::Lent>(actions).size(), 1U);
    EXPECT_FALSE(sent<wire::Lent>(actions)[0].second.resumed);
    EXPECT_TRUE(granted(actions).empty()); // the second wants the GPU too
    worker.run(cpu_class(2, 1, 0, 1), 3, 1);
    EXPECT_EQ(granted(worker.flush()), Classes{1});
}

TEST(Slots, ResumingTaskGoesBeforeEverythingNew) {
    LoneWorker worker(cpus(1));
    worker.run(cpu_class(1), 1, 1);
    worker.flush();
    worker->on_blocked(LoneWorker::task(1), false, worker.actions);
    worker.run(cpu_class(2, 1, 5), 2, 10);
    EXPECT_EQ(granted(worker.flush()), Classes{1});
    worker->on_resuming(LoneWorker::task(1));
    // It takes the slot of a class that would go first, or it would wait for all ten.
    EXPECT_EQ(revoked(worker.flush()), Classes{1});
    worker.finish(2);
    worker.return_slot(1);
    const auto actions = worker.flush();
    EXPECT_EQ(orders<wire::ResumeTask>(actions).size(), 1U);
    EXPECT_TRUE(sent<wire::Lent>(actions).at(0).second.resumed);
    EXPECT_TRUE(granted(actions).empty());
}

TEST(Slots, OfSuspendedTasksAreAsManyAsThereAreTasks) {
    const auto slots_max = worker::Worker::Config{}.slots_per_class_max;
    for (const bool suspended : {false, true}) {
        LoneWorker worker(cpus(1));
        worker.run(cpu_class(1, 0), 1, slots_max + 50);
        EXPECT_EQ(granted(worker.flush()).size(), slots_max);
        for (std::uint64_t i = 1; i <= slots_max; ++i) {
            worker->on_blocked(LoneWorker::task(i), suspended, worker.actions);
        }
        // Those that wait in a thread of their own are counted: that is what the limit is for.
        EXPECT_EQ(granted(worker.flush()).size(), suspended ? 50U : 0U);
        worker->on_resuming(LoneWorker::task(1));
        const auto actions = worker.flush();
        EXPECT_EQ(orders<wire::ResumeTask>(actions).size(), 1U);
        EXPECT_EQ(sent<wire::Lent>(actions).at(0).second.suspended, suspended);
        worker.finish(1);
        worker.return_slot(0);
        EXPECT_EQ(granted(worker.flush()).size(), suspended ? 0U : 1U);
    }
}

TEST(Slots, OfABlockedTaskAreNotCountedOn) {
    LoneWorker worker({2, 1, {}, {}});
    auto holder = cpu_class(1);
    holder.demand.gpus = 1;
    worker.run(holder, 1, 1);
    worker.flush();
    worker->on_blocked(LoneWorker::task(1), false, worker.actions);
    auto urgent = cpu_class(2, 1, 3);
    urgent.demand.gpus = 1;
    worker.run(urgent, 2, 1);
    worker.run(cpu_class(3), 3, 1); // what the first waits for, say
    const auto actions = worker.flush();
    EXPECT_TRUE(revoked(actions).empty());
    EXPECT_EQ(granted(actions), Classes{2});
}

} // namespace
} // namespace muster::worker
