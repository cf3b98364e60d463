#pragma once

#include <muster/base/result.hpp>
#include <muster/slurm/environment.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace muster::slurm {

/// Who started this process, as one of how many.
enum class Launcher {
    none,     ///< A shell, or a batch script itself: one process, alone.
    open_mpi, ///< Open MPI's mpirun (also IBM's jsrun, which speaks the same variables).
    hydra,    ///< mpiexec of MPICH, Intel MPI or MVAPICH, and others that speak PMI.
    pals,     ///< HPE Cray's PALS.
    pmix,     ///< A launcher known only as a PMIx server: prun, prterun.
    srun,     ///< A task of a Slurm job step.
};

/// "Open MPI's mpirun", "srun", …: for sentences.
std::string_view to_string(Launcher launcher);

struct LaunchInfo {
    Launcher launcher = Launcher::none;
    std::optional<int> world_size; ///< How many processes the launcher meant, where it says so.
    std::optional<int> rank;
    std::optional<int> local_rank; ///< Among the processes of this node.
    std::optional<int> local_size;
    std::string srun_mpi_type; ///< SLURM_MPI_TYPE ("pmix", "pmi2", "none", …), under srun only.
    /// srun left no PMI variable, as with --mpi=none: most MPIs then fail to initialise, or make
    /// every task a world of its own. (Not all: some read Slurm's old PMI-1 without variables.)
    bool without_pmi = false;
    /// Whether to initialise MPI: the launcher meant more than one process, or is an MPI launcher,
    /// or MUSTER_TRANSPORT=mpi says so. MUSTER_TRANSPORT=local says no.
    bool use_mpi = false;
    std::string reason; ///< Why, in one line for the log.
};

/// Reads who started this process, from the variables that launchers set.
///
/// The innermost launcher counts: the processes of an mpirun inside an srun step have the variables
/// of both. A batch script's own processes, and one task alone under srun, need no MPI.
///
/// @return a Failure if MUSTER_TRANSPORT is something else than auto, local or mpi.
Result<LaunchInfo> detect_launch(const Environment& environment);

/// After MPI is initialised: a Failure if the launcher meant another number of processes than MPI
/// made into one world. The usual case is N worlds of one: a launcher and an MPI library that do
/// not speak the same protocol do not report it, each process just believes to be alone.
///
/// @param mpi_library  As MPI_Get_library_version gives it; decides what the sentence advises.
std::optional<Failure> check_world(const LaunchInfo& launch,
                                   int actual_rank,
                                   int actual_size,
                                   std::string_view mpi_library);

/// Before MPI is initialised, since it may end the process in its own words: what is likely to go
/// wrong, as a sentence with what to try. Empty if nothing is.
std::string start_doubt(const LaunchInfo& launch);

/// Whether a variable binds a process to its launcher as one of its ranks. A command that a rank
/// starts must not inherit these: if it uses MPI itself, it would take itself for that rank.
bool ties_to_launcher(std::string_view variable);

} // namespace muster::slurm
