#pragma once

#include "cli/subcommand.hpp"

namespace muster::launcher::jobs {

/// muster jobs: what became of submitted jobs.
const Subcommand& subcommand();

} // namespace muster::launcher::jobs
