#pragma once

#include "cli/subcommand.hpp"

namespace muster::launcher::data {

/// `muster data inspect`, `convert`, `reshard`, `verify`.
[[nodiscard]] const Subcommand& inspect_command();
[[nodiscard]] const Subcommand& convert_command();
[[nodiscard]] const Subcommand& reshard_command();
[[nodiscard]] const Subcommand& verify_command();

} // namespace muster::launcher::data
