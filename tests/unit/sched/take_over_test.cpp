#include "cluster.hpp"

namespace muster::sched {
namespace {

using testing::cpu_class;
using testing::sent;

/// A coordinator of term 2, of three ranks of which rank 2 is lost.
class Successor : public ::testing::Test {
protected:
    void enter(Rank rank, Resources capacity, std::vector<wire::HeldClass> held) {
        scheduler.on_register(
            rank, {NodeId{0}, "host", std::move(capacity), std::move(held)}, formed);
        scheduler.check_invariants();
    }

    std::vector<wire::Grant> dispatch() {
        actions.clear();
        scheduler.dispatch(actions);
        scheduler.check_invariants();
        std::vector<wire::Grant> grants;
        for (const auto& [to, grant] : sent<wire::Grant>(actions)) {
            grants.push_back(grant);
        }
        return grants;
    }

    static LeaseId old_lease(std::uint64_t number) { return make_lease_id(Term{1}, number); }

    Scheduler scheduler{{.self = Rank{0}, .term = Term{2}, .world_size = 3, .lost = {Rank{2}}}};
    wire::Actions formed;
    wire::Actions actions;
};

TEST_F(Successor, StandsWithAllThatAreLeftAndGrantsNothingBefore) {
    enter(Rank{0}, cpus(1), {});
    scheduler.on_submit({cpu_class(1), {{make_object_id(Rank{0}, 1), 1}}});
    EXPECT_TRUE(dispatch().empty());
    EXPECT_FALSE(scheduler.formed());
    enter(Rank{1}, cpus(1), {});
    const auto told = sent<wire::ClusterFormed>(formed);
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].second.alike,
              (std::vector<wire::AlikeRanks>{{2, 0}, {1, wire::AlikeRanks::no_group}}));
    EXPECT_EQ(dispatch().size(), 1U);
}

TEST_F(Successor, TakesOverWhatRanksHave) {
    enter(
        Rank{0}, cpus(2), {{cpu_class(1), 2, {{old_lease(1), 5, 1, 0}, {old_lease(2), 1, 0, 0}}}});
    enter(Rank{1}, cpus(1), {});
    EXPECT_FALSE(scheduler.idle());
    scheduler.on_progress({{{old_lease(1), 4, Duration{4}}}});
    scheduler.check_invariants();
    scheduler.on_lent({old_lease(1), true});
    scheduler.check_invariants();
    scheduler.on_progress({{{old_lease(1), 1, Duration{1}}, {old_lease(2), 1, Duration{1}}}});
    scheduler.check_invariants();
    EXPECT_TRUE(scheduler.idle());
}

TEST_F(Successor, WhatIsTakenUpIsNotGrantedAgain) {
    auto actor = cpu_class(1);
    actor.actor = true;
    enter(Rank{0}, cpus(1), {{actor, 1, {{old_lease(1), 1, 0, 0}}}});
    enter(Rank{1}, cpus(1), {{cpu_class(2), 1, {{old_lease(2), 1, 0, 0}}}});
    scheduler.on_submit({cpu_class(3), {{make_object_id(Rank{0}, 9), 1}}});
    EXPECT_TRUE(dispatch().empty());
    scheduler.on_progress({{{old_lease(2), 1, Duration{1}}}});
    const auto grants = dispatch();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].worker, Rank{1});
    EXPECT_EQ(term_of(grants[0].lease), Term{2});
}

TEST_F(Successor, WhatNeedsRanksThatAreLostGoesBackToItsOwner) {
    enter(Rank{0}, cpus(1), {});
    enter(Rank{1}, cpus(1), {});
    auto there = cpu_class(1);
    there.placement = on_rank(2);
    auto gang = cpu_class(2);
    gang.ranks = 3;
    const wire::Range one{make_object_id(Rank{1}, 1), 2};
    const wire::Range three{make_object_id(Rank{1}, 3), 3};
    scheduler.on_submit({there, {one}});
    scheduler.on_submit({cpu_class(1, 4), {{make_object_id(Rank{0}, 1), 1}}});
    scheduler.on_submit({gang, {three}});
    EXPECT_TRUE(dispatch().empty());
    const auto told = sent<wire::Infeasible>(actions);
    ASSERT_EQ(told.size(), 3U);
    std::uint64_t tasks = 0;
    for (const auto& [to, message] : told) {
        EXPECT_EQ(to, owner_of(message.tasks.front().first));
        tasks += message.tasks.front().count;
    }
    EXPECT_EQ(tasks, 6U);
    EXPECT_TRUE(scheduler.idle());
}

} // namespace
} // namespace muster::sched
