#pragma once

#include <muster/slurm/environment.hpp>
#include <muster/slurm/launch.hpp>

#include <optional>
#include <string>

namespace muster::slurm {

/// What becomes of the other processes when one of them is killed.
struct LossOutlook {
    std::optional<bool> survives; ///< They go on; nothing if the launcher does not show it.
    std::string why;              ///< A sentence: what shows it, or what to start with instead.
};

/// Whether the launcher lets the other processes live when one dies, as far as variables show it.
///
/// Open MPI 4 shows mpirun's --enable-recovery. MPICH's mpiexec ends the job when a process dies of
/// a signal, also with -disable-auto-cleanup (4.0.2 and 5.0.2 tried). Open MPI 5 does not show its
/// --runtime-options; srun shows SLURM_KILL_BAD_EXIT, but neither its own option nor slurm.conf's.
/// And with --mpi=pmix it depends on what is lost (22.05): the plugin ends the step at once when a
/// process dies that has connected to it, whatever srun was told, but not when a node is lost.
LossOutlook loss_outlook(const Environment& environment, const LaunchInfo& launch);

} // namespace muster::slurm
