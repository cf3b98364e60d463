#include "lone_owner.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace muster::owner {
namespace {

using testing::bytes;
using testing::cpu_class;
using testing::orders;
using testing::sent;
using Kind = wire::FailureRecord::Kind;

constexpr std::int32_t members = 3;

/// An owner with one gang, granted with the leases 10, 11 and 12.
class GangOwner : public LoneOwner {
public:
    explicit GangOwner(std::uint64_t count = 1, const std::vector<ObjectId>& dependencies = {})
        : gang(make_object_id(Rank{0}, 500)) {
        auto task_class = cpu_class(1);
        task_class.ranks = members;
        (*this)->submit({gang,
                         task_class,
                         "solver",
                         std::vector<NewTask>(count, NewTask{bytes(5), dependencies}),
                         std::make_shared<int>()},
                        actions);
        (*this)->check_invariants();
    }

    void grant_gang(std::uint64_t which = 0, std::uint64_t lease = 10) {
        (*this)->on_grant({make_lease_id(Term{1}, lease),
                           {advance(gang, which * members), members},
                           {},
                           {Rank{4}, Rank{2}, Rank{3}}},
                          actions);
        (*this)->check_invariants();
    }

    void member(std::uint64_t number, wire::Outcome outcome, std::uint64_t lease = 10) {
        finish(advance(gang, number), std::move(outcome), lease + number);
    }

    /// What a member reports that ended so.
    static wire::Outcome failed(std::uint64_t number, Kind kind) {
        wire::Outcome outcome;
        outcome.kind = wire::Outcome::Kind::failed;
        outcome.failure.emplace_back();
        outcome.failure.front().kind = kind;
        outcome.failure.front().message = "member " + std::to_string(number);
        outcome.failure.front().attempt = 1;
        return outcome;
    }

    /// How the gang has ended, if it has since the last call.
    std::optional<wire::Outcome> resolved() {
        const auto found = orders<wire::ResolveFuture>(flush());
        EXPECT_LE(found.size(), 1U);
        return found.empty() ? std::nullopt : std::optional(found.front().outcome);
    }

    TaskId gang;
};

TEST(OwnerGangs, TakeAsManyIdsAsTheyHaveMembers) {
    GangOwner owner(4);
    const auto submitted = sent<wire::Submit>(owner.flush());
    ASSERT_EQ(submitted.size(), 1U);
    EXPECT_EQ(submitted[0].second.ranges,
              (std::vector<wire::Range>{{owner.gang, 4 * std::uint64_t{members}}}));
    EXPECT_EQ(owner->unfinished(), 4U);
}

TEST(OwnerGangs, AGrantSendsEachMemberItsPart) {
    GangOwner owner;
    owner.flush();
    owner.grant_gang();
    const auto runs = sent<wire::Run>(owner.flush());
    ASSERT_EQ(runs.size(), 3U);
    const std::vector ranks{Rank{4}, Rank{2}, Rank{3}};
    for (std::uint64_t m = 0; m < 3; ++m) {
        const auto& [to, run] = runs[m];
        EXPECT_EQ(to, ranks[m]);
        EXPECT_EQ(run.lease, make_lease_id(Term{1}, 10 + m));
        EXPECT_EQ(run.gang.id, make_lease_id(Term{1}, 10));
        EXPECT_EQ(run.gang.members, ranks);
        EXPECT_EQ(run.member, static_cast<std::int32_t>(m));
        EXPECT_EQ(run.name, "solver");
        ASSERT_EQ(run.tasks.size(), 1U);
        EXPECT_EQ(run.tasks[0].id, advance(owner.gang, m));
        EXPECT_EQ(run.tasks[0].attempt, 1U);
        EXPECT_EQ(run.tasks[0].arguments.size(), 5U);
    }
}

TEST(OwnerGangs, EachMemberHearsOfItsOwnGpus) {
    GangOwner owner;
    owner.flush();
    wire::Grant grant{
        make_lease_id(Term{1}, 10), {owner.gang, members}, {}, {Rank{4}, Rank{2}, Rank{3}}};
    grant.devices = {0, 1, 2, 3, 0, 1};
    owner->on_grant(grant, owner.actions);
    const auto runs = sent<wire::Run>(owner.flush());
    ASSERT_EQ(runs.size(), 3U);
    EXPECT_EQ(runs[0].second.devices, (wire::DeviceList{0, 1}));
    EXPECT_EQ(runs[1].second.devices, (wire::DeviceList{2, 3}));
    EXPECT_EQ(runs[2].second.devices, (wire::DeviceList{0, 1}));
}

TEST(OwnerGangs, ADependencyIsForAllMembers) {
    GangOwner owner(1, {make_object_id(Rank{0}, 1)});
    // The dependency was dropped long ago, so the gang fails at once.
    EXPECT_EQ(owner.resolved()->failure.front().kind, Kind::object_lost);
    EXPECT_EQ(owner->unfinished(), 0U);
}

TEST(OwnerGangs, TheResultIsTheFirstMembersOnceAllHaveEnded) {
    GangOwner owner;
    owner.flush();
    owner.grant_gang();
    owner.member(0, LoneOwner::value(17));
    EXPECT_FALSE(owner.resolved());
    owner.member(2, LoneOwner::value(0));
    EXPECT_FALSE(owner.resolved());
    owner.member(1, LoneOwner::value(0));
    const auto outcome = owner.resolved();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->kind, wire::Outcome::Kind::value);
    EXPECT_EQ(outcome->size, 17U);
    EXPECT_EQ(owner->unfinished(), 0U);
    owner.release(owner.gang);
    EXPECT_TRUE(owner->empty());
}

