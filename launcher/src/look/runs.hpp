#pragma once

#include "cli/subcommand.hpp"

#include <muster/look/place.hpp>
#include <muster/slurm/environment.hpp>

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Reaching the user's runs on this machine, and through Slurm on others.
namespace muster::launcher::look {

/// --job, --node: which run is meant. Of every command that looks at one.
void add_run_options(po::options_description& options);

/// Which of the runs is meant by --job, the id of a process or of a Slurm job. [pure]
struct Choice {
    std::vector<muster::look::Place> fitting; ///< One: it is meant.
};

[[nodiscard]] Choice choose(std::vector<muster::look::Place> runs, std::string_view wanted);

/// How `command` is run on a node of the Slurm job. [pure]
[[nodiscard]] std::vector<std::string> over_srun(const std::string& job,
                                                 const std::string& node,
                                                 bool terminal,
                                                 const std::vector<std::string>& command);

/// The run that is meant.
///
/// If it is none of this machine's, but --job may name a Slurm job, and there is an srun, this
/// process becomes one that runs the same command there, and does not return.
///
/// @throws Error that says which there are, and what to try.
[[nodiscard]] muster::look::Place find_run(const Arguments& arguments);

/// Asks a run. @param take  Called for each line of the answer, but the first and the last.
/// @return the first, which says what run it is.
/// @throws Error if it does not answer, refuses, or if the answer is cut off.
nlohmann::json ask(const muster::look::Place& run,
                   const std::string& request,
                   const std::function<void(const nlohmann::json&, const std::string& line)>& take);

} // namespace muster::launcher::look
