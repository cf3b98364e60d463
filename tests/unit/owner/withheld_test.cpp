#include "lone_owner.hpp"

#include <gtest/gtest.h>

/// Tasks that wait for the journal, and those whose results it had.
namespace muster::owner {
namespace {

using testing::orders;
using testing::sent;

/// `count` withheld tasks after `argument`; the first `known` of them are done from the start.
TaskId submit(LoneOwner& owner,
              std::uint64_t first,
              std::uint64_t count,
              std::uint64_t known,
              const std::vector<ObjectId>& dependencies = {}) {
    Submission submission;
    submission.first = make_object_id(Rank{0}, first);
    submission.task_class = testing::cpu_class(1);
    submission.tasks = std::vector<NewTask>(count, NewTask{{}, dependencies});
    submission.futures = std::make_shared<int>();
    submission.withheld = true;
    for (std::uint64_t i = 0; i < known; ++i) {
        submission.known.emplace_back(i, LoneOwner::value(i + 1));
    }
    const TaskId task = submission.first;
    owner->submit(std::move(submission), owner.actions);
    owner->check_invariants();
    return task;
}

TEST(Withheld, TasksAreNotSubmittedBeforeTheyAreDecided) {
    LoneOwner owner;
    const TaskId first = submit(owner, 100, 3, 0);
    EXPECT_TRUE(sent<wire::Submit>(owner.flush()).empty());
    EXPECT_TRUE(owner->is_withheld(first));
    owner->decide(advance(first, 1), std::nullopt, owner.actions);
    const auto submits = sent<wire::Submit>(owner.flush());
    ASSERT_EQ(submits.size(), 1U);
    EXPECT_EQ(submits[0].second.ranges, (std::vector{wire::Range{advance(first, 1), 1}}));
    EXPECT_FALSE(owner->is_withheld(advance(first, 1)));

    owner->decide(first, LoneOwner::value(7), owner.actions);
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 1U);
    EXPECT_EQ(resolved[0].object, first);
    EXPECT_EQ(resolved[0].outcome.size, 7U);
    EXPECT_EQ(owner->unfinished(), 2U);
}

TEST(Withheld, ATaskWaitsForItsDependenciesAsWell) {
    for (const bool decided_first : {false, true}) {
        LoneOwner owner;
        const TaskId argument = owner.submit(1);
        const TaskId task = submit(owner, 100, 1, 0, {argument});
        owner.flush();
        owner.grant(argument, 1);
        owner.flush();
        if (decided_first) {
            owner->decide(task, std::nullopt, owner.actions);
            EXPECT_TRUE(sent<wire::Submit>(owner.flush()).empty());
            owner.finish(argument, LoneOwner::value(1));
        } else {
            owner.finish(argument, LoneOwner::value(1));
            EXPECT_TRUE(sent<wire::Submit>(owner.flush()).empty());
            owner->decide(task, std::nullopt, owner.actions);
        }
        EXPECT_EQ(sent<wire::Submit>(owner.flush()).size(), 1U);
    }
}

TEST(Withheld, WhatIsKnownIsDoneFromTheStart) {
    LoneOwner owner;
    const TaskId argument = owner.submit(1);
    const TaskId first = submit(owner, 100, 3, 2, {argument});
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 2U);
    EXPECT_EQ(resolved[1].object, advance(first, 1));
    EXPECT_EQ(resolved[1].index, 1U);
    EXPECT_EQ(resolved[1].outcome.size, 2U);
    // Others may depend on it at once.
    const TaskId dependent = owner.submit(1, {first});
    EXPECT_EQ(sent<wire::Submit>(owner.flush()).at(0).second.ranges,
              (std::vector{wire::Range{dependent, 1}}));
    EXPECT_EQ(owner->unfinished(), 3U); // the argument, the one that is withheld, the dependent
}

TEST(Withheld, ACancelledOneIsDoneAndNotDecidedAgain) {
    LoneOwner owner;
    const TaskId task = submit(owner, 100, 1, 0);
    owner->cancel(task, owner.actions);
    EXPECT_EQ(orders<wire::ResolveFuture>(owner.flush()).size(), 1U);
    EXPECT_FALSE(owner->is_withheld(task));
    owner->decide(task, LoneOwner::value(1), owner.actions);
    owner->decide(task, std::nullopt, owner.actions);
    EXPECT_TRUE(owner.flush().empty());
    owner->check_invariants();
}

TEST(Withheld, AFailedDependencyFailsIt) {
    LoneOwner owner;
    const TaskId argument = owner.submit(1);
    const TaskId task = submit(owner, 100, 1, 0, {argument});
    owner.flush();
    owner.grant(argument, 1);
    owner.finish(argument, LoneOwner::thrown(argument));
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 2U);
    EXPECT_EQ(resolved[1].object, task);
    EXPECT_EQ(owner->unfinished(), 0U);
}

} // namespace
} // namespace muster::owner
