#include "driven.hpp"

namespace muster::rank {
namespace {

using testing::cpu_class;
using testing::orders;
using testing::sent;
using namespace std::chrono_literals;

TasksSubmitted submission(std::uint64_t first, std::uint64_t count) {
    owner::Submission submission;
    submission.first = make_object_id(Rank{0}, first);
    submission.task_class = cpu_class(1);
    submission.tasks.resize(count);
    submission.futures = std::make_shared<int>();
    return {std::move(submission)};
}

TEST(RankMachine, ThatEndsStartsNothingThenFailsWhatWaits) {
    Driven machine(Rank{0}, 1);
    machine.on({Started{}});
    machine.on({submission(1, 4)}); // one runs, and one waits ahead
    const auto drained = machine.on({EndTold{wire::EndCause::terminated, 30s}});
    EXPECT_EQ(orders<wire::BeginDrain>(drained).size(), 1U);
    EXPECT_EQ(orders<wire::HoldTasks>(drained).size(), 1U);
    EXPECT_TRUE(orders<wire::ResolveFuture>(drained).empty());
    EXPECT_TRUE(orders<wire::EnqueueTask>(machine.on({submission(10, 1)})).empty());

    wire::Actions actions;
    machine->advance(TimePoint{} + 20s, actions);
    machine->flush(actions);
    EXPECT_EQ(orders<wire::HaltTasks>(actions).size(), 1U);
    EXPECT_EQ(orders<wire::StopTask>(actions).size(), 2U);
    EXPECT_EQ(orders<wire::ResolveFuture>(actions).size(), 3U);
    for (const auto& order : orders<wire::ResolveFuture>(actions)) {
        EXPECT_EQ(order.outcome.failure.at(0).kind, wire::FailureRecord::Kind::ended);
    }
    EXPECT_EQ(orders<wire::ResolveFuture>(machine.on({submission(20, 1)})).size(), 1U);

    const auto silent = machine.on({DriverFinished{0}});
    ASSERT_EQ(orders<wire::FallSilent>(silent).size(), 1U);
    EXPECT_EQ(orders<wire::FallSilent>(silent)[0].exit_code, ending::exit_try_again);
    EXPECT_TRUE(machine->next_timer()) << "silent, it still ends when its time is over";
    actions.clear();
    machine->advance(TimePoint{} + 30s, actions);
    EXPECT_EQ(orders<wire::EndProcess>(actions).size(), 1U);
}

TEST(RankMachine, ARankTellsTheDriversAndFollowsIt) {
    Driven machine(Rank{1}, 2);
    machine.on({Started{}});
    const auto told = machine.on({EndTold{wire::EndCause::terminated, 30s}});
    ASSERT_EQ(sent<wire::EndWanted>(told).size(), 1U);
    EXPECT_EQ(sent<wire::EndWanted>(told)[0].first, Rank{0});
    EXPECT_TRUE(orders<wire::HoldTasks>(told).empty());
    EXPECT_EQ(
        orders<wire::HoldTasks>(machine.hear(Rank{0}, wire::Drain{wire::EndCause::terminated, 30s}))
            .size(),
        1U);
    const auto quiet = machine.on({ActivityChanged{false}});
    EXPECT_EQ(sent<wire::Activity>(quiet).size(), 1U);
    EXPECT_EQ(orders<wire::HaltTasks>(machine.hear(Rank{0}, wire::Halt{})).size(), 1U);
}

TEST(RankMachine, AnswersWhatWaitsOnWhom) {
    Driven machine(Rank{0}, 1);
    machine.on({Started{}});
    machine.on({submission(1, 3)});
    const auto asked = machine.on({StatusRequested{}});
    EXPECT_EQ(orders<wire::CountRunning>(asked).size(), 1U);
    const auto answered = machine.on({RunningCounted{{}, 1, {}}});
    const auto pages = orders<wire::PrintStatus>(answered);
    ASSERT_EQ(pages.size(), 1U);
    ASSERT_TRUE(pages[0].ranks.at(0));
    const auto& status = *pages[0].ranks[0];
    EXPECT_EQ(status.running_total, 1U);
    EXPECT_EQ(status.functions.at(0).granted, 2U); // one of them ahead
    EXPECT_EQ(status.functions.at(0).ready, 1U);
    EXPECT_EQ(status.coordinator.value().queued.at(0).tasks, 1U);
}

} // namespace
} // namespace muster::rank
