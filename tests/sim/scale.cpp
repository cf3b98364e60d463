// muster_sim_scale: one large run in virtual time. Jobs that map, walk a graph and call an actor on
// thousands of virtual ranks, of which some die on the way; and what became of it all.

#include "failure.hpp"
#include "sim.hpp"

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <vector>

namespace {

using namespace muster;
using namespace muster::sim;

struct Wanted {
    std::uint64_t seed = 1;
    std::int32_t ranks = 10'240;
    std::int32_t ranks_per_node = 64;
    std::int64_t tasks = 10'000'000;
    std::int32_t dying = -1; ///< Ranks; negative: one in a hundred.
};

constexpr std::size_t width = 20; // of a job's map, of each layer of its graph, and its calls
constexpr std::size_t tasks_per_job = 1 + width + 2 * width + 1 + width;

NewTask leaf(std::vector<Local> dependencies) {
    auto program = std::make_shared<Program>();
    program->steps.emplace_back(Compute{std::chrono::milliseconds{10}});
    program->result_bytes = 16;
    return {std::move(program), std::move(dependencies), {}, 16};
}

TaskKind kind(std::uint32_t function, Amount cpus) {
    TaskKind kind;
    kind.function = FunctionId{function};
    kind.demand.cpus = cpus;
    return kind;
}

/// A task that submits a map, a graph of two layers, and calls of an actor, and waits for them.
TaskBuilder job() {
    Submit map{kind(1, 1), {width, leaf({})}};
    Submit first{kind(2, 1), {width, leaf({})}};
    Submit second{kind(3, 1), {}};
    for (std::size_t i = 0; i < width; ++i) {
        second.tasks.push_back(leaf({width + i, width + (i + 1) % width}));
    }
    Spawn spawn{kind(4, 0), leaf({})};
    spawn.kind.restarts = 3;
    spawn.kind.replays = true;
    TaskBuilder job = task().function(0).lasting(std::chrono::milliseconds{1}).retries(10);
    job.then(map).then(first).then(second).then(spawn);
    for (std::size_t i = 0; i < width; ++i) {
        job.then(Call{0, FunctionId{5}, leaf({})});
    }
    return job.then(GetAll{}).then(ReleaseActor{0});
}

int run(const Wanted& wanted) {
    SimOptions options;
    options.seed = wanted.seed;
    options.ranks = wanted.ranks;
    options.cpus_per_rank = 2;
    for (std::int32_t i = 0; i < wanted.ranks; ++i) {
        options.nodes.push_back(NodeId{i / wanted.ranks_per_node});
    }
    options.watches = true;
    options.heartbeat_timeout = std::chrono::seconds{2};
    options.driver_timeout = std::chrono::seconds{8};
    options.check_invariants = false; // of all ranks after every event
    options.events_max = ~std::uint64_t{0};
    const std::uint64_t jobs =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted.tasks) / tasks_per_job);
    const auto dying =
        static_cast<std::uint64_t>(wanted.dying < 0 ? wanted.ranks / 100 : wanted.dying);

    const auto began = std::chrono::steady_clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    };
    Sim sim(options);
    const double started = seconds();
    const TimePoint first = sim.now();
    std::cout << fmt::format("{} ranks on {} nodes stand after {:.1f} s\n",
                             wanted.ranks,
                             (wanted.ranks + wanted.ranks_per_node - 1) / wanted.ranks_per_node,
                             started)
              << std::flush;

    const auto futures = sim.map(job(), jobs);
    Random random(wanted.seed, 11);
    for (std::uint64_t dead = 0; dead < dying; ++dead) {
        // Spread over the run; the first to die is the coordinator.
        const std::uint64_t after = jobs * tasks_per_job * (2 * dead + 1) / (2 * dying);
        sim.run_until([&] { return sim.statistics().attempts >= after; });
        const Rank coordinator = sim.at(options.driver).machine().coordinator();
        Rank rank = dead == 0 ? coordinator : options.driver;
        while (rank == options.driver || sim.at(rank).crashed()) {
            rank = Rank{
                static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(wanted.ranks)))};
        }
        sim.crash(rank);
        if (dead % 10 == 0) {
            std::cout << fmt::format("{} attempts, {} ranks dead, {:.0f} s\n",
                                     sim.statistics().attempts,
                                     dead + 1,
                                     seconds())
                      << std::flush;
        }
    }
    std::size_t unresolved = futures.size();
    sim.run_until([&] {
        while (unresolved > 0 && sim.resolved(futures[unresolved - 1])) {
            --unresolved;
        }
        return unresolved == 0;
    });
    const TimePoint last = sim.now();
    std::uint64_t failed = 0;
    for (const Future future : futures) {
        if (!sim.ok(future) && ++failed <= 3) {
            std::cout << sim.failure(future).front().message << '\n';
        }
    }
    sim.finish();

    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const Statistics& done = sim.statistics();
    std::cout << fmt::format(
        "{} jobs of {} tasks, {} failed; {} tasks in {} attempts, {} calls of {} "
        "actors; {} ranks died, {} terms\n"
        "{:.2f} s of virtual time; {} events and {} messages in {:.0f} s; "
        "{} MiB for all ranks and the oracle\n",
        jobs,
        tasks_per_job,
        failed,
        done.tasks,
        done.attempts,
        done.calls,
        done.actors,
        done.crashes,
        done.terms,
        std::chrono::duration<double>(last - first).count(),
        done.events,
        done.messages,
        seconds(),
        usage.ru_maxrss / 1024);
    return failed == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    namespace po = boost::program_options;
    Wanted wanted;
    po::options_description options("muster_sim_scale options");
    auto add = options.add_options();
    add("help", "this text");
    add("seed", po::value(&wanted.seed)->default_value(wanted.seed), "another schedule");
    add("ranks", po::value(&wanted.ranks)->default_value(wanted.ranks), "of 2 CPUs each");
    add("ranks-per-node", po::value(&wanted.ranks_per_node)->default_value(wanted.ranks_per_node));
    add("tasks", po::value(&wanted.tasks)->default_value(wanted.tasks), "calls of actors included");
    add("dying", po::value(&wanted.dying), "ranks that die; default: one in a hundred");
    try {
        po::variables_map values;
        po::store(po::parse_command_line(argc, argv, options), values);
        po::notify(values);
        if (values.contains("help")) {
            std::cout << options;
            return 0;
        }
        if (wanted.ranks < 2 || wanted.ranks_per_node < 1 || wanted.tasks < 1 ||
            wanted.dying >= wanted.ranks) {
            throw po::error("--ranks must be at least 2, of which one must live, and --tasks and "
                            "--ranks-per-node at least 1");
        }
    } catch (const po::error& error) {
        std::cerr << "muster_sim_scale: " << error.what() << "; see --help\n";
        return 2;
    }
    try {
        return run(wanted);
    } catch (const std::exception& error) {
        std::cerr << "muster_sim_scale: " << error.what() << '\n';
        return 1;
    }
}
