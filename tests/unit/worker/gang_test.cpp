#include "lone_worker.hpp"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

using testing::bytes;
using testing::cpu_class;
using testing::orders;
using testing::sent;
using Kind = wire::FailureRecord::Kind;

const ObjectId value = make_object_id(Rank{2}, 1000);
const std::vector ranks{Rank{1}, Rank{5}, Rank{1}, Rank{5}, Rank{4}};

/// The worker of rank 1, which hosts the members 0 and 2 of a gang of five.
class GangWorker : public LoneWorker {
public:
    explicit GangWorker(Amount cpus) : LoneWorker({cpus, {}, {}, {}}) {}

    static LeaseId gang() { return lease(100); }

    static TaskId member_id(std::uint64_t member) { return task(100 + member); }

    static wire::TaskClass gang_class(Amount cpus = 1) {
        auto task_class = cpu_class(9, cpus);
        task_class.ranks = static_cast<std::int32_t>(ranks.size());
        return task_class;
    }

    void start(std::uint64_t member, const std::vector<wire::Dependency>& dependencies = {}) {
        wire::Run message;
        message.lease = lease(100 + member);
        message.task_class = gang_class();
        message.name = "solver";
        message.tasks.push_back({member_id(member), 1, {}, dependencies});
        message.gang = {gang(), ranks, false};
        message.member = static_cast<std::int32_t>(member);
        (*this)->on_run(Rank{2}, std::move(message), store, actions);
        (*this)->check_invariants();
    }

    void member_throws(std::uint64_t member) {
        AttemptFinished report{member_id(member), false, {}, {}, std::chrono::microseconds{10}};
        report.failure.emplace_back();
        report.failure.front().message = "no paper";
        (*this)->on_attempt_finished(std::move(report), store, actions);
        (*this)->check_invariants();
    }

    void other_failed(std::int32_t member) {
        (*this)->on_gang_failed({gang(), member, {}}, actions);
        (*this)->check_invariants();
    }

    static wire::Dependency kept() { return {value, {}, 5000, true, Rank{3}}; }
};

/// The kind of the only failure reported.
std::optional<Kind> failed_as(const wire::Actions& actions) {
    const auto finished = sent<wire::Finished>(actions);
    if (finished.size() != 1 || finished[0].second.tasks.size() != 1 ||
        finished[0].second.tasks[0].outcome.failure.empty()) {
        return std::nullopt;
    }
    return finished[0].second.tasks[0].outcome.failure[0].kind;
}

TEST(WorkerGangs, AMemberIsQueuedWithItsGang) {
    GangWorker worker(2);
    worker.start(2);
    const auto actions = worker.flush();
    const auto queued = orders<wire::EnqueueTask>(actions);
    ASSERT_EQ(queued.size(), 1U);
    EXPECT_EQ(queued[0].task.gang->id, GangWorker::gang());
    EXPECT_EQ(queued[0].task.gang->members, ranks);
    EXPECT_EQ(queued[0].task.member, 2);
    EXPECT_EQ(granted(actions).size(), 1U);
}

TEST(WorkerGangs, MembersThatEndWellTellNobodyAndAreCounted) {
    GangWorker worker(2);
    worker.start(0);
    worker.start(2);
    worker.flush();
    worker.finish(102);
    auto ended = worker->take_ended_members();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].gang, GangWorker::gang());
    EXPECT_EQ(ended[0].member, 2);
    EXPECT_FALSE(ended[0].is_last);
    worker.finish(100);
    ended = worker->take_ended_members();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_TRUE(ended[0].is_last);
    EXPECT_TRUE(worker->take_ended_members().empty());
    const auto actions = worker.flush();
    EXPECT_TRUE(sent<wire::GangFailed>(actions).empty());
    // Each under the lease of its own.
    EXPECT_EQ(sent<wire::Progress>(actions).at(0).second.leases.size(), 2U);
}

TEST(WorkerGangs, AMemberThatThrowsTellsEveryRankOnce) {
    GangWorker worker(2);
    worker.start(0);
    worker.flush();
    worker.member_throws(0);
    const auto actions = worker.flush();
    const auto told = sent<wire::GangFailed>(actions);
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[0].first, Rank{1}); // itself: the other member here
    EXPECT_EQ(told[1].first, Rank{4});
    EXPECT_EQ(told[2].first, Rank{5});
    EXPECT_EQ(told[0].second.gang, GangWorker::gang());
    EXPECT_EQ(told[0].second.member, 0);
    EXPECT_EQ(told[0].second.failure.member, 0);
    EXPECT_EQ(told[0].second.failure.message, "no paper");
    EXPECT_EQ(failed_as(actions), Kind::exception);
}

TEST(WorkerGangs, TheFailureOfAnotherAsksARunningMemberToStop) {
    GangWorker worker(2);
    worker.start(0);
    worker.flush();
    worker.other_failed(4);
    worker.other_failed(3); // once is enough
    const auto stops = orders<wire::StopTask>(worker.flush());
    ASSERT_EQ(stops.size(), 1U);
    EXPECT_EQ(stops[0].task, GangWorker::member_id(0));
    worker.member_throws(0);
    const auto actions = worker.flush();
    EXPECT_EQ(failed_as(actions), Kind::released);
    EXPECT_TRUE(sent<wire::GangFailed>(actions).empty());
}

TEST(WorkerGangs, AReleasedMemberMayHaveFinished) {
    GangWorker worker(2);
    worker.start(0);
    worker.flush();
    worker.other_failed(4);
    worker.finish(100, 10);
    const auto finished = sent<wire::Finished>(worker.flush());
    EXPECT_EQ(finished.at(0).second.tasks.at(0).outcome.kind, wire::Outcome::Kind::value);
}

