#include "ending/limits.hpp"
#include "process/zygote.hpp"
#include "recorder/recorder.hpp"
#include "registry/registry.hpp"
#include "resources/detect.hpp"
#include "resources/gpu_cpus.hpp"
#include "resources/share_out.hpp"
#include "runtime/isolate/serve.hpp"
#include "runtime/rank_runtime.hpp"
#include "runtime/settings.hpp"
#include "runtime/signals.hpp"
#include "runtime/standard_error.hpp"
#include "transport/local.hpp"
#include "transport/mpi.hpp"

#include <muster/base/duration.hpp>
#include <muster/base/log.hpp>
#include <muster/core/memory_report.hpp>
#include <muster/core/runtime.hpp>
#include <muster/core/serialize.hpp>
#include <muster/slurm/environment.hpp>
#include <muster/slurm/launch.hpp>
#include <muster/slurm/loss_outlook.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <memory>
#include <random>
#include <string>
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
    std::string refusal; ///< Why this rank cannot take part; empty if it can.
};

/// Marks the executable, so that `muster run` can tell a Muster program from other MPI programs,
/// whose ranks would wait for a lost one for ever. Layout: an ELF note without a description.
struct ProgramNote {
    std::uint32_t name_size;
    std::uint32_t description_size;
    std::uint32_t type;
    char name[8];
};

[[gnu::used, gnu::section(".note.muster"), gnu::aligned(4)]] const ProgramNote program_note{
    7, 0, 1, "Muster"};

