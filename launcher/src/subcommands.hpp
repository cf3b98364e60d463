#pragma once

#include "cli/subcommand.hpp"

#include <span>

namespace muster::launcher {

/// All commands, in the order of the overview.
[[nodiscard]] std::span<const Subcommand* const> subcommands();

} // namespace muster::launcher
