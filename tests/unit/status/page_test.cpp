#include "status/page.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace muster::status {
namespace {

using namespace std::chrono_literals;

constexpr FunctionId load{0};
constexpr FunctionId train{1};
constexpr FunctionId merge{2};

std::string name_of(FunctionId function) {
    constexpr std::array names{"load", "train", "merge"};
    return names.at(static_cast<std::size_t>(function));
}

ObjectId id(int rank, std::uint64_t sequence) {
    return make_object_id(Rank{rank}, sequence);
}

wire::PrintStatus of(std::vector<std::optional<wire::Status>> ranks) {
    return {std::move(ranks), Rank{1}, Term{3}};
}

const Heading heading{"12:03:04", 75s};

std::string page(std::vector<std::optional<wire::Status>> ranks) {
    return render(of(std::move(ranks)), heading, name_of);
}

TEST(StatusPage, OfAnIdleRunIsShort) {
    wire::Status coordinator;
    coordinator.coordinator.emplace();
    EXPECT_EQ(page({wire::Status{}, std::move(coordinator)}),
              "muster at 12:03:04: 2 ranks, running for 75 s, coordinated by rank 1 (term 3)\n"
              "tasks: 0 waiting for others, 0 ready, 0 placed on a rank\n"
              "ranks: 0 tasks and calls running, 0 of them in get(); 0 tasks held, 0 fetching; 0 "
              "actors living\n"
              "nothing runs\n");
}

TEST(StatusPage, SaysWhatEachWaitsFor) {
    using State = wire::MissingStatus::State;
    wire::Status driver;
    driver.functions = {{load, 0, 0, 1}, {train, 2, 1'200, 2}, {merge, 3, 0, 0}};
    driver.waiting_total = 5;
    driver.waiting = {
        {id(0, 9), merge, "", 2, {{id(0, 1), State::granted, load, "", Rank{2}}}},
        {id(0, 10),
         merge,
         "last",
         6,
         {{id(0, 9), State::waiting, merge, "", Rank{}},
          {id(0, 3), State::ready, train, "big", Rank{}},
          {id(2, 7), State::elsewhere, {}, "", Rank{2}}}},
    };
    driver.running = {{id(0, 2), train, 3s, false, true}};
    driver.running_total = 1;
    driver.blocked = 1;
    wire::Status coordinator;
    coordinator.held = 4;
    coordinator.actors = 1;
    coordinator.coordinator.emplace();
    coordinator.coordinator->classes = 10;
    wire::QueuedStatus queued{.function = train,
                              .demand = {.cpus = 4, .gpus = {}, .memory = {}, .custom = {}},
                              .placement = {},
                              .priority = 2,
                              .tasks = 1'200,
                              .ranks_eligible = 3,
                              .most_free = Rank{1},
                              .free = {.cpus = 2, .gpus = 1, .memory = 1'000, .custom = {}}};
    auto gang = queued;
    gang.members = 4;
    gang.priority = 0;
    gang.tasks = 1;
    gang.ranks_with_room = 1;
    auto bound = queued;
    bound.placement = on_rank(2);
    bound.priority = 0;
    bound.actor = true;
    bound.demand.gpus = 2;
    bound.demand.custom = {{"license", 1}};
    auto behind = queued;
    behind.ranks_with_room = 2;
    behind.demand = {};
    auto lost = queued;
    lost.ranks_eligible = 0;
    coordinator.coordinator->queued = {queued, gang, bound, behind, lost};
    wire::Status worker;
    worker.running = {{id(0, 1), load, 74s, false}, {id(0, 30), merge, 200ms, true}};
    worker.running_total = 12;
    EXPECT_EQ(
        page({std::move(driver), std::move(coordinator), std::move(worker), std::nullopt}),
        "muster at 12:03:04: 4 ranks, running for 75 s, coordinated by rank 1 (term 3)\n"
        "no answer within a second from rank 3\n"
        "tasks: 5 waiting for others, 1,200 ready, 3 placed on a rank\n"
        "ranks: 13 tasks and calls running, 1 of them in get(); 4 tasks held, 0 fetching; 1 actor "
        "living\n"
        "     waiting       ready      placed   function\n"
        "           2       1,200           2   train\n"
        "           3           0           0   merge\n"
        "           0           0           1   load\n"
        "running for longest:\n"
        "        74 s  rank 2  load (0:1)\n"
        "         3 s  rank 0  train (0:2), in get()\n"
        "       0.2 s  rank 2  merge (0:30), a call of an actor\n"
        "  … and 10 more\n"
        "ready, and waiting for room:\n"
        "  train (1,200 tasks, priority 2): 4 cpus; the most that is free is 2 cpus on rank 1\n"
        "  train (1 gang): 4 ranks at once with 4 cpus each; 1 has that now\n"
        "  train (1,200 actors): 4 cpus, 2 gpus, 1 license on rank 2, where 2 cpus, 1 gpus, 0 "
        "license is free\n"
        "  train (1,200 tasks, priority 2): no resources; there is room, but others go first\n"
        "  train (1,200 tasks, priority 2): 4 cpus, which no rank has any more\n"
        "  … and 5 more\n"
        "waiting for others:\n"
        "  merge (0:9): load (0:1), which has run on rank 2 for 74 s; and 1 more\n"
        "  last (0:10): merge (0:9), which waits itself; big (0:3), which is ready; task 2:7, of "
        "rank 2; and 3 more\n"
        "  … and 3 more\n");
}

TEST(StatusPage, SaysWhatHoldsMemory) {
    constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;
    wire::Status driver;
    driver.values = 4;
    driver.value_bytes = 6 * gibibyte;
    driver.room = {.memory = 5 * gibibyte,
                   .memory_max = 8 * gibibyte,
                   .disk = gibibyte,
                   .disk_max = 64 * gibibyte};
    driver.largest = {{.object = id(0, 4),
                       .is_put = true,
                       .name = {},
                       .size = 4 * gibibyte,
                       .holder = Rank{0},
                       .copies = 1,
                       .by_futures = true},
                      {.object = id(0, 7),
                       .function = load,
                       .name = {},
                       .size = gibibyte,
                       .holder = Rank{1},
                       .tasks = 3,
                       .pinned = true}};
    wire::Status worker;
    worker.values = 2;
    worker.value_bytes = 2 * gibibyte;
    worker.room.memory_max = 8 * gibibyte;
    worker.largest = {{.object = id(1, 2),
                       .function = train,
                       .name = "epoch 3",
                       .size = 2 * gibibyte,
                       .holder = Rank{1}}};
    const std::string text = page({std::move(driver), std::move(worker)});
    EXPECT_EQ(
        text.substr(text.find("values:")),
        "values: 6 copies on all ranks, 8 GiB; large ones take 5 GiB of 16 GiB of shared memory, 1 "
        "GiB of 64 "
        "GiB on disk\n"
        "       4 GiB  rank 0  put (0:4), and 1 copy: futures on rank 0\n"
        "       2 GiB  rank 1  epoch 3 (1:2): about to go\n"
        "       1 GiB  rank 1  load (0:7): taken by 3 tasks, a future of it was sent elsewhere\n");
}

TEST(StatusPage, NamesPlacementGroupsThatWaitAndWhatWaitsInThem) {
    wire::Status coordinator;
    coordinator.coordinator.emplace();
    coordinator.coordinator->classes = 2;
    const Resources demand{.cpus = 8, .gpus = {}, .memory = {}, .custom = {}};
    coordinator.coordinator->groups = {
        {id(0, 5), "placement group trainers", Strategy::strict_spread, demand, 4, 1}};
    wire::QueuedStatus in_bundle{.function = train,
                                 .demand = {.cpus = 2, .gpus = {}, .memory = {}, .custom = {}},
                                 .placement = {Placement::Kind::in_group, 1, id(0, 5)},
                                 .group_waits = true,
                                 .tasks = 1,
                                 .free = {}};
    auto in_any = in_bundle;
    in_any.placement.target = -1;
    in_any.group_waits = false;
    in_any.ranks_eligible = 2;
    coordinator.coordinator->queued = {in_bundle, in_any};
    const std::string text = page({std::move(coordinator)});
    const auto begin = text.find("ready, and");
    ASSERT_NE(begin, std::string::npos);
    EXPECT_EQ(
        text.substr(begin),
        "ready, and waiting for room:\n"
        "  placement group trainers (0:5, strict_spread): 8 cpus in 4 bundles, of which 1 has "
        "no place yet\n"
        "  train (1 task): 2 cpus in bundle 1 of its placement group, which has no place "
        "itself\n"
        "  train (1 task): 2 cpus in a bundle of its placement group; the most that is free "
        "is 0 cpus on rank 0\n");
}

TEST(StatusPage, IsOnePageHoweverMuchWaits) {
    std::vector<std::optional<wire::Status>> ranks;
    for (int r = 0; r < 1'000; ++r) {
        wire::Status status;
        status.functions = {{load, 1'000, 1'000, 1'000}};
        status.waiting_total = 1'000;
        for (std::uint64_t i = 0; i < 16; ++i) {
            status.waiting.push_back({id(r, i), load, "", 1, {}});
            status.running.push_back({id(r, i), load, 1s, false});
        }
        status.running_total = 16;
        ranks.push_back(r % 3 == 0 ? std::nullopt : std::optional(std::move(status)));
    }
    const std::string text = page(std::move(ranks));
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40);
    EXPECT_NE(text.find("ranks 0, 3, 6, "), std::string::npos);
    EXPECT_NE(text.find(" and 318 more\n"), std::string::npos);
    EXPECT_NE(text.find("  … and 665,993 more\n"), std::string::npos);
}

TEST(StatusPage, SaysThatTheRunIsEnding) {
    wire::Status coordinator;
    coordinator.coordinator.emplace();
    coordinator.coordinator->draining = true;
    EXPECT_NE(page({std::move(coordinator)}).find("the run is ending: nothing starts any more\n"),
              std::string::npos);
}

} // namespace
} // namespace muster::status
