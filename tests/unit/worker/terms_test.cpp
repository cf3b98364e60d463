#include "lone_worker.hpp"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

using testing::cpu_class;
using testing::orders;
using testing::sent;

const std::map<Rank, std::string> nobody;

Resources two_cpus() {
    return {2, {}, {}, {}};
}

std::vector<wire::ReturnedTask> not_here(LoneWorker& worker, const wire::Confirm& question) {
    worker->on_confirm(Rank{2}, question, worker.actions);
    const auto answers = sent<wire::NotHere>(worker.flush());
    EXPECT_LE(answers.size(), 1U);
    return answers.empty() ? std::vector<wire::ReturnedTask>{} : answers.front().second.tasks;
}

TEST(WorkerTerms, WhatIsHereIsListedByClassAndLease) {
    LoneWorker worker(two_cpus());
    worker.run(cpu_class(1), 1, 5);
    worker.run(cpu_class(1), 6, 2);
    worker.run(cpu_class(2), 9, 1);
    worker.flush();
    worker->on_blocked(LoneWorker::task(1), false, worker.actions);
    const auto held = worker->held();
    ASSERT_EQ(held.size(), 2U);
    EXPECT_EQ(held[0].task_class, cpu_class(1));
    EXPECT_EQ(held[0].slots, 2U);
    ASSERT_EQ(held[0].leases.size(), 2U);
    EXPECT_EQ(held[0].leases[0].tasks, 5U);
    EXPECT_EQ(held[0].leases[0].lent, 1U);
    EXPECT_EQ(held[0].leases[1].tasks, 2U);
    EXPECT_EQ(held[1].leases[0].tasks, 1U);
}

TEST(WorkerTerms, GpusOfTasksActorsAndBundlesAreListed) {
    LoneWorker worker(Resources{1, 4, {}, {}});
    auto wants_gpus = cpu_class(1, 0);
    wants_gpus.demand.gpus = 2;
    wire::Run run{LoneWorker::lease(1), wants_gpus, "", {{LoneWorker::task(1), 1, {}, {}}}, {}, 0};
    run.devices = {0, 3};
    worker->on_run(Rank{2}, run, worker.store, worker.actions);
    auto makes_actor = wants_gpus;
    makes_actor.actor = true;
    makes_actor.demand.gpus = 0.5;
    run = {LoneWorker::lease(2), makes_actor, "", {{LoneWorker::task(2), 1, {}, {}}}, {}, 0};
    run.devices = {2};
    worker->on_run(Rank{2}, run, worker.store, worker.actions);
    const wire::BundleId bundle{make_object_id(Rank{0}, 7), 0};
    worker->on_bundle_take({{bundle, {0, 0.25, {}, {}}, {1}}});
    const auto enqueued = orders<wire::EnqueueTask>(worker.flush());
    ASSERT_EQ(enqueued.size(), 2U);
    EXPECT_EQ(enqueued[0].task.devices, (wire::DeviceList{0, 3}));
    worker.finish(2);
    const auto held = worker->held();
    ASSERT_EQ(held.size(), 2U);
    EXPECT_EQ(held[0].leases.front().devices, (wire::DeviceList{0, 3}));
    EXPECT_EQ(held[1].leases.front().devices, wire::DeviceList{2});
    ASSERT_EQ(worker->held_bundles().size(), 1U);
    EXPECT_EQ(worker->held_bundles().front().devices, wire::DeviceList{1});
}

TEST(WorkerTerms, WhatEndedBeforeANewTermIsNotReportedToItsCoordinator) {
    LoneWorker worker(two_cpus());
    worker.run(cpu_class(1), 1, 2);
    worker.flush();
    worker.finish(1);
    worker->on_term(Term{2}, Rank{3}, nobody, worker.actions);
    const auto actions = worker.flush();
    EXPECT_TRUE(sent<wire::Progress>(actions).empty());
    EXPECT_EQ(sent<wire::Finished>(actions).size(), 1U); // but to its owner
    worker.finish(2);
    const auto reported = sent<wire::Progress>(worker.flush());
    ASSERT_EQ(reported.size(), 1U);
    EXPECT_EQ(reported[0].first, Rank{3});
}

TEST(WorkerTerms, AnOwnerHearsWhichOfItsTasksAreNotHere) {
    LoneWorker worker(two_cpus());
    worker.run(cpu_class(1), 1, 3);
    worker.flush();
    worker->on_term(Term{2}, Rank{0}, nobody, worker.actions);
    const wire::Confirm question{{{LoneWorker::lease(1), {LoneWorker::task(1), 4}},
                                  {LoneWorker::lease(7), {LoneWorker::task(2), 1}}}};
    const auto missing = not_here(worker, question);
    ASSERT_EQ(missing.size(), 2U);
    EXPECT_EQ(missing[0].task, LoneWorker::task(4));
    EXPECT_EQ(missing[1].task, LoneWorker::task(2)); // under another lease
}

