#pragma once

#include <muster/base/result.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::slurm {

/// How a batch script starts its command.
enum class StepLauncher {
    none,   ///< As it is: one process, on the job's first node.
    srun,   ///< A job step: a process in each task.
    mpirun, ///< The MPI's own launcher, which finds the allocation by itself.
    muster, ///< muster run.
};

/// "none", "srun", …
std::string_view to_string(StepLauncher launcher);

/// What follows when the command ends with exit code 75: it had to end before it was done.
enum class Again {
    no,
    requeue, ///< The same job runs again: scontrol requeue.
    chain,   ///< A job like it is submitted: where requeueing is forbidden.
};

/// What a job asks Slurm for, and what it does. An empty field asks for nothing: then Slurm's
/// default counts, or the site's.
struct BatchScript {
    std::string name;
    std::string nodes; ///< "4", or "2-4".
    std::optional<int> tasks;
    std::optional<int> tasks_per_node;
    std::optional<int> cpus_per_task;
    std::string gpus_per_node; ///< "2", or "a100:2".
    std::string gpus_per_task;
    std::string memory_per_node; ///< "16G"
    std::string memory_per_cpu;
    std::string time_limit; ///< "30", minutes; "2:00:00"; "1-12".
    std::string array;      ///< "1-100%4"
    std::string dependency; ///< "afterok:12"
    std::string account;
    std::string partition;
    std::string quality_of_service;
    std::string constraint;
    std::string output;               ///< "%x-%j.out"; relative to where the job was submitted.
    std::vector<std::string> options; ///< Of sbatch, as they are: "--mail-user=me@example.org".

    /// A signal ahead of the time limit: "USR2", and how many seconds before.
    std::string signal;
    int signal_seconds = 0;

    std::vector<std::string> setup; ///< Lines of shell that come first: "module load openmpi".
    std::vector<std::pair<std::string, std::string>> environment;

    StepLauncher launcher = StepLauncher::none;
    std::vector<std::string> launcher_options; ///< "--mpi=pmix"
    std::string muster_program = "muster";     ///< Of StepLauncher::muster.
    std::vector<std::string> command;

    Again again = Again::no;
    int again_max = 0; ///< How often at most.

    /// Folder of `<job>.events`, a line for each thing that happens to the job; none if empty.
    std::string records;
};

/// A word as the shell takes it for itself, whatever is in it: "it's" is 'it'\''s'.
std::string shell_quoted(std::string_view word);

/// The template that is used where there is no other.
std::string_view default_batch_template();

/// Fills a template in: {{options}} are the #SBATCH lines, {{setup}} and {{environment}} their
/// lines, {{command}} starts the command; {{run}} starts it, passes signals on, and does what is to
/// follow exit code 75. {{name}} is the job's name.
///
/// @return a Failure that names the field or placeholder: what sbatch would read as something else
///         (a line break in an option), a command that is missing, a placeholder that there is not,
///         or neither {{run}} nor {{command}}; and without {{run}} nothing can follow exit code 75.
Result<std::string> write_batch_script(const BatchScript& script,
                                       std::string_view text = default_batch_template());

} // namespace muster::slurm
