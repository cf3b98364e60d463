#pragma once

#include "cli/subcommand.hpp"

namespace muster::launcher::sweep {

/// `muster sweep`: many commands, each with its values.
[[nodiscard]] const Subcommand& subcommand();

} // namespace muster::launcher::sweep
