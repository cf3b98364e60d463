#include "gangs.hpp"

#include <set>
#include <string>
#include <vector>

namespace muster::test {
namespace {

/// Bundles that take whole ranks.
std::vector<Bundle> whole_ranks(int count) {
    std::vector<Bundle> bundles;
    for (int i = 0; i < count; ++i) {
        bundles.push_back({.cpus = 2});
    }
    return bundles;
}

class Tenant {
public:
    int rank() const { return where(); }
};

int outer(const PlacementGroup& group) {
    return task<&where>.with({.placement = group.bundle(0)})().get();
}

int spin(int number) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds{300};
    while (std::chrono::steady_clock::now() < end) {
    }
    return number;
}

std::string refused(const std::vector<Bundle>& bundles, const PlacementGroupOptions& options) {
    return thrown_by<Error>([&] { (void)placement_group(bundles, options); });
}

} // namespace

MUSTER_BODY(TasksRunInTheirBundles) {
    const auto group = placement_group({{.cpus = 1}, {.cpus = 0.5}, {.cpus = 0.5}},
                                       {.strategy = Strategy::spread, .name = "three"});
    EXPECT_EQ(group.size(), 3U);
    group.ready().get();
    for (std::size_t b = 0; b < group.size(); ++b) {
        std::set<int> ranks;
        std::vector<Future<int>> futures;
        for (int i = 0; i < 20; ++i) {
            futures.push_back(task<&where>.with({.cpus = 0.5, .placement = group.bundle(b)})());
        }
        for (const auto& future : futures) {
            ranks.insert(future.get());
        }
        EXPECT_EQ(ranks.size(), 1U) << "bundle " << b;
    }
    const auto anywhere = map<&outer>(std::vector(10, group), {.cpus = 0});
    for (const auto& future : anywhere) {
        EXPECT_GE(future.get(), 0);
    }
}

MUSTER_BODY(ABundleKeepsItsResourcesFromOthersUntilItIsRemoved) {
    auto group = placement_group({{.cpus = 2}});
    const int rank = task<&where>.with({.placement = group.bundle(0)})().get();
    auto outside = task<&where>.with({.placement = on_rank(rank)})();
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(task<&where>.with({.cpus = 2, .placement = group.any()})().get(), rank);
    }
    EXPECT_FALSE(outside.ready());
    group.remove();
    EXPECT_EQ(outside.get(), rank);
    auto late = task<&where>.with({.placement = group.any()})();
    EXPECT_TRUE(contains(thrown_by<TaskError>([&] { late.get(); }),
                         "not run: its placement group was removed"));
}

MUSTER_BODY(WhatWaitsForAGroupIsCancelledWithIt) {
    auto holders = hold_all_ranks();
    auto group = placement_group(whole_ranks(rank_count()), {.name = "all"});
    auto ready = group.ready();
    auto waiting = task<&where>.with({.placement = group.bundle(0)})();
    auto actor = spawn<Tenant>({.cpus = 1, .placement = group.bundle(0)});
    auto call = actor.call<&Tenant::rank>();
    EXPECT_FALSE(ready.ready());
    group.remove();
    EXPECT_TRUE(contains(thrown_by<TaskError>([&] { ready.get(); }), "placement group all ("));
    try {
        waiting.get();
        ADD_FAILURE() << "no exception";
    } catch (const TaskError& error) {
        EXPECT_EQ(error.code(), ErrorCode::cancelled);
    }
    EXPECT_TRUE(contains(thrown_by<TaskError>([&] { call.get(); }), "placement group was removed"));
    cancel_all(holders);
}

MUSTER_BODY(LettingGoOfTheLastHandleFreesAGroup) {
    for (int i = 0; i < 3; ++i) {
        const auto group = placement_group(whole_ranks(rank_count()));
        const auto copy = group;
        copy.ready().get();
    }
    // A task in it is a hold, too.
    auto answer = task<&where>.with({.placement = placement_group({{.cpus = 1}}).bundle(0)});
    const std::string refusal = thrown_by<Error>([&] { (void)answer(); });
    EXPECT_TRUE(contains(refusal, "keep the PlacementGroup")) << refusal;
    auto group = placement_group(whole_ranks(rank_count()));
    auto last = task<&where>.with({.placement = group.any()})();
    group = {};
    EXPECT_GE(last.get(), 0);
}

MUSTER_BODY(HandlesOfGroupsTravel) {
    const auto group = placement_group({{.cpus = 1}});
    const int rank = task<&where>.with({.placement = group.bundle(0)})().get();
    for (int i = 0; i < rank_count(); ++i) {
        EXPECT_EQ(task<&outer>.with({.cpus = 0, .placement = on_rank(i)})(group).get(), rank);
    }
    // Removed by somebody else, or kept by what somebody else has submitted.
    task<[](const PlacementGroup& theirs) {
        theirs.ready().get();
        theirs.remove();
    }>.with({.cpus = 0, .placement = rank_at(1)})(group)
        .get();
    auto late = task<&where>.with({.placement = group.any()})();
    EXPECT_TRUE(contains(thrown_by<TaskError>([&] { late.get(); }), "group was removed"));
}

MUSTER_BODY(GroupsAreMadeAndUsedByIsolatedTasks) {
    const auto group = placement_group({{.cpus = 1}});
    const int rank = task<&where>.with({.placement = group.bundle(0)})().get();
    EXPECT_EQ(task<&outer>.with({.cpus = 0, .isolate = true})(group).get(), rank);
    const auto own = task<[] {
                         const auto mine = placement_group({{.cpus = 0.5}}, {.name = "mine"});
                         mine.ready().get();
                         return task<&where>.with({.cpus = 0.5, .placement = mine.any()})().get();
                     }>.with({.cpus = 0, .isolate = true})();
    EXPECT_GE(own.get(), 0);
}

