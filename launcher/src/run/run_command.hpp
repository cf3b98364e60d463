#pragma once

#include "cli/subcommand.hpp"

namespace muster::launcher::run {

/// `muster run`.
[[nodiscard]] const Subcommand& subcommand();

} // namespace muster::launcher::run