TEST(WorkerTerms, AnOwnerHearsOfResultsBeforeItHearsThatTheirTasksAreGone) {
    LoneWorker worker(two_cpus());
    worker.run(cpu_class(1), 1, 1);
    worker.flush();
    worker.finish(1);
    worker->on_term(Term{2}, Rank{0}, nobody, worker.actions);
    worker->on_confirm(
        Rank{2}, {{{LoneWorker::lease(1), {LoneWorker::task(1), 1}}}}, worker.actions);
    const auto orders = testing::orders<wire::SendMessage>(worker.flush());
    std::vector<std::size_t> kinds;
    for (const auto& order : orders) {
        if (order.to == Rank{2}) {
            kinds.push_back(order.message.index());
        }
    }
    ASSERT_EQ(kinds.size(), 2U);
    EXPECT_EQ(kinds[0], wire::Message(wire::Finished{}).index());
    EXPECT_EQ(kinds[1], wire::Message(wire::NotHere{}).index());
}

TEST(WorkerTerms, WhatIsGivenBackToTheNewCoordinatorIsNotMissingForItsOwner) {
    LoneWorker worker(two_cpus());
    worker.run(cpu_class(1), 1, 4);
    worker.flush();
    worker->on_term(Term{2}, Rank{0}, nobody, worker.actions);
    worker->on_recall(Rank{0}, {cpu_class(1), 1}, worker.actions);
    worker->on_taken_back({LoneWorker::task(4)}, true, worker.actions);
    ASSERT_EQ(sent<wire::Returned>(worker.flush()).size(), 1U);
    EXPECT_TRUE(not_here(worker, {{{LoneWorker::lease(1), {LoneWorker::task(1), 4}}}}).empty());
}

TEST(WorkerTerms, WhatAnOlderCoordinatorAskedForGoesToTheNewOneOrBackToItsOwner) {
    LoneWorker worker(two_cpus());
    const wire::Dependency elsewhere{make_object_id(Rank{2}, 90), {}, 5000, true, Rank{3}};
    worker.run(cpu_class(1), 1, 1, {elsewhere}); // fetching: given back at once
    worker.run(cpu_class(1), 2, 3);
    worker.flush();
    worker->on_recall(Rank{0}, {cpu_class(1), 2}, worker.actions);
    worker->on_term(Term{2}, Rank{0}, nobody, worker.actions);
    worker->on_taken_back({LoneWorker::task(4)}, true, worker.actions);
    const auto returned = sent<wire::Returned>(worker.flush());
    ASSERT_EQ(returned.size(), 1U);
    ASSERT_EQ(returned[0].second.tasks.size(), 1U);
    EXPECT_EQ(returned[0].second.tasks[0].task, LoneWorker::task(4));
    const auto missing = not_here(worker, {{{LoneWorker::lease(1), {LoneWorker::task(1), 1}}}});
    ASSERT_EQ(missing.size(), 1U);
}

TEST(WorkerTerms, TasksOfALostOwnerAreStoppedAndTheirResultsAreNobodys) {
    LoneWorker worker(two_cpus());
    worker.run(cpu_class(1), 1, 3);
    worker.flush();
    worker->on_term(Term{2}, Rank{0}, {{Rank{2}, "there"}}, worker.actions);
    EXPECT_EQ(orders<wire::StopTask>(worker.flush()).size(), 3U);
    worker->on_taken_back({LoneWorker::task(3)}, false, worker.actions);
    worker.finish(1, 5000);
    worker.finish(2);
    const auto actions = worker.flush();
    EXPECT_TRUE(sent<wire::Finished>(actions).empty());
    EXPECT_EQ(sent<wire::Progress>(actions).size(), 1U);
    EXPECT_EQ(worker.store.object_count(), 0U);
    worker.return_slot(0);
    worker.return_slot(0);
    EXPECT_TRUE(worker->idle());
}

TEST(WorkerTerms, AGangThatLostAMemberWithItsRankHearsOfIt) {
    LoneWorker worker(two_cpus());
    auto gang_class = cpu_class(1);
    gang_class.ranks = 2;
    wire::Run message{LoneWorker::lease(1), gang_class, "", {}, {}, 0};
    message.tasks.push_back({LoneWorker::task(1), 1, {}, {}});
    message.gang = {LoneWorker::lease(1), {Rank{1}, Rank{5}}, false};
    worker->on_run(Rank{2}, std::move(message), worker.store, worker.actions);
    worker.flush();
    EXPECT_TRUE(worker->gangs_without({{Rank{6}, ""}}).empty());
    const auto words = worker->gangs_without({{Rank{5}, "there"}});
    ASSERT_EQ(words.size(), 1U);
    EXPECT_EQ(words[0].member, 1);
    EXPECT_EQ(words[0].failure.kind, wire::FailureRecord::Kind::system);
    EXPECT_EQ(words[0].failure.rank, Rank{5});
    EXPECT_EQ(worker->gangs_without({{Rank{2}, "owner's"}}).size(), 1U);
}

} // namespace
} // namespace muster::worker
