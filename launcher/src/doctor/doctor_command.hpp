#pragma once

#include "cli/subcommand.hpp"

namespace muster::launcher::doctor {

/// `muster doctor`.
[[nodiscard]] const Subcommand& subcommand();

} // namespace muster::launcher::doctor
