#include "suspending.hpp"

#include <chrono>
#include <string>
#include <thread>

/// Timeouts, deadlines, and what a cancelled task takes with it. No expectation depends on how long
/// anything takes, only on what comes first.
namespace muster::test {
namespace {

using namespace std::chrono_literals;

template <class T>
TaskError failure_of(const Future<T>& future) {
    try {
        (void)future.get();
    } catch (const TaskError& error) {
        return error;
    }
    ADD_FAILURE() << "no exception";
    return TaskError({TaskFailure{}}, ErrorCode::failed);
}

/// Waits to be asked to stop, and then for `go`: so whoever holds that decides when it returns.
int stay_after_stop(const Future<int>& go) {
    (void)wait_for_stop();
    return go.get();
}

int attempts_until(int enough) {
    const auto attempt = static_cast<int>(this_task().attempt);
    if (attempt < enough) {
        (void)wait_for_stop();
    }
    return attempt;
}

int pass(int value) {
    return value;
}

} // namespace

MUSTER_BODY(ATaskThatTakesTooLongHasTimedOut) {
    for (int step = 0; step < 3; ++step) {
        const auto error = failure_of(task<&wait_for_stop>.with(
            {.placement = rank_at(step), .name = "slow", .timeout = 20ms})());
        EXPECT_EQ(error.code(), ErrorCode::timed_out) << error.what();
        EXPECT_TRUE(contains(error.what(), "slow")) << error.what();
        EXPECT_TRUE(contains(error.what(), "ran for longer than 20 ms")) << error.what();
        EXPECT_EQ(error.root_cause().attempt, 1U);
        EXPECT_EQ(index(error.root_cause().rank), step % rank_count());
    }
}

MUSTER_BODY(ATaskInTimeIsNotDisturbed) {
    auto in_time = task<&pass>.with({.timeout = 1h, .deadline = 24h})(7);
    EXPECT_EQ(in_time.get(), 7);
    // As long as a clock can count, and longer.
    EXPECT_EQ(task<&pass>.with({.timeout = std::chrono::milliseconds::max(),
                                .deadline = std::chrono::milliseconds::max()})(8)
                  .get(),
              8);
}

MUSTER_BODY(ATimedOutTaskKeepsWhatItTakesUntilItReturns) {
    // There is one license on each rank.
    auto gate = task<&wait_for_stop>.with({.cpus = 0})();
    const auto there = rank_at(1);
    auto deaf = task<&stay_after_stop>.with(
        {.cpus = 0, .resources = {{"license", 1}}, .placement = there, .timeout = 10ms})(gate);
    EXPECT_EQ(failure_of(deaf).code(), ErrorCode::timed_out);
    auto next = task<&pass>.with({.cpus = 0, .resources = {{"license", 1}}, .placement = there})(1);
    EXPECT_TRUE(wait(std::vector{next}, {.timeout = 50ms}).done.empty());
    cancel(gate); // it returns with its rank
    EXPECT_EQ(next.get(), 1);
}

MUSTER_BODY(ASuspendedTaskThatTakesTooLongHasTimedOut) {
    const Gate gate;
    const auto waiting = spawn<Count>({});
    const auto there = rank_at(1);
    auto late = task<&add_to>.with(
        {.cpus = 0, .resources = {{"license", 1}}, .placement = there, .timeout = 20ms})(
        gate.future(), waiting, 1);
    const auto error = failure_of(late);
    EXPECT_EQ(error.code(), ErrorCode::timed_out) << error.what();
    // Its co_await has thrown, so it has given back what it took, though the gate is still closed.
    EXPECT_EQ(
        task<&pass>.with({.cpus = 0, .resources = {{"license", 1}}, .placement = there})(1).get(),
        1);
    gate.open();
}

MUSTER_BODY(ATimedOutAttemptIsRetriedIfExceptionsAre) {
    auto never =
        task<&attempts_until>.with({.placement = rank_at(1), .retries = 5, .timeout = 10ms})(2);
    EXPECT_EQ(failure_of(never).code(), ErrorCode::timed_out);
    auto again = task<&attempts_until>.with({.placement = rank_at(1),
                                             .retries = 5,
                                             .retry_exceptions = true,
                                             .retry_delay = 1ms,
                                             .timeout = 200ms})(2);
    EXPECT_GE(again.get(), 2);
}

MUSTER_BODY(AnAttemptThatDoesNotStopIsNotWaitedFor) {
    auto gate = task<&wait_for_stop>.with({.cpus = 0})();
    auto deaf = task<[](const Future<int>& go) {
                    (void)wait_for_stop();
                    return go.get();
                }>.with({.cpus = 0,
                         .placement = rank_at(2),
                         .retries = 2,
                         .retry_exceptions = true,
                         .retry_delay = 1ms,
                         .timeout = 10ms})(gate);
    const auto error = failure_of(deaf);
    EXPECT_EQ(error.code(), ErrorCode::timed_out) << error.what();
    EXPECT_TRUE(contains(error.what(), "has not stopped yet")) << error.what();
    cancel(gate);
}

MUSTER_BODY(AGangWithAMemberThatTakesTooLongHasTimedOut) {
    auto gang = task<[](Communicator& ranks) {
                    if (ranks.rank() == 0) {
                        (void)wait_for_stop();
                    } else {
                        ranks.barrier();
                    }
                }>.with({.cpus = 0, .ranks = 2, .timeout = 50ms})();
    EXPECT_EQ(failure_of(gang).code(), ErrorCode::timed_out);
    EXPECT_EQ(task<[](Communicator& ranks) {
                  return ranks.size();
              }>.with({.cpus = 0, .ranks = 2})()
                  .get()
                  .size(),
              2U);
}

MUSTER_BODY(ATaskThatWaitsPastItsDeadlineNeverRuns) {
    auto gate = task<&wait_for_stop>.with({.cpus = 0})();
    auto waits = task<&pass>.with({.cpus = 0, .deadline = 10ms})(gate);
    auto behind = task<&pass>(waits);
    const auto error = failure_of(waits);
    EXPECT_EQ(error.code(), ErrorCode::timed_out) << error.what();
    EXPECT_EQ(error.root_cause().attempt, 0U);
    EXPECT_TRUE(contains(error.what(), "had not started")) << error.what();
    EXPECT_TRUE(contains(failure_of(behind).what(), "had not started"));
    // One of a map, that waits for room.
    auto hog = task<&wait_for_stop>.with(
        {.cpus = 0, .resources = {{"license", 1}}, .placement = rank_at(1)})();
    auto late = map<&pass>(
        std::vector{1, 2, 3},
        {.cpus = 0, .resources = {{"license", 1}}, .placement = rank_at(1), .deadline = 10ms});
    for (auto& future : late) {
        EXPECT_EQ(failure_of(future).code(), ErrorCode::timed_out);
    }
    cancel(hog);
    cancel(gate);
}

MUSTER_BODY(ATaskThatRunsPastItsDeadlineIsAskedToStop) {
    auto gate = task<&wait_for_stop>.with({.cpus = 0})();
    auto runs =
        task<&stay_after_stop>.with({.cpus = 0, .placement = rank_at(1), .deadline = 50ms})(gate);
    const auto error = failure_of(runs); // though it has not returned
    EXPECT_EQ(error.code(), ErrorCode::timed_out) << error.what();
    cancel(gate);
}

MUSTER_BODY(CancellingTakesWhatOnlyThatTaskNeeded) {
    auto gate = task<&wait_for_stop>.with({.cpus = 0})();
    auto kept = task<&pass>(gate);
    auto shared = task<&pass>(gate);
    Future<int> last;
    {
        // A chain that only `last` needs, behind a task that runs until it is asked to stop.
        auto only = task<&wait_for_stop>.with({.cpus = 0, .placement = rank_at(1)})();
        auto link = task<&pass>(only);
        for (int i = 0; i < 100; ++i) {
            link = task<&pass>(link);
        }
        last = task<[](const std::vector<int>& all) { return static_cast<int>(all.size()); }>(
            std::vector{link, kept, shared});
    }
    auto other = task<&pass>(shared);
    shared = {};
    cancel(last);
    EXPECT_EQ(failure_of(last).code(), ErrorCode::cancelled);
    // The others wait for the gate as before.
    EXPECT_FALSE(kept.ready());
    EXPECT_FALSE(other.ready());
    cancel(gate);
    (void)wait(std::vector{kept, other});
}

MUSTER_BODY(CancellingStopsARunningTaskThatNothingElseNeeds) {
    auto there = rank_at(1);
    Future<int> last;
    {
        auto only = task<&wait_for_stop>.with(
            {.cpus = 0, .resources = {{"license", 1}}, .placement = there})();
        last = task<&pass>(only);
    }
    auto next = task<&pass>.with({.cpus = 0, .resources = {{"license", 1}}, .placement = there})(3);
    cancel(last);
    EXPECT_EQ(next.get(), 3); // the one before has stopped
}

MUSTER_BODY(ATimeLimitCannotBeNegative) {
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)task<&pass>.with({.timeout = -1ms})(1); }),
                         "cannot be negative"));
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)task<&pass>.with({.deadline = -1ms})(1); }),
                         "cannot be negative"));
}

} // namespace muster::test
