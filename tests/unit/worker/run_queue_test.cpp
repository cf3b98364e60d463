#include "worker/run_queue.hpp"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

wire::ReadyTask ready(std::uint64_t number) {
    wire::ReadyTask task;
    task.id = TaskId{number};
    return task;
}

TEST(RunQueue, GivesTasksInOrderUntilThereAreNone) {
    RunQueue queue;
    queue.push(2, ready(1));
    queue.push(2, ready(2));
    EXPECT_EQ(queue.take(2)->id, TaskId{1});
    EXPECT_EQ(queue.take(2)->id, TaskId{2});
    EXPECT_FALSE(queue.take(2).has_value());
    EXPECT_FALSE(queue.take(0).has_value());
}

TEST(RunQueue, RevokedSlotEndsOnceAndTheTasksStay) {
    RunQueue queue;
    queue.push(0, ready(1));
    queue.revoke_slot(0);
    EXPECT_FALSE(queue.take(0).has_value());
    EXPECT_EQ(queue.take(0)->id, TaskId{1});
}

TEST(RunQueue, HandsBackTheLastTasksFirst) {
    RunQueue queue;
    for (std::uint64_t i = 1; i <= 4; ++i) {
        queue.push(0, ready(i));
    }
    EXPECT_EQ(queue.take_back(0, 2), (std::vector{TaskId{4}, TaskId{3}}));
    EXPECT_EQ(queue.take_back(0, 9), (std::vector{TaskId{2}, TaskId{1}}));
    EXPECT_TRUE(queue.take_back(0, 1).empty());
}

TEST(RunQueue, RemovesATaskThatHasNotStarted) {
    RunQueue queue;
    queue.push(0, ready(1));
    queue.push(0, ready(2));
    EXPECT_TRUE(queue.remove(0, TaskId{1}));
    EXPECT_FALSE(queue.remove(0, TaskId{1}));
    EXPECT_EQ(queue.take(0)->id, TaskId{2});
    EXPECT_FALSE(queue.remove(0, TaskId{2}));
}

} // namespace
} // namespace muster::worker
