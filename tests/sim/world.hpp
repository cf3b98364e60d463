#pragma once

#include "coverage.hpp"
#include "event_queue.hpp"
#include "faults.hpp"
#include "network.hpp"
#include "oracle.hpp"

#include <muster/base/random.hpp>

#include <cstdint>
#include <optional>
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
          network(settings.network, Random(settings.seed, 2)), oracle(fate) {}

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
    std::optional<std::uint64_t> loss_declared; ///< How many events had run then, the last time.
    std::uint64_t steps_pending = 0;            ///< What executors are about to do.
};

} // namespace muster::sim
