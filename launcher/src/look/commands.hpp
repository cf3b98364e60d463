#pragma once

#include "cli/subcommand.hpp"

/// Looking at runs: while they run, and at what they leave.
namespace muster::launcher::look {

const Subcommand& top_command();
const Subcommand& status_command();
const Subcommand& tasks_command();
const Subcommand& explain_command();
const Subcommand& trace_command();
const Subcommand& report_command();

} // namespace muster::launcher::look
