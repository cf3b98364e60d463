#pragma once

#include "cli/subcommand.hpp"
#include "launch/plan_launch.hpp"

#include <muster/slurm/batch_script.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::submit {

void add_options(po::options_description& options);

/// What the options ask for: all of the script but how its command is started.
/// @throws UsageError that names the option.
[[nodiscard]] slurm::BatchScript script_of(const Arguments& arguments);

/// "afterok:12,afternotok:13" of "12" and "notok:13".
/// @throws UsageError for what is no job.
[[nodiscard]] std::string dependency_of(const std::vector<std::string>& after);

/// What decides how a command is started.
struct LaunchFacts {
    launch::MpiLibrary library = launch::MpiLibrary::none;
    bool several = false;               ///< The job has more than one task.
    std::vector<std::string> mpi_types; ///< That srun offers here; empty: unknown.
};

/// Whether a script asks for more than one task.
[[nodiscard]] bool has_several_tasks(const slurm::BatchScript& script);

struct LaunchChoice {
    slurm::StepLauncher launcher = slurm::StepLauncher::none;
    std::string mpi; ///< srun's --mpi; empty: its default.
    std::string why; ///< For people, in a line.
    /// A program of Muster's: its ranks know what to do when one is gone. Those of others would
    /// wait.
    bool is_muster = false;
};

[[nodiscard]] LaunchChoice choose_launch(const LaunchFacts& facts);

/// Puts the choice into the script, with the options that go with it: CPUs of a task, which srun
/// does not take over from the job; no binding by mpirun, since ranks share their node's CPUs out
/// themselves; and what lets the others live when one is lost, if `survive`, or if a Muster
/// program's exit code 75 is to be told from that of a process that was killed because another one
/// had it.
void start_with(slurm::BatchScript& script, const LaunchChoice& choice, bool survive);

} // namespace muster::launcher::submit
