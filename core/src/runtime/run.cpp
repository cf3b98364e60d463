#include "process/zygote.hpp"
#include "registry/registry.hpp"
#include "resources/detect.hpp"
#include "resources/share_out.hpp"
#include "runtime/rank_runtime.hpp"
#include "runtime/settings.hpp"
#include "runtime/signals.hpp"
#include "transport/local.hpp"
#include "transport/mpi.hpp"

#include <muster/base/log.hpp>
#include <muster/core/runtime.hpp>
#include <muster/core/serialize.hpp>
#include <muster/slurm/environment.hpp>
#include <muster/slurm/launch.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace muster::detail {
namespace {

using runtime::RankRuntime;

// Where the launcher forwards standard input to, and whose loss ends an MPI job in any case.
constexpr Rank driver_rank{0};

/// What ranks tell each other once, before the first message: enough to refuse a broken start.
struct StartRecord {
    std::uint64_t functions_hash = 0;
    std::string functions;
    std::uint64_t run_id = 0; ///< Rank 0's counts.
    std::string host;
    resources::LocalResources resources;
};

void print_once(bool speaks, const std::string& text) {
    if (speaks) {
        const std::string line = fmt::format("error: {}\n", text);
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    }
}

std::uint64_t random_id() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

// The one local rank a signal handler wakes; more of a process wake within their bounded sleeps.
std::atomic<RankRuntime*> signalled{nullptr};

void wake_signalled() {
    if (auto* runtime = signalled.load()) {
        runtime->wake();
    }
}

int run_ranks(std::vector<std::unique_ptr<RankRuntime>>& ranks,
              bool hosts_driver,
              const std::function<int()>& driver) {
    signalled = ranks.front().get();
    const runtime::SignalScope signals(wake_signalled);
    if (hosts_driver) {
        ranks.front()->run_driver(driver);
    }
    int exit_code = 0;
    for (auto& rank : ranks) {
        exit_code = rank->wait_end();
    }
    signalled = nullptr;
    ranks.clear();
    return exit_code;
}

/// What is the same for every rank of this process.
struct Setup {
    slurm::LaunchInfo launch;
    runtime::Settings settings;
    resources::LocalResources resources;
    process::Zygote* zygote = nullptr;
};

RankRuntime::Config configure(const Setup& setup,
                              const transport::World& world,
                              std::uint64_t run_id,
                              const resources::Capacity& capacity) {
    const auto self = static_cast<std::size_t>(index(world.rank));
    RankRuntime::Config config;
    config.machine = {.self = world.rank,
                      .world_size = world.size,
                      .driver = driver_rank,
                      .node = world.node_of[self],
                      .host = world.host_of[self],
                      .capacity = capacity.resources,
                      .preferred_coordinator = setup.settings.coordinator == index(world.rank)};
    if (setup.settings.driver_cpus && world.rank == driver_rank) {
        config.machine.capacity.cpus = *setup.settings.driver_cpus;
    }
    config.run_id = run_id;
    config.parked_max = setup.settings.parked_max;
    config.zygote = setup.zygote;
    return config;
}

int run_locally(const Setup& setup, const std::function<int()>& driver) {
    const FunctionTable functions = FunctionTable::build();
    const std::uint64_t run_id = random_id();
    std::vector<std::unique_ptr<RankRuntime>> ranks;
    const std::vector<resources::LocalResources> reports(
        static_cast<std::size_t>(setup.settings.local_ranks), setup.resources);
    const auto capacities = resources::share_out(reports);
    for (auto& transport : transport::make_local_world(setup.settings.local_ranks)) {
        const auto& world = transport->world();
        const auto& capacity = capacities[static_cast<std::size_t>(index(world.rank))];
        ranks.push_back(std::make_unique<RankRuntime>(
            configure(setup, world, run_id, capacity), functions, std::move(transport)));
    }
    return run_ranks(ranks, true, driver);
}

int run_over_mpi(int argc, char** argv, const Setup& setup, const std::function<int()>& driver) {
    auto transport = transport::start_mpi({&argc, &argv});
    const auto world = transport->world();
    log::set_rank(world.rank);
    const bool speaks = world.rank == driver_rank;
    if (const auto wrong = slurm::check_world(
            setup.launch, index(world.rank), world.size, transport->library_version())) {
        print_once(setup.launch.rank.value_or(index(world.rank)) == 0, wrong->message);
        transport->close(true);
        return 1;
    }
    const FunctionTable functions = FunctionTable::build();
    StartRecord own;
    own.functions_hash = functions.hash();
    own.functions = functions.describe();
    own.run_id = random_id();
    own.host = world.host_of[static_cast<std::size_t>(index(world.rank))];
    own.resources = setup.resources;
    std::vector<StartRecord> records;
    for (const auto& bytes : transport->all_gather(to_buffer(own).bytes())) {
        records.push_back(from_buffer<StartRecord>(std::span<const std::byte>(bytes)));
    }
    for (std::size_t r = 1; r < records.size(); ++r) {
        if (records[r].functions_hash != records[0].functions_hash) {
            print_once(speaks,
                       fmt::format("ranks run different programs: rank 0 on {} has {}, rank {} on "
                                   "{} has {}. Start the same build everywhere",
                                   records[0].host,
                                   records[0].functions,
                                   r,
                                   records[r].host,
                                   records[r].functions));
            transport->close(true);
            return 1;
        }
    }
    const auto self = static_cast<std::size_t>(index(world.rank));
    std::vector<resources::LocalResources> neighbours; // this node's ranks, in rank order
    std::size_t own_place = 0;
    for (std::size_t r = 0; r < records.size(); ++r) {
        if (world.node_of[r] == world.node_of[self]) {
            own_place = r == self ? neighbours.size() : own_place;
            neighbours.push_back(records[r].resources);
        }
    }
    const auto capacity = resources::share_out(neighbours)[own_place];
    if (capacity.oversubscribed && own_place == 0) {
        log::info("resources",
                  "oversubscribed host={} ranks={} : ranks outnumber CPUs, each counts one CPU",
                  own.host,
                  neighbours.size());
    }
    std::vector<std::unique_ptr<RankRuntime>> ranks;
    ranks.push_back(std::make_unique<RankRuntime>(
        configure(setup, world, records[0].run_id, capacity), functions, std::move(transport)));
    return run_ranks(ranks, world.rank == driver_rank, driver);
}

} // namespace

