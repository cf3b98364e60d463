#include "cluster.hpp"

namespace muster::sched {
namespace {

using testing::cpu_class;
using testing::sent;

constexpr ObjectId group = make_object_id(Rank{0}, 1000);

/// Two ranks on a node each, four CPUs each.
class Groups : public ::testing::Test {
protected:
    wire::GroupSpec spec(std::vector<Resources> bundles, Strategy strategy = Strategy::pack) {
        wire::GroupSpec spec;
        spec.id = group;
        spec.bundles = std::move(bundles);
        spec.strategy = strategy;
        return spec;
    }

    void open(wire::GroupSpec spec) {
        cluster->on_group_open({std::move(spec)}, told);
        cluster->check_invariants();
    }

    std::vector<wire::Grant> dispatch() {
        wire::Actions actions;
        cluster->dispatch(actions);
        cluster->check_invariants();
        std::vector<wire::Grant> grants;
        for (const auto& [to, grant] : sent<wire::Grant>(actions)) {
            grants.push_back(grant);
        }
        for (auto& action : actions) {
            told.push_back(std::move(action));
        }
        return grants;
    }

    /// Every rank that was asked to keep a bundle keeps it.
    void take_all() {
        for (const auto& [rank, take] : sent<wire::BundleTake>(std::exchange(told, {}))) {
            cluster->on_bundle_taken(rank, {take.bundle.id}, told);
            cluster->check_invariants();
        }
    }

    void place(wire::GroupSpec spec) {
        open(std::move(spec));
        EXPECT_TRUE(dispatch().empty());
        take_all();
        EXPECT_EQ(sent<wire::GroupPlaced>(told).size(), 1U);
    }

    void close(const char* why = "removed") {
        cluster->on_group_closed({group, why, true}, told);
        cluster->check_invariants();
    }

    static wire::TaskClass in(std::int32_t bundle, Amount cpus = 1) {
        auto task_class = cpu_class(1, cpus);
        task_class.placement = {Placement::Kind::in_group, bundle, group};
        return task_class;
    }

    /// Of a task in no group; with memory, so that none waits ahead.
    static wire::TaskClass outside(Amount cpus = 1) {
        auto task_class = cpu_class(2, cpus);
        task_class.demand.memory = 1;
        return task_class;
    }

    static Resources capacity() { return {4, {}, 1000, {}}; }

