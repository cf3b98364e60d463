#pragma once

#include "cli/subcommand.hpp"

namespace muster::launcher::submit {

/// muster submit: writes a batch script and hands it to Slurm.
const Subcommand& subcommand();

} // namespace muster::launcher::submit
