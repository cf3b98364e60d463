#include "driven.hpp"

namespace muster::rank {
namespace {

using testing::cpu_class;
using testing::orders;

constexpr ObjectId actor = make_object_id(Rank{0}, 1);
constexpr TaskId call = make_object_id(Rank{0}, 2);

/// A run of one rank, which spawns an actor and calls it.
class ARankAlone : public ::testing::Test {
protected:
    ARankAlone() { machine.on({Started{}}); }

    static TasksSubmitted spawned(bool for_job = false) {
        owner::Submission submission;
        submission.first = actor;
        submission.task_class = cpu_class(1);
        submission.task_class.actor = true;
        submission.tasks.resize(1);
        submission.for_job = for_job;
        return {std::move(submission)};
    }

    static TasksSubmitted called(bool urgent = false) {
        owner::Submission submission;
        submission.first = call;
        submission.task_class = cpu_class(2);
        submission.call = owner::CallTarget{actor, {}, false, urgent};
        submission.tasks.resize(1);
        submission.futures = std::make_shared<int>();
        return {std::move(submission)};
    }

    static worker::AttemptFinished made() { return {actor, true, {}, {}, Duration{5}}; }

    wire::Actions make(bool for_job = false) {
        machine.on({spawned(for_job)});
        return machine.on({made()});
    }

    /// What the call failed by, the root cause last.
    static std::vector<wire::FailureRecord> failure(const wire::Actions& actions) {
        const auto resolved = orders<wire::ResolveFuture>(actions);
        EXPECT_EQ(resolved.size(), 1U);
        return resolved.empty() ? std::vector<wire::FailureRecord>(1)
                                : resolved.front().outcome.failure;
    }

    Driven machine{Rank{0}, 1};
};

TEST_F(ARankAlone, EndsTheCallsOfAnActorThatIsKilledAndThenTheActor) {
    make();
    EXPECT_EQ(orders<wire::EnqueueCall>(machine.on({called()})).size(), 1U);
    const auto killed = machine.on({ActorKilled{actor}});
    EXPECT_EQ(orders<wire::StopCall>(killed).size(), 1U);
    EXPECT_TRUE(orders<wire::DestroyActor>(killed).empty());
    const auto ended = machine.on({CallRemoved{call}});
    EXPECT_EQ(failure(ended).front().message, "not run: the actor was killed");
    EXPECT_EQ(orders<wire::DestroyActor>(ended).size(), 1U);
    machine.on({ActorDestroyed{actor}, ActorReleased{actor}});
    EXPECT_TRUE(machine->references().empty());
    EXPECT_TRUE(machine->scheduler()->idle());
}

TEST_F(ARankAlone, FailsCallsOfAnActorThatWasKilled) {
    make();
    machine.on({ActorKilled{actor}});
    const auto chain = failure(machine.on({called()}));
    EXPECT_EQ(chain.front().kind, wire::FailureRecord::Kind::dependency);
    EXPECT_EQ(chain.back().message, "the actor was killed");
}

TEST_F(ARankAlone, KillsAnActorThatIsNotSubmittedYet) {
    machine.on({NameClaimed{1, "server", {actor, "Server", 1}}, ActorKilled{actor}});
    const auto submitted = machine.on({spawned(true), called()});
    EXPECT_TRUE(orders<wire::EnqueueTask>(submitted).empty());
    EXPECT_EQ(failure(submitted).front().kind, wire::FailureRecord::Kind::dependency);
    machine.on({ActorReleased{actor}});
    EXPECT_TRUE(machine->references().empty());
    EXPECT_TRUE(machine->names().empty());
}

TEST_F(ARankAlone, KillsAnActorWhoseConstructorRuns) {
    machine.on({spawned(true), called()});
    const auto killed = machine.on({ActorKilled{actor}});
    EXPECT_EQ(orders<wire::StopTask>(killed).size(), 1U);
    const auto ended = machine.on({made()}); // all the same
    EXPECT_EQ(failure(ended).back().message, "the actor was killed");
    EXPECT_EQ(orders<wire::DestroyActor>(ended).size(), 1U);
    machine.on({ActorDestroyed{actor}, ActorReleased{actor}});
    EXPECT_TRUE(machine->references().empty());
}

TEST_F(ARankAlone, KeepsAnActorForTheJobWithoutHandles) {
    EXPECT_TRUE(orders<wire::DestroyActor>(make(true)).empty());
    EXPECT_TRUE(orders<wire::DestroyActor>(machine.on({ActorReleased{actor}})).empty());
    EXPECT_EQ(orders<wire::DestroyActor>(machine.on({ActorKilled{actor}})).size(), 1U);
    machine.on({ActorDestroyed{actor}, ActorKilled{actor}});
    EXPECT_TRUE(machine->references().empty());
}

TEST_F(ARankAlone, SaysWhichCallsAreUrgentAndDoesNotCountThem) {
    make();
    const auto queued = machine.on({called(true)});
    EXPECT_TRUE(orders<wire::EnqueueCall>(queued).at(0).urgent);
    const auto done = machine.on({CallFinished{{call, true, {}, {}, Duration{1}}}});
    EXPECT_EQ(orders<wire::ResolveFuture>(done).size(), 1U);
    EXPECT_TRUE(orders<wire::CallsDone>(done).empty());
}

} // namespace
} // namespace muster::rank
