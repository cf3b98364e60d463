#include "launch/plan_launch.hpp"

#include <muster/slurm/hostlist.hpp>
#include <muster/slurm/launch.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace muster::launcher::launch {
namespace {

/// The most nodes for which the slower, but sturdier way of srun's PMIx is asked for.
constexpr int ring_fence_nodes_max = 64;

Failure refused(std::string message) {
    return {ErrorCode::usage, std::move(message)};
}

std::optional<int> positive(const slurm::Environment& environment, std::string_view name) {
    const auto value = environment.number<int>(name);
    return value && *value > 0 ? value : std::nullopt;
}

/// "16(x3),12" of SLURM_NTASKS_PER_NODE and its like: the first number.
std::optional<int> leading_number(std::string_view text) {
    int value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && value > 0 ? std::optional(value) : std::nullopt;
}

bool has_type(const Tools& tools, std::string_view type) {
    return std::ranges::any_of(tools.srun_mpi_types, [&](const std::string& each) {
        return each == type || each.starts_with(std::string(type) + "_");
    });
}

std::string_view srun_type(MpiLibrary library) {
    return library == MpiLibrary::open_mpi ? "pmix" : "pmi2";
}

/// Why srun does not serve here; empty: it does.
std::string srun_doubt(const Request& request, bool in_allocation, const Tools& tools) {
    if (!in_allocation) {
        return "not in a Slurm allocation";
    }
    if (tools.srun.empty()) {
        return "srun is not in PATH";
    }
    const std::string_view type = srun_type(request.library);
    if (request.library != MpiLibrary::none && !has_type(tools, type)) {
        return fmt::format("{} needs srun --mpi={}, which this Slurm does not have (srun "
                           "--mpi=list: {})",
                           to_string(request.library),
                           type,
                           fmt::join(tools.srun_mpi_types, ", "));
    }
    return {};
}

/// Why mpirun does not serve; empty: it does.
std::string mpirun_doubt(const Request& request, const Tools& tools) {
    if (!tools.mpirun) {
        return "no mpirun or mpiexec in PATH";
    }
    if (request.library != MpiLibrary::none && tools.mpirun->library != MpiLibrary::none &&
        tools.mpirun->library != request.library) {
        return fmt::format("{} is {}'s, and the program is linked with {}",
                           tools.mpirun->path,
                           to_string(tools.mpirun->library),
                           to_string(request.library));
    }
    return {};
}

void add_program(const Request& request, const Tools& tools, LaunchPlan& plan) {
    const bool helper =
        !tools.rank_helper.empty() &&
        (request.survives_lost_ranks || (request.gpus_per_rank > 0 && plan.way == Way::mpirun));
    if (helper) {
        plan.argv.push_back(tools.rank_helper);
        plan.rank_helper_tells_code = request.survives_lost_ranks;
    }
    plan.argv.insert(plan.argv.end(), request.argv.begin(), request.argv.end());
}

/// The job was given fewer tasks, and more were asked for: as many as were asked for, then.
bool exceeds_tasks(const LaunchPlan& plan, const slurm::Environment& environment) {
    const auto tasks = positive(environment, "SLURM_NTASKS");
    return plan.shape.ranks > tasks.value_or(plan.shape.nodes);
}

void add_open_mpi_options(const Request& request,
                          const slurm::Environment& environment,
                          const Tools& tools,
                          bool in_allocation,
                          LaunchPlan& plan) {
    auto& argv = plan.argv;
    const bool is_5 = tools.mpirun->major_version >= 5;
    argv.insert(argv.end(), {"-n", fmt::to_string(plan.shape.ranks)});
    if (in_allocation && plan.shape.nodes > 1) {
        if (const auto each = plan.shape.per_node()) {
            argv.insert(argv.end(), {"--map-by", fmt::format("ppr:{}:node", *each)});
        }
    }
    if (!in_allocation || exceeds_tasks(plan, environment)) {
        argv.emplace_back("--oversubscribe"); // as many as were asked for; they yield then
    }
    if (request.survives_lost_ranks && is_5) {
        argv.insert(argv.end(),
                    {"--runtime-options", "error-nonzero-status=0,recoverable=1,continuous=1"});
    } else if (request.survives_lost_ranks) {
        argv.emplace_back("--enable-recovery");
        argv.emplace_back("-q"); // the program says itself what happened
        plan.environment.emplace_back("OMPI_MCA_orte_execute_quiet", "1");
    }
    if (!request.bind.empty()) {
        argv.insert(argv.end(), {"--bind-to", request.bind == "auto" ? "core" : request.bind});
    } else if (request.places_its_threads) {
        argv.insert(argv.end(), {"--bind-to", "none"});
    }
    if (request.show_binding) {
        argv.emplace_back("--report-bindings");
    }
    if (request.tag_output) {
        argv.emplace_back("--tag-output");
    }
    if (tools.is_root) {
        argv.emplace_back("--allow-run-as-root");
    }
}

void add_hydra_options(const Request& request, LaunchPlan& plan) {
    auto& argv = plan.argv;
    argv.insert(argv.end(), {"-n", fmt::to_string(plan.shape.ranks)});
    if (const auto each = plan.shape.per_node(); each && plan.shape.nodes > 1) {
        argv.insert(argv.end(), {"-ppn", fmt::to_string(*each)});
    }
    if (!request.bind.empty() && request.bind != "auto") {
        argv.insert(argv.end(), {"-bind-to", request.bind});
    }
    if (request.tag_output) {
        argv.emplace_back("-prepend-rank");
    }
}

void plan_mpirun(const Request& request,
                 const slurm::Environment& environment,
                 const Tools& tools,
                 bool in_allocation,
                 LaunchPlan& plan) {
    plan.way = Way::mpirun;
    plan.argv = {tools.mpirun->path};
    if (tools.mpirun->library == MpiLibrary::mpich) {
        add_hydra_options(request, plan);
    } else {
        add_open_mpi_options(request, environment, tools, in_allocation, plan);
    }
    if (request.gpus_per_rank > 0) {
        plan.environment.emplace_back("MUSTER_RANK_GPUS", fmt::to_string(request.gpus_per_rank));
    }
    add_program(request, tools, plan);
}

void plan_srun(const Request& request,
               const slurm::Environment& environment,
               const Tools& tools,
               LaunchPlan& plan) {
    plan.way = Way::srun;
    auto& argv = plan.argv;
    argv = {tools.srun,
            fmt::format("--nodes={}", plan.shape.nodes),
            fmt::format("--ntasks={}", plan.shape.ranks)};
    if (const auto each = plan.shape.per_node()) {
        argv.push_back(fmt::format("--ntasks-per-node={}", *each));
    }
    argv.push_back(request.library == MpiLibrary::none
                       ? "--mpi=none"
                       : fmt::format("--mpi={}", srun_type(request.library)));
    if (exceeds_tasks(plan, environment)) {
        argv.emplace_back("--overcommit");
    }
    if (request.survives_lost_ranks) {
        argv.insert(argv.end(), {"--kill-on-bad-exit=0", "--no-kill", "--wait=0"});
        plan.environment.emplace_back("SLURM_KILL_BAD_EXIT", "0"); // what the program is shown
    } else {
        argv.emplace_back("--kill-on-bad-exit=1");
    }
    static constexpr auto bindings = std::to_array<std::pair<std::string_view, std::string_view>>(
        {{"none", "none"}, {"core", "cores"}, {"socket", "sockets"}, {"numa", "ldoms"}});
    const auto* binding = std::ranges::find(
        bindings, std::string_view(request.bind), &decltype(bindings)::value_type::first);
    const std::string verbose = request.show_binding ? "verbose," : "";
    if (binding != bindings.end()) {
        argv.push_back(fmt::format("--cpu-bind={}{}", verbose, binding->second));
    } else if (request.places_its_threads) {
        argv.push_back(fmt::format("--cpu-bind={}none", verbose));
    } else if (request.show_binding) {
        argv.emplace_back("--cpu-bind=verbose");
    }
    // srun does not take it over from the job since Slurm 22.05.
    const auto cpus = positive(environment, "SLURM_CPUS_PER_TASK");
    if (cpus && !request.places_its_threads) {
        argv.push_back(fmt::format("--cpus-per-task={}", *cpus));
    }
    if (request.gpus_per_rank > 0) {
        argv.push_back(fmt::format("--gpus-per-task={}", request.gpus_per_rank));
    }
    if (request.tag_output) {
        argv.emplace_back("--label");
    }
    // With the default, a tree, some starts on several nodes crash in MPI_Init.
    if (request.library == MpiLibrary::open_mpi && plan.shape.nodes > 1 &&
        plan.shape.nodes <= ring_fence_nodes_max && !environment.has("SLURM_PMIX_FENCE")) {
        plan.environment.emplace_back("SLURM_PMIX_FENCE", "ring");
    }
    add_program(request, tools, plan);
}

Failure no_way(std::string_view asked, const std::string& doubt) {
    return refused(fmt::format("--launcher {}: {}", asked, doubt));
}

} // namespace