TEST(OwnerGangs, GangsOfOneMapEndApart) {
    GangOwner owner(2);
    owner.flush();
    owner.grant_gang(1, 20);
    for (std::uint64_t m = 0; m < 3; ++m) {
        owner.finish(advance(owner.gang, 3 + m), LoneOwner::value(m), 20 + m);
    }
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 1U);
    EXPECT_EQ(resolved[0].index, 1U);
    EXPECT_EQ(resolved[0].object, advance(owner.gang, 3));
    EXPECT_EQ(owner->unfinished(), 1U);
}

struct Ends {
    std::vector<std::pair<std::uint64_t, std::optional<Kind>>> in_order; ///< None: with a value.
    std::int32_t expected = 0;
};

TEST(OwnerGangs, TheFailureIsTheFirstMembersThatFailedByItself) {
    const std::optional<Kind> value;
    const std::vector<Ends> cases{
        {{{0, value}, {1, Kind::exception}, {2, value}}, 1},
        {{{1, Kind::released}, {0, Kind::released}, {2, Kind::exception}}, 2},
        {{{2, Kind::exception}, {0, Kind::released}, {1, Kind::released}}, 2},
        {{{2, Kind::exception}, {1, Kind::exception}, {0, Kind::released}}, 1},
        {{{1, Kind::exception}, {2, Kind::exception}, {0, value}}, 1},
        {{{2, Kind::cancelled}, {1, Kind::released}, {0, Kind::released}}, 2},
        {{{2, Kind::released}, {1, Kind::released}, {0, Kind::released}}, 0},
        {{{0, value}, {2, Kind::released}, {1, value}}, 2},
        {{{0, Kind::object_lost}, {1, Kind::released}, {2, Kind::released}}, 0},
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        GangOwner owner;
        owner.flush();
        owner.grant_gang();
        for (const auto& [member, kind] : cases[i].in_order) {
            EXPECT_FALSE(owner.resolved()) << i;
            owner.member(member, kind ? GangOwner::failed(member, *kind) : LoneOwner::value(1));
        }
        const auto outcome = owner.resolved();
        ASSERT_TRUE(outcome && outcome->kind == wire::Outcome::Kind::failed) << i;
        EXPECT_EQ(outcome->failure.front().member, cases[i].expected) << i;
        EXPECT_EQ(outcome->failure.front().message, "member " + std::to_string(cases[i].expected));
        EXPECT_EQ(outcome->failure.front().task, owner.gang) << i;
    }
}

