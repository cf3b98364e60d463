#include "submit/plan.hpp"

#include <muster/base/error.hpp>
#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

namespace muster::launcher::submit {
namespace {

using slurm::Again;
using slurm::BatchScript;
using slurm::StepLauncher;
using Text = std::string;
using Texts = std::vector<std::string>;

Text text_of(const Arguments& arguments, const std::string& name) {
    return arguments.has(name) ? arguments.get<Text>(name) : Text();
}

Texts texts_of(const Arguments& arguments, const std::string& name) {
    return arguments.has(name) ? arguments.get<Texts>(name) : Texts();
}

std::optional<int> number_of(const Arguments& arguments, const std::string& name) {
    if (!arguments.has(name)) {
        return std::nullopt;
    }
    const Text text = arguments.get<Text>(name);
    const auto value = parse_whole<int>(text);
    if (!value || *value < 1) {
        throw UsageError(
            fmt::format("--{} is '{}'; it is a whole number of at least 1", name, text));
    }
    return value;
}

std::pair<std::string, std::string> variable_of(const std::string& text) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) {
        throw UsageError(fmt::format("--env is '{}'; it is NAME=VALUE", text));
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

void read_signal(const Arguments& arguments, BatchScript& script) {
    const Text text = text_of(arguments, "signal");
    if (text.empty()) {
        return;
    }
    constexpr int seconds_max = 65535; // Slurm's
    const auto at = text.find('@');
    std::string name = text.substr(0, at);
    name = name.starts_with("SIG") ? name.substr(3) : name;
    const auto seconds = parse_whole<int>(at == Text::npos ? std::string_view("60")
                                                           : std::string_view(text).substr(at + 1));
    const bool named = !name.empty() && std::ranges::all_of(name, [](char letter) {
        return std::isalnum(static_cast<unsigned char>(letter)) != 0;
    });
    if (!named || !seconds || *seconds < 0 || *seconds > seconds_max) {
        throw UsageError(fmt::format("--signal is '{}'; it is a signal and how many seconds before "
                                     "the end, at most {}: USR2@90",
                                     text,
                                     seconds_max));
    }
    script.signal = name;
    script.signal_seconds = *seconds;
}

Again again_of(const Arguments& arguments) {
    if (arguments.is_set("requeue") && arguments.is_set("chain")) {
        throw UsageError(
            "--requeue runs the same job again, --chain submits another one: not both");
    }
    return arguments.is_set("requeue") ? Again::requeue
           : arguments.is_set("chain") ? Again::chain
                                       : Again::no;
}

std::string name_of(const Arguments& arguments) {
    if (arguments.has("name")) {
        return arguments.get<Text>("name");
    }
    const std::string& program = arguments.words.front();
    return program.substr(program.find_last_of('/') + 1);
}

bool offers(const LaunchFacts& facts, std::string_view type) {
    return std::ranges::find(facts.mpi_types, type) != facts.mpi_types.end();
}

} // namespace

void add_options(po::options_description& options) {
    const auto text = [](const char* name) { return po::value<Text>()->value_name(name); };
    const auto texts = [](const char* name) {
        return po::value<Texts>()->value_name(name)->composing();
    };
    options.add_options()                                                         //
        ("name,J", text("NAME"), "of the job (default: the program's)")           //
        ("nodes,N", text("N[-M]"), "nodes")                                       //
        ("tasks,n", text("N"), "processes, over all nodes")                       //
        ("tasks-per-node", text("N"), "processes on each node")                   //
        ("cpus-per-task,c", text("N"), "CPUs of each process")                    //
        ("gpus,G", text("[TYPE:]N"), "GPUs of each node")                         //
        ("gpus-per-task", text("[TYPE:]N"), "GPUs of each process")               //
        ("mem", text("SIZE"), "memory of each node: 16G")                         //
        ("mem-per-cpu", text("SIZE"), "memory for each CPU")                      //
        ("time,t", text("TIME"), "time limit: 30 (minutes), 2:00:00, 1-12:00:00") //
        ("array,a", text("LIST"), "a job array: 1-100%4")                         //
        ("after",
         texts("JOB"),
         "start when that job has succeeded; any:JOB when it has ended, "
         "notok:JOB when it has failed, start:JOB when it has started")                         //
        ("account,A", text("NAME"), "who pays")                                                 //
        ("partition,p", text("NAME"), "where it waits")                                         //
        ("qos", text("NAME"), "quality of service")                                             //
        ("constraint,C", text("TEXT"), "features of the nodes")                                 //
        ("output,o", text("PATTERN"), "the log (default: %x-%j.out, of an array %x-%A_%a.out)") //
        ("option", texts("TEXT"), "an option of sbatch as it is: --option=--exclusive")         //
        ("setup", texts("LINE"), "a line of shell that comes first: 'module load openmpi'")     //
        ("env", texts("NAME=VALUE"), "a variable of the command")                               //
        ("journal", text("DIR"), "where results outlive the job: MUSTER_JOURNAL")               //
        ("signal", text("SIGNAL@SECONDS"), "ahead of the time limit: USR2@90")                  //
        ("requeue", po::bool_switch(), "when it ends with exit code 75, it runs again")         //
        ("chain", po::bool_switch(), "when it ends with exit code 75, another job goes on")     //
        ("again-max", text("N"), "how often at most (default: 20)")                             //
        ("survive", po::bool_switch(), "go on without nodes and processes that are lost")       //
        ("launch",
         text("auto|srun|mpirun|muster|none")->default_value("auto"),
         "what starts the processes")                                                     //
        ("launch-option", texts("TEXT"), "an option of that: --launch-option=--mpi=pmi2") //
        ("template",
         text("FILE"),
         "the script, with {{options}}, {{setup}}, {{environment}} and {{run}}") //
        ("dry-run", po::bool_switch(), "print the script, and submit nothing")   //
        ("parsable", po::bool_switch(), "print the job's id and nothing else");
}

BatchScript script_of(const Arguments& arguments) {
    if (arguments.words.empty()) {
        throw UsageError("there is no command to submit: muster submit --nodes 4 -- ./app …");
    }
    BatchScript script;
    script.command = arguments.words;
    script.name = name_of(arguments);
    script.nodes = text_of(arguments, "nodes");
    script.tasks = number_of(arguments, "tasks");
    script.tasks_per_node = number_of(arguments, "tasks-per-node");
    script.cpus_per_task = number_of(arguments, "cpus-per-task");
    script.gpus_per_node = text_of(arguments, "gpus");
    script.gpus_per_task = text_of(arguments, "gpus-per-task");
    script.memory_per_node = text_of(arguments, "mem");
    script.memory_per_cpu = text_of(arguments, "mem-per-cpu");
    script.time_limit = text_of(arguments, "time");
    script.array = text_of(arguments, "array");
    script.dependency = dependency_of(texts_of(arguments, "after"));
    script.account = text_of(arguments, "account");
    script.partition = text_of(arguments, "partition");
    script.quality_of_service = text_of(arguments, "qos");
    script.constraint = text_of(arguments, "constraint");
    script.output = text_of(arguments, "output");
    if (script.output.empty()) {
        script.output = script.array.empty() ? "%x-%j.out" : "%x-%A_%a.out";
    }
    script.options = texts_of(arguments, "option");
    script.setup = texts_of(arguments, "setup");
    for (const std::string& text : texts_of(arguments, "env")) {
        script.environment.push_back(variable_of(text));
    }
    read_signal(arguments, script);
    script.again = again_of(arguments);
    script.again_max = number_of(arguments, "again-max").value_or(20);
    if (arguments.is_set("survive")) {
        script.options.emplace_back("--no-kill");
    }
    return script;
}

std::string dependency_of(const std::vector<std::string>& after) {
    std::string result;
    for (const std::string& text : after) {
        const auto colon = text.find(':');
        const std::string kind = colon == std::string::npos ? "ok" : text.substr(0, colon);
        const std::string job = colon == std::string::npos ? text : text.substr(colon + 1);
        const bool known = kind == "ok" || kind == "any" || kind == "notok" || kind == "start";
        const bool is_job = !job.empty() && std::isdigit(static_cast<unsigned char>(job[0])) != 0 &&
                            job.find_first_not_of("0123456789_") == std::string::npos;
        if (!known || !is_job) {
            throw UsageError(fmt::format(
                "--after is '{}'; it is a job, or any:JOB, notok:JOB, start:JOB", text));
        }
        result += fmt::format(
            "{}after{}:{}", result.empty() ? "" : ",", kind == "start" ? "" : kind, job);
    }
    return result;
}

bool has_several_tasks(const BatchScript& script) {
    return script.tasks.value_or(1) > 1 || script.tasks_per_node.value_or(1) > 1 ||
           (!script.nodes.empty() && script.nodes != "1");
}

LaunchChoice choose_launch(const LaunchFacts& facts) {
    if (!facts.several) {
        return {StepLauncher::none, "", "the job is one process"};
    }
    if (facts.library == launch::MpiLibrary::none) {
        return {StepLauncher::muster, "", "the program is not linked with an MPI library"};
    }
    const bool open_mpi = facts.library == launch::MpiLibrary::open_mpi;
    const std::string_view library = open_mpi ? "Open MPI" : "MPICH";
    if (facts.mpi_types.empty()) {
        return {
            StepLauncher::mpirun,
            "",
            fmt::format("the program is linked with {}, and 'srun --mpi=list' says nothing here",
                        library)};
    }
    using Types = std::array<std::string_view, 2>;
    for (const std::string_view type :
         open_mpi ? Types{"pmix", "pmix_v4"} : Types{"pmi2", "cray_shasta"}) {
        if (offers(facts, type)) {
            return {
                StepLauncher::srun,
                std::string(type),
                fmt::format("the program is linked with {}, and srun offers {}", library, type)};
        }
    }
    return {StepLauncher::mpirun,
            "",
            fmt::format("the program is linked with {}, and srun offers no {}",
                        library,
                        open_mpi ? "pmix" : "pmi2")};
}

void start_with(BatchScript& script, const LaunchChoice& choice, bool survive) {
    script.launcher = choice.launcher;
    std::vector<std::string> options;
    if (choice.launcher == StepLauncher::srun) {
        if (!choice.mpi.empty()) {
            options.push_back("--mpi=" + choice.mpi);
        }
        if (script.cpus_per_task) {
            options.push_back(fmt::format("--cpus-per-task={}", *script.cpus_per_task));
        }
        if (survive || (script.again != Again::no && choice.is_muster)) {
            options.emplace_back("--kill-on-bad-exit=0");
        }
        if (survive) {
            options.emplace_back("--no-kill");
        }
    } else if (choice.launcher == StepLauncher::mpirun) {
        options = {"--bind-to", "none"};
        if (survive) {
            script.environment.emplace_back("OMPI_MCA_orte_enable_recovery", "1");
        }
    }
    script.launcher_options.insert(script.launcher_options.begin(), options.begin(), options.end());
}

} // namespace muster::launcher::submit
