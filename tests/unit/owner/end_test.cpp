#include "lone_owner.hpp"

#include <gtest/gtest.h>

namespace muster::owner {
namespace {

using testing::orders;
using Kind = wire::FailureRecord::Kind;

TEST(Owner, TasksThatAreGivenUpFailAndSoDoTheirDependents) {
    LoneOwner owner;
    const TaskId first = owner.submit(3);
    const TaskId behind = owner.submit(1, {first});
    owner.flush();
    owner.grant(first, 1);
    owner->on_not_started({{{first, 3}}}, owner.actions);
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 4U);
    for (const auto& order : resolved) {
        EXPECT_EQ(order.outcome.failure.back().kind, Kind::ended);
    }
    EXPECT_EQ(resolved[1].object, behind);
    EXPECT_EQ(resolved[1].outcome.failure.front().kind, Kind::dependency);
    EXPECT_EQ(owner->unfinished(), 0U);

    // One that was returned, and finished all the same, is done.
    owner->on_not_started({{{first, 3}}}, owner.actions);
    owner.finish(first, LoneOwner::value(3));
    EXPECT_TRUE(orders<wire::ResolveFuture>(owner.flush()).empty());
}

TEST(Owner, ThatHaltsWaitsForNoRetry) {
    using namespace std::chrono_literals;
    LoneOwner owner;
    const TaskId first = make_object_id(Rank{0}, 500);
    owner::Submission submission;
    submission.first = first;
    submission.task_class = testing::cpu_class(1);
    submission.tasks.resize(2);
    submission.futures = std::make_shared<int>();
    submission.retry = {.retries = 9, .exceptions = true, .delay = 10s};
    owner->submit(std::move(submission), owner.actions);
    owner.flush();
    owner.grant(first, 2, Rank{2});
    owner.finish(first, LoneOwner::thrown(first));
    EXPECT_TRUE(testing::sent<wire::Submit>(owner.flush()).empty());
    owner->halt();
    EXPECT_FALSE(owner->next_timer());
    EXPECT_EQ(testing::sent<wire::Submit>(owner.flush()).size(), 1U); // to be given back
    owner.finish(advance(first, 1), LoneOwner::thrown(advance(first, 1)));
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).size(), 1U);
}

TEST(Owner, CancellingTakesWhatOnlyThatTaskNeeded) {
    LoneOwner owner;
    const TaskId running = owner.submit(1);
    const TaskId kept = owner.submit(1);   // by its future
    const TaskId shared = owner.submit(1); // by another task
    const TaskId link = owner.submit(1, {running});
    const TaskId last = owner.submit(1, {link, kept, shared});
    const TaskId other = owner.submit(1, {shared});
    for (const TaskId dropped : {running, shared, link}) {
        owner.release(dropped);
    }
    owner.flush();
    owner.grant(running, 1, Rank{2});
    owner.flush();
    owner->cancel(last, owner.actions);
    const auto cancelled = owner.flush();
    const auto resolved = orders<wire::ResolveFuture>(cancelled);
    ASSERT_EQ(resolved.size(), 1U);
    EXPECT_EQ(resolved[0].object, last);
    const auto stops = testing::sent<wire::Stop>(cancelled);
    ASSERT_EQ(stops.size(), 1U);
    EXPECT_EQ(stops[0].second.task, running);
    EXPECT_EQ(owner->unfinished(), 4U); // running, kept, shared, other
    (void)other;
}

TEST(Owner, CancellingALongChainIsNoRecursion) {
    LoneOwner owner;
    TaskId last = owner.submit(1);
    const TaskId first = last;
    for (int i = 0; i < 100'000; ++i) {
        const TaskId next = make_object_id(Rank{0}, 2 + static_cast<std::uint64_t>(i));
        owner->submit(
            {next, testing::cpu_class(1), "", {NewTask{{}, {last}}}, std::make_shared<int>()},
            owner.actions);
        owner->release(last, owner.actions);
        last = next;
    }
    owner->cancel(last, owner.actions);
    EXPECT_EQ(owner->unfinished(), 0U);
    EXPECT_EQ(owner->outcome(first), nullptr);
}

TEST(Owner, TasksPastTheirDeadlineHaveTimedOut) {
    using namespace std::chrono_literals;
    LoneOwner owner;
    owner->on_time(TimePoint{} + 100s, owner.actions);
    const TaskId first = make_object_id(Rank{0}, 500);
    owner::Submission submission;
    submission.first = first;
    submission.task_class = testing::cpu_class(1);
    submission.tasks.resize(3);
    submission.futures = std::make_shared<int>();
    submission.deadline = 5s;
    submission.retry = {.retries = 3, .exceptions = true};
    owner->submit(std::move(submission), owner.actions);
    owner.flush();
    owner.grant(first, 2, Rank{2});
    owner.finish(first, LoneOwner::value(1));
    owner.flush();
    EXPECT_EQ(owner->next_timer(), TimePoint{} + 105s);
    owner->on_time(TimePoint{} + 104s, owner.actions);
    EXPECT_TRUE(owner.flush().empty());
    owner->on_time(TimePoint{} + 105s, owner.actions);
    const auto late = owner.flush();
    const auto resolved = orders<wire::ResolveFuture>(late);
    ASSERT_EQ(resolved.size(), 2U);
    EXPECT_EQ(resolved[0].outcome.failure.at(0).kind, Kind::timed_out);
    EXPECT_NE(resolved[0].outcome.failure.at(0).message.find("was not done 5 s"),
              std::string::npos);
    EXPECT_NE(resolved[1].outcome.failure.at(0).message.find("had not started"), std::string::npos);
    EXPECT_EQ(testing::sent<wire::Stop>(late).size(), 1U);
    EXPECT_EQ(owner->unfinished(), 0U);
    EXPECT_FALSE(owner->next_timer());

    // What it makes all the same is of no use, and dropped where it is kept.
    owner.finish(advance(first, 1), LoneOwner::value(5000, true, Rank{2}));
    const auto drops = testing::sent<wire::Drop>(owner.flush());
    ASSERT_EQ(drops.size(), 1U);
    EXPECT_EQ(drops[0].first, Rank{2});
}