TEST(WorkerGangs, TheFailureOfAnotherEndsAMemberThatHasNotStarted) {
    GangWorker worker(2);
    worker.start(0);
    worker.other_failed(4);
    worker.flush();
    worker->on_taken_back({GangWorker::member_id(0)}, false, worker.actions);
    const auto actions = worker.flush();
    EXPECT_EQ(failed_as(actions), Kind::released);
    EXPECT_EQ(sent<wire::Finished>(actions)[0].second.tasks[0].outcome.failure[0].message,
              "not run: another member of its gang has failed");
    EXPECT_TRUE(sent<wire::GangFailed>(actions).empty());
    EXPECT_TRUE(worker->take_ended_members().at(0).is_last);
}

TEST(WorkerGangs, TheFailureOfAnotherEndsAMemberThatIsFetching) {
    GangWorker worker(2);
    worker.start(0, {GangWorker::kept()});
    worker.start(2, {GangWorker::kept()});
    worker.other_failed(4);
    const auto finished = sent<wire::Finished>(worker.flush());
    ASSERT_EQ(finished.at(0).second.tasks.size(), 2U);
    EXPECT_EQ(worker->task_count(), 0U);
    EXPECT_EQ(worker->take_ended_members().size(), 2U);
    worker->on_dependency(GangWorker::member_id(0), value, bytes(5000), worker.actions);
    EXPECT_TRUE(orders<wire::EnqueueTask>(worker.flush()).empty());
}

TEST(WorkerGangs, WhatFailsHereWithoutRunningTellsTheOthersToo) {
    GangWorker worker(2);
    worker.start(0, {GangWorker::kept()});
    worker->on_dependency(GangWorker::member_id(0), value, std::nullopt, worker.actions);
    const auto actions = worker.flush();
    EXPECT_EQ(failed_as(actions), Kind::object_lost);
    EXPECT_EQ(sent<wire::GangFailed>(actions).size(), 3U);
}

TEST(WorkerGangs, TheWordOfAnUnknownGangIsIgnored) {
    GangWorker worker(2);
    worker.other_failed(4); // its member is still to come: the rank remembers
    EXPECT_TRUE(worker.flush().empty());
    worker.start(0);
    worker.flush();
    worker.finish(100);
    worker.flush();
    worker.other_failed(4);
    EXPECT_TRUE(worker.flush().empty());
}

TEST(WorkerGangs, ACancelledMemberIsReleasedFromWhatItWaitsIn) {
    GangWorker worker(2);
    worker.start(0);
    worker.flush();
    const auto why =
        worker->on_stop({GangWorker::member_id(0), GangWorker::gang()}, worker.actions);
    ASSERT_TRUE(why);
    EXPECT_EQ(why->gang, GangWorker::gang());
    EXPECT_EQ(why->failure.kind, Kind::cancelled);
    EXPECT_EQ(why->failure.host, "host");
    EXPECT_EQ(orders<wire::StopTask>(worker.flush()).size(), 1U);
    worker.member_throws(0); // what its communicator told it, before its stop token did
    EXPECT_EQ(failed_as(worker.flush()), Kind::cancelled);
}

TEST(WorkerGangs, AFetchingMemberIsCancelledAtOnceAndTellsTheOthers) {
    GangWorker worker(2);
    worker.start(0, {GangWorker::kept()});
    EXPECT_FALSE(worker->on_stop({GangWorker::member_id(0), GangWorker::gang()}, worker.actions));
    const auto actions = worker.flush();
    EXPECT_EQ(failed_as(actions), Kind::cancelled);
    EXPECT_EQ(sent<wire::GangFailed>(actions).size(), 3U);
}

TEST(WorkerGangs, AMemberGoesBeforeATaskThatResumes) {
    // Its CPU was free when the gang was granted; the task that resumes may wait for another gang.
    GangWorker worker(1);
    worker.run(cpu_class(1), 1, 1);
    worker.flush();
    worker->on_blocked(LoneWorker::task(1), false, worker.actions);
    worker.flush();
    worker->on_resuming(LoneWorker::task(1));
    worker.start(0);
    const auto actions = worker.flush();
    EXPECT_EQ(granted(actions), std::vector<wire::ClassIndex>{1});
    EXPECT_TRUE(orders<wire::ResumeTask>(actions).empty());
    worker.finish(100);
    worker.return_slot(1);
    EXPECT_EQ(orders<wire::ResumeTask>(worker.flush()).size(), 1U);
}

TEST(WorkerGangs, AMemberTakesTheSlotOfWhoeverHasOneAndNobodyGetsItMeanwhile) {
    GangWorker worker(1);
    worker.run(cpu_class(1, 1, 50), 1, 3); // of a higher priority
    EXPECT_EQ(granted(worker.flush()), std::vector<wire::ClassIndex>{0});
    worker.start(0);
    const auto waiting = worker.flush();
    EXPECT_EQ(revoked(waiting), std::vector<wire::ClassIndex>{0});
    EXPECT_TRUE(granted(waiting).empty());
    worker.finish(1);
    worker.return_slot(0);
    EXPECT_EQ(granted(worker.flush()), std::vector<wire::ClassIndex>{1});
}

TEST(WorkerGangs, NoSlotOfAMemberIsRevoked) {
    GangWorker worker(1);
    worker.start(0);
    worker.flush();
    worker.run(cpu_class(1, 1, 50), 1, 1);
    const auto actions = worker.flush();
    EXPECT_TRUE(revoked(actions).empty());
    EXPECT_TRUE(granted(actions).empty());
}

} // namespace
} // namespace muster::worker
