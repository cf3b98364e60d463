#include "failure.hpp"
#include "sim.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace muster::sim {
namespace {

using namespace std::chrono_literals;

std::size_t index_of(const std::vector<TaskId>& order, Future future) {
    return static_cast<std::size_t>(
        std::distance(order.begin(), std::find(order.begin(), order.end(), future.id)));
}

Resources capacity(Amount cpus, Amount gpus) {
    return {.cpus = cpus, .gpus = gpus, .memory = {}, .custom = {}};
}

TEST(Sim, RunsATaskOnTheRankThatFitsIt) {
    Sim sim{
        {.seed = 7, .ranks = 3, .capacities = {capacity(1, 0), capacity(1, 0), capacity(4, 0)}}};
    const auto future = sim.submit(task().cpus(3).returning(10));
    sim.run_until([&] { return sim.running(future); });
    EXPECT_EQ(sim.rank_of(future), Rank{2});
    sim.run_until([&] { return sim.here(future); });
    EXPECT_TRUE(sim.ok(future));
    sim.finish();
}

TEST(Sim, CoordinatorNeedNotBeTheDriversRank) {
    Sim sim{{.seed = 3, .ranks = 5, .driver = Rank{1}, .preferred_coordinator = Rank{4}}};
    EXPECT_EQ(sim.at(Rank{1}).machine().coordinator(), Rank{4});
    EXPECT_EQ(sim.at(Rank{1}).machine().scheduler(), nullptr);
    ASSERT_NE(sim.at(Rank{4}).machine().scheduler(), nullptr);
    const auto futures = sim.map(task().returning(100), 50);
    sim.run_until_idle();
    EXPECT_TRUE(std::all_of(futures.begin(), futures.end(), [&](Future f) { return sim.ok(f); }));
    sim.finish();
}

TEST(Sim, StealsBackTasksAheadFromASlowRank) {
    Sim sim{{.seed = 5, .ranks = 2, .slowness = {1, 100}}};
    // The first tasks are short and teach the coordinator to lease far ahead.
    sim.map(task().lasting(20us), 400);
    sim.run_until_idle();
    const TimePoint begin = sim.now();
    const auto futures = sim.map(task().lasting(20us), 200);
    sim.run_until_idle();
    EXPECT_GT(sim.times(Path::recall_sent), 0U);
    EXPECT_GT(sim.times(Path::task_returned), 0U);
    const auto on_slow = std::count_if(
        futures.begin(), futures.end(), [&](Future f) { return sim.rank_of(f) == Rank{1}; });
    EXPECT_LT(on_slow, 20);
    // The quick rank alone would take 200 * 20 µs and switches; the slow one 2 ms a task.
    EXPECT_LT(sim.now() - begin, 30ms);
    sim.finish();
}

TEST(Sim, DeeperTasksGoFirstSoThatFewWait) {
    Sim sim{{.seed = 11, .ranks = 2, .cpus_per_rank = 2}};
    const auto leaf = task().lasting(50us).function(3);
    const auto middle = task().lasting(5us).function(2).calling(leaf, 3);
    const auto futures = sim.map(task().lasting(5us).function(1).calling(middle, 3), 60);
    sim.run_until_idle();
    EXPECT_TRUE(std::all_of(futures.begin(), futures.end(), [&](Future f) { return sim.ok(f); }));
    for (const Rank rank : {Rank{0}, Rank{1}}) {
        EXPECT_LT(sim.at(rank).executors().blocked_most(), 24U) << to_string(rank);
    }
    sim.finish();
}

TEST(Sim, OneCpuIsEnoughForNestedTasks) {
    Sim sim{{.seed = 2}};
    const auto future =
        sim.submit(task().calling(task().calling(task().calling(task(), 2), 2), 2).returning(5000));
    sim.run_until_idle();
    EXPECT_TRUE(sim.ok(future));
    EXPECT_EQ(sim.statistics().attempts, 15U);
    EXPECT_GE(sim.times(Path::task_blocked), 7U);
    sim.finish();
}

TEST(Sim, HigherPriorityStartsFirst) {
    Sim sim{{.seed = 4}};
    const auto first = sim.submit(task().lasting(5ms));
    sim.run_until([&] { return sim.running(first); });
    const auto low = sim.map(task().function(2).priority(-1), 5);
    const auto middle = sim.map(task().function(3), 5);
    const auto high = sim.map(task().function(4).priority(1), 5);
    sim.run_until_idle();
    const auto& order = sim.at(Rank{0}).executors().started();
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_LT(index_of(order, high[i]), index_of(order, middle[0]));
        EXPECT_LT(index_of(order, middle[i]), index_of(order, low[0]));
    }
    sim.finish();
}

