#pragma once

#include "cli/settings_files.hpp"
#include "cli/subcommand.hpp"

#include <muster/slurm/environment.hpp>

#include <span>
#include <string>
#include <vector>

namespace muster::launcher {

/// Where a command's options end: the place in `tokens` of the first that belongs to the words, and
/// how many of "--" lie between (0 or 1).
struct Split {
    std::size_t options_end = 0;
    std::size_t words_begin = 0;
};

/// Of Words::command: options come first, and what follows is not looked at.
[[nodiscard]] Split split_command(std::span<const std::string> tokens,
                                  const po::options_description& options);

/// Reads a command line, then what it does not say from the environment (MUSTER_SWEEP_RETRIES for
/// --retries of `muster sweep`), then from settings files, the first one first.
///
/// @param tokens  Behind "muster <name>".
/// @throws UsageError that says where the mistake is: the option, the variable, or file and key.
[[nodiscard]] Arguments read_command_line(const Subcommand& subcommand,
                                          std::span<const std::string> tokens,
                                          const slurm::Environment& environment,
                                          std::span<const SettingsFile> files);

/// "MUSTER_SWEEP_MAX_FAILS" of "sweep" and "max-fails".
[[nodiscard]] std::string variable_name(std::string_view subcommand, std::string_view option);

} // namespace muster::launcher
