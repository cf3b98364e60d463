#pragma once

#include "coverage.hpp"
#include "event_queue.hpp"
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
    bool check_invariants = true;
    std::uint64_t events_max = 20'000'000; ///< More is taken for a livelock.
};

/// What all virtual ranks of a simulation share.
struct World {
    explicit World(const SimOptions& settings)
        : options(settings), random(settings.seed, 1),
          network(settings.network, Random(settings.seed, 2)) {}

    [[nodiscard]] double slowness(Rank rank) const {
        const auto i = static_cast<std::size_t>(index(rank));
        return i < options.slowness.size() ? options.slowness[i] : 1.0;
    }

    [[nodiscard]] Duration scaled(Duration time, Rank rank) const {
        return Duration{
            static_cast<std::int64_t>(static_cast<double>(time.count()) * slowness(rank))};
    }

    SimOptions options;
    Random random;
    EventQueue queue;
    Network network;
    Oracle oracle;
    Statistics statistics;
    bool faults = true; ///< Ranks stall while it is set.
};

} // namespace muster::sim