void print_once(bool speaks, const std::string& text) {
    if (speaks) {
        runtime::write_line("error: " + text);
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

using Journal = std::unique_ptr<recorder::Recorder>;

/// @return none if the run has no journal.
Result<Journal>
open_journal(const runtime::Settings& settings, const std::string& host, std::uint64_t run_id) {
    if (settings.journal.empty()) {
        return Journal{};
    }
    recorder::Recorder::Config config;
    config.directory.path = settings.journal;
    config.directory.program_version = settings.program_version;
    config.directory.host = host;
    config.run_id = run_id;
    return recorder::Recorder::open(std::move(config));
}

int close_journal(recorder::Recorder& journal, int exit_code, const std::string& driver_error) {
    const auto failure = journal.close();
    if (!failure) {
        return exit_code;
    }
    const bool is_said = driver_error.find(failure->message) != std::string::npos;
    print_once(!is_said, failure->message);
    return exit_code == 0 ? 1 : exit_code;
}

/// `journal` may be none.
int run_ranks(std::vector<std::unique_ptr<RankRuntime>>& ranks,
              bool hosts_driver,
              const std::function<int()>& driver,
              recorder::Recorder* journal) {
    signalled = ranks.front().get();
    const runtime::SignalScope signals(wake_signalled);
    if (hosts_driver) {
        ranks.front()->run_driver(driver);
    }
    runtime::RunEnd end;
    for (auto& rank : ranks) {
        end = rank->wait_end();
    }
    if (journal != nullptr) {
        end.exit_code = close_journal(*journal, end.exit_code, ranks.front()->driver_error());
    }
    signalled = nullptr;
    ranks.clear();
    if (!end.orderly) { // MPI is not finalized, and what it left running must not meet destructors
        std::cout.flush();
        std::fflush(nullptr);
        ::_exit(end.exit_code);
    }
    return end.exit_code;
}

/// What is the same for every rank of this process.
struct Setup {
    slurm::LaunchInfo launch;
    slurm::LossOutlook outlook;
    runtime::Settings settings;
    resources::LocalResources resources;
    ending::Limits limits;
    TimePoint began{};
    process::Zygote* zygote = nullptr;
    bool limits_threads = false; ///< The user does, of OpenMP.
    const FunctionTable& functions;
};

/// The rank's part of what its node's large values may take together. By default 30 % of the memory
/// that the job may use there.
arena::ValueMemory::Config value_memory(const Setup& setup,
                                        const transport::World& world,
                                        const resources::Capacity& capacity) {
    const NodeId node = world.node_of[static_cast<std::size_t>(index(world.rank))];
    const auto ranks =
        static_cast<std::uint64_t>(std::count(world.node_of.begin(), world.node_of.end(), node));
    arena::ValueMemory::Config config;
    config.memory_bytes_max =
        setup.settings.object_memory
            ? setup.settings.object_memory->count / ranks
            : static_cast<std::uint64_t>(0.3 * capacity.resources.memory.value());
    if (setup.settings.spill_size) {
        config.disk_bytes_max = setup.settings.spill_size->count / ranks;
    }
    config.ranks_of_node = ranks;
    config.directory = setup.settings.spill_directory;
    return config;
}

/// Tasks can have CPUs of their own where the rank has as many as it counts: no quota, no other
/// rank on them, and none that are not there.
runtime::Seating::Config seating(const Setup& setup, const resources::Capacity& capacity) {
    runtime::Seating::Config config;
    config.cpus = capacity.cpu_ids;
    config.binds = setup.settings.bind && !capacity.oversubscribed &&
                   Amount{capacity.cpu_ids.size()} == capacity.resources.cpus;
    config.gpus = capacity.gpu_ids;
    config.near = resources::cpus_near(capacity.gpu_ids, resources::RealFiles());
    config.sets_threads = !setup.limits_threads;
    return config;
}

using Tracer = std::unique_ptr<trace::Tracer>;

/// @return none if the run is not traced.
Result<Tracer>
open_trace(const Setup& setup, const transport::World& world, std::uint64_t run_id, double cpus) {
    if (setup.settings.trace.empty()) {
        return Tracer{};
    }
    const auto self = static_cast<std::size_t>(index(world.rank));
    look::TraceHeader header;
    header.run_id = run_id;
    header.rank = index(world.rank);
    header.world_size = world.size;
    header.node = index(world.node_of[self]);
    header.host = world.host_of[self];
    header.pid = ::getpid();
    header.cpus = cpus;
    header.program = ::program_invocation_short_name;
    header.job = setup.settings.job;
    look::Names names;
    for (std::uint32_t i = 0; i < setup.functions.size(); ++i) {
        names.emplace_back(i, setup.functions.at(FunctionId{i}).name);
    }
    return trace::Tracer::open(setup.settings.trace, std::move(header), names);
}

/// For those who look at the run.
runtime::LookDesk::Config
look_desk(const Setup& setup, const transport::World& world, std::uint64_t run_id) {
    runtime::LookDesk::Config config;
    config.runtime_directory = setup.settings.runtime_directory;
    config.run.id = run_id;
    config.run.pid = ::getpid();
    config.run.job = setup.settings.job;
    config.run.program = ::program_invocation_short_name;
    config.run.trace = setup.settings.trace;
    config.run.hosts = world.host_of;
    config.run.began = setup.began;
    return config;
}

RankRuntime::Config configure(const Setup& setup,
                              const transport::World& world,
                              std::uint64_t run_id,
                              const resources::Capacity& capacity,
                              recorder::Recorder* journal,
                              trace::Tracer* tracer) {
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
    if (setup.limits.left) {
        config.machine.time_limit = setup.began + *setup.limits.left;
    }
    config.machine.time_lead = setup.limits.lead;
    config.limits = setup.limits;
    // Where one dead rank is the end of all, a slow one is waited for.
    config.machine.watches = setup.launch.use_mpi && setup.settings.heartbeat_timeout > 0 &&
                             setup.outlook.survives.value_or(true);
    config.machine.heartbeat_timeout = std::chrono::seconds{setup.settings.heartbeat_timeout};
    config.machine.driver_timeout = 4 * config.machine.heartbeat_timeout;
    config.machine.hosts = world.host_of;
    config.values = value_memory(setup, world, capacity);
    config.room_patience = std::chrono::seconds{setup.settings.object_wait_seconds};
    config.run_id = run_id;
    config.parked_max = setup.settings.parked_max;
    config.zygote = setup.zygote;
    config.survives_lost_ranks = setup.outlook.survives;
    config.stop_grace = std::chrono::seconds(setup.settings.stop_grace_seconds);
    config.journal = world.rank == driver_rank ? journal : nullptr;
    config.seating = seating(setup, capacity);
    config.tracer = tracer;
    config.machine.compares_clocks = tracer != nullptr;
    if (setup.settings.looked_at && world.rank == driver_rank) {
        config.look = look_desk(setup, world, run_id);
    }
    return config;
}

int run_locally(const Setup& setup, const std::function<int()>& driver) {
    const FunctionTable& functions = setup.functions;
    const std::uint64_t run_id = random_id();
    std::vector<std::unique_ptr<RankRuntime>> ranks;
    const std::vector<resources::LocalResources> reports(
        static_cast<std::size_t>(setup.settings.local_ranks), setup.resources);
    const auto capacities = resources::share_out(reports);
    auto transports = transport::make_local_world(setup.settings.local_ranks);
    const auto journal =
        open_journal(setup.settings, transports.front()->world().host_of.front(), run_id)
            .value_or_throw();
    std::vector<Tracer> tracers; // outlive the ranks, which run_ranks() ends
    for (auto& transport : transports) {
        const auto& world = transport->world();
        const auto& capacity = capacities[static_cast<std::size_t>(index(world.rank))];
        tracers.push_back(
            open_trace(setup, world, run_id, capacity.resources.cpus.value()).value_or_throw());
        ranks.push_back(std::make_unique<RankRuntime>(
            configure(setup, world, run_id, capacity, journal.get(), tracers.back().get()),
            functions,
            std::move(transport)));
    }
    return run_ranks(ranks, true, driver, journal.get());
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
    const FunctionTable& functions = setup.functions;
    StartRecord own;
    own.functions_hash = functions.hash();
    own.functions = functions.describe();
    own.run_id = random_id();
    own.host = world.host_of[static_cast<std::size_t>(index(world.rank))];
    own.resources = setup.resources;
    Journal journal;
    if (world.rank == driver_rank) {
        auto opened = open_journal(setup.settings, own.host, own.run_id);
        if (opened) {
            journal = std::move(*opened);
        } else {
            own.refusal = opened.error().message;
        }
    }
    std::vector<StartRecord> records;
    for (const auto& bytes : transport->all_gather(to_buffer(own).bytes())) {
        records.push_back(from_buffer<StartRecord>(std::span<const std::byte>(bytes)));
    }
    if (!records[0].refusal.empty()) {
        print_once(speaks, records[0].refusal);
        transport->close(true);
        return 1;
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
    const std::uint64_t run_id = records[0].run_id;
    auto opened = open_trace(setup, world, run_id, capacity.resources.cpus.value());
    if (!opened) { // no reason not to run; whoever reads the others learns that this one is missing
        log::error("trace", "not_traced why=\"{}\"", opened.error().message);
    }
    const Tracer tracer = opened ? std::move(*opened) : Tracer{}; // outlives the rank
    std::vector<std::unique_ptr<RankRuntime>> ranks;
    ranks.push_back(std::make_unique<RankRuntime>(
        configure(setup, world, run_id, capacity, journal.get(), tracer.get()),
        functions,
        std::move(transport)));
    return run_ranks(ranks, world.rank == driver_rank, driver, journal.get());
}

} // namespace

int run(int argc, char** argv, const std::function<int()>& driver, const RunOptions& options) {
    const TimePoint began = std::chrono::steady_clock::now();
    const auto environment = slurm::Environment::of_process();
    const auto launch = slurm::detect_launch(environment);
    const auto settings = runtime::read_settings(environment, options);
    const auto limits = ending::read_limits(environment,
                                            launch ? launch->launcher : slurm::Launcher::none,
                                            options,
                                            std::chrono::system_clock::now());
    if (!launch || !settings || !limits) {
        print_once(!launch || launch->rank.value_or(0) == 0,
                   (!launch     ? launch.error()
                    : !settings ? settings.error()
                                : limits.error())
                       .message);
        return 2;
    }
    log::set_level(settings->log_level);
    if (const auto doubt = slurm::start_doubt(*launch); !doubt.empty() && launch->rank == 0) {
        log::warn("start", "{}", doubt);
    }
    log::info("start", "launcher reason=\"{}\"", launch->reason);
    if (!limits->doubt.empty() && launch->rank.value_or(0) == 0) {
        log::warn("start", "{}", limits->doubt);
    }
    if (limits->left) {
        log::info("start",
                  "time_limit left=\"{}\" lead=\"{}\" by={}",
                  format_duration(*limits->left),
                  format_duration(limits->lead),
                  limits->why);
    }
    const slurm::LossOutlook outlook = slurm::loss_outlook(environment, *launch);
    if (launch->rank.value_or(0) == 0) {
        log::info("start",
                  "lost_ranks survived={} why=\"{}\"",
                  !outlook.survives ? "unknown" : (*outlook.survives ? "yes" : "no"),
                  outlook.why);
    }
    try {
        const FunctionTable functions = FunctionTable::build();
        // Before MPI and before any thread: what it forks later inherits neither.
        const auto zygote = process::Zygote::fork_off([&functions](process::UniqueFd socket) {
            runtime::isolate::serve(functions, std::move(socket));
        });
        if (!zygote) {
            log::warn("start", "no_commands why=\"{}\"", zygote.error().message);
        }
        const auto local = resources::detect_local();
        if (!local) {
            print_once(launch->rank.value_or(0) == 0, local.error().message);
            return 2;
        }
        const Setup setup{*launch,
                          outlook,
                          *settings,
                          *local,
                          *limits,
                          began,
                          zygote ? zygote->get() : nullptr,
                          environment.has("OMP_NUM_THREADS"),
                          functions};
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
    return detail::current_client().cluster();
}

MemoryReport memory_report() {
    return detail::current_client().memory_report();
}

} // namespace muster
