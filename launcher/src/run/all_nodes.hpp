#pragma once

#include "cli/subcommand.hpp"

#include <optional>

namespace muster::launcher::run {

/// In a batch script of several nodes, which runs on the first only: starts this command anew with
/// a rank on each node, and returns its exit code. Nothing elsewhere, and where
/// MUSTER_TRANSPORT=local says to stay here: then the caller is what runs.
[[nodiscard]] std::optional<int> run_on_all_nodes(const Arguments& arguments);

} // namespace muster::launcher::run
