#pragma once

#include "cli/subcommand.hpp"
#include "launch/plan_launch.hpp"
#include "run/cpu_binding.hpp"
#include "run/group.hpp"
#include "run/output.hpp"

#include <muster/base/result.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::launcher::run {

enum class MpiChoice { automatic, yes, no };

/// The command line of `muster run`, understood.
struct RunOptions {
    std::vector<std::string> argv;
    std::optional<int> ranks;
    std::optional<std::pair<int, int>> nodes; ///< Least and most.
    std::optional<int> per_node;
    int gpus_per_rank = 0;
    MpiChoice mpi = MpiChoice::automatic;
    launch::Way way = launch::Way::automatic;
    int max_restarts = 0;
    std::optional<Duration> timeout;
    Duration grace{};
    Duration join_timeout{};
    Bind bind = Bind::none;
    std::string bind_text; ///< As given; empty: not.
    bool show_binding = false;
    Prefix prefix = Prefix::none;
    bool merge = false;
    bool quiet = false;
    std::string log_folder;
    bool dry_run = false;
    bool verbose = false;
};

void add_run_options(po::options_description& options);

/// @throws UsageError
[[nodiscard]] RunOptions read_run_options(const Arguments& arguments);

/// "4" is 4 and 4, "1:4" 1 and 4.
[[nodiscard]] Result<std::pair<int, int>> parse_nodes(std::string_view text);

/// Of the node at `index`, where ranks do not come out even the first have one more.
[[nodiscard]] int processes_of_node(int ranks, int nodes, int index);

} // namespace muster::launcher::run
