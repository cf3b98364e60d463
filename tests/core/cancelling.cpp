#include "body.hpp"

#include <string>

namespace muster::test {
namespace {

int pass(int value) {
    return value;
}

/// Runs on until it is asked to stop, and then finishes all the same.
std::string finish_after_stop() {
    (void)wait_for_stop();
    return "finished";
}

int throw_after_stop() {
    (void)wait_for_stop();
    throw std::runtime_error("stopped in the middle");
}

int wait_for_gate(const Future<int>& gate) {
    return gate.get();
}

template <class T>
void expect_cancelled(const Future<T>& future) {
    try {
        (void)future.get();
        ADD_FAILURE() << "no exception";
    } catch (const TaskError& error) {
        EXPECT_EQ(error.code(), ErrorCode::cancelled) << error.what();
    }
}

} // namespace

MUSTER_BODY(ATaskThatWaitsForItsArgumentsIsCancelled) {
    auto never = task<&wait_for_stop>.with({.cpus = 0})();
    auto waiting = task<&pass>(never);
    auto behind = task<&pass>(waiting);
    cancel(waiting);
    expect_cancelled(waiting);
    EXPECT_TRUE(
        contains(thrown_by<TaskError>([&] { (void)waiting.get(); }), "cancelled before it ran"));
    EXPECT_THROW((void)behind.get(), TaskError);
    EXPECT_FALSE(never.ready());
    cancel(never);
    (void)wait(std::vector{never});
}

MUSTER_BODY(QueuedTasksAreCancelled) {
    // The holder goes first and takes all CPUs; the rest is queued, here or on their rank.
    for (int rank = 0; rank < rank_count(); ++rank) {
        auto holder =
            task<&wait_for_stop>.with({.cpus = 2, .priority = 1, .placement = on_rank(rank)})();
        auto queued = map<&pass>(std::vector<int>(100, 5), {.placement = on_rank(rank)});
        for (auto& future : queued) {
            cancel(future);
        }
        for (auto& future : queued) {
            expect_cancelled(future);
        }
        cancel(holder);
        (void)wait(std::vector{holder});
        EXPECT_EQ(task<&pass>.with({.placement = on_rank(rank)})(6).get(), 6);
    }
}

MUSTER_BODY(ARunningTaskSeesItsStopToken) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        auto finishing = task<&finish_after_stop>.with({.placement = on_rank(rank)})();
        auto throwing = task<&throw_after_stop>.with({.placement = on_rank(rank)})();
        cancel(finishing);
        cancel(throwing);
        cancel(throwing);
        // Whether it ran already is not known: then it has its value, else it was cancelled.
        try {
            EXPECT_EQ(finishing.get(), "finished");
        } catch (const TaskError& error) {
            EXPECT_EQ(error.code(), ErrorCode::cancelled);
        }
        expect_cancelled(throwing);
    }
}

MUSTER_BODY(ATaskMayBeCancelledFromAnotherRank) {
    auto victim = task<&wait_for_stop>.with({.cpus = 0, .placement = rank_at(1)})();
    task<[](const Future<int>& future) {
        cancel(future);
    }>.with({.placement = rank_at(2)})(victim)
        .get();
    (void)wait(std::vector{victim});
    EXPECT_TRUE(victim.ready());
}

MUSTER_BODY(CancellingWhatIsDoneDoesNothing) {
    auto done = task<&pass>(1);
    EXPECT_EQ(done.get(), 1);
    cancel(done);
    EXPECT_EQ(done.get(), 1);
    auto stored = put(3);
    cancel(stored);
    EXPECT_EQ(stored.get(), 3);
}

MUSTER_BODY(ATaskThatWaitsInGetIsAskedToStopAndItsWaitGoesOn) {
    auto gate = task<&wait_for_stop>.with({.cpus = 0})();
    auto parent = task<&wait_for_gate>.with({.placement = rank_at(1)})(gate);
    EXPECT_EQ(task<&pass>.with({.placement = rank_at(1)})(2).get(), 2);
    cancel(parent);
    EXPECT_FALSE(gate.ready());
    cancel(gate);
    (void)wait(std::vector{gate, parent});
    EXPECT_TRUE(parent.ready());
}

} // namespace muster::test
