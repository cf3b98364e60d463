#pragma once

#include "cli/subcommand.hpp"
#include "launch/plan_launch.hpp"
#include "run/all_nodes.hpp"
#include "run/group.hpp"
#include "run/guard.hpp"
#include "run/output.hpp"
#include "run/rendezvous.hpp"
#include "run/sockets.hpp"
#include "run/supervisor.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::launcher::run {

/// What a coordinating process starts so that supervisors join: srun, or supervisors themselves.
struct SupervisorLaunch {
    std::vector<std::string> argv;
    std::vector<std::pair<std::string, std::string>> environment;
};

struct SessionOptions {
    GroupOptions group;
    OutputOptions output;
    std::optional<SupervisorOptions> local; ///< This process is a node, too.
    std::vector<SupervisorLaunch> launches;
    int launched_nodes = 0; ///< That join by them.
    int launched_ranks = 0;
    bool numbers_launches = false; ///< One node each, on this machine.
    bool listens = false;
    bool listens_everywhere = false;
    int port = 0;      ///< 0: any.
    Listener listener; ///< Where others have been told to come; if there is one, in place of these.
    std::string secret; ///< Empty: a new one.
    /// Rank 0's code comes from muster-rank, and counts in place of the launcher's.
    bool rank_helper_tells_code = false;
    bool interrupt_is_termination = false; ///< The launcher makes SIGTERM of SIGINT.
};

/// Coordinates a run to its end, and starts this node's part of it. @return its exit code.
[[nodiscard]] int coordinate(Guard& guard, SessionOptions options);

/// Joins the run that `rendezvous` names with this node's processes. @return the run's exit code.
[[nodiscard]] int join(Guard& guard,
                       const Rendezvous& rendezvous,
                       SupervisorOptions supervisor,
                       OutputOptions output,
                       Duration patience);

/// Starts what was planned, with everything that `muster run` promises: for commands that start
/// themselves anew on all nodes. @return the program's exit code.
[[nodiscard]] int run_plan(const launch::LaunchPlan& plan);

/// Of a plan for a program of MPI ranks: its launcher is the one process.
[[nodiscard]] SessionOptions session_of_plan(const launch::LaunchPlan& plan);

/// This command line anew, for every node: the program itself, and what it was given.
[[nodiscard]] std::vector<std::string> own_command(const Arguments& arguments);

} // namespace muster::launcher::run
