#pragma once

#include "cli/subcommand.hpp"
#include "look/model.hpp"

#include <string>
#include <vector>

namespace muster::launcher::look {

/// The traces in the directory that was named, or of the run that is meant; see runs.hpp. --run
/// says which run of several. What it takes on its own, it says on standard error.
/// @throws Error
[[nodiscard]] Model load_traces(const Arguments& arguments,
                                const std::vector<std::string>& directories);

} // namespace muster::launcher::look