std::string_view to_string(MpiLibrary library) {
    switch (library) {
    case MpiLibrary::none:
        return "no MPI";
    case MpiLibrary::open_mpi:
        return "Open MPI";
    case MpiLibrary::mpich:
        return "MPICH";
    }
    return "an unknown MPI";
}

Result<Way> parse_way(std::string_view text) {
    static constexpr auto ways =
        std::to_array<std::pair<std::string_view, Way>>({{"auto", Way::automatic},
                                                         {"mpirun", Way::mpirun},
                                                         {"srun", Way::srun},
                                                         {"local", Way::local}});
    for (const auto& [name, way] : ways) {
        if (name == text) {
            return way;
        }
    }
    return refused(fmt::format("--launcher is '{}'; use auto, mpirun, srun or local", text));
}

bool is_in_allocation(const slurm::Environment& environment) {
    const auto launch = slurm::detect_launch(environment);
    return !environment.get_or_empty("SLURM_JOB_ID").empty() && launch &&
           launch->launcher == slurm::Launcher::none;
}

bool is_on_node_of_job(const slurm::Environment& environment, std::string_view host) {
    if (environment.has("SLURMD_NODENAME")) {
        return true; // slurmd started what started this
    }
    const auto short_name = [](std::string_view name) { return name.substr(0, name.find('.')); };
    const auto nodes = slurm::expand_hostlist(environment.get_or_empty("SLURM_JOB_NODELIST"));
    return !nodes || nodes->empty() || std::ranges::any_of(*nodes, [&](const std::string& node) {
        return short_name(node) == short_name(host);
    });
}

