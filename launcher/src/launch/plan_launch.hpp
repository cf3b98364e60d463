#pragma once

#include <muster/base/result.hpp>
#include <muster/slurm/environment.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::launcher::launch {

/// Whose launchers and wire-up a program needs. What is ABI compatible with MPICH (Intel MPI,
/// MVAPICH, Cray MPICH) counts as it.
enum class MpiLibrary { none, open_mpi, mpich };

/// "no MPI", "Open MPI", "MPICH".
[[nodiscard]] std::string_view to_string(MpiLibrary library);

/// How processes come to be.
enum class Way {
    automatic, ///< In requests only: whichever fits.
    mpirun,    ///< The MPI's own launcher, which asks Slurm for the nodes inside an allocation.
    srun,      ///< Slurm's, inside an allocation.
    local,     ///< On this machine: muster's own supervisor, or mpirun without Slurm's knowledge.
    direct,    ///< In plans only: this process is a rank already and becomes the program.
};

/// "auto", "mpirun", "srun", "local".
[[nodiscard]] Result<Way> parse_way(std::string_view text);

struct MpiLauncher {
    std::string path;
    MpiLibrary library = MpiLibrary::none;
    int major_version = 0; ///< 0: not known.
};

/// What was found on this machine.
struct Tools {
    std::optional<MpiLauncher> mpirun;
    std::string srun;                        ///< Its path; empty: none.
    std::vector<std::string> srun_mpi_types; ///< What `srun --mpi=list` names; inside a job only.
    std::string rank_helper; ///< muster-rank, which hands on a rank's exit code; empty: none.
    MpiLibrary own_library = MpiLibrary::none; ///< What this program, muster, is linked with.
    bool is_root = false;
    std::string host; ///< This machine's name.
};

/// The names in what `srun --mpi=list` prints.
[[nodiscard]] std::vector<std::string> parse_mpi_types(std::string_view text);

/// Asks srun, which asks nobody: its plugins are files of this machine. Empty if it says nothing.
[[nodiscard]] std::vector<std::string> srun_mpi_types(const std::string& srun);

/// Looks for them: PATH, and in a job `srun --mpi=list`.
[[nodiscard]] Tools find_tools(const slurm::Environment& environment);

struct Request {
    std::vector<std::string> argv; ///< The program and its arguments.
    std::optional<int> ranks;
    std::optional<int> nodes;
    std::optional<int> ranks_per_node;
    int gpus_per_rank = 0;
    MpiLibrary library = MpiLibrary::none; ///< What the program is linked with.
    /// The others live on when a rank dies, which is what Muster's own programs want and other MPI
    /// programs do not: their ranks would wait for the dead for ever.
    bool survives_lost_ranks = false;
    /// The program spreads its own threads: no rank is bound to one core by its launcher.
    bool places_its_threads = false;
    Way way = Way::automatic;
    std::string bind; ///< "none", "core", "socket", "numa"; empty: the launcher's own way.
    bool show_binding = false;
    bool tag_output = false; ///< The launcher puts the rank before each line.
};

/// How many processes, where.
struct Shape {
    int nodes = 1;
    int ranks = 1;

    /// Unless the ranks do not come out even, as many on each node.
    [[nodiscard]] std::optional<int> per_node() const {
        return ranks % nodes == 0 ? std::optional(ranks / nodes) : std::nullopt;
    }
};

/// From what was asked, else from the allocation: its nodes, and its tasks (SLURM_NTASKS,
/// SLURM_NTASKS_PER_NODE); otherwise one rank per node.
[[nodiscard]] Result<Shape> plan_shape(const Request& request,
                                       const slurm::Environment& environment);

struct LaunchPlan {
    Way way = Way::direct;
    Shape shape;
    std::vector<std::string> argv; ///< Complete; argv[0] is to be executed.
    std::vector<std::pair<std::string, std::string>> environment; ///< To set beside what is there.
    /// How the exit code comes back: of rank 0, by muster-rank, since the launcher's own says
    /// nothing (as Open MPI's with --enable-recovery).
    bool rank_helper_tells_code = false;
    std::string why; ///< One sentence: which way, and why not another.
};

/// How to start a program of MPI ranks here. Pure.
///
/// - A process that mpirun or srun started as one of several ranks becomes the program: `direct`.
/// - In an allocation: srun, if it has what the library needs (--mpi=pmix for Open MPI, pmi2 for
///   MPICH), else mpirun. Elsewhere: mpirun.
///
/// @return a Failure (usage) that names what is missing.
[[nodiscard]] Result<LaunchPlan>
plan_launch(const Request& request, const slurm::Environment& environment, const Tools& tools);

/// The same for this very command line of a Muster program, with one rank on each node of the
/// allocation: how `muster sweep` in a batch script of several nodes starts itself anew, with
/// run::run_plan(). Nothing where there is only this node, or where this process is a rank already.
[[nodiscard]] Result<std::optional<LaunchPlan>>
plan_own_launch(const std::vector<std::string>& own_argv,
                const slurm::Environment& environment,
                const Tools& tools);

/// Whether this machine is one of the job's nodes: a shell that salloc started is often not.
[[nodiscard]] bool is_on_node_of_job(const slurm::Environment& environment, std::string_view host);

/// Whether this process is in a job and is not one of its ranks: a batch script, or salloc's shell.
[[nodiscard]] bool is_in_allocation(const slurm::Environment& environment);

} // namespace muster::launcher::launch
