#include "cluster.hpp"

#include <gtest/gtest.h>

#include <set>

namespace muster::sched {
namespace {

using testing::cpu_class;

/// Gangs of so many members that need so many CPUs each.
wire::TaskClass
gang_class(std::uint32_t function, std::int32_t ranks, Amount cpus = 1, std::int32_t priority = 0) {
    auto task_class = cpu_class(function, cpus, priority);
    task_class.ranks = ranks;
    return task_class;
}

wire::TaskClass raw(wire::TaskClass task_class) {
    task_class.raw_mpi = true;
    return task_class;
}

wire::Grant member_of(const wire::Grant& gang, std::size_t member) {
    return {advance(gang.lease, member),
            {advance(gang.range.first, member), 1},
            gang.members[member],
            {}};
}

void finish_gang(Cluster& cluster, const wire::Grant& gang) {
    for (std::size_t m = 0; m < gang.members.size(); ++m) {
        cluster.finish(member_of(gang, m));
    }
}

/// Of what is granted: the gangs, and the ranks of single tasks.
std::vector<wire::Grant> gangs_of(const std::vector<wire::Grant>& grants) {
    std::vector<wire::Grant> gangs;
    for (const auto& grant : grants) {
        if (!grant.members.empty()) {
            gangs.push_back(grant);
        }
    }
    return gangs;
}

std::set<Rank> ranks_of(const std::vector<wire::Grant>& grants) {
    std::set<Rank> ranks;
    for (const auto& grant : grants) {
        if (grant.members.empty()) {
            ranks.insert(grant.worker);
        }
    }
    return ranks;
}

const std::vector<Rank> ranks_012{Rank{0}, Rank{1}, Rank{2}};

TEST(SchedulerGangs, AGangIsGrantedWholeWithALeaseForEachMember) {
    Cluster cluster({cpus(1), cpus(1), cpus(1)});
    const auto range = cluster.submit(gang_class(1, 3), 3);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].range, range);
    EXPECT_EQ(grants[0].members, ranks_012);
    // Each member frees its own rank when it ends, whatever the others do.
    cluster.submit(cpu_class(2), 3);
    EXPECT_TRUE(cluster.dispatch().empty());
    cluster.finish(member_of(grants[0], 1));
    const auto next = cluster.dispatch();
    EXPECT_EQ(ranks_of(next), std::set{Rank{1}});
    cluster.finish(member_of(grants[0], 0));
    cluster.finish(member_of(grants[0], 2));
    for (const auto& grant : cluster.dispatch()) {
        cluster.finish(grant);
    }
    for (const auto& grant : next) {
        cluster.finish(grant);
    }
    EXPECT_TRUE(cluster->idle());
}

TEST(SchedulerGangs, AllOrNone) {
    Cluster cluster({cpus(1), cpus(1), cpus(1)});
    cluster.submit(cpu_class(1), 1);
    const auto holder = cluster.dispatch();
    ASSERT_EQ(holder.size(), 1U);
    cluster.submit(gang_class(2, 3), 3);
    EXPECT_TRUE(cluster.dispatch().empty());
    cluster.finish(holder[0]);
    EXPECT_EQ(cluster.dispatch().at(0).members, ranks_012);
}

TEST(SchedulerGangs, AsManyGangsAsFitAndNoneAhead) {
    Cluster cluster({cpus(2), cpus(2), cpus(2)});
    cluster.submit(gang_class(1, 2), 12);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 3U); // of six: six CPUs
    std::map<Rank, int> load;
    for (const auto& grant : grants) {
        EXPECT_NE(grant.members[0], grant.members[1]);
        for (const Rank rank : grant.members) {
            ++load[rank];
        }
    }
    for (const auto& [rank, count] : load) {
        EXPECT_EQ(count, 2) << to_string(rank);
    }
    EXPECT_TRUE(cluster.dispatch().empty());
    finish_gang(cluster, grants[1]);
    const auto next = cluster.dispatch();
    ASSERT_EQ(next.size(), 1U);
    EXPECT_EQ(sequence_of(next[0].range.first), 7U);
}

TEST(SchedulerGangs, TheLeasesOfMembersFollowOneAnother) {
    Cluster cluster({cpus(4), cpus(4)});
    cluster.submit(gang_class(1, 2), 4);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_EQ(advance(grants[0].lease, 2), grants[1].lease);
}

TEST(SchedulerGangs, MembersAreThreadsOfTheOnlyRank) {
    Cluster cluster({cpus(2)});
    cluster.submit(gang_class(1, 2), 2);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].members, (std::vector{Rank{0}, Rank{0}}));
    cluster.submit(cpu_class(2), 1);
    EXPECT_TRUE(cluster.dispatch().empty());
    finish_gang(cluster, grants[0]);
    EXPECT_EQ(cluster.dispatch().size(), 1U);
}

TEST(SchedulerGangs, ARankHostsOneGangThatCallsMpiAtATime) {
    Cluster cluster({cpus(4), cpus(4), cpus(4)});
    cluster.submit(raw(gang_class(1, 2)), 2);
    const auto first = cluster.dispatch();
    ASSERT_EQ(first.size(), 1U);
    // Other gangs may be there beside it, and one that calls MPI on the third rank.
    cluster.submit(gang_class(2, 3), 3);
    EXPECT_EQ(cluster.dispatch().at(0).members, ranks_012);
    cluster.submit(raw(gang_class(3, 1)), 2);
    const auto second = cluster.dispatch();
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(second[0].members, std::vector{Rank{2}});
    cluster.finish(member_of(first[0], 0));
    const auto third = cluster.dispatch();
    ASSERT_EQ(third.size(), 1U);
    EXPECT_EQ(third[0].members, std::vector{first[0].members[0]});
}