TEST(OwnerGangs, AMemberWhoseRankIsLostAfterItsEndIsWhyTheOthersWereReleased) {
    GangOwner owner;
    owner.grant_gang();
    owner.member(0, LoneOwner::value(1));
    owner->on_term(Rank{1}, {{Rank{4}, "there"}}, owner.actions);
    owner.member(1, GangOwner::failed(1, Kind::released));
    owner.member(2, GangOwner::failed(2, Kind::released));
    const auto outcome = owner.resolved();
    ASSERT_TRUE(outcome);
    const auto& record = outcome->failure.front();
    EXPECT_EQ(record.kind, Kind::system);
    EXPECT_EQ(record.member, 0);
    EXPECT_EQ(record.message, "rank 4 on there was lost");
}

TEST(OwnerGangs, AMemberCountsOnceAndUnderItsOwnLeaseOnly) {
    GangOwner owner;
    owner.flush();
    owner.grant_gang();
    owner.member(0, LoneOwner::value(1), 30);
    owner.finish(advance(owner.gang, 1), LoneOwner::value(1), 10); // another member's lease
    owner.member(0, LoneOwner::value(1));
    owner.member(0, LoneOwner::value(2));
    owner.member(1, LoneOwner::value(1));
    EXPECT_FALSE(owner.resolved());
    owner.member(2, LoneOwner::value(1));
    EXPECT_EQ(owner.resolved()->size, 1U);
    owner.member(2, LoneOwner::value(1));
    EXPECT_FALSE(owner.resolved());
}

TEST(OwnerGangs, AGangThatWaitsIsCancelledAtOnceAndDeclinedWhenItIsGranted) {
    GangOwner owner;
    owner.flush();
    owner->cancel(owner.gang, owner.actions);
    EXPECT_EQ(owner.resolved()->failure.front().kind, Kind::cancelled);
    owner.grant_gang();
    const auto actions = owner.flush();
    EXPECT_TRUE(sent<wire::Run>(actions).empty());
    const auto declined = sent<wire::Progress>(actions);
    ASSERT_EQ(declined.size(), 1U);
    ASSERT_EQ(declined[0].second.leases.size(), 3U);
    for (std::uint64_t m = 0; m < 3; ++m) {
        EXPECT_EQ(declined[0].second.leases[m].lease, make_lease_id(Term{1}, 10 + m));
        EXPECT_EQ(declined[0].second.leases[m].finished, 1U);
    }
    owner.release(owner.gang);
    owner.grant_gang(); // as if the word of it had been slow: nobody knows the gang any more
    EXPECT_EQ(sent<wire::Progress>(owner.flush()).size(), 1U);
}

TEST(OwnerGangs, CancellingAGangStopsEveryMemberOnce) {
    GangOwner owner;
    owner.flush();
    owner.grant_gang();
    owner.flush();
    owner->cancel(owner.gang, owner.actions);
    owner->cancel(owner.gang, owner.actions);
    const auto stops = sent<wire::Stop>(owner.flush());
    ASSERT_EQ(stops.size(), 3U);
    for (std::uint64_t m = 0; m < 3; ++m) {
        EXPECT_EQ(stops[m].second.task, advance(owner.gang, m));
        EXPECT_EQ(stops[m].second.lease, make_lease_id(Term{1}, 10 + m));
    }
    EXPECT_EQ(stops[0].first, Rank{4});
    // Members that were too far to stop still make a result.
    for (std::uint64_t m = 0; m < 3; ++m) {
        owner.member(m, LoneOwner::value(1));
    }
    EXPECT_EQ(owner.resolved()->kind, wire::Outcome::Kind::value);
}

TEST(OwnerGangs, WhatDependsOnAFailedGangFailsWithIt) {
    GangOwner owner;
    const TaskId dependent = owner.submit(1, {owner.gang});
    owner.flush();
    owner.grant_gang();
    for (std::uint64_t m = 0; m < 3; ++m) {
        owner.member(m, GangOwner::failed(m, m == 1 ? Kind::exception : Kind::released));
    }
    const auto resolved = orders<wire::ResolveFuture>(owner.flush());
    ASSERT_EQ(resolved.size(), 2U);
    EXPECT_EQ(resolved[1].object, dependent);
    ASSERT_EQ(resolved[1].outcome.failure.size(), 2U);
    EXPECT_EQ(resolved[1].outcome.failure[1].member, 1);
}

} // namespace
} // namespace muster::owner
