#pragma once

#include "cli/subcommand.hpp"

namespace muster::launcher::sweep {

/// `muster cat`, `muster grep` and `muster follow`: the output of a sweep's commands, from the few
/// files in which it lies.
[[nodiscard]] const Subcommand& cat_subcommand();
[[nodiscard]] const Subcommand& grep_subcommand();
[[nodiscard]] const Subcommand& follow_subcommand();

} // namespace muster::launcher::sweep