Result<Shape> plan_shape(const Request& request, const slurm::Environment& environment) {
    const bool in_allocation = is_in_allocation(environment) && request.way != Way::local;
    const int nodes_there = in_allocation
                                ? positive(environment, "SLURM_JOB_NUM_NODES")
                                      .value_or(positive(environment, "SLURM_NNODES").value_or(1))
                                : 1;
    Shape shape;
    shape.nodes = request.nodes.value_or(nodes_there);
    if (shape.nodes < 1) {
        return refused(fmt::format("{} nodes: at least one is needed", shape.nodes));
    }
    if (in_allocation && shape.nodes > nodes_there) {
        return refused(fmt::format("{} nodes are asked for, and job {} has {}",
                                   shape.nodes,
                                   environment.get_or_empty("SLURM_JOB_ID"),
                                   nodes_there));
    }
    if (request.ranks && request.ranks_per_node) {
        if (*request.ranks != *request.ranks_per_node * shape.nodes) {
            return refused(
                fmt::format("-n {} and --per-node {} do not agree on {} nodes; leave one "
                            "of them out",
                            *request.ranks,
                            *request.ranks_per_node,
                            shape.nodes));
        }
    }
    if (request.ranks) {
        shape.ranks = *request.ranks;
        if (!request.nodes) {
            shape.nodes = std::min(shape.nodes, std::max(1, shape.ranks));
        }
    } else if (request.ranks_per_node) {
        shape.ranks = *request.ranks_per_node * shape.nodes;
    } else if (const auto each = leading_number(environment.get_or_empty("SLURM_NTASKS_PER_NODE"));
               in_allocation && each) {
        shape.ranks = *each * shape.nodes;
    } else if (const auto all = positive(environment, "SLURM_NTASKS");
               in_allocation && all && shape.nodes == nodes_there) {
        shape.ranks = *all;
    } else {
        shape.ranks = shape.nodes;
    }
    if (shape.ranks < shape.nodes) {
        return refused(fmt::format("{} ranks cannot be spread over {} nodes; at least one each",
                                   shape.ranks,
                                   shape.nodes));
    }
    return shape;
}

