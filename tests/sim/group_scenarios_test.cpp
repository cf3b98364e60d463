// Placement groups whose ranks, or whose coordinator, are lost.

#include "sim.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace muster::sim {
namespace {

using namespace std::chrono_literals;

Resources cpus(Amount amount) {
    return {.cpus = amount, .gpus = {}, .memory = {}, .custom = {}};
}

SimOptions watched(std::uint64_t seed, std::vector<NodeId> nodes) {
    SimOptions options{.seed = seed, .ranks = static_cast<std::int32_t>(nodes.size())};
    options.nodes = std::move(nodes);
    options.watches = true;
    return options;
}

/// A driver that makes a group of bundles of a CPU each, runs `tasks` of it, and waits for them.
ProgramPtr driver(std::size_t bundles, Strategy strategy, std::size_t tasks, bool removes = false) {
    auto one = std::make_shared<Program>();
    one->steps.emplace_back(Compute{5ms});
    auto program = std::make_shared<Program>();
    program->steps.emplace_back(MakeGroup{std::vector<Resources>(bundles, cpus(1)), strategy, 0});
    program->steps.emplace_back(AwaitGroup{latest});
    TaskKind kind;
    kind.function = FunctionId{1};
    kind.demand = cpus(1);
    program->steps.emplace_back(
        Submit{kind, std::vector<NewTask>(tasks, NewTask{one, {}, {}, 0}), InGroup{latest, -1}});
    if (removes) {
        program->steps.emplace_back(Compute{12ms});
        program->steps.emplace_back(RemoveGroup{latest});
    }
    program->steps.emplace_back(ReleaseGroup{latest});
    program->steps.emplace_back(GetAll{});
    return program;
}

std::size_t bundles_on(const Sim& sim, std::int32_t rank) {
    return sim.at(Rank{rank}).machine().worker().held_bundles().size();
}

std::size_t count(const Sim& sim, wire::Outcome::Kind kind) {
    return static_cast<std::size_t>(std::count_if(
        sim.oracle().truths().begin(), sim.oracle().truths().end(), [&](const auto& entry) {
            return entry.second.program != nullptr && entry.second.outcome == kind;
        }));
}

constexpr auto value = wire::Outcome::Kind::value;
constexpr auto failed = wire::Outcome::Kind::failed;

TEST(SimGroups, ALostBundleIsPlacedAgainAndItsTasksWait) {
    Sim sim(watched(1, std::vector<NodeId>(4)));
    sim.run_driver(driver(2, Strategy::spread, 20));
    sim.run_until([&] { return sim.at(Rank{1}).executors().running_count() > 0; });
    EXPECT_EQ(bundles_on(sim, 1), 1U);
    sim.crash(Rank{1});
    sim.run_until_idle();
    EXPECT_TRUE(sim.driver_done());
    EXPECT_EQ(count(sim, value), 20U);
    EXPECT_EQ(bundles_on(sim, 0) + bundles_on(sim, 2) + bundles_on(sim, 3), 0U);
    sim.finish();
}

TEST(SimGroups, AStrictlyPackedGroupMovesWhenItsNodeCannotHoldItAnyMore) {
    const NodeId other{0};
    const NodeId here{1};
    Sim sim(watched(2, {here, other, other, here}));
    sim.run_driver(driver(2, Strategy::strict_pack, 20));
    sim.run_until([&] { return sim.at(Rank{1}).executors().running_count() > 0; });
    EXPECT_EQ(bundles_on(sim, 1) + bundles_on(sim, 2), 2U);
    sim.crash(Rank{2});
    sim.run_until([&] { return bundles_on(sim, 0) + bundles_on(sim, 3) == 2; });
    EXPECT_EQ(bundles_on(sim, 1), 0U);
    sim.run_until_idle();
    EXPECT_EQ(count(sim, value), 20U);
    sim.finish();
}

TEST(SimGroups, ANewCoordinatorLearnsWhereTheyLie) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SimOptions options = watched(seed, std::vector<NodeId>(5));
        options.preferred_coordinator = Rank{4};
        Sim sim(options);
        sim.run_driver(driver(3, Strategy::spread, 30));
        sim.run_until([&] { return sim.at(Rank{1}).executors().running_count() > 0; });
        sim.crash(Rank{4});
        sim.run_until_idle();
        EXPECT_EQ(count(sim, value), 30U) << "seed " << seed;
        sim.finish();
    }
}

TEST(SimGroups, AGroupThatTheRanksLeftCannotHoldFailsWithWhatWaitsForIt) {
    Sim sim(watched(4, {NodeId{0}, NodeId{1}, NodeId{2}}));
    sim.run_driver(driver(3, Strategy::strict_spread, 30));
    sim.run_until([&] { return sim.at(Rank{2}).executors().running_count() > 0; });
    sim.crash(Rank{2});
    sim.run_until_idle();
    EXPECT_TRUE(sim.driver_done());
    EXPECT_GT(count(sim, failed), 0U);
    EXPECT_EQ(count(sim, failed) + count(sim, value), 30U);
    sim.finish();
}

TEST(SimGroups, TwoGroupsThatHaveLostBundlesDoNotWaitForOneAnother) {
    SimOptions options = watched(6, std::vector<NodeId>(4));
    options.cpus_per_rank = 2;
    Sim sim(options);
    auto both = std::make_shared<Program>();
    for (int i = 0; i < 2; ++i) {
        const auto one = driver(4, Strategy::spread, 20);
        both->steps.insert(both->steps.end(), one->steps.begin(), one->steps.end() - 1);
    }
    both->steps.emplace_back(GetAll{});
    sim.run_driver(both);
    sim.run_until([&] { return bundles_on(sim, 1) == 2 && bundles_on(sim, 2) == 2; });
    sim.crash(Rank{1});
    sim.crash(Rank{2});
    sim.run_until_idle();
    EXPECT_TRUE(sim.driver_done());
    EXPECT_EQ(count(sim, value), 40U);
    sim.finish();
}

TEST(SimGroups, RemovalLetsGoOnWhatRunsAndCancelsTheRest) {
    Sim sim({.seed = 5, .ranks = 3});
    sim.run_driver(driver(3, Strategy::spread, 30, true));
    sim.run_until_idle();
    EXPECT_TRUE(sim.driver_done());
    EXPECT_GE(count(sim, value), 3U);
    EXPECT_GT(count(sim, failed), 10U);
    sim.finish();
}

} // namespace
} // namespace muster::sim
