#pragma once

#include "cli/subcommand.hpp"

namespace muster::launcher::pool {

/// `muster pool`: submits jobs for as long as a sweep has commands left.
[[nodiscard]] const Subcommand& subcommand();

} // namespace muster::launcher::pool
