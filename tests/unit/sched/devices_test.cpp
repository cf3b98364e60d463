#include "cluster.hpp"

#include <algorithm>

namespace muster::sched {
namespace {

using testing::cpu_class;
using testing::sent;
using wire::DeviceList;

TEST(Devices, PartsOfAGpuGoWhereTheLeastIsLeft) {
    Devices devices(3);
    devices.take({1}, 0.5);
    devices.take({2}, 0.4);
    EXPECT_EQ(devices.pick(0.5), DeviceList{1});
    EXPECT_EQ(devices.pick(0.6), DeviceList{2});
    EXPECT_EQ(devices.pick(0.7), DeviceList{0});
    EXPECT_EQ(devices.pick(1), DeviceList{0});
    EXPECT_EQ(devices.pick(0), DeviceList{});
    EXPECT_FALSE(devices.fit(2));
    devices.give_back({1}, 0.5);
    EXPECT_EQ(devices.pick(2), (DeviceList{0, 1}));
}

TEST(Devices, DoNotAddUp) {
    Devices devices(2);
    devices.take({0}, 0.6);
    devices.take({1}, 0.6);
    EXPECT_FALSE(devices.fit(0.6));
    EXPECT_FALSE(devices.fit(1));
    EXPECT_TRUE(devices.fit(0.4));
    EXPECT_EQ(devices.times_fitting(0.2, 100), 4);
    EXPECT_EQ(devices.times_fitting(0.3, 100), 2);
    EXPECT_EQ(devices.times_fitting(1, 100), 0);
    EXPECT_EQ(devices.times_fitting(0, 100), 100);
    EXPECT_EQ(Devices(5).times_fitting(2, 100), 2);
    EXPECT_EQ(Devices(5).times_fitting(0.4, 3), 3);
}

TEST(Devices, OfAPartTheRestIsNotThere) {
    const Devices all(2);
    const Devices part = all.only({1}, 0.5);
    EXPECT_EQ(part.free(), (std::vector<Amount>{0, 0.5}));
    EXPECT_EQ(part.pick(0.25), DeviceList{1});
    EXPECT_FALSE(part.fit(0.6));
    EXPECT_EQ(Devices(0.5).times_fitting(0.25, 10), 2);
}

wire::TaskClass gpu_class(std::uint32_t function, Amount amount) {
    auto task_class = cpu_class(function, 0);
    task_class.demand.gpus = amount;
    return task_class;
}

TEST(SchedulerDevices, HalvesShareOneGpuAndWholesHaveTheirOwn) {
    Cluster cluster({gpus(4, 3)});
    cluster.submit(gpu_class(1, 0.5), 3);
    const auto halves = cluster.dispatch();
    ASSERT_EQ(halves.size(), 3U);
    EXPECT_EQ(halves[0].devices, DeviceList{0});
    EXPECT_EQ(halves[1].devices, DeviceList{0});
    EXPECT_EQ(halves[2].devices, DeviceList{1});
    cluster.submit(gpu_class(2, 1), 2);
    const auto wholes = cluster.dispatch();
    ASSERT_EQ(wholes.size(), 1U);
    EXPECT_EQ(wholes[0].devices, DeviceList{2});
    cluster.finish(halves[2]);
    const auto last = cluster.dispatch();
    ASSERT_EQ(last.size(), 1U);
    EXPECT_EQ(last[0].devices, DeviceList{1});
    for (const auto& grant : {halves[0], halves[1], wholes[0], last[0]}) {
        cluster.finish(grant);
    }
    EXPECT_TRUE(cluster->idle());
}

TEST(SchedulerDevices, ASumOfPartsIsNotRoom) {
    Cluster cluster({gpus(8, 2), gpus(4, 1)});
    auto there = gpu_class(1, 0.6);
    there.placement = on_rank(0);
    cluster.submit(there, 2);
    ASSERT_EQ(cluster.dispatch().size(), 2U);
    // 0.8 are free on the first rank, though not of one GPU.
    cluster.submit(gpu_class(2, 0.6), 1);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].worker, Rank{1});
    cluster.submit(gpu_class(3, 0.4), 3);
    EXPECT_EQ(cluster.dispatch().size(), 3U);
}

