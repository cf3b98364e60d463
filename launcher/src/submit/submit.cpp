#include "submit/submit.hpp"

#include "cli/words.hpp"
#include "jobs/record_files.hpp"
#include "launch/elf.hpp"
#include "submit/plan.hpp"
#include "tool/tool.hpp"

#include <muster/base/error.hpp>
#include <muster/slurm/batch_script.hpp>
#include <muster/slurm/environment.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

namespace muster::launcher::submit {
namespace {

namespace fs = std::filesystem;
using slurm::BatchScript;
using slurm::Environment;

LaunchChoice
launch_of(const Arguments& arguments, const BatchScript& script, const Environment& environment) {
    const std::string wanted = arguments.get<std::string>("launch");
    const auto program = launch::inspect_program(script.command.front(), environment);
    const LaunchFacts facts{
        program.library, has_several_tasks(script), launch::srun_mpi_types("srun")};
    LaunchChoice choice{slurm::StepLauncher::none, "", "--launch says so"};
    if (wanted == "auto") {
        choice = choose_launch(facts);
    }
    choice.is_muster = program.is_muster;
    if (wanted == "srun") {
        choice.launcher = slurm::StepLauncher::srun;
        // One process of several is what the flag is for; alone it does no harm.
        const LaunchChoice best = choose_launch({facts.library, true, facts.mpi_types});
        choice.mpi = best.mpi;
    } else if (wanted == "mpirun") {
        choice.launcher = slurm::StepLauncher::mpirun;
    } else if (wanted == "muster") {
        choice.launcher = slurm::StepLauncher::muster;
    } else if (wanted != "none" && wanted != "auto") {
        throw UsageError(
            fmt::format("--launch is '{}'; it is auto, srun, mpirun, muster or none", wanted));
    }
    return choice;
}

std::string read_template(const std::string& path) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file) {
        throw UsageError(fmt::format("--template: {} cannot be read", path));
    }
    return text;
}

/// Which of this process's variables the job gets. Inside a job those of its own are not the next
/// one's: sbatch takes some for options.
std::vector<std::string> environment_for_sbatch(const Environment& environment) {
    const bool in_job = environment.has("SLURM_JOB_ID");
    std::vector<std::string> variables;
    for (const auto& [name, value] : environment.variables()) {
        if (!in_job || !name.starts_with("SLURM_") || name == "SLURM_CONF") {
            variables.push_back(name + "=" + value);
        }
    }
    return variables;
}

std::string submitted(const std::string& text, const Environment& environment) {
    std::vector<std::string> command{"sbatch", "--parsable"};
    const auto answer =
        ask_tool(command, {.input = text, .environment = environment_for_sbatch(environment)});
    if (!answer) {
        throw Error(answer.error().message + "; is this a login node of a cluster with Slurm? "
                                             "--dry-run prints the script");
    }
    if (answer->code != 0) {
        throw Error(first_complaint(*answer));
    }
    // "12", or "12;cluster".
    std::string id = answer->out.substr(0, answer->out.find_first_of(";\n"));
    if (id.empty()) {
        throw Error("sbatch took the script, but said no job's number");
    }
    return id;
}

/// A job that runs again and keeps nothing does everything again.
bool forgets(const BatchScript& script, const Environment& environment) {
    return script.again != slurm::Again::no && !environment.has("MUSTER_JOURNAL") &&
           std::none_of(script.environment.begin(), script.environment.end(), [](const auto& one) {
               return one.first == "MUSTER_JOURNAL";
           });
}

std::string text_of(const Arguments& arguments, const BatchScript& script) {
    const auto text = arguments.has("template")
                          ? slurm::write_batch_script(
                                script, read_template(arguments.get<std::string>("template")))
                          : slurm::write_batch_script(script);
    if (!text) {
        throw UsageError(text.error().message);
    }
    return *text;
}

