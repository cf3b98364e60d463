#include "lone_owner.hpp"

#include <gtest/gtest.h>

namespace muster::owner {
namespace {

using testing::sent;

constexpr Rank host{2};

/// An actor of rank 0, which may be restarted.
class OwnerOfAnActor : public ::testing::Test {
protected:
    OwnerOfAnActor() {
        Submission submission;
        submission.first = actor;
        submission.task_class = testing::cpu_class(1);
        submission.task_class.actor = true;
        submission.tasks.resize(1);
        submission.retry = {.retries = 2, .restarts = 2};
        submission.making = {.concurrency = 8, .threads = 2};
        owner->submit(std::move(submission), owner.actions);
    }

    bool kill() {
        const bool lived = owner->kill_actor(actor, owner.actions);
        owner->check_invariants();
        return lived;
    }

    [[nodiscard]] wire::Outcome::Kind outcome() { return owner->outcome(actor)->kind; }

    void expect_nothing_left() {
        owner.release(actor);
        owner.flush();
        EXPECT_TRUE(owner->empty());
    }

    LoneOwner owner;
    TaskId actor = make_object_id(Rank{0}, 500);
};

TEST_F(OwnerOfAnActor, SaysHowManyOfItsCallsRunAtOnce) {
    owner.grant(actor, 1, host);
    const auto run = sent<wire::Run>(owner.flush()).at(0).second;
    EXPECT_EQ(run.making.concurrency, 8U);
    EXPECT_EQ(run.making.threads, 2U);
}

TEST_F(OwnerOfAnActor, AKilledOneHasFailedAndIsNotRestarted) {
    owner.grant(actor, 1, host);
    owner.finish(actor, LoneOwner::value(0, false, host));
    owner.flush();
    EXPECT_TRUE(kill());
    const auto destroyed = sent<wire::ActorDestroy>(owner.flush());
    ASSERT_EQ(destroyed.size(), 1U);
    EXPECT_EQ(destroyed[0].first, host);
    EXPECT_TRUE(destroyed[0].second.killed);
    EXPECT_EQ(outcome(), wire::Outcome::Kind::failed);
    EXPECT_FALSE(kill());
    owner->on_term(Rank{1}, {{host, "there"}}, owner.actions);
    EXPECT_TRUE(sent<wire::Submit>(owner.flush()).empty());
    EXPECT_EQ(outcome(), wire::Outcome::Kind::failed);
    expect_nothing_left();
}

TEST_F(OwnerOfAnActor, OneThatIsNotMadeIsCancelled) {
    EXPECT_FALSE(kill());
    EXPECT_EQ(outcome(), wire::Outcome::Kind::failed);
    expect_nothing_left();
}

TEST_F(OwnerOfAnActor, OneThatIsMadeAllTheSameIsKilledThen) {
    owner.grant(actor, 1, host);
    owner.flush();
    EXPECT_FALSE(kill());
    EXPECT_EQ(sent<wire::Stop>(owner.flush()).size(), 1U);
    owner.finish(actor, LoneOwner::value(0, false, host));
    EXPECT_EQ(outcome(), wire::Outcome::Kind::value);
    EXPECT_TRUE(kill()); // by whoever feeds the owner, which knows of it
    EXPECT_EQ(outcome(), wire::Outcome::Kind::failed);
    expect_nothing_left();
}

} // namespace
} // namespace muster::owner