TEST(SchedulerDevices, BlockedTasksKeepTheirs) {
    Cluster cluster({gpus(1, 1)});
    auto half = gpu_class(1, 0.5);
    half.demand.cpus = 1;
    cluster.submit(half, 1);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 1U);
    cluster.lend(grants[0]);
    cluster.submit(gpu_class(2, 1), 1);
    EXPECT_TRUE(cluster.dispatch().empty());
    cluster.lend(grants[0], true);
    cluster.finish(grants[0]);
    EXPECT_EQ(cluster.dispatch().size(), 1U);
}

TEST(SchedulerDevices, EachMemberOfAGangHasItsOwn) {
    Cluster cluster({gpus(4, 3)});
    auto gang = gpu_class(1, 0.6);
    gang.ranks = 2;
    cluster.submit(gang, 2);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].members.size(), 2U);
    EXPECT_EQ(grants[0].devices, (DeviceList{0, 1}));
}

TEST(SchedulerDevices, AGangThatFitsOnlyInSumWaits) {
    Cluster cluster({gpus(4, 2)});
    cluster.submit(gpu_class(1, 0.2), 1);
    const auto small = cluster.dispatch();
    ASSERT_EQ(small.size(), 1U);
    auto gang = gpu_class(2, 0.9);
    gang.ranks = 2;
    cluster.submit(gang, 2);
    EXPECT_TRUE(cluster.dispatch().empty());
    cluster.finish(small[0]);
    EXPECT_EQ(cluster.dispatch().size(), 1U);
}

TEST(SchedulerAlternatives, TheFirstThatHasRoomIsTaken) {
    Cluster cluster({gpus(4, 1)});
    auto either = gpu_class(1, 1);
    either.alternatives = {either.demand, cpus(2)};
    either.undecided = true;
    cluster.submit(either, 4);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 3U);
    EXPECT_EQ(grants[0].alternative, 0U);
    EXPECT_EQ(grants[0].devices, DeviceList{0});
    EXPECT_EQ(grants[1].alternative, 1U);
    EXPECT_EQ(grants[1].devices, DeviceList{});
    EXPECT_EQ(grants[2].alternative, 1U);
    cluster.finish(grants[2]);
    const auto last = cluster.dispatch();
    ASSERT_EQ(last.size(), 1U);
    EXPECT_EQ(last[0].alternative, 1U);
    for (const auto& grant : {grants[0], grants[1], last[0]}) {
        cluster.finish(grant);
    }
    EXPECT_TRUE(cluster->idle());
}

TEST(SchedulerAlternatives, WhatNoRankCanEverHaveIsNotWaitedFor) {
    Cluster cluster({cpus(4)});
    auto either = gpu_class(1, 1);
    either.alternatives = {either.demand, cpus(4)};
    either.undecided = true;
    cluster.submit(cpu_class(2, 1), 1);
    const auto small = cluster.dispatch();
    ASSERT_EQ(small.size(), 1U);
    cluster.submit(either, 1);
    cluster.submit(cpu_class(3, 1), 1); // comes after it, and must not keep it waiting
    EXPECT_TRUE(cluster.dispatch().empty());
    EXPECT_EQ(cluster->describe().queued.front().demand, cpus(4));
    cluster.finish(small[0]);
    const auto grants = cluster.dispatch();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].alternative, 1U);
}

constexpr ObjectId group = make_object_id(Rank{0}, 1'000'000);

wire::TaskClass in_group(wire::TaskClass task_class) {
    task_class.placement = {Placement::Kind::in_group, 0, group};
    return task_class;
}

class GroupDevices : public ::testing::Test {
protected:
    void open(std::vector<Resources> bundles) {
        wire::GroupSpec spec;
        spec.id = group;
        spec.bundles = std::move(bundles);
        cluster->on_group_open({spec}, told);
        dispatch();
        for (const auto& [rank, take] : sent<wire::BundleTake>(std::exchange(told, {}))) {
            taken.push_back(take.bundle);
            cluster->on_bundle_taken(rank, {take.bundle.id}, told);
        }
    }

