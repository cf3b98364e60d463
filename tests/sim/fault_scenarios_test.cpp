#include "failure.hpp"
#include "sim.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace muster::sim {
namespace {

using namespace std::chrono_literals;
using Kind = wire::FailureRecord::Kind;

SimOptions watched(std::uint64_t seed, std::int32_t ranks) {
    SimOptions options{.seed = seed, .ranks = ranks};
    options.watches = true;
    return options;
}

SimOptions two_nodes(std::uint64_t seed) {
    SimOptions options = watched(seed, 4);
    options.nodes = {NodeId{0}, NodeId{1}, NodeId{1}, NodeId{0}};
    return options;
}

bool all_ok(const Sim& sim, const std::vector<Future>& futures) {
    return std::all_of(futures.begin(), futures.end(), [&](Future f) { return sim.ok(f); });
}

TEST(SimFaults, ALostAttemptIsMadeUpForElsewhere) {
    Sim sim(watched(1, 3));
    const auto futures = sim.map(task().lasting(5ms).returning(100), 12);
    sim.run_until([&] { return sim.at(Rank{2}).executors().running_count() > 0; });
    sim.crash(Rank{2});
    sim.run_until_idle();
    EXPECT_TRUE(all_ok(sim, futures));
    EXPECT_GT(sim.times(Path::attempt_retried), 0U);
    sim.finish();
}

TEST(SimFaults, ATaskThatMayNotBeRetriedFails) {
    Sim sim(watched(2, 2));
    const auto future = sim.submit(task().lasting(5ms).retries(0).placement(on_rank(1)));
    sim.run_until([&] { return sim.running(future); });
    sim.crash(Rank{1});
    sim.run_until([&] { return sim.resolved(future); });
    EXPECT_EQ(sim.failure(future).front().kind, Kind::system);
    sim.finish();
}

TEST(SimFaults, ACoordinatorIsReplacedInTheMiddleOfAMap) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SimOptions options = watched(seed, 5);
        options.preferred_coordinator = Rank{3};
        Sim sim(options);
        const auto futures = sim.map(task().lasting(200us).returning(3000), 300);
        sim.run_until([&] { return sim.resolved(futures[30 + seed]); });
        sim.crash(Rank{3});
        sim.run_until_idle();
        EXPECT_TRUE(all_ok(sim, futures)) << "seed " << seed;
        EXPECT_NE(sim.at(Rank{0}).machine().coordinator(), Rank{3});
        sim.finish();
    }
}