TEST(Sim, LargeDemandDoesNotStarveBehindSmallOnes) {
    Sim sim{{.seed = 6, .ranks = 2, .cpus_per_rank = 4}};
    sim.map(task().lasting(200us), 100);
    const auto large = sim.submit(task().function(2).cpus(4));
    const auto small = sim.map(task().function(3).lasting(200us), 400);
    sim.run_until([&] { return sim.resolved(large); });
    const auto before =
        std::count_if(small.begin(), small.end(), [&](Future f) { return sim.started(f); });
    EXPECT_LT(before, 100);
    sim.finish();
}

TEST(Sim, CancelledTaskThatWasRecalledIsNotRunAgain) {
    std::uint64_t taken = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Sim sim{
            {.seed = seed, .ranks = 3, .preferred_coordinator = Rank{1}, .slowness = {1, 1, 50}}};
        const auto futures = sim.map(task().lasting(300us), 12);
        while (sim.times(Path::recall_sent) == 0 &&
               !std::all_of(
                   futures.begin(), futures.end(), [&](Future f) { return sim.resolved(f); })) {
            sim.run_for(2us);
        }
        for (const Future future : futures) {
            sim.cancel(future);
        }
        sim.run_until_idle();
        taken += sim.times(Path::recalled_task_cancelled);
        sim.finish();
    }
    EXPECT_GT(taken, 0U);
}

TEST(Sim, LargeValueIsFetchedOncePerRankAndDroppedEverywhere) {
    Sim sim{{.seed = 8, .ranks = 4, .cpus_per_rank = 2}};
    const auto value = sim.put(1'000'000);
    const auto futures = sim.map(task().after(value).placement(spread), 40);
    sim.run_until_idle();
    std::set<Rank> ranks;
    for (const Future future : futures) {
        ranks.insert(sim.rank_of(future));
    }
    EXPECT_EQ(ranks.size(), 4U);
    EXPECT_EQ(sim.times(Path::value_fetched), 3U);
    for (std::int32_t i = 0; i < 4; ++i) {
        EXPECT_EQ(sim.at(Rank{i}).machine().store().object_count(), 1U);
    }
    sim.release(value);
    sim.run_until_idle();
    for (std::int32_t i = 0; i < 4; ++i) {
        EXPECT_EQ(sim.at(Rank{i}).machine().store().object_count(), 0U);
    }
    sim.finish();
}