Result<LaunchPlan>
plan_launch(const Request& request, const slurm::Environment& environment, const Tools& tools) {
    const auto launch = slurm::detect_launch(environment);
    if (!launch) {
        return launch.error();
    }
    LaunchPlan plan;
    if (launch->launcher != slurm::Launcher::none && request.way == Way::automatic) {
        plan.argv = request.argv;
        plan.why = fmt::format("this process is {}, {}",
                               launch->rank ? fmt::format("rank {}", *launch->rank) : "a rank",
                               launch->reason);
        return plan;
    }
    const auto shape = plan_shape(request, environment);
    if (!shape) {
        return shape.error();
    }
    plan.shape = *shape;
    const bool in_allocation = is_in_allocation(environment) && request.way != Way::local;
    const std::string by_srun = srun_doubt(request, in_allocation, tools);
    const std::string by_mpirun = mpirun_doubt(request, tools);
    if (!in_allocation && plan.shape.nodes > 1) {
        return refused(
            fmt::format("{} nodes are asked for, and there is only this machine: not in a "
                        "Slurm allocation; use sbatch or salloc, or -n for one node",
                        plan.shape.nodes));
    }
    if (request.way == Way::srun && !by_srun.empty()) {
        return no_way("srun", by_srun);
    }
    if ((request.way == Way::mpirun || request.way == Way::local) && !by_mpirun.empty()) {
        return no_way(request.way == Way::local ? "local" : "mpirun", by_mpirun);
    }
    if (request.way == Way::srun || (request.way == Way::automatic && by_srun.empty())) {
        plan_srun(request, environment, tools, plan);
        plan.why =
            fmt::format("by srun --mpi={}: in Slurm job {}",
                        request.library == MpiLibrary::none ? "none" : srun_type(request.library),
                        environment.get_or_empty("SLURM_JOB_ID"));
        return plan;
    }
    if (!by_mpirun.empty()) {
        return refused(fmt::format("there is no way to start {}: {}; {}",
                                   request.argv.empty() ? "it" : request.argv.front(),
                                   by_mpirun,
                                   by_srun));
    }
    plan_mpirun(request, environment, tools, in_allocation, plan);
    plan.why = fmt::format("by {}: {}", tools.mpirun->path, by_srun.empty() ? "as asked" : by_srun);
    return plan;
}

Result<std::optional<LaunchPlan>> plan_own_launch(const std::vector<std::string>& own_argv,
                                                  const slurm::Environment& environment,
                                                  const Tools& tools) {
    if (!is_in_allocation(environment) ||
        (positive(environment, "SLURM_JOB_NUM_NODES").value_or(1) == 1 &&
         is_on_node_of_job(environment, tools.host))) {
        return std::optional<LaunchPlan>{};
    }
    Request request;
    request.argv = own_argv;
    request.ranks_per_node = 1;
    request.library = tools.own_library;
    request.survives_lost_ranks = true;
    request.places_its_threads = true;
    auto plan = plan_launch(request, environment, tools);
    if (!plan) {
        return plan.error();
    }
    return std::optional(std::move(*plan));
}

std::vector<std::string> parse_mpi_types(std::string_view text) {
    std::vector<std::string> types;
    // Behind the first line, each on a line of its own, indented; newer ones say more below.
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto first = line.find_first_not_of(" \t");
        const auto last = line.find_last_not_of(" \t\r");
        if (first == std::string_view::npos) {
            continue;
        }
        const std::string_view word = line.substr(first, last + 1 - first);
        if (word.find_first_of(" :") == std::string_view::npos) {
            types.emplace_back(word);
        }
    }
    return types;
}

} // namespace muster::launcher::launch