TEST(SimFaults, AValueKeptByALostRankIsMadeAnewWithWhatItWasMadeFrom) {
    Sim sim(two_nodes(4));
    const auto first = sim.submit(task().returning(20'000).placement(on_node(1)));
    const auto second = sim.submit(task().after(first).returning(30'000).placement(on_node(1)));
    sim.run_until([&] { return sim.resolved(second); });
    sim.release(first); // it is dropped, and only its specification is left
    sim.run_until_idle();
    sim.crash(sim.rank_of(second));
    sim.run_until_idle();
    sim.fetch(second);
    sim.run_until([&] { return sim.here(second); });
    EXPECT_TRUE(sim.ok(second));
    EXPECT_GE(sim.times(Path::object_recomputed), 2U);
    sim.finish();
}

TEST(SimFaults, AWholeMachineThatStandsStillLosesNobody) {
    Sim sim(watched(5, 6));
    const auto futures = sim.map(task().calling(task().lasting(1ms), 3), 20);
    sim.run_until([&] { return sim.resolved(futures.front()); });
    sim.freeze_all(60s);
    sim.run_until_idle();
    EXPECT_TRUE(all_ok(sim, futures));
    EXPECT_EQ(sim.statistics().terms, 0U);
    sim.finish();
}

TEST(SimFaults, ARankThatStandsStillForShortIsNotLost) {
    Sim sim(watched(6, 4));
    const auto futures = sim.map(task().lasting(2ms), 40);
    sim.run_for(3ms);
    sim.freeze(Rank{2}, 100ms);
    sim.run_until_idle();
    EXPECT_TRUE(all_ok(sim, futures));
    EXPECT_EQ(sim.statistics().terms, 0U);
    sim.finish();
}

TEST(SimFaults, ARankThatStoodStillForLongEndsWhenItComesBack) {
    Sim sim(watched(7, 3));
    const auto futures = sim.map(task().lasting(2ms), 40);
    sim.run_until([&] { return sim.at(Rank{1}).executors().running_count() > 0; });
    sim.freeze(Rank{1}, 600ms);
    sim.run_until_idle();
    EXPECT_TRUE(all_ok(sim, futures));
    EXPECT_TRUE(sim.at(Rank{1}).crashed());
    EXPECT_EQ(sim.times(Path::frozen_rank_ended), 1U);
    sim.finish();
}

TEST(SimFaults, RanksThatTheDriversRankDoesNotSpeakToEnd) {
    Sim sim(watched(8, 3));
    sim.map(task().lasting(1ms), 10);
    sim.run_for(1ms);
    sim.freeze(Rank{0}, 10s);
    sim.run_until_idle();
    EXPECT_EQ(sim.times(Path::rank_cut_off), 2U);
    sim.finish(); // alone
}

TEST(SimFaults, OneAfterTheOtherIsLostUntilTheDriversRankIsAlone) {
    Sim sim(watched(9, 5));
    const auto futures = sim.map(task().lasting(3ms).returning(2000).retries(10), 60);
    for (const std::int32_t rank : {4, 2, 1, 3}) {
        sim.run_for(7ms);
        sim.crash(Rank{rank});
    }
    sim.run_until_idle();
    for (const Future future : futures) {
        sim.fetch(future);
    }
    sim.run_until_idle();
    EXPECT_TRUE(all_ok(sim, futures));
    sim.finish();
}

TEST(SimFaults, ARankThatIsLostInTheStartDoesNotHoldItUp) {
    for (std::uint64_t events = 1; events <= 60; ++events) {
        SimOptions options = watched(events, 4);
        options.preferred_coordinator = Rank{1};
        options.faults.push_back(
            {Fault::What::crash, Fault::When::start, Fault::Whom::any, events, {}});
        Sim sim(options);
        const auto futures = sim.map(task(), 10);
        sim.run_until_idle();
        EXPECT_TRUE(all_ok(sim, futures)) << events << " events";
        sim.finish();
    }
}

/// A driver that makes an actor on rank 1, and calls it now and then.
ProgramPtr calls_an_actor(std::uint32_t restarts) {
    auto brief = std::make_shared<Program>();
    brief->steps.emplace_back(Compute{100us});
    auto program = std::make_shared<Program>();
    TaskKind kind{FunctionId{10}, {}, 0, on_node(1)};
    kind.restarts = restarts;
    kind.retries = restarts; // or its constructor is run again, if nobody has heard of its end
    program->steps.emplace_back(Spawn{kind, {brief, {}, {}, 0}, "counter"});
    for (int i = 0; i < 40; ++i) {
        program->steps.emplace_back(Call{latest, FunctionId{20}, {brief, {}, {}, 0}});
        program->steps.emplace_back(Compute{20us});
    }
    program->steps.emplace_back(GetAll{});
    return program;
}

TEST(SimFaults, AnActorIsRestartedOrItsCallsFail) {
    std::uint64_t restarted = 0;
    for (const std::uint32_t restarts : {0U, 2U}) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            SimOptions options = two_nodes(seed);
            options.faults.push_back(
                {Fault::What::crash, Fault::When::run, Fault::Whom::actor_host, 20 * seed, {}});
            Sim sim(options);
            sim.run_driver(calls_an_actor(restarts));
            sim.run_until([&] { return sim.driver_done(); });
            restarted += restarts > 0 ? sim.times(Path::actor_restarted) : 0;
            EXPECT_EQ(restarts == 0 ? sim.times(Path::actor_restarted) : 0U, 0U);
            sim.finish();
        }
    }
    EXPECT_GT(restarted, 0U);
}

TEST(SimFaults, AnActorsRankMayBeLostWhileTheRunEnds) {
    for (const std::uint32_t restarts : {0U, 1U}) {
        for (std::uint64_t events = 1; events <= 40; ++events) {
            SimOptions options = two_nodes(events);
            options.faults.push_back(
                {Fault::What::crash, Fault::When::shutdown, Fault::Whom::actor_host, events, {}});
            Sim sim(options);
            sim.run_driver(calls_an_actor(restarts));
            sim.run_for(600us);
            sim.end_early();
        }
    }
}

} // namespace
} // namespace muster::sim