    std::vector<wire::Grant> dispatch() {
        wire::Actions actions;
        cluster->dispatch(actions);
        cluster->check_invariants();
        std::vector<wire::Grant> grants;
        for (auto& [to, grant] : sent<wire::Grant>(actions)) {
            grants.push_back(grant);
        }
        for (auto& [to, take] : sent<wire::BundleTake>(actions)) {
            told.push_back(wire::SendMessage{to, take});
        }
        return grants;
    }

    Cluster cluster{{gpus(8, 3)}};
    wire::Actions told;
    std::vector<wire::HeldBundle> taken;
};

TEST_F(GroupDevices, TasksHaveTheirShareOfTheBundles) {
    cluster.submit(gpu_class(1, 0.25), 1);
    ASSERT_EQ(dispatch().size(), 1U);
    open({gpus(1, 0.5), gpus(1, 2)});
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0].devices, (DeviceList{1, 2})); // the largest first
    EXPECT_EQ(taken[1].devices, DeviceList{0});
    cluster.submit(in_group(gpu_class(2, 0.25)), 3);
    const auto grants = dispatch();
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_EQ(grants[0].devices, DeviceList{0});
    EXPECT_EQ(grants[1].devices, DeviceList{0});
    cluster.finish(grants[0]);
    EXPECT_EQ(dispatch().size(), 1U);
}

TEST_F(GroupDevices, WhatStillRunsInABundleThatIsGoneKeepsItsShare) {
    open({gpus(1, 3)});
    cluster.submit(in_group(gpu_class(1, 1)), 1);
    const auto grants = dispatch();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].devices, DeviceList{0});
    cluster->on_group_closed({group, "", true}, told);
    cluster->check_invariants();
    cluster.submit(gpu_class(2, 2), 1);
    const auto others = dispatch();
    ASSERT_EQ(others.size(), 1U);
    EXPECT_EQ(others[0].devices, (DeviceList{1, 2}));
    cluster.finish(grants[0]);
    cluster.finish(others[0]);
    EXPECT_TRUE(cluster->idle());
}

wire::Register enters(Resources capacity) {
    return {NodeId{0}, "host", std::move(capacity)};
}

LeaseId old_lease(std::uint64_t number) {
    return make_lease_id(Term{1}, number);
}

TEST(DevicesAfterALoss, AreThoseThatRanksSayTheirTasksHave) {
    Scheduler scheduler({.self = Rank{0}, .term = Term{2}, .world_size = 1});
    wire::Actions actions;
    auto message = enters(gpus(4, 2));
    message.held.push_back({gpu_class(1, 0.5), 1, {{old_lease(1), 1, 0, 0, {1}}}});
    scheduler.on_register(Rank{0}, message, actions);
    scheduler.check_invariants();
    scheduler.on_submit({gpu_class(1, 0.5), {{make_object_id(Rank{0}, 9), 1}}});
    scheduler.dispatch(actions);
    scheduler.check_invariants();
    const auto grants = sent<wire::Grant>(actions);
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(grants[0].second.devices, DeviceList{1});
}

// The last coordinator gave the bundle up and its GPU to another task; the rank has not heard of
// it.
TEST(DevicesAfterALoss, ABundleWhoseGpuAnotherHasWasGivenUp) {
    Scheduler scheduler({.self = Rank{0}, .term = Term{2}, .world_size = 1});
    wire::Actions actions;
    auto message = enters(gpus(4, 2));
    message.bundles.push_back({{group, 0}, gpus(1, 1), {0}});
    message.held.push_back({gpu_class(1, 1), 1, {{old_lease(1), 1, 0, 0, {0}}}});
    wire::GroupSpec spec;
    spec.id = group;
    spec.bundles = {gpus(1, 1)};
    spec.placed = true;
    message.groups.push_back(spec);
    scheduler.on_register(Rank{0}, message, actions);
    scheduler.check_invariants();
    EXPECT_EQ(sent<wire::BundleFree>(actions).size(), 1U);
    scheduler.dispatch(actions);
    scheduler.check_invariants();
    const auto takes = sent<wire::BundleTake>(actions);
    ASSERT_EQ(takes.size(), 1U);
    EXPECT_EQ(takes[0].second.bundle.devices, DeviceList{1});
}

} // namespace
} // namespace muster::sched
