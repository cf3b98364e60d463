#include "run/run_command.hpp"

#include "launch/elf.hpp"
#include "run/machine.hpp"
#include "run/pmi2_meeting.hpp"
#include "run/run_options.hpp"
#include "run/session.hpp"

#include <muster/base/error.hpp>
#include <muster/slurm/launch.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <system_error>

namespace muster::launcher::run {
namespace {

constexpr int not_found_code = 127;
constexpr int not_executable_code = 126;

/// A private folder that is gone with its owner, for what programs of torch say about their errors.
class ErrorFolder {
public:
    ErrorFolder() {
        const char* const base = std::getenv("TMPDIR");
        path_ =
            std::string(base == nullptr || *base == '\0' ? "/tmp" : base) + "/muster-run-XXXXXX";
        if (::mkdtemp(path_.data()) == nullptr) {
            path_.clear(); // then their standard error has to do
        }
    }

    ErrorFolder(const ErrorFolder&) = delete;
    ErrorFolder& operator=(const ErrorFolder&) = delete;

    ~ErrorFolder() {
        if (!path_.empty()) {
            std::error_code error;
            std::filesystem::remove_all(path_, error);
        }
    }

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// What ranks are to inherit: not what ties muster itself to a launcher or to its own run.
std::vector<std::string> rank_variables(const slurm::Environment& environment) {
    const bool is_rank =
        slurm::detect_launch(environment).value_or_throw().launcher != slurm::Launcher::none;
    auto variables = variables_of(environment);
    std::erase_if(variables, [&](const std::string& entry) {
        const auto name = std::string_view(entry).substr(0, entry.find('='));
        return name.starts_with("MUSTER_RUN_") || (is_rank && slurm::ties_to_launcher(name));
    });
    return variables;
}

std::string run_id(const slurm::Environment& environment) {
    const auto job = environment.find("SLURM_JOB_ID");
    return job ? std::string(*job) : fmt::format("{}-{}", host_name(), ::getppid());
}

SupervisorOptions supervisor_options(const RunOptions& options,
                                     const slurm::Environment& environment,
                                     int processes) {
    SupervisorOptions supervisor;
    supervisor.host = host_name();
    supervisor.argv = options.argv;
    supervisor.processes = processes;
    supervisor.inherited = rank_variables(environment);
    supervisor.contract.run_id = run_id(environment);
    supervisor.contract.gpus_per_rank = options.gpus_per_rank;
    if (options.gpus_per_rank > 0) {
        supervisor.contract.gpu_ids = find_gpus(environment);
    }
    supervisor.contract.sets_omp_threads = !environment.has("OMP_NUM_THREADS");
    supervisor.contract.cpus = count_cpus();
    supervisor.bind = options.bind;
    supervisor.show_binding = options.show_binding;
    if (options.bind != Bind::none) {
        supervisor.cpus = find_cpus();
    }
    supervisor.grace = options.grace;
    return supervisor;
}

OutputOptions output_options(const RunOptions& options, const std::string& host) {
    return {options.prefix, options.merge, options.quiet, options.log_folder, host};
}

GroupOptions group_options(const RunOptions& options, int nodes) {
    GroupOptions group;
    group.nodes_max = nodes;
    group.nodes_min = options.nodes ? std::min(options.nodes->first, nodes) : nodes;
    group.max_restarts = options.max_restarts;
    group.join_patience = options.join_timeout;
    group.grace = options.grace;
    group.timeout = options.timeout;
    return group;
}

void announce(const RunOptions& options, const std::string& text) {
    if (options.verbose || options.dry_run) {
        std::cerr << "muster: " << text << '\n';
    }
}

std::string shown(const std::vector<std::string>& argv) {
    std::string text;
    for (const std::string& word : argv) {
        const bool plain =
            !word.empty() && word.find_first_of(" \t\n'\"\\$`&|;<>()*?[]#~") == std::string::npos;
        text += (text.empty() ? "" : " ") + (plain ? word : "'" + word + "'");
    }
    return text;
}

launch::Request request_of(const RunOptions& options) {
    launch::Request request;
    request.argv = options.argv;
    request.ranks = options.ranks;
    if (options.nodes) {
        request.nodes = options.nodes->second;
    }
    request.ranks_per_node = options.per_node;
    request.gpus_per_rank = options.gpus_per_rank;
    request.way = options.way;
    request.bind = options.bind_text;
    request.show_binding = options.show_binding;
    request.tag_output = options.prefix != Prefix::none;
    return request;
}

[[noreturn]] void become(const std::vector<std::string>& argv) {
    std::vector<std::string> texts = argv;
    std::vector<char*> pointers;
    for (std::string& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    ::execvp(pointers.front(), pointers.data());
    throw Error(fmt::format("'{}': {}", argv.front(), std::strerror(errno)));
}

int run_mpi_program(const RunOptions& options,
                    const launch::ProgramKind& kind,
                    const slurm::Environment& environment) {
    const launch::Tools tools = launch::find_tools(environment);
    launch::Request request = request_of(options);
    request.library = kind.library;
    request.survives_lost_ranks = kind.is_muster;
    request.places_its_threads = kind.is_muster;
    const auto plan = launch::plan_launch(request, environment, tools).value_or_throw();
    if (plan.way != launch::Way::direct &&
        (options.merge || !options.log_folder.empty() || options.bind == Bind::share)) {
        throw UsageError(
            "--merge, --log-dir and --bind share are not for MPI programs, whose ranks "
            "are started by their launcher; --mpi no treats it as any program");
    }
    announce(options, fmt::format("{}: {}", shown(plan.argv), plan.why));
    if (options.dry_run) {
        return 0;
    }
    if (plan.way == launch::Way::direct) {
        become(plan.argv);
    }
    SessionOptions session = session_of_plan(plan);
    const std::string subject = session.group.subject;
    session.group = group_options(options, 1);
    session.group.subject = plan.rank_helper_tells_code ? options.argv.front() : subject;
    session.local->grace = options.grace;
    return run_guarded([&](Guard& guard) { return coordinate(guard, std::move(session)); });
}

int run_member(const RunOptions& options,
               Rendezvous rendezvous,
               const slurm::Environment& environment) {
    const int ranks = rendezvous.invited
                          ? rendezvous.ranks
                          : options.ranks.value_or(options.per_node.value_or(1) * rendezvous.count);
    if (ranks < rendezvous.count) {
        throw UsageError(fmt::format("-n {}: {} processes are started, each has at least one rank",
                                     ranks,
                                     rendezvous.count));
    }
    SupervisorOptions supervisor = supervisor_options(
        options, environment, processes_of_node(ranks, rendezvous.count, rendezvous.index));
    if (!rendezvous.host.empty()) {
        supervisor.host = rendezvous.host;
    }
    supervisor.node = NodeId{rendezvous.index};
    Listener listener = rendezvous.invited ? Listener{} : meet_by_pmi2(environment, rendezvous);
    announce(options,
             fmt::format("supervisor {} of {}, meets the others at {}",
                         rendezvous.index,
                         rendezvous.count,
                         fmt::join(rendezvous.endpoints, " or ")));
    return run_guarded([&](Guard& guard) {
        const ErrorFolder folder;
        supervisor.contract.error_folder = folder.path();
        const auto output = output_options(options, supervisor.host);
        if (rendezvous.invited || rendezvous.index > 0) {
            return join(guard, rendezvous, supervisor, output, options.join_timeout);
        }
        SessionOptions session;
        session.group = group_options(options, rendezvous.count);
        session.output = output;
        session.local = supervisor;
        session.listens = true;
        session.listens_everywhere = true;
        session.port = rendezvous.port;
        session.listener = std::move(listener);
        session.secret = rendezvous.secret;
        return coordinate(guard, std::move(session));
    });
}

int run_nodes(const RunOptions& options,
              const launch::Shape& shape,
              const Arguments& arguments,
              const slurm::Environment& environment) {
    SessionOptions session;
    session.group = group_options(options, shape.nodes);
    session.launched_nodes = shape.nodes;
    session.launched_ranks = shape.ranks;
    session.listens = true;
    if (options.way == launch::Way::local) {
        session.numbers_launches = true;
        for (int node = 0; node < shape.nodes; ++node) {
            session.launches.push_back({own_command(arguments), {}});
        }
        announce(options, fmt::format("{} supervisors on this machine: as asked", shape.nodes));
    } else {
        launch::Tools tools = launch::find_tools(environment);
        tools.rank_helper.clear();
        launch::Request request;
        request.argv = own_command(arguments);
        request.nodes = shape.nodes;
        request.ranks_per_node = 1;
        request.way = launch::Way::srun;
        request.survives_lost_ranks = true;
        request.places_its_threads = true;
        auto plan = launch::plan_launch(request, environment, tools).value_or_throw();
        // A batch script submitted with --export=NONE would else start them without their
        // variables.
        plan.argv.insert(plan.argv.begin() + 1, "--export=ALL");
        announce(options, fmt::format("{}: {}", shown(plan.argv), plan.why));
        session.listens_everywhere = true;
        session.launches.push_back({plan.argv, plan.environment});
    }
    if (options.dry_run) {
        return 0;
    }
    return run_guarded([&](Guard& guard) { return coordinate(guard, std::move(session)); });
}

int run_one_node(const RunOptions& options, int ranks, const slurm::Environment& environment) {
    SupervisorOptions supervisor = supervisor_options(options, environment, ranks);
    supervisor.passes_through = ranks == 1 && options.prefix == Prefix::none && !options.merge &&
                                options.log_folder.empty();
    announce(options,
             fmt::format("{} process{} on this machine: {} is no MPI program",
                         ranks,
                         ranks == 1 ? "" : "es",
                         options.argv.front()));
    if (options.dry_run) {
        return 0;
    }
    return run_guarded([&](Guard& guard) {
        const ErrorFolder folder;
        supervisor.contract.error_folder = folder.path();
        SessionOptions session;
        session.group = group_options(options, 1);
        session.output = output_options(options, supervisor.host);
        session.local = supervisor;
        return coordinate(guard, std::move(session));
    });
}

int run(const Arguments& arguments) {
    const RunOptions options = read_run_options(arguments);
    const auto environment = slurm::Environment::of_process();
    launch::ProgramKind kind = launch::inspect_program(options.argv.front(), environment);
    if (kind.path.empty()) {
        std::error_code error;
        const bool exists = std::filesystem::exists(options.argv.front(), error) &&
                            options.argv.front().find('/') != std::string::npos;
        std::cerr << fmt::format("muster: '{}' {}\n",
                                 options.argv.front(),
                                 exists ? "is not executable; chmod +x, or give its interpreter: "
                                          "muster run -- python script.py"
                                        : "is not found; is it in PATH, or is a ./ missing?");
        return exists ? not_executable_code : not_found_code;
    }
    const bool is_mpi = options.mpi == MpiChoice::yes || (options.mpi == MpiChoice::automatic &&
                                                          kind.library != launch::MpiLibrary::none);
    if (is_mpi) {
        if (kind.library == launch::MpiLibrary::none) {
            const auto tools = launch::find_tools(environment);
            kind.library = tools.mpirun ? tools.mpirun->library : tools.own_library;
        }
        return run_mpi_program(options, kind, environment);
    }
    if (const auto rendezvous = find_rendezvous(environment);
        rendezvous && (rendezvous->invited || options.way == launch::Way::automatic)) {
        return run_member(options, *rendezvous, environment);
    }
    if (options.way == launch::Way::mpirun) {
        throw UsageError(
            fmt::format("--launcher mpirun: {} is no MPI program; --mpi yes says that it "
                        "is one all the same",
                        options.argv.front()));
    }
    launch::Request request = request_of(options);
    if (launch::is_in_allocation(environment) && options.nodes) {
        // Fewer nodes than at most wanted will do.
        const int there = environment.number<int>("SLURM_JOB_NUM_NODES").value_or(1);
        request.nodes = std::clamp(there, options.nodes->first, options.nodes->second);
    }
    const auto shape = launch::plan_shape(request, environment).value_or_throw();
    // A shell of salloc's is often on a login node, where nothing is to run.
    const bool by_srun =
        options.way == launch::Way::srun ||
        (options.way == launch::Way::automatic && launch::is_in_allocation(environment) &&
         !launch::is_on_node_of_job(environment, host_name()));
    if (shape.nodes > 1 && options.way != launch::Way::local &&
        !launch::is_in_allocation(environment)) {
        throw UsageError(
            fmt::format("{} nodes are asked for, and there is only this machine: not in a "
                        "Slurm allocation; --launcher local tries it on this machine",
                        shape.nodes));
    }
    return shape.nodes > 1 || by_srun ? run_nodes(options, shape, arguments, environment)
                                      : run_one_node(options, shape.ranks, environment);
}

} // namespace

const Subcommand& subcommand() {
    static const Subcommand subcommand{
        .name = "run",
        .summary = "starts a program on all ranks: here, on the nodes of a job, by MPI or without",
        .usage = "[options] [--] program [arguments]",
        .examples = {{"muster run -n 8 ./simulation input.toml",
                      "eight ranks of an MPI program, by its mpirun or srun"},
                     {"muster run -n 2 python train.py",
                      "a PyTorch script for torchrun, on two processes"},
                     {"muster run --per-node 4 --gpus-per-rank 1 -- ./worker",
                      "in a batch script: on all its nodes"},
                     {"muster run --nodes 2:4 --per-node 4 --max-restarts 3 python train.py",
                      "starts anew when a rank fails, on fewer nodes when one is lost"},
                     {"muster run -n 4 --prefix rank --log-dir logs ./program",
                      "whose line is whose"}},
        .description =
            "An MPI program, which is one linked with an MPI library, is started by that MPI's "
            "mpirun, "
            "or in a Slurm job by srun with the --mpi that it needs. A Muster program is started "
            "so "
            "that the others live on when a rank dies.\n\n"
            "Any other program finds what torchrun gives: RANK, LOCAL_RANK, WORLD_SIZE, "
            "LOCAL_WORLD_SIZE, GROUP_RANK, MASTER_ADDR, MASTER_PORT and TORCHELASTIC_*, so that an "
            "unmodified script for torchrun trains on all nodes. In a job of several nodes it "
            "starts "
            "one supervisor on each by srun; 'srun muster run' makes each task a supervisor.\n\n"
            "When a rank fails, the others are ended: SIGTERM, and after --grace SIGKILL. The "
            "first "
            "failure is shown with the last lines of its standard error. Nothing is left behind, "
            "also "
            "when muster itself is killed. Rank 0 has muster's standard input, unless that is a "
            "terminal. HUP, INT, QUIT, TERM, USR1 and USR2 are handed on to every rank once; a "
            "second "
            "INT or TERM kills.",
        .exit_codes = {{"0", "every rank ended with 0"},
                       {"N", "of the first rank that failed"},
                       {"128+N", "it was ended by signal N"},
                       {"124", "the time of --timeout was up"},
                       {"126, 127", "the program is not executable, or not found"},
                       {"2", "a command line that cannot be used"},
                       {"1", "too few nodes joined or are left"}},
        .words = Words::command,
        .add_options = add_run_options,
        .run = run};
    return subcommand;
}

} // namespace muster::launcher::run
