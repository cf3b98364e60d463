// Lone tasks that join one another in the inbox, and what their futures share.

#include "runtime/inbox.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace muster::runtime {
namespace {

constexpr std::size_t room = 4;

owner::Submission one_task(std::vector<ObjectId> dependencies = {}) {
    owner::Submission submission;
    submission.task_class.function = FunctionId{7};
    submission.tasks.emplace_back();
    submission.tasks.back().dependencies = std::move(dependencies);
    return submission;
}

class InboxTest : public testing::Test {
protected:
    /// Posts it with futures of so many slots, from id 100 on.
    void post(owner::Submission submission, std::size_t slots = room) {
        submission.first = ObjectId{100};
        submission.futures =
            std::make_shared<detail::FutureBlock>(nullptr, submission.first, slots);
        (void)inbox_.post(rank::Event{rank::TasksSubmitted{std::move(submission)}});
    }

    Inbox::Joined join(owner::Submission submission) { return inbox_.join(submission); }

    std::vector<LocalEvent> take() {
        std::vector<LocalEvent> events;
        inbox_.take(events);
        return events;
    }

    Inbox inbox_;
};

std::size_t tasks_of(const LocalEvent& event) {
    return std::get<rank::TasksSubmitted>(std::get<rank::Event>(event)).submission.tasks.size();
}

TEST_F(InboxTest, TasksOfOneKindJoinUntilThereIsNoRoom) {
    post(one_task());
    for (std::size_t i = 1; i < room; ++i) {
        const auto joined = join(one_task());
        ASSERT_NE(joined.place.block, nullptr);
        EXPECT_EQ(joined.place.first, i);
        EXPECT_EQ(joined.place.block->id(i), ObjectId{100 + i});
    }
    const auto next = join(one_task());
    EXPECT_EQ(next.place.block, nullptr);
    EXPECT_TRUE(next.crowded);
    const auto events = take();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(tasks_of(events[0]), room);
}

TEST_F(InboxTest, NothingJoinsWhatWasTaken) {
    post(one_task());
    (void)take();
    const auto joined = join(one_task());
    EXPECT_EQ(joined.place.block, nullptr);
    EXPECT_FALSE(joined.crowded);
}

TEST_F(InboxTest, NothingOvertakesWhatWasPostedMeanwhile) {
    post(one_task());
    (void)inbox_.post(rank::Event{rank::CancelRequested{TaskId{100}}});
    EXPECT_EQ(join(one_task()).place.block, nullptr);
}

TEST_F(InboxTest, OnlyTasksOfOneKindJoin) {
    const auto refused = [&](auto change) {
        auto other = one_task();
        change(other);
        const auto joined = join(std::move(other));
        return joined.place.block == nullptr && !joined.crowded;
    };
    post(one_task());
    EXPECT_TRUE(refused([](auto& task) { task.task_class.function = FunctionId{8}; }));
    EXPECT_TRUE(refused([](auto& task) { task.task_class.demand.cpus = Amount{2}; }));
    EXPECT_TRUE(refused([](auto& task) { task.task_class.depth = 1; }));
    EXPECT_TRUE(refused([](auto& task) { task.name = "another"; }));
    EXPECT_TRUE(refused([](auto& task) { task.retry.retries = 9; }));
    EXPECT_TRUE(refused([](auto& task) { task.timeout = std::chrono::seconds{1}; }));
    EXPECT_TRUE(refused([](auto& task) { task.deadline = std::chrono::seconds{1}; }));
    EXPECT_EQ(tasks_of(take().at(0)), 1U);
}

TEST_F(InboxTest, ATaskDoesNotJoinTheOneItNeeds) {
    post(one_task());
    EXPECT_EQ(join(one_task({ObjectId{100}})).place.block, nullptr);
    EXPECT_NE(join(one_task({ObjectId{99}, ObjectId{200}})).place.block, nullptr);
    EXPECT_EQ(join(one_task({ObjectId{99}, ObjectId{101}})).place.block, nullptr);
}

TEST_F(InboxTest, ALoneSubmissionHasNoRoomButTellsThatMoreMayFollow) {
    post(one_task(), 1);
    const auto joined = join(one_task());
    EXPECT_EQ(joined.place.block, nullptr);
    EXPECT_TRUE(joined.crowded);
}

} // namespace
} // namespace muster::runtime
