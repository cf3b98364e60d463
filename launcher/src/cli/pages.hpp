#pragma once

#include "cli/subcommand.hpp"

#include <span>
#include <string>

namespace muster::launcher {

/// What `muster --help` prints: every command with its summary.
[[nodiscard]] std::string overview(std::span<const Subcommand* const> subcommands);

/// Whether commands of a group begin with this word: "data" of "data verify".
[[nodiscard]] bool is_group(std::span<const Subcommand* const> subcommands, std::string_view word);

/// What `muster data --help` prints: the commands of the group.
[[nodiscard]] std::string group_overview(std::span<const Subcommand* const> subcommands,
                                         std::string_view group);

/// What `muster <name> --help` prints: examples first.
[[nodiscard]] std::string help_page(const Subcommand& subcommand);

/// The same as a manual page, muster-<name>(1), in troff.
[[nodiscard]] std::string manual_page(const Subcommand& subcommand, std::string_view version);

/// muster(1).
[[nodiscard]] std::string manual_overview(std::span<const Subcommand* const> subcommands,
                                          std::string_view version);

/// A script for the shell to source, or to lie where it looks for completions.
[[nodiscard]] std::string bash_completions(std::span<const Subcommand* const> subcommands);
[[nodiscard]] std::string zsh_completions(std::span<const Subcommand* const> subcommands);

} // namespace muster::launcher