TEST(SchedulerGangs, RawMembersShareNoRankEvenIfThereIsOnlyOne) {
    Cluster cluster({cpus(4)});
    cluster.submit(raw(gang_class(1, 2)), 2);
    EXPECT_TRUE(cluster.dispatch().empty());
    cluster.submit(raw(gang_class(2, 1, 1, 1)), 1);
    EXPECT_EQ(cluster.dispatch().size(), 1U);
}

TEST(SchedulerGangs, GoByPriorityAmongTasks) {
    Cluster cluster({cpus(1), cpus(1)});
    cluster.submit(cpu_class(1), 2);
    cluster.submit(gang_class(2, 2, 1, 5), 2);
    cluster.submit(gang_class(3, 2, 1, 9), 2);
    std::vector<std::uint64_t> order;
    for (int i = 0; i < 2; ++i) {
        const auto grants = cluster.dispatch();
        ASSERT_EQ(grants.size(), 1U);
        order.push_back(sequence_of(grants[0].range.first));
        finish_gang(cluster, grants[0]);
    }
    EXPECT_EQ(order, (std::vector<std::uint64_t>{5, 3}));
    EXPECT_EQ(by_rank(cluster.dispatch()).size(), 2U);
}

TEST(SchedulerGangs, ReserveRanksAgainstTasksThatCameLater) {
    Cluster cluster({cpus(1), cpus(1), cpus(1)});
    cluster.submit(cpu_class(1), 3);
    const auto holders = cluster.dispatch();
    ASSERT_EQ(holders.size(), 3U);
    cluster.submit(gang_class(2, 2), 2);
    cluster.submit(cpu_class(3), 100);
    EXPECT_TRUE(cluster.dispatch().empty());
    // Two ranks are kept for the gang, the third one serves the rest, and leases nothing ahead.
    std::vector<wire::Grant> grants;
    for (const auto& holder : holders) {
        cluster.finish(holder);
        const auto more = cluster.dispatch();
        grants.insert(grants.end(), more.begin(), more.end());
    }
    ASSERT_EQ(gangs_of(grants).size(), 1U);
    EXPECT_EQ(by_rank(grants).size() - 1, 1U); // the gang's grant names no worker: rank 0
}

TEST(SchedulerGangs, ARankWhereATaskIsBlockedIsNotReserved) {
    Cluster cluster({cpus(1), cpus(1)});
    cluster.submit(cpu_class(1), 2);
    const auto parents = cluster.dispatch();
    ASSERT_EQ(parents.size(), 2U);
    cluster.submit(gang_class(2, 2, 1, 1), 2);
    cluster.submit(cpu_class(3), 2);
    EXPECT_TRUE(cluster.dispatch().empty());
    // The first parent waits for a task of the third class: with one rank less there is no room for
    // the gang, and then none is kept, or what the parent waits for would never run.
    cluster.lend(parents[0]);
    const auto child = cluster.dispatch();
    ASSERT_EQ(child.size(), 1U);
    EXPECT_TRUE(child[0].members.empty());
    EXPECT_EQ(child[0].worker, parents[0].worker);
    cluster.lend(parents[0], true);
    cluster.finish(child[0]);
    cluster.finish(parents[0]);
    cluster.finish(parents[1]);
    EXPECT_EQ(gangs_of(cluster.dispatch()).size(), 1U);
}

TEST(SchedulerGangs, MayUseCpusThatWereLent) {
    Cluster cluster({cpus(1), cpus(1)});
    cluster.submit(cpu_class(1), 2);
    const auto parents = cluster.dispatch();
    cluster.submit(gang_class(2, 2, 1), 2);
    cluster.lend(parents[0]);
    EXPECT_TRUE(cluster.dispatch().empty());
    cluster.lend(parents[1]);
    const auto gang = cluster.dispatch();
    ASSERT_EQ(gang.size(), 1U);
    cluster.lend(parents[0], true); // over its CPUs until the member has ended
    cluster.lend(parents[1], true);
    finish_gang(cluster, gang[0]);
    cluster.finish(parents[0]);
    cluster.finish(parents[1]);
    EXPECT_TRUE(cluster->idle());
}

TEST(SchedulerGangs, ADeclinedGangFreesItsRanks) {
    Cluster cluster({cpus(1), cpus(1)});
    cluster.submit(raw(gang_class(1, 2)), 4);
    const auto gang = cluster.dispatch();
    ASSERT_EQ(gang.size(), 1U);
    cluster->on_progress(
        {{{gang[0].lease, 1, Duration{}}, {advance(gang[0].lease, 1), 1, Duration{}}}});
    EXPECT_EQ(cluster.dispatch().size(), 1U);
}

TEST(SchedulerGangs, NothingOfAGangIsRecalled) {
    Cluster cluster({cpus(2), cpus(2)});
    cluster.submit(gang_class(1, 2), 2);
    EXPECT_EQ(cluster.dispatch().size(), 1U);
    EXPECT_TRUE(cluster.dispatch().empty());
    EXPECT_TRUE(cluster.recalls().empty());
}

} // namespace
} // namespace muster::sched
