#pragma once

#include <muster/slurm/environment.hpp>

#include <optional>
#include <string>
#include <vector>

namespace muster::launcher::run {

/// How the supervisors of several nodes find each other.
struct Rendezvous {
    int index = 0; ///< Which of them this is; the first coordinates, unless `invited`.
    int count = 1;
    bool invited = false;               ///< By a `muster run` that coordinates, and says all this.
    int ranks = 0;                      ///< Of all nodes, where `invited`.
    std::string host;                   ///< This node's name, if not its own.
    std::vector<std::string> endpoints; ///< Of who coordinates.
    int port = 0;                       ///< To listen at, for the first.
    std::string secret;
};

/// The variables that `muster run` gives the supervisors that it starts, never on a command line,
/// which others can see.
inline constexpr const char* invitation_variable = "MUSTER_RUN_INVITATION";
inline constexpr const char* secret_variable = "MUSTER_RUN_SECRET";

/// What such a variable says. With `index`, who is meant; otherwise the launcher says it
/// (SLURM_PROCID).
[[nodiscard]] std::string invitation(int nodes,
                                     int ranks,
                                     const std::vector<std::string>& endpoints,
                                     std::optional<int> index);

/// Whether this process is one of several supervisors, and how they meet:
///
/// - it was invited;
/// - a task of an srun step of several tasks: at the first node of the step, at a port and with a
///   secret made from job and step. That secret keeps other runs away, not other people: who can
///   reach the port can disturb the run, as with torchrun;
/// - a process of an mpirun, likewise, where mpirun runs.
[[nodiscard]] std::optional<Rendezvous> find_rendezvous(const slurm::Environment& environment);

} // namespace muster::launcher::run
