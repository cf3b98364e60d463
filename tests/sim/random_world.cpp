#include "random_world.hpp"

#include "random_draws.hpp"

#include <chrono>

namespace muster::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;

SimOptions random_world(std::uint64_t seed, Random& random, const WorldSize& size) {
    SimOptions options;
    options.seed = seed;
    options.ranks =
        static_cast<std::int32_t>(log_uniform_count(random, size.ranks_min, size.ranks_max));
    options.driver = Rank{static_cast<std::int32_t>(
        random.chance(0.7) ? 0 : random.below(static_cast<std::uint64_t>(options.ranks)))};
    if (random.chance(0.5)) {
        options.preferred_coordinator = Rank{
            static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(options.ranks)))};
    }
    const auto nodes = random.between(1, 4);
    const bool alike = random.chance(size.alike_chance);
    Resources capacity;
    for (std::int32_t i = 0; i < options.ranks; ++i) {
        options.nodes.push_back(NodeId{static_cast<std::int32_t>(i * nodes / options.ranks)});
        if (i == 0 || !alike) {
            capacity = {};
            capacity.cpus = Amount{random.between(i == 0 || random.chance(0.9) ? 1 : 0, 4)};
            if (random.chance(0.4)) {
                capacity.gpus = Amount{random.between(1, 4)};
            }
            if (random.chance(0.5)) {
                capacity.memory = Amount{random.between(64, 256) << 20};
            }
            if (random.chance(0.2)) {
                capacity.custom.emplace_back("license", Amount{random.between(1, 3)});
            }
        }
        options.capacities.push_back(capacity);
        options.slowness.push_back(random.chance(0.15) ? random.uniform(2, 30) : 1.0);
    }
    options.inline_bytes_max = random.chance(0.7) ? 1024 : random.below(200);
    options.packet_bytes_max = random.chance(0.5) ? 4096 : 64 + random.below(1000);
    options.window = static_cast<std::uint16_t>(random.chance(0.5) ? 64 : random.between(1, 8));
    options.network.latency_max = log_uniform(random, microseconds{2}, microseconds{200});
    options.network.tail_chance = random.chance(0.5) ? random.log_uniform(0.005, 0.2) : 0;
    options.network.bytes_per_second = random.log_uniform(2e7, 1e11);
    options.events_max = 2'000'000;
    options.stall_chance = random.chance(0.4) ? random.log_uniform(1e-4, 3e-2) : 0;
    options.shares_memory = random.chance(0.6);
    return options;
}

Fault random_fault(Random& random) {
    Fault fault;
    const double what = random.uniform(0, 1);
    fault.what = what < 0.65  ? Fault::What::crash
                 : what < 0.9 ? Fault::What::freeze
                              : Fault::What::freeze_all;
    const double when = random.uniform(0, 1);
    fault.when = when < 0.07   ? Fault::When::start
                 : when < 0.7  ? Fault::When::run
                 : when < 0.92 ? Fault::When::recovery
                               : Fault::When::shutdown;
    fault.whom = random.chance(0.2) ? Fault::Whom::actor_host
                                    : Fault::Whom{static_cast<std::uint8_t>(random.below(6))};
    const std::size_t events_max = fault.when == Fault::When::run ? 2'000 : 200;
    fault.after_events = log_uniform_count(random, 1, events_max);
    if (fault.what == Fault::What::freeze) {
        fault.length = log_uniform(random, milliseconds{1}, milliseconds{2000});
    } else if (fault.what == Fault::What::freeze_all) {
        fault.length = std::chrono::seconds{60};
    }
    return fault;
}

} // namespace muster::sim