    Cluster cluster{{capacity(), capacity()}, 1};
    wire::Actions told;
};

TEST_F(Groups, AreReservedAllOrNone) {
    cluster.submit(cpu_class(1, 3), 1);
    const auto running = dispatch();
    ASSERT_EQ(running.size(), 1U);
    open(spec({cpus(4), cpus(2)}));
    dispatch();
    EXPECT_TRUE(sent<wire::BundleTake>(told).empty());
    cluster.finish(running.front());
    dispatch();
    EXPECT_EQ(sent<wire::BundleTake>(told).size(), 2U);
    EXPECT_TRUE(sent<wire::GroupPlaced>(told).empty());
    take_all();
    EXPECT_EQ(sent<wire::GroupPlaced>(told).size(), 1U);
    close();
    EXPECT_TRUE(cluster->idle());
}

TEST_F(Groups, KeepTheirResourcesFromOthers) {
    place(spec({cpus(4), cpus(3)}));
    cluster.submit(outside(), 3);
    EXPECT_EQ(dispatch().size(), 1U);
    cluster.submit(in(0), 6);
    const auto inside = dispatch();
    EXPECT_EQ(inside.size(), 4U);
    for (const auto& grant : inside) {
        EXPECT_EQ(grant.worker, cluster->places(group).at(0));
        EXPECT_EQ(grant.bundles, std::vector{0});
    }
    cluster.finish(inside.front());
    const auto next = dispatch();
    ASSERT_EQ(next.size(), 1U);
    EXPECT_EQ(next.front().worker, inside.front().worker);
}

TEST_F(Groups, AnyBundleWithRoomTakesATask) {
    place(spec({cpus(1), cpus(2)}));
    cluster.submit(in(-1), 5);
    std::map<std::int32_t, int> tasks;
    for (const auto& grant : dispatch()) {
        ++tasks[grant.bundles.front()];
    }
    EXPECT_EQ(tasks, (std::map<std::int32_t, int>{{0, 1}, {1, 2}}));
}

TEST_F(Groups, TasksThatComeFirstWaitForTheirGroupAndItsOwnerIsAsked) {
    cluster.submit(in(0), 1);
    EXPECT_TRUE(dispatch().empty());
    EXPECT_EQ(sent<wire::GroupAsked>(told).size(), 1U);
    EXPECT_TRUE(dispatch().empty());
    EXPECT_EQ(sent<wire::GroupAsked>(told).size(), 1U); // once
    open(spec({cpus(1)}));
    EXPECT_TRUE(dispatch().empty());
    take_all();
    EXPECT_EQ(dispatch().size(), 1U);
}

TEST_F(Groups, ThatAreGoneGiveTheirTasksBack) {
    place(spec({cpus(4), cpus(4)}));
    cluster.submit(in(0, 4), 3);
    const auto running = dispatch();
    ASSERT_EQ(running.size(), 1U);
    close("because");
    const auto back = sent<wire::Infeasible>(told);
    ASSERT_EQ(back.size(), 1U);
    EXPECT_EQ(back.front().second.why, "because");
    EXPECT_TRUE(back.front().second.removed);
    EXPECT_EQ(back.front().second.tasks.front().count, 2U);
    EXPECT_EQ(sent<wire::BundleFree>(told).size(), 2U);
    // What runs keeps its CPUs, the others are free.
    cluster.submit(outside(4), 2);
    EXPECT_EQ(dispatch().size(), 1U);
    cluster.finish(running.front());
    EXPECT_EQ(dispatch().size(), 1U);
    // And who comes later hears the same.
    cluster.submit(in(0), 1);
    dispatch();
    EXPECT_EQ(sent<wire::GroupAsked>(told).size(), 1U);
    close("because");
    EXPECT_EQ(sent<wire::Infeasible>(told).size(), 2U);
}

TEST_F(Groups, BlockedTasksLendWithinTheirBundle) {
    place(spec({cpus(1)}));
    cluster.submit(in(0), 2);
    const auto first = dispatch();
    ASSERT_EQ(first.size(), 1U);
    cluster.submit(outside(4), 2);
    EXPECT_EQ(dispatch().size(), 1U);
    cluster.lend(first.front());
    const auto second = dispatch();
    ASSERT_EQ(second.size(), 1U); // in the bundle, and nothing outside
    EXPECT_EQ(second.front().bundles, std::vector{0});
    cluster.lend(first.front(), true);
    cluster.finish(second.front());
    cluster.finish(first.front());
    close();
}

TEST_F(Groups, WaitInOrderAndKeepRanksFree) {
    cluster.submit(cpu_class(1, 2), 4);
    const auto running = dispatch();
    ASSERT_EQ(running.size(), 4U);
    open(spec({cpus(4), cpus(4)}, Strategy::strict_spread));
    cluster.submit(cpu_class(2, 2), 4);
    EXPECT_TRUE(dispatch().empty());
    for (std::size_t i = 0; i < 3; ++i) {
        cluster.finish(running[i]);
        EXPECT_TRUE(dispatch().empty()) << i;
    }
    cluster.finish(running[3]);
    EXPECT_TRUE(dispatch().empty());
    EXPECT_EQ(sent<wire::BundleTake>(told).size(), 2U);
    close();
    EXPECT_EQ(dispatch().size(), 4U);
}

TEST_F(Groups, DoNotKeepFreeWhatOtherGroupsHave) {
    place(spec({cpus(4), cpus(4)}));
    cluster.submit(cpu_class(1), 1);
    auto other = spec({cpus(1)});
    other.id = advance(group, 1);
    open(std::move(other));
    auto nothing = cpu_class(2, 0);
    cluster.submit(nothing, 1);
    EXPECT_EQ(dispatch().size(), 1U); // nobody's end would make room, so nobody waits for it
}

TEST_F(Groups, ALargeTaskInABundleIsNotStarvedBySmallOnes) {
    place(spec({cpus(2)}));
    cluster.submit(in(0), 2);
    const auto running = dispatch();
    ASSERT_EQ(running.size(), 2U);
    auto large = in(0, 2);
    large.function = FunctionId{2};
    cluster.submit(large, 1);
    auto small = in(0);
    small.function = FunctionId{3};
    cluster.submit(small, 1);
    EXPECT_TRUE(dispatch().empty());
    cluster.finish(running[0]);
    EXPECT_TRUE(dispatch().empty());
    cluster.finish(running[1]);
    const auto next = dispatch();
    ASSERT_EQ(next.size(), 1U);
    cluster.finish(next.front());
    EXPECT_EQ(dispatch().size(), 1U);
}

TEST_F(Groups, SeatMembersInBundlesOnARankEach) {
    place(spec({cpus(1), cpus(1)}, Strategy::strict_spread));
    auto gang = in(-1);
    gang.ranks = 2;
    cluster.submit(gang, 4);
    const auto grants = dispatch();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants.front().members, (std::vector{Rank{0}, Rank{1}}));
    ASSERT_EQ(grants.front().bundles.size(), 2U);
    for (std::size_t m = 0; m < 2; ++m) {
        EXPECT_EQ(cluster->places(group).at(grants.front().bundles[m]), grants.front().members[m]);
    }
}

TEST_F(Groups, GiveBackAGangThatTheirBundlesCannotSeat) {
    place(spec({cpus(1), cpus(1)}, Strategy::strict_pack));
    auto gang = in(-1);
    gang.ranks = 2;
    cluster.submit(gang, 2);
    EXPECT_TRUE(dispatch().empty());
    const auto back = sent<wire::Infeasible>(told);
    ASSERT_EQ(back.size(), 1U);
    EXPECT_FALSE(back.front().second.removed);
}

TEST_F(Groups, ActorsStayInTheirBundle) {
    place(spec({cpus(1)}));
    auto actor = in(0);
    actor.actor = true;
    cluster.submit(actor, 1);
    const auto grants = dispatch();
    ASSERT_EQ(grants.size(), 1U);
    close();
    cluster.submit(outside(4), 2);
    EXPECT_EQ(dispatch().size(), 1U); // it lives on
    cluster.finish(grants.front());
    EXPECT_EQ(dispatch().size(), 1U);
}

TEST_F(Groups, WaitingOnesAreGivenUpAtTheEndAndNamedBefore) {
    cluster.submit(cpu_class(1, 4), 2);
    dispatch();
    open(spec({cpus(4)}));
    cluster.submit(in(0), 1);
    dispatch();
    const auto status = cluster->describe();
    ASSERT_EQ(status.groups.size(), 1U);
    EXPECT_EQ(status.groups.front().missing, 1U);
    ASSERT_EQ(status.queued.size(), 1U);
    EXPECT_TRUE(status.queued.front().group_waits);
    cluster->halt();
    dispatch();
    const auto given_up = sent<wire::NotStarted>(told);
    ASSERT_EQ(given_up.size(), 1U);
    EXPECT_EQ(given_up.front().second.ranges.size(), 2U);
}

/// A coordinator of term 2, of four ranks on two nodes, of which rank 3 is lost.
class GroupSuccessor : public ::testing::Test {
protected:
    void enter(std::int32_t rank,
               std::vector<wire::HeldBundle> bundles,
               std::vector<wire::GroupSpec> groups = {},
               std::vector<wire::HeldClass> held = {}) {
        wire::Register message{NodeId{rank / 2}, "host", cpus(4)};
        message.bundles = std::move(bundles);
        message.groups = std::move(groups);
        message.held = std::move(held);
        scheduler.on_register(Rank{rank}, message, told);
        scheduler.check_invariants();
    }