MUSTER_BODY(ATaskThatWaitsLendsItsCpusWithinItsBundle) {
    const auto group = placement_group({{.cpus = 1}});
    const auto parent = task<[](const PlacementGroup& mine) {
                            return task<&outer>.with({.placement = mine.bundle(0)})(mine).get();
                        }>.with({.placement = group.bundle(0)})(group);
    EXPECT_GE(parent.get(), 0);
}

MUSTER_BODY(ActorsLiveInBundles) {
    auto group = placement_group({{.cpus = 1}, {.cpus = 1}});
    const int rank = task<&where>.with({.placement = group.bundle(1)})().get();
    {
        const auto actor = spawn<Tenant>({.cpus = 1, .placement = group.bundle(1)});
        EXPECT_EQ(actor.call<&Tenant::rank>().get(), rank);
        auto behind = task<&where>.with({.placement = group.bundle(1)})();
        EXPECT_EQ(actor.call<&Tenant::rank>().get(), rank);
        EXPECT_FALSE(behind.ready());
        group.remove(); // it lives on
        EXPECT_TRUE(contains(thrown_by<TaskError>([&] { behind.get(); }), "group was removed"));
        EXPECT_EQ(actor.call<&Tenant::rank>().get(), rank);
    }
    placement_group(whole_ranks(rank_count())).ready().get();
}

MUSTER_BODY(MembersOfGangsAreSeatedInBundles) {
    const int members = largest_gang();
    const auto group = placement_group(whole_ranks(rank_count()), {.strategy = Strategy::pack});
    std::vector<Future<std::vector<int>>> gangs;
    for (int i = 0; i < 4; ++i) {
        gangs.push_back(
            task<[](Communicator& ranks) { return sum_over(ranks, 1) * 100 + where(); }>.with(
                {.placement = group.any(), .ranks = members})());
    }
    for (const auto& gang : gangs) {
        const auto sums = gang.get();
        ASSERT_EQ(sums.size(), static_cast<std::size_t>(members));
        for (std::size_t m = 0; m < sums.size(); ++m) {
            EXPECT_EQ(sums[m], members * 100 + (rank_count() == 1 ? 0 : static_cast<int>(m)));
        }
    }
    const std::string refusal = thrown_by<Error>([&] {
        (void)task<[](Communicator& ranks) { return ranks.rank(); }>.with(
            {.cpus = 2, .placement = group.any(), .ranks = rank_count() + 1})();
    });
    EXPECT_TRUE(contains(refusal, "members with 2 cpus each: placement group has room for"))
        << refusal;
}

MUSTER_BODY(ALargeGroupIsPlacedBetweenTwoMapsThatTakeAllRanks) {
    const std::vector<int> numbers(200, 1);
    const auto before = map<&spin>(numbers);
    const auto group = placement_group(whole_ranks(rank_count()));
    const auto after = map<&spin>(numbers);
    group.ready().get();
    for (const auto& future : before) {
        EXPECT_EQ(future.get(), 1);
    }
    group.remove();
    for (const auto& future : after) {
        EXPECT_EQ(future.get(), 1);
    }
}

MUSTER_BODY(GroupsThatNoClusterHoldsAreRefused) {
    const std::string large = refused({{.cpus = 1}, {.cpus = 64}}, {.name = "large"});
    EXPECT_TRUE(contains(large,
                         "bundle 1 of placement group large needs 64 cpus: the most any rank has "
                         "is 2 of cpus"))
        << large;
    const std::string many = refused(whole_ranks(rank_count() + 1), {});
    EXPECT_TRUE(contains(many, "placement group (pack, ") && contains(many, " cpus together, and "))
        << many;
    const std::vector<Bundle> apart(static_cast<std::size_t>(cluster().nodes) + 1);
    const std::string spread = refused(apart, {.strategy = Strategy::strict_spread});
    EXPECT_TRUE(contains(spread, "each on a node of its own, and there ")) << spread;
    const std::string packed =
        refused(whole_ranks(rank_count() + 1), {.strategy = Strategy::strict_pack});
    EXPECT_TRUE(contains(packed, "all of them on one node (")) << packed;
    EXPECT_TRUE(contains(refused({}, {}), "has no bundles"));
    EXPECT_TRUE(contains(refused({{.cpus = -1}}, {}), "a demand cannot be negative"));
    try {
        (void)placement_group(whole_ranks(rank_count() + 1));
        ADD_FAILURE() << "no exception";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::infeasible);
    }
}

MUSTER_BODY(WhatABundleDoesNotHaveIsRefusedAtTheCall) {
    const auto group = placement_group({{.cpus = 1}, {.cpus = 0.5}}, {.name = "small"});
    const auto needs = [&](const TaskOptions& options) {
        return thrown_by<Error>([&] { (void)task<&where>.with(options)(); });
    };
    const std::string more = needs({.cpus = 1, .placement = group.bundle(1)});
    EXPECT_TRUE(contains(more, "needs 1 cpu: bundle 1 of placement group small has 0.5 cpus"))
        << more;
    const std::string none = needs({.cpus = 2, .placement = group.any()});
    EXPECT_TRUE(contains(none, "needs 2 cpus: no bundle of placement group small has that"))
        << none;
    EXPECT_TRUE(contains(thrown_by<Error>([&] { (void)group.bundle(2); }),
                         "placement group small has no bundle 2: it has bundles 0 to 1"));
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)PlacementGroup().any(); }),
                         "this placement group is empty"));
}

} // namespace muster::test
