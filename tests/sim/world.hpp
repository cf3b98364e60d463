#pragma once

#include "coverage.hpp"
#include "event_queue.hpp"
#include "faults.hpp"
#include "network.hpp"
#include "oracle.hpp"
#include "sched/policy.hpp"

#include <muster/base/random.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::sim {

/// A simulated run. Everything follows from these, the seed above all.
struct SimOptions {
    std::uint64_t seed = 1;
    std::int32_t ranks = 1;
    Amount cpus_per_rank = 1;
    std::vector<Resources> capacities{}; ///< By rank, in place of cpus_per_rank.
    std::vector<NodeId> nodes{};         ///< By rank; empty: all on one node.
    Rank driver{};
    std::optional<Rank> preferred_coordinator{};
    std::size_t inline_bytes_max = 1024;
    std::uint64_t near_bytes_min = 5'000;
    bool shares_memory = false; ///< Most kept values lie where ranks of the node can read them.
    std::size_t packet_bytes_max = 4096;
    std::uint16_t window = 64;
    NetworkProfile network{};
    double stall_chance = 0; ///< Of every round of a rank's progress loop.
    Duration stall_max = std::chrono::milliseconds{5};
    std::vector<double> slowness{}; ///< By rank: times everything takes there; empty: all 1.
    /// Ranks watch one another; without it none may crash or freeze for long.
    bool watches = false;
    Duration heartbeat_timeout = std::chrono::milliseconds{200};
    Duration driver_timeout = std::chrono::milliseconds{800};
    Duration retry_delay = std::chrono::milliseconds{1};
    std::vector<Fault> faults{};
    bool check_invariants = true;
    bool trace = false; ///< Prints every message to standard error, but for heartbeats.
    std::uint64_t events_max = 20'000'000; ///< More is taken for a livelock.
};

/// What all virtual ranks of a simulation share.
struct World {
    explicit World(const SimOptions& settings)
        : options(settings), random(settings.seed, 1), clock_random(settings.seed, 3),
          network(settings.network, Random(settings.seed, 2)),
          oracle(fate, [this](const TaskKind& kind) { return feasible(kind); }) {}

    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] Resources capacity(Rank rank) const {
        const auto i = static_cast<std::size_t>(index(rank));
        if (i < options.capacities.size()) {
            return options.capacities[i];
        }
        return {.cpus = options.cpus_per_rank, .gpus = {}, .memory = {}, .custom = {}};
    }

    [[nodiscard]] NodeId node(Rank rank) const {
        const auto i = static_cast<std::size_t>(index(rank));
        return i < options.nodes.size() ? options.nodes[i] : NodeId{0};
    }

    /// The ranks that are left could hold the group, if they ran nothing else.
    [[nodiscard]] bool group_feasible(const MakeGroup& group) const {
        sched::RankTable table(options.ranks);
        std::vector<sched::Room> room;
        for (std::int32_t i = 0; i < options.ranks; ++i) {
            room.push_back(sched::Room::all_of(capacity(Rank{i})));
            if (!fate.gone(Rank{i})) {
                table.insert(Rank{i}, node(Rank{i}), capacity(Rank{i}));
            }
        }
        const std::vector<bool> none(room.size());
        const std::vector<std::optional<Rank>> nowhere(group.bundles.size());
        return sched::pick_bundles({table, room, none, group.bundles, group.strategy, nowhere})
            .has_value();
    }

    /// The ranks that are left have room for such a task, when they run nothing else.
    [[nodiscard]] bool feasible(const TaskKind& kind) const {
        using Where = Placement::Kind;
        if (kind.placement.is_in_group()) {
            return group_feasible(oracle.group(kind.placement.group).made);
        }
        TaskKind other = kind;
        for (const Resources& demand : std::exchange(other.or_else, {})) {
            other.demand = demand;
            if (feasible(other)) {
                return true;
            }
        }
        const auto [where, target, group] = kind.placement;
        const std::int64_t members_max = options.ranks == 1 ? kind.ranks : 1;
        std::int64_t room = 0;
        for (std::int32_t i = 0; i < options.ranks; ++i) {
            const bool elsewhere = (where == Where::on_rank && target != i) ||
                                   (where == Where::on_node && target != index(node(Rank{i})));
            if (!elsewhere && !fate.gone(Rank{i})) {
                room += sched::Room::all_of(capacity(Rank{i}))
                            .times_fitting(kind.demand, std::max<std::int64_t>(members_max, 1));
            }
        }
        return room >= std::max(kind.ranks, 1);
    }

    [[nodiscard]] double slowness(Rank rank) const {
        const auto i = static_cast<std::size_t>(index(rank));
        return i < options.slowness.size() ? options.slowness[i] : 1.0;
    }

    [[nodiscard]] Duration scaled(Duration time, Rank rank) const {
        return Duration{
            static_cast<std::int64_t>(static_cast<double>(time.count()) * slowness(rank))};
    }

    /// What is quiet for so long will stay so: longer than it takes to notice a loss, and to wait
    /// for a task's next attempt.
    [[nodiscard]] Duration patience() const {
        return 3 * options.heartbeat_timeout + 20 * options.retry_delay;
    }

    /// Something happened that is more than a heartbeat.
    void stirred() { last_stir = std::max(last_stir, queue.now()); }

    SimOptions options;
    Random random;
    Random clock_random;
    EventQueue queue;
    Network network;
    Fate fate;
    Oracle oracle;
    Statistics statistics;
    bool faults = true; ///< Ranks stall, crash and freeze while it is set.
    TimePoint last_stir{};
    std::string broken; ///< A promise that was found broken where nothing may be thrown.
    std::optional<std::uint64_t> loss_declared; ///< How many events had run then, the last time.
    std::uint64_t steps_pending = 0;            ///< What executors are about to do.
};

} // namespace muster::sim
