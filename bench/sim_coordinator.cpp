// What the coordinator itself costs per task, with virtual ranks around it in virtual time.

#include "coordinator_cost.hpp"
#include "report.hpp"

#include <boost/program_options.hpp>

#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

namespace {

using muster::sim::CoordinatorLoad;

void measure(bench::Report& report, const std::string& name, const CoordinatorLoad& load) {
    const auto cost = muster::sim::coordinator_cost(load);
    const double tasks = static_cast<double>(cost.tasks);
    report.add(name + ".deciding", "ns/task", cost.deciding_ns_per_task());
    report.add(name + ".coding", "ns/task", cost.coding_ns_per_task());
    report.add(name + ".messages",
               "messages/task",
               static_cast<double>(cost.messages_in + cost.messages_out) / tasks);
    // With every CPU busy from the first moment to the last.
    const double ideal = tasks * static_cast<double>(load.task_time.count()) /
                         (static_cast<double>(load.ranks) * load.cpus_per_rank);
    report.add(name + ".makespan", "x ideal", static_cast<double>(cost.makespan.count()) / ideal);
}

void measure_memory(bench::Report& report, const std::string& name, CoordinatorLoad load) {
    load.measures_memory = true;
    const auto cost = muster::sim::coordinator_cost(load);
    report.add(name + ".memory", "MiB", static_cast<double>(cost.memory) / (1 << 20));
}

/// The coordinator's rank dies with 100,000 tasks left.
void measure_loss(bench::Report& report, const std::string& name, CoordinatorLoad load) {
    load.lost_with_left = 100'000;
    load.tasks = load.lost_with_left * 11 / 10;
    const auto cost = muster::sim::coordinator_cost(load);
    report.add(name + ".taking_over", "ms", static_cast<double>(cost.taking_over.count()) / 1e6);
    report.add(name + ".held", "tasks", static_cast<double>(cost.held));
}

} // namespace

int main(int argc, char** argv) {
    namespace po = boost::program_options;
    int repeats = 3;
    CoordinatorLoad map;
    CoordinatorLoad graph{.shape = CoordinatorLoad::Shape::graph, .tasks = 100'000};
    po::options_description options("bench_sim_coordinator options");
    auto add = options.add_options();
    add("help", "this text");
    add("repeats", po::value(&repeats)->default_value(repeats), "samples of each measure");
    add("ranks", po::value(&map.ranks)->default_value(map.ranks), "virtual ranks, of 2 CPUs each");
    add("map-tasks", po::value(&map.tasks)->default_value(map.tasks), "tasks of the map");
    add("graph-tasks", po::value(&graph.tasks)->default_value(graph.tasks), "tasks of the graph");
    try {
        po::variables_map values;
        po::store(po::parse_command_line(argc, argv, options), values);
        po::notify(values);
        if (values.contains("help")) {
            std::cout << options;
            return 0;
        }
        if (repeats < 1 || map.ranks < 2 || map.tasks < 1 || graph.tasks < 1) {
            throw po::error("--repeats and the tasks must be at least 1, --ranks at least 2");
        }
    } catch (const po::error& error) {
        std::fprintf(stderr, "bench_sim_coordinator: %s; see --help\n", error.what());
        return 2;
    }
    try {
        graph.ranks = map.ranks;
        CoordinatorLoad short_tasks = map;
        short_tasks.task_time = std::chrono::microseconds{100};
        bench::Report report;
        bench::describe_machine(report);
        report.describe("virtual_ranks", std::to_string(map.ranks));
        for (int i = 0; i < repeats; ++i) {
            measure(report, "map_10ms", map);
            measure(report, "map_100us", short_tasks);
            measure(report, "graph_10ms", graph);
            measure_memory(report, "map_10ms", map);
            measure_memory(report, "graph_10ms", graph);
            measure_loss(report, "loss_map_10ms", map);
            measure_loss(report, "loss_map_100us", short_tasks);
            measure_loss(report, "loss_graph_10ms", graph);
        }
        report.print();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_sim_coordinator: %s\n", error.what());
        return 1;
    }
    return 0;
}
