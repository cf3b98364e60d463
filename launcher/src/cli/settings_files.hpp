#pragma once

#include <muster/slurm/environment.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::launcher {

/// What one file says: keys "sweep.retries", in the order of the file.
struct SettingsFile {
    std::string path; ///< For messages.
    std::vector<std::pair<std::string, std::string>> values;
};

/// Reads "[sweep]" sections of "retries = 3" lines; "#" begins a comment.
/// @throws UsageError with file and reason.
[[nodiscard]] SettingsFile parse_settings(std::string path, std::string_view text);

/// Those that are there, the one that counts most first: the project's (`muster.conf` in the
/// working directory or the nearest above it), the user's (`$XDG_CONFIG_HOME/muster/muster.conf`,
/// or in ~/.config), the site's (`$MUSTER_SITE_SETTINGS`, or the installed one).
///
/// A project's file that belongs to somebody else is left out, with a warning: settings may say
/// what is run.
[[nodiscard]] std::vector<SettingsFile> find_settings(const slurm::Environment& environment,
                                                      const std::filesystem::path& directory);

} // namespace muster::launcher