int run(int argc, char** argv, const std::function<int()>& driver, const RunOptions& options) {
    const auto environment = slurm::Environment::of_process();
    const auto launch = slurm::detect_launch(environment);
    const auto settings = runtime::read_settings(environment, options);
    if (!launch || !settings) {
        print_once(!launch || launch->rank.value_or(0) == 0,
                   (launch ? settings.error() : launch.error()).message);
        return 2;
    }
    log::set_level(settings->log_level);
    if (const auto doubt = slurm::start_doubt(*launch); !doubt.empty() && launch->rank == 0) {
        log::warn("start", "{}", doubt);
    }
    log::info("start", "launcher reason=\"{}\"", launch->reason);
    try {
        // Before MPI and before any thread: what it forks later inherits neither.
        const auto zygote = process::Zygote::fork_off();
        if (!zygote) {
            log::warn("start", "no_commands why=\"{}\"", zygote.error().message);
        }
        const auto local = resources::detect_local();
        if (!local) {
            print_once(launch->rank.value_or(0) == 0, local.error().message);
            return 2;
        }
        const Setup setup{*launch, *settings, *local, zygote ? zygote->get() : nullptr};
        return launch->use_mpi ? run_over_mpi(argc, argv, setup, driver)
                               : run_locally(setup, driver);
    } catch (const std::exception& error) {
        print_once(true, error.what());
        return 1;
    }
}

} // namespace muster::detail

namespace muster {

ClusterInfo cluster() {
    return dynamic_cast<runtime::RankClient&>(detail::current_client()).cluster();
}

} // namespace muster