TEST(Owner, SaysWhatWaitsForWhat) {
    LoneOwner owner;
    const TaskId first = owner.submit(5);
    const ObjectId elsewhere = make_object_id(Rank{3}, 7);
    const TaskId waits = owner.submit(
        1, {first, advance(first, 1), elsewhere, advance(first, 2), advance(first, 3)});
    const TaskId behind = owner.submit(1, {waits});
    owner.flush();
    owner.grant(first, 2, Rank{2});
    owner.finish(advance(first, 4), LoneOwner::value(1)); // of no grant: ignored
    wire::Status status;
    owner->describe(status, false);
    ASSERT_EQ(status.functions.size(), 1U);
    EXPECT_EQ(status.functions[0].waiting, 2U);
    EXPECT_EQ(status.functions[0].ready, 3U);
    EXPECT_EQ(status.functions[0].granted, 2U);
    EXPECT_EQ(status.waiting_total, 2U);
    ASSERT_EQ(status.waiting.size(), 2U);
    using State = wire::MissingStatus::State;
    EXPECT_EQ(status.waiting[0].task, waits);
    EXPECT_EQ(status.waiting[0].missing, 5U);
    ASSERT_EQ(status.waiting[0].first_missing.size(), 3U);
    EXPECT_EQ(status.waiting[0].first_missing[0].state, State::granted);
    EXPECT_EQ(status.waiting[0].first_missing[0].at, Rank{2});
    EXPECT_EQ(status.waiting[0].first_missing[2].state, State::elsewhere);
    EXPECT_EQ(status.waiting[0].first_missing[2].at, Rank{3});
    EXPECT_EQ(status.waiting[1].task, behind);
    EXPECT_EQ(status.waiting[1].first_missing.at(0).state, State::waiting);
}

TEST(Owner, ListsItsTasksInPagesOfBoundedWork) {
    LoneOwner owner;
    std::vector<TaskId> tasks;
    for (const std::uint64_t count : {1U, 7U, 2U, 30U, 1U}) {
        const TaskId first = owner.submit(count);
        for (std::uint64_t i = 0; i < count; ++i) {
            tasks.push_back(advance(first, i));
        }
    }
    owner.flush();
    owner.grant(tasks[1], 2, Rank{2});
    for (const std::uint32_t looks : {1U, 2U, 3U, 8U, 1000U}) {
        wire::TasksWanted wanted;
        wanted.looks = looks;
        std::vector<TaskId> listed;
        std::size_t placed = 0;
        bool more = true;
        while (more) {
            const wire::TasksPage page = owner->list(wanted);
            ASSERT_LE(page.rows.size(), looks);
            for (const auto& row : page.rows) {
                listed.push_back(row.task);
                placed += row.state == wire::TaskRow::State::placed ? 1U : 0U;
            }
            ASSERT_TRUE(!page.next || *page.next > wanted.after);
            more = page.next.has_value();
            wanted.after = page.next.value_or(ObjectId{});
        }
        EXPECT_EQ(listed, tasks) << looks;
        EXPECT_EQ(placed, 2U);
    }
    wire::TasksWanted wanted;
    wanted.looks = 1000;
    wanted.filter.states = 1U << static_cast<unsigned>(wire::TaskRow::State::placed);
    EXPECT_EQ(owner->list(wanted).rows.size(), 2U);
    wanted.filter.name = "no task is called so";
    EXPECT_TRUE(owner->list(wanted).rows.empty());
}

TEST(Owner, CountsItsTasksByStateWithoutAWalk) {
    LoneOwner owner;
    const TaskId first = owner.submit(3);
    const TaskId behind = owner.submit(1, {first});
    owner.flush();
    owner.grant(first, 2, Rank{2});
    owner.finish(first, LoneOwner::value(1));
    wire::Status status;
    owner->describe(status, true);
    ASSERT_EQ(status.functions.size(), 1U);
    const auto& counts = status.functions[0];
    EXPECT_EQ(counts.waiting + counts.ready + counts.granted + counts.done, 4U);
    EXPECT_EQ(counts.granted, 2U - counts.done);
    EXPECT_TRUE(status.waiting.empty());
    owner->check_invariants();
    static_cast<void>(behind);
}

} // namespace
} // namespace muster::owner
