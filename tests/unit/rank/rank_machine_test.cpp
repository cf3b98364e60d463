#include "driven.hpp"

namespace muster::rank {
namespace {

using testing::bytes;
using testing::cpu_class;
using testing::orders;
using testing::sent;

TasksSubmitted submission(std::uint64_t first, std::uint64_t count) {
    owner::Submission submission;
    submission.first = make_object_id(Rank{0}, first);
    submission.task_class = cpu_class(1);
    submission.tasks.resize(count);
    submission.futures = std::make_shared<int>();
    return {std::move(submission)};
}

TEST(RankMachine, AloneItElectsItselfAndRunsATaskWithoutAnyMessage) {
    Driven machine(Rank{0}, 1);
    const auto started = machine.on({Started{}});
    ASSERT_EQ(orders<wire::AnnounceCluster>(started).size(), 1U);
    EXPECT_EQ(machine->coordinator(), Rank{0});

    const auto running = machine.on({submission(1, 1)});
    EXPECT_TRUE(orders<wire::SendMessage>(running).empty());
    ASSERT_EQ(orders<wire::EnqueueTask>(running).size(), 1U);
    EXPECT_EQ(orders<wire::GrantSlot>(running).size(), 1U);

    const auto done = machine.on(
        {worker::AttemptFinished{make_object_id(Rank{0}, 1), true, bytes(4), {}, Duration{5}},
         SlotReturned{0}});
    ASSERT_EQ(orders<wire::ResolveFuture>(done).size(), 1U);
    EXPECT_TRUE(machine->scheduler()->idle());
    EXPECT_TRUE(machine->worker().idle());
}

TEST(RankMachine, OneFlushGoesOnUntilNothingIsLeftToDo) {
    Driven machine(Rank{0}, 1);
    machine.on({Started{}});
    const ObjectId first = make_object_id(Rank{0}, 1);
    auto second = submission(2, 1);
    second.submission.tasks[0].dependencies = {first};
    machine.on({submission(1, 1), std::move(second), FutureReleased{first}});
    // Nobody outside is told of the first one's end; the second must start all the same.
    const auto actions = machine.on({worker::AttemptFinished{first, true, {}, {}, Duration{5}}});
    EXPECT_EQ(orders<wire::EnqueueTask>(actions).size(), 1U);
}

TEST(RankMachine, KeepsMessagesOfATermItHasNotHeardOf) {
    Driven machine(Rank{1}, 2);
    machine.on({Started{}});
    machine.hear(Rank{0}, wire::Register{NodeId{0}, "host", {}});
    EXPECT_EQ(machine->scheduler(), nullptr);
    const auto actions =
        machine.hear(Rank{0}, wire::CoordinatorElected{Term{1}, Rank{1}, "test"}, Term{0});
    ASSERT_NE(machine->scheduler(), nullptr);
    EXPECT_EQ(sent<wire::ClusterFormed>(actions).size(), 1U); // to rank 0: both have registered
    EXPECT_EQ(orders<wire::AnnounceCluster>(actions).size(), 1U);
}

TEST(RankMachine, IgnoresTheOrdersOfAnOlderTermAndOfOtherRanks) {
    Driven machine(Rank{1}, 3);
    machine.on({Started{}});
    machine.hear(Rank{0}, wire::CoordinatorElected{Term{2}, Rank{2}, "test"}, Term{1});
    const wire::Recall recall{cpu_class(1), 1};
    EXPECT_TRUE(machine.hear(Rank{2}, recall, Term{1}).empty());
    EXPECT_TRUE(machine.hear(Rank{0}, recall, Term{2}).empty());
    EXPECT_EQ(orders<wire::TakeBackTasks>(machine.hear(Rank{2}, recall, Term{2})).size(), 1U);
}

TEST(RankMachine, DeliversWantedValuesFromHereAndElsewhere) {
    Driven machine(Rank{0}, 1);
    machine.on({Started{}});
    const ObjectId large = make_object_id(Rank{0}, 1);
    const auto put = machine.on({ValuePut{large, bytes(5000), std::make_shared<int>()}});
    EXPECT_TRUE(orders<wire::ResolveFuture>(put).at(0).outcome.kept);
    const auto delivered = orders<wire::DeliverValue>(machine.on({FutureWanted{large}}));
    ASSERT_EQ(delivered.size(), 1U);
    EXPECT_EQ(delivered[0].outcome.value.size(), 5000U);
    machine.on({FutureReleased{large}});
    EXPECT_EQ(machine->store().object_count(), 0U);
}

TEST(RankMachine, EndsInStepsWithTheOthers) {
    Driven driver(Rank{0}, 2);
    Driven other(Rank{1}, 2);
    driver.on({Started{}});
    const auto elected = driver.hear(Rank{1}, wire::Bid{Rank{1}, 1, false}, Term{0});
    other.hear(Rank{0}, sent<wire::CoordinatorElected>(elected).at(0).second, Term{0});

    const auto shutdown = driver.on({DriverFinished{3}});
    EXPECT_EQ(sent<wire::Shutdown>(shutdown).at(0).first, Rank{1});
    EXPECT_EQ(orders<wire::FallSilent>(shutdown).at(0).exit_code, 3);
    EXPECT_TRUE(driver->silent());
    const auto silent = other.hear(Rank{0}, wire::Shutdown{3});
    EXPECT_EQ(orders<wire::FallSilent>(silent).size(), 1U);
    EXPECT_TRUE(sent<wire::Goodbye>(silent).empty()) << "its executors still run";

    EXPECT_EQ(sent<wire::Goodbye>(other.on({ExecutorsStopped{}})).at(0).first, Rank{0});
    EXPECT_TRUE(driver.hear(Rank{1}, wire::Goodbye{}).empty());
    const auto leaving = driver.on({ExecutorsStopped{}});
    EXPECT_EQ(sent<wire::Leave>(leaving).at(0).first, Rank{1});
    EXPECT_EQ(orders<wire::CloseTransport>(leaving).size(), 1U);
    EXPECT_EQ(orders<wire::CloseTransport>(other.hear(Rank{0}, wire::Leave{})).size(), 1U);
}

TEST(RankMachine, SilentRankIgnoresItsTasksButServesFetches) {
    Driven machine(Rank{0}, 2);
    machine.on({Started{}});
    machine.hear(Rank{1}, wire::Bid{Rank{1}, 0, false}, Term{0});
    machine.hear(Rank{1}, wire::Register{NodeId{0}, "host", {}});
    const ObjectId large = make_object_id(Rank{0}, 1);
    machine.on({ValuePut{large, bytes(5000), std::make_shared<int>()}, submission(2, 1)});
    const TaskId task = make_object_id(Rank{0}, 2);
    machine.on({TaskBlocked{task}, DriverFinished{0}});
    // Woken from its wait by the end of the run, not resumed.
    EXPECT_TRUE(machine.on({worker::AttemptFinished{task, true, {}, {}, Duration{1}}}).empty());
    const auto served = machine.hear(Rank{1}, wire::Fetch{large, 1});
    EXPECT_EQ(sent<wire::FetchStarted>(served).size(), 1U);
    EXPECT_EQ(orders<wire::SendBulk>(served).size(), 1U);
}

TEST(RankMachine, SaysGoodbyeOnlyWhenItsFetchesHaveEnded) {
    Driven machine(Rank{1}, 2);
    machine.on({Started{}});
    machine.hear(Rank{0}, wire::CoordinatorElected{Term{1}, Rank{0}, "test"}, Term{0});
    const ObjectId large = make_object_id(Rank{0}, 1);
    wire::TaskSpec spec{make_object_id(Rank{0}, 2), 1, {}, {{large, {}, 5000, true, Rank{0}}}};
    const auto fetch = sent<wire::Fetch>(machine.hear(
        Rank{0}, wire::Run{make_lease_id(Term{1}, 1), cpu_class(1), "", {std::move(spec)}, {}, 0}));
    ASSERT_EQ(fetch.size(), 1U);
    machine.hear(Rank{0}, wire::Shutdown{0});
    EXPECT_TRUE(machine.on({ExecutorsStopped{}}).empty());
    const std::uint64_t transfer = fetch[0].second.transfer;
    EXPECT_EQ(orders<wire::ReceiveBulk>(machine.hear(Rank{0}, wire::FetchStarted{large, transfer}))
                  .size(),
              1U);
    const auto actions = machine.on({BulkReceived{Rank{0}, transfer, bytes(5000)}});
    EXPECT_EQ(sent<wire::Goodbye>(actions).size(), 1U);
    EXPECT_EQ(actions.size(), 1U);
}

} // namespace
} // namespace muster::rank
