#include "run/run_options.hpp"

#include <muster/base/duration.hpp>
#include <muster/base/error.hpp>
#include <muster/base/parse.hpp>

#include <fmt/format.h>

namespace muster::launcher::run {
namespace {

std::optional<int> positive(const Arguments& arguments, const std::string& name) {
    if (!arguments.has(name)) {
        return std::nullopt;
    }
    const int value = arguments.get<int>(name);
    if (value < 1) {
        throw UsageError(fmt::format("--{} is {}; it is at least 1", name, value));
    }
    return value;
}

int not_negative(const Arguments& arguments, const std::string& name) {
    const int value = arguments.get<int>(name);
    if (value < 0) {
        throw UsageError(fmt::format("--{} is {}; it is not negative", name, value));
    }
    return value;
}

Duration duration(const Arguments& arguments, const std::string& name) {
    const auto value = parse_duration(arguments.get<std::string>(name));
    if (!value) {
        throw UsageError(fmt::format("--{}: {}", name, value.error().message));
    }
    return *value;
}

template <class E>
E choice(const Arguments& arguments,
         const std::string& name,
         std::initializer_list<std::pair<std::string_view, E>> words) {
    const std::string& text = arguments.get<std::string>(name);
    std::string all;
    for (const auto& [word, value] : words) {
        if (word == text) {
            return value;
        }
        all += (all.empty() ? "" : ", ") + std::string(word);
    }
    throw UsageError(fmt::format("--{} is '{}'; it is one of {}", name, text, all));
}

std::optional<int> number(std::string_view text) {
    const auto value = parse_whole<int>(text);
    return value && *value > 0 ? value : std::nullopt;
}

} // namespace

Result<std::pair<int, int>> parse_nodes(std::string_view text) {
    const auto colon = text.find(':');
    const auto least = number(text.substr(0, colon));
    const auto most = colon == std::string_view::npos ? least : number(text.substr(colon + 1));
    if (!least || !most || *most < *least) {
        return Failure{
            ErrorCode::usage,
            fmt::format("--nodes is '{}'; it is a number, or the least and the most that "
                        "will do: 1:4",
                        text)};
    }
    return std::pair(*least, *most);
}

int processes_of_node(int ranks, int nodes, int index) {
    return ranks / nodes + (index < ranks % nodes ? 1 : 0);
}

void add_run_options(po::options_description& options) {
    const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
    const auto number_of = [](const char* name) { return po::value<int>()->value_name(name); };
    options.add_options()                               //
        ("ranks,n", number_of("N"), "processes in all") //
        ("nodes,N",
         text("NODES"),
         "nodes of the job: a number; or MIN:MAX, which goes on with fewer") //
        ("per-node", number_of("N"), "processes on each node")               //
        ("gpus-per-rank",
         number_of("N")->default_value(0),
         "GPUs that each rank sees as its own; 0: all of its node's, as scripts for torchrun "
         "expect") //
        ("mpi",
         text("auto|yes|no")->default_value("auto"),
         "whether it is an MPI program; auto looks at what it is linked with") //
        ("launcher",
         text("auto|mpirun|srun|local")->default_value("auto"),
         "how processes are started; local: all on this machine, and -N makes as many nodes of "
         "it") //
        ("max-restarts",
         number_of("N")->default_value(0),
         "start all ranks anew when one fails, so many times") //
        ("timeout",
         text("TIME"),
         "end the run after this time ('90s', '1.5h'), with exit code 124") //
        ("grace",
         text("TIME")->default_value("10s"),
         "from SIGTERM to SIGKILL, for ranks that are ended") //
        ("join-timeout",
         text("TIME")->default_value("5min"),
         "how long to wait for the nodes at the start") //
        ("bind",
         text("none|share|core|socket|numa"),
         "to what each rank is bound; share: an equal part of the node's CPUs") //
        ("show-binding", po::bool_switch(), "say to which CPUs")                //
        ("prefix",
         text("none|rank|host|time")->default_value("none"),
         "what stands before each line: the rank, and its host, or the time since the start") //
        ("merge",
         po::bool_switch(),
         "lines that several ranks of a node print alike appear once") //
        ("log-dir",
         text("DIR"),
         "also write each rank's output to DIR/attempt-0/rank-0.out and .err")    //
        ("quiet,q", po::bool_switch(), "with --log-dir: write it only there")     //
        ("dry-run", po::bool_switch(), "only say what would be started, and why") //
        ("verbose,v", po::bool_switch(), "say what is started, and why");
}

RunOptions read_run_options(const Arguments& arguments) {
    RunOptions options;
    options.argv = arguments.words;
    if (options.argv.empty()) {
        throw UsageError("muster run needs a program: muster run -n 4 -- ./program arguments");
    }
    options.ranks = positive(arguments, "ranks");
    options.per_node = positive(arguments, "per-node");
    if (arguments.has("nodes")) {
        options.nodes = parse_nodes(arguments.get<std::string>("nodes")).value_or_throw();
    }
    if (options.nodes && options.nodes->first != options.nodes->second && options.ranks) {
        throw UsageError(
            "-n and --nodes MIN:MAX do not go together: the number of ranks depends on "
            "the nodes; use --per-node");
    }
    options.gpus_per_rank = not_negative(arguments, "gpus-per-rank");
    options.max_restarts = not_negative(arguments, "max-restarts");
    options.mpi = choice<MpiChoice>(
        arguments,
        "mpi",
        {{"auto", MpiChoice::automatic}, {"yes", MpiChoice::yes}, {"no", MpiChoice::no}});
    options.way = launch::parse_way(arguments.get<std::string>("launcher")).value_or_throw();
    if (arguments.has("timeout")) {
        options.timeout = duration(arguments, "timeout");
    }
    options.grace = duration(arguments, "grace");
    options.join_timeout = duration(arguments, "join-timeout");
    if (arguments.has("bind")) {
        options.bind_text = arguments.get<std::string>("bind");
        options.bind = parse_bind(options.bind_text).value_or_throw();
    }
    options.show_binding = arguments.is_set("show-binding");
    options.prefix = choice<Prefix>(arguments,
                                    "prefix",
                                    {{"none", Prefix::none},
                                     {"rank", Prefix::rank},
                                     {"host", Prefix::host},
                                     {"time", Prefix::time}});
    options.merge = arguments.is_set("merge");
    options.quiet = arguments.is_set("quiet");
    if (arguments.has("log-dir")) {
        options.log_folder = arguments.get<std::string>("log-dir");
    }
    if (options.quiet && options.log_folder.empty()) {
        throw UsageError(
            "--quiet without --log-dir would lose the ranks' output; give a --log-dir");
    }
    options.dry_run = arguments.is_set("dry-run");
    options.verbose = arguments.is_set("verbose");
    return options;
}

} // namespace muster::launcher::run