int run(const Arguments& arguments) {
    const auto environment = Environment::of_process();
    BatchScript script = script_of(arguments);
    const LaunchChoice choice = launch_of(arguments, script, environment);
    if (arguments.has("launch-option")) {
        script.launcher_options = arguments.get<std::vector<std::string>>("launch-option");
    }
    start_with(script, choice, arguments.is_set("survive"));
    if (arguments.has("journal")) {
        script.environment.emplace_back(
            "MUSTER_JOURNAL", fs::absolute(arguments.get<std::string>("journal")).string());
    }
    std::error_code error;
    if (const fs::path own = fs::read_symlink("/proc/self/exe", error); !error) {
        script.muster_program = own.string();
    }
    const auto records = jobs::records_folder(environment);
    if (records) {
        script.records = records->string();
    }
    const std::string text = text_of(arguments, script);
    if (arguments.is_set("dry-run")) {
        std::cout << text << std::flush;
        return 0;
    }
    const bool quiet = arguments.is_set("parsable");
    if (!quiet && forgets(script, environment)) {
        std::cerr << "muster: without --journal the next run begins anew\n";
    }
    const std::string id = submitted(text, environment);
    const fs::path directory = fs::current_path();
    const std::string log = (directory / script.output).string();
    if (records) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto saved = jobs::save_record(
            *records,
            {.id = id,
             .name = script.name,
             .submitted = std::chrono::duration_cast<std::chrono::seconds>(now).count(),
             .directory = directory.string(),
             .log = log,
             .array = script.array,
             .command = shell_line(script.command)});
        if (!saved) {
            std::cerr << "muster: muster jobs will not know this job: " << saved.error().message
                      << '\n';
        }
    }
    if (quiet) {
        std::cout << id << std::endl;
    } else {
        std::cout << fmt::format("job {}: {} by {} ({}); log: {}",
                                 id,
                                 script.command.front(),
                                 choice.launcher == slurm::StepLauncher::none
                                     ? "itself"
                                     : to_string(choice.launcher),
                                 choice.why,
                                 jobs::log_path(log, id, script.name))
                  << std::endl;
    }
    return 0;
}

} // namespace

const Subcommand& subcommand() {
    static const Subcommand submit{
        .name = "submit",
        .summary = "writes a batch script and submits it to Slurm",
        .usage = "[options] [--] program [arguments]",
        .examples =
            {{"muster submit --nodes 4 --tasks-per-node 8 --time 2:00:00 -- ./train data.h5",
              "32 processes on 4 nodes"},
             {"muster submit -n 16 -t 60 --journal study --requeue -- ./search",
              "runs again until it is done"},
             {"muster submit --array 1-100%10 --dry-run -- sh -c './sim $SLURM_ARRAY_TASK_ID'",
              "prints the script of a job array"}},
        .description =
            R"(The command's words reach it as they are; no shell looks into them. Programs that are linked with Open MPI are started by 'srun --mpi=pmix', those with MPICH, Intel MPI or MVAPICH by 'srun --mpi=pmi2', by mpirun where srun does not offer that; other programs by 'muster run', which tells each of its processes what torchrun would; and a job of one process as it is. --launch decides otherwise.

A run of Muster's that has to end before it is done (at its time limit, at --signal, at SIGTERM) ends in order, with exit code 75. With --requeue the job then runs again; with --chain, where Slurm does not allow that, it submits a job like itself. Either way it goes on from its journal (--journal), at most --again-max times, and not when somebody has cancelled it.

What a site always needs belongs into a settings file, [submit] in ~/.config/muster/muster.conf or the site's:

    [submit]
    account = physics
    setup = module load openmpi
    option = --exclusive
    template = /etc/muster/batch.sh

A template is a script with {{options}} where the #SBATCH lines go, {{setup}} and {{environment}}, and {{run}}, which starts the command, passes signals on and does what is to follow exit code 75; or {{command}}, which only starts it. {{name}} is the job's name.

muster jobs follows what was submitted.)",
        .exit_codes = {{"0", "submitted, or printed"},
                       {"1", "Slurm did not take it"},
                       {"2", "a command line, settings or a template that cannot be used"}},
        .words = Words::command,
        .add_options = add_options,
        .run = run};
    return submit;
}

} // namespace muster::launcher::submit
