#include "random_schedule.hpp"

#include "random_program.hpp"
#include "random_world.hpp"
#include "sim.hpp"

#include <muster/base/random.hpp>

#include <utility>

namespace muster::sim {

RandomSchedule random_schedule(std::uint64_t seed) {
    Random random(seed);
    RandomSchedule schedule;
    schedule.options = random_world(seed, random, {});
    schedule.ends_early = random.chance(0.08);
    schedule.driver = random_program(random, schedule.options, 1500, !schedule.ends_early);
    return schedule;
}

RandomSchedule fault_schedule(std::uint64_t seed) {
    Random random(seed, 4);
    RandomSchedule schedule;
    schedule.options =
        random_world(seed, random, {.ranks_min = 2, .ranks_max = 7, .alike_chance = 0.8});
    schedule.options.watches = true;
    for (std::int64_t i = random.between(1, 4); i > 0; --i) {
        schedule.options.faults.push_back(random_fault(random));
    }
    schedule.ends_early = random.chance(0.08);
    schedule.driver = random_program(random, schedule.options, 250, !schedule.ends_early);
    return schedule;
}

Statistics run(RandomSchedule schedule) {
    Sim sim(schedule.options);
    sim.run_driver(std::move(schedule.driver));
    sim.run_until([&] { return sim.driver_done(); });
    if (schedule.ends_early) {
        sim.end_early();
    } else {
        sim.finish();
    }
    Statistics statistics = sim.statistics();
    statistics.schedules = 1;
    return statistics;
}

Statistics run_schedule(std::uint64_t seed) {
    return run(random_schedule(seed));
}

Statistics run_fault_schedule(std::uint64_t seed) {
    return run(fault_schedule(seed));
}

} // namespace muster::sim