    static wire::HeldBundle held(std::int32_t bundle, Amount amount) {
        return {{group, bundle}, cpus(amount)};
    }

    static wire::GroupSpec spec(std::vector<Resources> bundles, Strategy strategy) {
        wire::GroupSpec spec;
        spec.id = group;
        spec.bundles = std::move(bundles);
        spec.strategy = strategy;
        spec.placed = true;
        return spec;
    }

    void dispatch() {
        scheduler.dispatch(told);
        scheduler.check_invariants();
    }

    Scheduler scheduler{{.self = Rank{0}, .term = Term{2}, .world_size = 4, .lost = {Rank{3}}}};
    wire::Actions told;
};

TEST_F(GroupSuccessor, LeavesBundlesWhereTheyAreAndPlacesLostOnesAgain) {
    enter(2, {held(0, 2)});
    enter(0, {}, {spec({cpus(2), cpus(2)}, Strategy::strict_pack)});
    enter(1, {});
    dispatch();
    const auto takes = sent<wire::BundleTake>(told);
    ASSERT_EQ(takes.size(), 1U);
    EXPECT_EQ(takes.front().first, Rank{2}); // what is left of that node
    EXPECT_EQ(takes.front().second.bundle.id.bundle, 1);
}

TEST_F(GroupSuccessor, MovesAGroupThatItsNodeCannotHoldAnyMore) {
    enter(2,
          {held(0, 3)},
          {},
          {{[] {
                auto running = cpu_class(1, 3);
                running.placement = {Placement::Kind::in_group, 0, group};
                return running;
            }(),
            1,
            {{make_lease_id(Term{1}, 1), 1, 0, 0}}}});
    enter(0, {}, {spec({cpus(3), cpus(3)}, Strategy::strict_pack)});
    enter(1, {});
    EXPECT_EQ(sent<wire::BundleFree>(told).size(), 1U);
    dispatch();
    std::vector<Rank> ranks;
    for (const auto& [rank, take] : sent<wire::BundleTake>(told)) {
        ranks.push_back(rank);
    }
    EXPECT_EQ(ranks, (std::vector{Rank{0}, Rank{1}}));
    scheduler.on_progress({{{make_lease_id(Term{1}, 1), 1, Duration{1}}}});
    scheduler.check_invariants();
}

TEST_F(GroupSuccessor, OnlyTheFirstThatWaitsForRoomKeepsTheBundlesItHas) {
    auto other = spec({cpus(4), cpus(4)}, Strategy::pack);
    other.id = advance(group, 1);
    wire::HeldBundle of_other = held(0, 4);
    of_other.id.group = other.id;
    wire::HeldBundle busy = held(0, 4);
    busy.id.group = advance(group, 2);
    auto third = spec({cpus(4)}, Strategy::pack);
    third.id = advance(group, 2);
    enter(1, {of_other});
    enter(2, {busy});
    enter(0, {held(0, 4)}, {spec({cpus(4), cpus(4)}, Strategy::pack), other, third});
    EXPECT_TRUE(sent<wire::BundleFree>(told).empty());
    dispatch();
    const auto freed = sent<wire::BundleFree>(told);
    ASSERT_EQ(freed.size(), 1U);
    EXPECT_EQ(freed.front().second.id.group, other.id);
    dispatch();
    const auto takes = sent<wire::BundleTake>(told);
    ASSERT_EQ(takes.size(), 1U);
    EXPECT_EQ(takes.front().first, Rank{1});
    EXPECT_EQ(takes.front().second.bundle.id, (wire::BundleId{group, 1}));
}

TEST_F(GroupSuccessor, FailsAGroupThatTheRanksLeftCannotHold) {
    enter(2, {held(0, 4)});
    enter(0, {}, {spec({cpus(4), cpus(4), cpus(4), cpus(4)}, Strategy::pack)});
    enter(1, {});
    const auto failed = sent<wire::GroupFailed>(told);
    ASSERT_EQ(failed.size(), 1U);
    EXPECT_EQ(failed.front().first, Rank{0});
    EXPECT_EQ(sent<wire::BundleFree>(told).size(), 1U);
    EXPECT_TRUE(scheduler.idle());
}

TEST_F(GroupSuccessor, FreesBundlesOfGroupsThatNobodyClaims) {
    enter(2, {held(0, 4)});
    enter(0, {});
    EXPECT_TRUE(sent<wire::BundleFree>(told).empty());
    enter(1, {});
    EXPECT_EQ(sent<wire::BundleFree>(told).size(), 1U);
    EXPECT_TRUE(scheduler.idle());
}

TEST_F(GroupSuccessor, TurnsAwayTasksInGroupsOfALostRank) {
    enter(0, {});
    enter(1, {});
    enter(2, {});
    auto orphan = cpu_class(1);
    orphan.placement = {Placement::Kind::in_group, 0, make_object_id(Rank{3}, 7)};
    scheduler.on_submit({orphan, {{make_object_id(Rank{1}, 1), 1}}});
    dispatch();
    EXPECT_EQ(sent<wire::Infeasible>(told).size(), 1U);
    EXPECT_TRUE(scheduler.idle());
}

} // namespace
} // namespace muster::sched