TEST(Sim, AValueIsReadWhereItLiesOnItsNodeAndFetchedElsewhere) {
    Sim sim{{.seed = 21,
             .ranks = 5,
             .cpus_per_rank = 2,
             .nodes = {NodeId{0}, NodeId{0}, NodeId{0}, NodeId{1}, NodeId{1}},
             .shares_memory = true}};
    std::uint64_t values = 0;
    while (sim.times(Path::value_not_mapped) == 0 || sim.times(Path::value_lent) < 10) {
        const auto value = sim.put(100'000);
        for (std::int32_t i = 1; i < 5; ++i) {
            sim.submit(task().after(value).placement(on_rank(i)));
        }
        sim.run_until_idle();
        sim.release(value);
        ++values;
    }
    EXPECT_EQ(sim.times(Path::value_fetched) + sim.times(Path::value_lent) +
                  sim.times(Path::value_lent_unasked),
              4 * values);
    EXPECT_GT(sim.times(Path::value_lent_unasked), values); // by the driver's rank, which put it
    EXPECT_GE(sim.times(Path::value_fetched), values);      // once for the other node
    sim.finish();
    EXPECT_EQ(sim.at(Rank{0}).machine().store().loans().size(), 0U);
}

TEST(Sim, ATaskGoesWhereMostOfItsArgumentsAreIfThereIsRoomSoon) {
    Sim sim{{.seed = 26, .ranks = 4, .cpus_per_rank = 1}};
    std::vector<Future> parts;
    for (std::int32_t i = 0; i < 4; ++i) {
        parts.push_back(
            sim.submit(task().lasting(1ms).returning(20'000U << i).placement(on_rank(i))));
    }
    sim.run_until_idle();
    for (int i = 0; i < 10; ++i) {
        const auto all = sim.submit(
            task().after(parts[0]).after(parts[1]).after(parts[2]).after(parts[3]).lasting(1ms));
        sim.run_until_idle();
        EXPECT_EQ(sim.rank_of(all), Rank{3});
        const auto two = sim.submit(task().after(parts[0]).after(parts[1]).lasting(1ms));
        sim.run_until_idle();
        EXPECT_EQ(sim.rank_of(two), Rank{1});
    }
    const auto busy = sim.submit(task().lasting(10s).placement(on_rank(3)));
    sim.run_until([&] { return sim.running(busy); });
    const auto elsewhere = sim.submit(task().after(parts[3]).lasting(1ms));
    sim.run_until([&] { return sim.resolved(elsewhere); });
    EXPECT_NE(sim.rank_of(elsewhere), Rank{3});
    EXPECT_FALSE(sim.resolved(busy));
    sim.run_until_idle();
    sim.finish();
}

TEST(Sim, AFreedValueGoesWhenNoTaskNeedsItThoughFuturesAreLeft) {
    Sim sim{{.seed = 25, .ranks = 4, .cpus_per_rank = 1}};
    const auto value = sim.put(100'000);
    std::vector<Future> readers;
    for (std::int32_t i = 0; i < 4; ++i) {
        readers.push_back(sim.submit(task().after(value).lasting(10ms).placement(on_rank(i))));
    }
    const auto undone = sim.submit(task().lasting(1s).returning(50'000));
    sim.free(undone); // has no effect
    sim.free(value);
    sim.run_until([&] { return sim.resolved(readers[0]); });
    sim.run_until_idle();
    for (std::int32_t i = 0; i < 4; ++i) {
        const auto& store = sim.at(Rank{i}).machine().store();
        EXPECT_EQ(store.find(value.id), nullptr) << i;
    }
    sim.fetch(undone);
    sim.run_until_idle();
    sim.free(undone);
    sim.run_until_idle();
    for (std::int32_t i = 0; i < 4; ++i) {
        EXPECT_EQ(sim.at(Rank{i}).machine().store().object_count(), 0U) << i;
    }
    sim.finish();
}

TEST(Sim, AValueForManyNodesIsSentOnByThoseThatHaveIt) {
    constexpr std::int32_t ranks = 32; // a node each
    Sim sim{{.seed = 24, .ranks = ranks, .cpus_per_rank = 1}};
    const auto value = sim.put(100'000);
    for (std::int32_t i = 1; i < ranks; ++i) {
        sim.submit(task().after(value).placement(on_rank(i)));
    }
    sim.run_until_idle();
    EXPECT_EQ(sim.times(Path::value_fetched), ranks - 1U);
    EXPECT_GE(sim.times(Path::copy_fetched) + sim.times(Path::fetch_waited), 20U);
    sim.release(value);
    sim.finish();
}

TEST(Sim, AValueThatIsReadElsewhereStaysThoughItsOwnerDropsIt) {
    Sim sim{{.seed = 22, .ranks = 2, .cpus_per_rank = 1, .shares_memory = true}};
    std::uint64_t tries = 0;
    while (sim.times(Path::dropped_while_lent) == 0) {
        ASSERT_LT(++tries, 100U);
        const auto value = sim.put(100'000);
        const auto reader = sim.submit(task().after(value).lasting(1ms).placement(on_rank(1)));
        sim.run_until([&] { return sim.running(reader) || sim.resolved(reader); });
        sim.cancel(reader);
        sim.release(value);
        sim.run_until_idle();
    }
    sim.finish();
}

TEST(Sim, ATaskIsExplainedFromItsSubmissionToItsEnd) {
    using Stage = wire::TaskStatus::Stage;
    Sim sim{{.seed = 23, .ranks = 3, .cpus_per_rank = 1}};
    const auto holder = sim.submit(task().lasting(1s).placement(on_rank(2)).stoppable());
    sim.run_until([&] { return sim.running(holder); });
    const auto runs = sim.explain(holder);
    EXPECT_EQ(runs.stage, Stage::running);
    EXPECT_EQ(runs.at, Rank{2});
    EXPECT_EQ(runs.attempts, 1U);

    // Gpus do not wait ahead, and nobody has more than none.
    const auto behind = sim.map(task().lasting(1ms).cpus(1).placement(on_rank(2)), 20);
    const auto needs = sim.submit(task().after(behind.back()));
    sim.run_for(10ms);
    const auto waits = sim.explain(needs);
    EXPECT_EQ(waits.stage, Stage::waiting);
    ASSERT_TRUE(waits.waiting);
    EXPECT_EQ(waits.waiting->missing, 1U);
    EXPECT_EQ(waits.waiting->first_missing.at(0).object, behind.back().id);
    const auto held = sim.explain(behind.front());
    const auto last = sim.explain(behind.back());
    EXPECT_TRUE(held.stage == Stage::held || held.stage == Stage::queued);
    ASSERT_EQ(last.stage, Stage::queued);
    ASSERT_TRUE(last.queued);
    EXPECT_EQ(last.queued->ranks_with_room, 0);
    EXPECT_EQ(last.queued->ranks_eligible, 1);
    EXPECT_EQ(last.before + 1, last.queued->tasks);

    sim.cancel(holder);
    sim.run_until_idle();
    EXPECT_EQ(sim.explain(holder).stage, Stage::failed);
    EXPECT_EQ(sim.explain(needs).stage, Stage::done);
    sim.finish();
}

TEST(Sim, FetchedResultComesFromTheRankThatMadeIt) {
    Sim sim{{.seed = 9, .ranks = 2}};
    const auto future = sim.submit(task().returning(100'000).placement(on_rank(1)));
    sim.run_until([&] { return sim.resolved(future); });
    EXPECT_FALSE(sim.here(future));
    sim.fetch(future);
    sim.run_until([&] { return sim.here(future); });
    sim.finish();
}

TEST(Sim, FailureRunsDownAChainOfManyTasks) {
    Sim sim{{.seed = 10, .ranks = 2, .check_invariants = false}};
#ifdef __SANITIZE_ADDRESS__ // its stack checks take half a minute for the long one
    constexpr std::size_t length = 10'000;
#else
    constexpr std::size_t length = 100'000;
#endif
    auto last = sim.submit(task().lasting(1ms).throwing());
    for (std::size_t i = 1; i < length; ++i) {
        const auto next = sim.submit(task().after(last));
        sim.release(last);
        last = next;
    }
    sim.run_until_idle();
    ASSERT_TRUE(sim.resolved(last));
    EXPECT_FALSE(sim.ok(last));
    EXPECT_EQ(sim.failure(last).front().kind, wire::FailureRecord::Kind::dependency);
    EXPECT_EQ(sim.failure(last).back().kind, wire::FailureRecord::Kind::exception);
    EXPECT_LE(sim.failure(last).size(), 16U);
    EXPECT_EQ(sim.statistics().attempts, 1U);
    sim.finish();
}

TEST(Sim, ChainWhoseFuturesWereDroppedStillRuns) {
    Sim sim{{.seed = 1}};
    auto last = sim.submit(task().returning(5000));
    for (int i = 0; i < 10; ++i) {
        const auto next = sim.submit(task().after(last).returning(5000));
        sim.release(last);
        last = next;
    }
    sim.release(last);
    sim.run_until_idle();
    EXPECT_EQ(sim.statistics().attempts, 11U);
    sim.finish();
}

TEST(Sim, FutureThatComesHomeAndLeavesAgainIsStillResolved) {
    Sim sim{{.seed = 12}};
    const auto slow = sim.submit(task().lasting(2ms));
    const auto quick = sim.submit(task().cpus(0).passing(slow)); // drops its copy at its end
    sim.run_until([&] { return sim.resolved(quick); });
    EXPECT_FALSE(sim.resolved(slow));
    sim.run_until_idle();
    EXPECT_TRUE(sim.ok(slow));
    EXPECT_EQ(sim.times(Path::future_came_home), 1U);
    sim.finish();
}

TEST(Sim, BorrowedFutureOfAnotherRankIsResolvedThere) {
    Sim sim{{.seed = 13, .ranks = 2}};
    const auto slow = sim.submit(task().lasting(2ms).returning(50'000).placement(on_rank(0)));
    const auto waits =
        sim.submit(task().placement(on_rank(1)).passing(slow).then(Get{0, false, false}));
    sim.run_until_idle();
    EXPECT_TRUE(sim.ok(waits));
    EXPECT_EQ(sim.times(Path::object_ready_waited), 1U);
    EXPECT_EQ(sim.times(Path::value_delivered), 1U);
    sim.finish();
}

TEST(Sim, ReservationDoesNotHoldUpWhatABlockedTaskWaitsFor) {
    // The first task has the GPU and waits for children of lower priority; the others, of higher
    // priority, wait for the GPU and would have the rank kept free for them.
    Sim sim{{.seed = 14, .capacities = {capacity(2, 1)}}};
    const auto futures =
        sim.map(task().gpus(1).priority(1).calling(task().function(2).priority(0), 3), 4);
    sim.run_until_idle();
    EXPECT_TRUE(std::all_of(futures.begin(), futures.end(), [&](Future f) { return sim.ok(f); }));
    sim.finish();
}

TEST(Sim, BlockedTasksWithGpusNeverHoldMoreThanWasCharged) {
    // Two tasks with a GPU each wait for children; a third must not have been given a GPU by the
    // coordinator that the rank gave to the second.
    Sim sim{{.seed = 15, .capacities = {capacity(1, 2)}}};
    const auto child = task().function(9);
    for (int round = 0; round < 20; ++round) {
        sim.map(task().function(1).gpus(1).calling(child, 2), 2);
        sim.map(task().function(2).gpus(1), 1);
        sim.run_for(50us);
    }
    sim.run_until_idle();
    sim.finish();
}

TEST(Sim, ResumingTaskGetsItsCpuInTheMiddleOfAMap) {
    Sim sim{{.seed = 16}};
    const auto parent = sim.submit(task().function(1).calling(task().function(2), 1));
    sim.run_until([&] { return sim.at(Rank{0}).executors().blocked_count() == 1; });
    const auto map = sim.map(task().function(3).priority(5).lasting(20us), 2000);
    sim.run_until([&] { return sim.resolved(map.back()); });
    sim.run_until([&] { return sim.resolved(parent); });
    sim.finish();
}

TEST(Sim, SiblingsWithGpusMayWaitForOneAnother) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Sim sim{{.seed = seed, .ranks = 2, .capacities = {capacity(1, 1), capacity(1, 1)}}};
        const auto first = sim.submit(task().gpus(1).lasting(500us));
        const auto second = sim.submit(task().gpus(1).passing(first).then(Get{0}));
        sim.run_until_idle();
        EXPECT_TRUE(sim.ok(second));
        sim.finish();
    }
}

TEST(Sim, NoTaskStaysBehindALongOneWhileARankIsIdle) {
    // Whatever overtakes what: the order to hand the task back may reach the rank before the task.
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        Sim sim{{.seed = seed,
                 .ranks = 3,
                 .preferred_coordinator = Rank{2},
                 .network = {.latency_max = 100us, .tail_chance = 0.1}}};
        const auto lasting = [](Duration time) { return task().function(5).lasting(time); };
        const auto long_one = sim.submit(lasting(10s));
        std::vector<Future> short_ones;
        for (int i = 0; i < 8; ++i) {
            short_ones.push_back(sim.submit(lasting(10us)));
        }
        const TimePoint begin = sim.now();
        sim.run_until([&] {
            return std::all_of(
                short_ones.begin(), short_ones.end(), [&](Future f) { return sim.resolved(f); });
        });
        EXPECT_LT(sim.now() - begin, 100ms) << "seed " << seed;
        EXPECT_FALSE(sim.resolved(long_one));
        sim.finish();
    }
}

TEST(Sim, EndOfTheRunWakesWhatWaits) {
    Sim sim{{.seed = 17, .ranks = 3, .cpus_per_rank = 2}};
    sim.map(task().calling(task().lasting(1s).stoppable(), 4), 3);
    sim.run_until([&] { return sim.at(Rank{1}).executors().blocked_count() > 0; });
    sim.end_early();
}

TEST(Sim, RunEndsOnlyWhenFetchesHaveEnded) {
    Sim sim{{.seed = 18, .ranks = 4, .network = {.bytes_per_second = 1e7}}};
    const auto value = sim.put(100'000);
    sim.map(task().after(value), 4);
    sim.run_until([&] { return sim.times(Path::value_fetched) > 0; });
    sim.end_early();
}

TEST(Sim, ARankThatLeavesDropsWhatItsReceiversTakeNoMore) {
    // Rank 1 has far more queued for rank 2 than may be under way. (Fault seeds 23263 and 30007.)
    Sim sim{{.seed = 20, .ranks = 3, .cpus_per_rank = 2, .packet_bytes_max = 64, .window = 1}};
    const auto child = task().taking(900).lasting(20us).placement(on_rank(2));
    sim.submit(task().placement(on_rank(1)).calling(child, 200));
    sim.run_until([&] { return sim.statistics().tasks > 50 && sim.times(Path::window_full) > 20; });
    sim.end_early();
}

TEST(Sim, StalledAndSlowRanksOnlyCostTime) {
    Sim sim{{.seed = 19,
             .ranks = 6,
             .cpus_per_rank = 2,
             .window = 2,
             .network = {.latency_max = 100us, .tail_chance = 0.1},
             .stall_chance = 0.05,
             .slowness = {1, 1, 20, 1, 3, 1}}};
    const auto futures = sim.map(task().calling(task().returning(2000), 3), 40);
    sim.run_until_idle();
    EXPECT_TRUE(std::all_of(futures.begin(), futures.end(), [&](Future f) { return sim.ok(f); }));
    EXPECT_GT(sim.times(Path::rank_stalled), 0U);
    EXPECT_GT(sim.times(Path::window_full), 0U);
    sim.finish();
}

TEST(Sim, MembersGoBeforeTasksThatResume) {
    // Gangs A and B have a member of one CPU on each rank of two. A's second and B's first are
    // late, because they fetch an argument; meanwhile a task on each rank wants its two CPUs back.
    // If it kept the late members out, A would wait for B's end on one rank, and B for A's on the
    // other.
    Sim sim{{.seed = 20, .ranks = 2, .cpus_per_rank = 2, .network = {.bytes_per_second = 1e7}}};
    const auto on_0 = sim.put(500'000);
    const auto on_1 = sim.submit(task().returning(500'000).placement(on_rank(1)));
    sim.run_until([&] { return sim.resolved(on_1); });
    const auto gate = sim.submit(task().function(2).cpus(0).lasting(20ms));
    const auto parent = [&](int rank) {
        return sim.submit(
            task().function(3).cpus(2).placement(on_rank(rank)).passing(gate).then(Get{0}));
    };
    const auto parent_0 = parent(0);
    const auto parent_1 = parent(1);
    const auto blocked = [&](int rank) { return sim.at(Rank{rank}).executors().blocked_count(); };
    sim.run_until([&] { return blocked(0) == 1 && blocked(1) == 1; });
    const auto gang = [&](Future argument) {
        return sim.submit(task().function(4).ranks(2).after(argument).then(Pass{100}));
    };
    const auto a = gang(on_0);
    const auto b = gang(on_1);
    sim.run_until([&] { return sim.resolved(gate); });
    EXPECT_TRUE(sim.running(a));
    EXPECT_FALSE(sim.running(b));
    sim.run_until_idle();
    for (const Future future : {parent_0, parent_1, a, b}) {
        EXPECT_TRUE(sim.ok(future));
    }
    sim.finish();
}

TEST(Sim, AGangThatFailsBeforeAllItsRanksWereToldToStartEndsEverywhere) {
    std::uint64_t early = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Sim sim{{.seed = seed,
                 .ranks = 4,
                 .preferred_coordinator = Rank{2},
                 .network = {.latency_max = 100us, .tail_chance = 0.1}}};
        const auto gang =
            sim.submit(task().ranks(4).lasting(1us).then(ThrowOne{1}).then(Pass{40'000}));
        const auto next = sim.submit(task().ranks(4).then(Pass{40'000}));
        sim.run_until_idle();
        ASSERT_FALSE(sim.ok(gang)) << "seed " << seed;
        EXPECT_EQ(sim.failure(gang).front().member, 1) << "seed " << seed;
        EXPECT_EQ(sim.failure(gang).front().kind, wire::FailureRecord::Kind::exception);
        EXPECT_TRUE(sim.ok(next)) << "seed " << seed;
        early += sim.times(Path::gang_failed_early);
        sim.finish();
    }
    EXPECT_GT(early, 0U);
}

/// A driver's program for the tests of actors, whose kinds demand nothing.
struct ActorProgram {
    Program program;

    static constexpr FunctionId method{20};

    static ProgramPtr lasting(Duration time) {
        auto program = std::make_shared<Program>();
        program->steps.emplace_back(Compute{time});
        return program;
    }

    ActorProgram& spawn(Placement placement, ProgramPtr constructor, std::string name = {}) {
        program.steps.emplace_back(Spawn{{FunctionId{10}, {}, 0, placement},
                                         {std::move(constructor), {}, {}, 0},
                                         std::move(name)});
        return *this;
    }

    ActorProgram& call(Duration time, std::size_t times, std::vector<Local> dependencies = {}) {
        for (std::size_t i = 0; i < times; ++i) {
            program.steps.emplace_back(Call{latest, method, {lasting(time), dependencies, {}, 0}});
        }
        return *this;
    }

    ActorProgram& then(Step step) {
        program.steps.emplace_back(std::move(step));
        return *this;
    }

    void run(SimOptions options) const {
        Sim sim{std::move(options)};
        run_in(sim);
    }

    void run_in(Sim& sim) const {
        sim.run_driver(std::make_shared<Program>(program));
        sim.run_until([&] { return sim.driver_done(); });
        sim.finish(); // the oracle checks order, and that nothing is left
    }
};

TEST(SimActors, RunTheirCallsAndAreDestroyed) {
    Sim sim{{.seed = 1, .ranks = 3}};
    ActorProgram program;
    program.spawn(on_rank(2), ActorProgram::lasting(50us)).call(1us, 1000).then(GetAll{});
    program.run_in(sim);
    EXPECT_EQ(sim.statistics().calls, 1000U);
}

TEST(SimActors, CallsBehindOneThatWaitsForItsArgumentKeepTheirPlace) {
    ActorProgram program;
    program.spawn(on_rank(1), ActorProgram::lasting(1us))
        .then(Submit{{FunctionId{1}, {.cpus = 1, .gpus = {}, .memory = {}, .custom = {}}, 0, {}},
                     {{ActorProgram::lasting(2ms), {}, {}, 0}}})
        .call(1us, 1, {latest})
        .call(1us, 50)
        .then(GetAll{});
    program.run({.seed = 2, .ranks = 3});
}

TEST(SimActors, CallsWaitForASlowConstructorAndSurviveTheLastHandle) {
    ActorProgram program;
    program.spawn(on_rank(1), ActorProgram::lasting(5ms))
        .call(1us, 20)
        .then(ReleaseActor{latest})
        .then(GetAll{});
    program.run({.seed = 3, .ranks = 2});
}

TEST(SimActors, AHandleMayOutliveItsSpawnerOnTheWayToAnotherRank) {
    // The task is the only one left with the handle, and is still in a queue then.
    auto user = std::make_shared<Program>();
    user->steps.emplace_back(Compute{100us});
    user->steps.emplace_back(
        Call{0, ActorProgram::method, {ActorProgram::lasting(1us), {}, {}, 0}});
    user->steps.emplace_back(Get{latest});
    std::uint64_t gated = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        ActorProgram program;
        program.spawn(on_rank(1), ActorProgram::lasting(1us))
            .then(Submit{
                {FunctionId{1}, {.cpus = 1, .gpus = {}, .memory = {}, .custom = {}}, 0, on_rank(2)},
                std::vector<NewTask>(5, NewTask{user, {}, {}, 0, {latest}})})
            .then(ReleaseActor{latest})
            .then(GetAll{false});
        Sim sim{{.seed = seed, .ranks = 3, .network = {.latency_max = 200us, .tail_chance = 0.2}}};
        program.run_in(sim);
        gated += sim.times(Path::gate_closed);
    }
    EXPECT_GT(gated, 0U);
}

TEST(SimActors, ANameLeadsToAnActorThatMayBeGone) {
    auto finder = std::make_shared<Program>();
    finder->steps.emplace_back(FindActor{"hits"});
    finder->steps.emplace_back(
        Call{latest, ActorProgram::method, {ActorProgram::lasting(1us), {}, {}, 0}});
    std::uint64_t found = 0;
    std::uint64_t gone = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        ActorProgram program;
        program.spawn(on_rank(1), ActorProgram::lasting(1us), "hits")
            .then(Submit{{FunctionId{1}, {}, 0, spread},
                         std::vector<NewTask>(20, NewTask{finder, {}, {}, 0})})
            .then(Compute{3us * static_cast<std::int64_t>(seed)})
            .then(ReleaseActor{latest});
        Sim sim{{.seed = seed, .ranks = 4, .preferred_coordinator = Rank{3}}};
        program.run_in(sim);
        found += sim.times(Path::actor_found);
        gone += sim.times(Path::found_actor_gone);
    }
    EXPECT_GT(found, 0U);
    EXPECT_GT(gone, 0U);
}

TEST(SimActors, ActorsThatTakeEverythingFollowOneAnother) {
    ActorProgram program;
    for (int i = 0; i < 6; ++i) {
        program.then(Spawn{
            {FunctionId{10}, capacity(2, 1), 0, {}}, {ActorProgram::lasting(10us), {}, {}, 0}, {}});
        program.call(5us, 3).then(ReleaseActor{latest});
    }
    program.then(GetAll{false});
    program.run({.seed = 6, .ranks = 2, .capacities = {capacity(2, 1), capacity(2, 0)}});
}

TEST(SimActors, CallsRunSideBySideAndStartInTheirOrder) {
    std::uint64_t beside = 0;
    std::uint64_t suspended = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        TaskKind kind{FunctionId{10}, {}, 0, on_rank(1)};
        kind.concurrency = 4;
        kind.threads = 1 + static_cast<std::uint32_t>(seed % 4);
        auto method = std::make_shared<Program>();
        method->steps.emplace_back(
            Submit{{FunctionId{1}, {}, 0, {}}, {{ActorProgram::lasting(20us), {}, {}, 0}}});
        method->steps.emplace_back(Get{latest});
        method->steps.emplace_back(Compute{5us});
        ActorProgram program;
        program.then(Spawn{kind, {ActorProgram::lasting(1us), {}, {}, 0}, {}});
        for (int i = 0; i < 60; ++i) {
            program.then(Call{latest, ActorProgram::method, {method, {}, {}, 0}});
        }
        program.then(GetAll{false});
        Sim sim{{.seed = seed, .ranks = 3}};
        program.run_in(sim);
        beside += sim.times(Path::call_beside);
        suspended += sim.times(Path::call_suspended);
    }
    EXPECT_GT(beside, 100U);
    EXPECT_GT(suspended, 100U);
}

TEST(SimActors, AnUrgentCallOvertakesWhatWaitsAtItsActor) {
    ActorProgram program;
    program.spawn(on_rank(1), ActorProgram::lasting(1us)).call(20us, 700);
    for (int i = 0; i < 5; ++i) {
        program.then(
            Call{latest, ActorProgram::method, {ActorProgram::lasting(1us), {}, {}, 0}, true});
        program.then(Compute{500us});
    }
    program.then(GetAll{false});
    Sim sim{{.seed = 3, .ranks = 2}};
    program.run_in(sim);
    EXPECT_GE(sim.times(Path::urgent_overtook), 4U);
}

TEST(SimActors, AnActorForTheJobEndsWhenItIsKilled) {
    auto user = std::make_shared<Program>();
    user->steps.emplace_back(FindActor{"server"});
    user->steps.emplace_back(
        Call{latest, ActorProgram::method, {ActorProgram::lasting(1us), {}, {}, 0}});
    user->steps.emplace_back(Get{latest});
    auto killer = std::make_shared<Program>();
    killer->steps.emplace_back(FindActor{"server"});
    killer->steps.emplace_back(KillActor{latest});
    std::uint64_t killed = 0;
    std::uint64_t calls = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        TaskKind kind{FunctionId{10}, {}, 0, on_rank(1)};
        kind.for_job = true;
        ActorProgram program;
        program.then(Spawn{kind, {ActorProgram::lasting(1us), {}, {}, 0}, "server"})
            .call(30us, seed % 2 == 0 ? 20 : 0)
            .then(ReleaseActor{latest})
            .then(Compute{1ms})
            .then(Submit{{FunctionId{1}, {}, 0, spread},
                         std::vector<NewTask>(10, NewTask{user, {}, {}, 0})})
            .then(Compute{3us * static_cast<std::int64_t>(seed)})
            .then(Submit{{FunctionId{2}, {}, 0, on_rank(2)},
                         std::vector<NewTask>(2, NewTask{killer, {}, {}, 0})})
            .then(GetAll{});
        Sim sim{{.seed = seed, .ranks = 4}};
        program.run_in(sim); // nothing of it is left
        killed += sim.times(Path::actor_killed);
        calls += sim.times(Path::call_killed);
    }
    EXPECT_GE(killed, 40U);
    EXPECT_GT(calls, 0U);
}

TEST(Sim, NamesTheSeedWhenNothingHappensAnyMore) {
    Sim sim{{.seed = 4711}};
    try {
        sim.run_until([] { return false; });
        FAIL() << "did not notice";
    } catch (const SimFailure& failure) {
        EXPECT_NE(std::string(failure.what()).find("seed 4711"), std::string::npos);
    }
}

TEST(Sim, ARunThatMustEndStartsNothingMoreAndAnswersEverybody) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Sim sim{{.seed = seed,
                 .ranks = 4,
                 .cpus_per_rank = 2,
                 .preferred_coordinator = Rank{static_cast<std::int32_t>(seed % 4)}}};
        auto futures = sim.map(task().lasting(50us).returning(10), 400);
        const auto large = sim.submit(task().lasting(1ms).returning(100'000));
        for (int i = 0; i < 40; ++i) {
            futures.push_back(sim.submit(task().lasting(1ms).after(large).cpus(2)));
            futures.push_back(sim.submit(task().after(futures.back())));
            futures.push_back(sim.submit(task().ranks(3).lasting(200us)));
            futures.push_back(sim.submit(task().calling(task().lasting(100us), 3)));
        }
        const auto ran = [&] {
            return std::count_if(
                futures.begin(), futures.end(), [&](Future f) { return sim.resolved(f); });
        };
        sim.run_until([&] { return ran() > static_cast<std::ptrdiff_t>(seed * 10); });
        sim.at(Rank{static_cast<std::int32_t>(seed / 4 % 4)})
            .post(rank::EndTold{wire::EndCause::terminated, seed % 2 == 0 ? 30s : 1s});
        sim.run_until_idle();
        std::size_t not_started = 0;
        for (const Future future : futures) {
            ASSERT_TRUE(sim.resolved(future)) << "seed " << seed;
            not_started += !sim.ok(future) && sim.failure(future).back().kind ==
                                                  wire::FailureRecord::Kind::ended
                               ? 1U
                               : 0U;
        }
        EXPECT_GT(not_started, 0U) << "seed " << seed;
        sim.finish();
    }
}

} // namespace
} // namespace muster::sim
