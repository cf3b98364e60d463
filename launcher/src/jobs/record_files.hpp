#pragma once

#include "jobs/records.hpp"

#include <muster/base/result.hpp>
#include <muster/slurm/environment.hpp>

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace muster::launcher::jobs {

/// $XDG_STATE_HOME/muster/jobs, or ~/.local/state/muster/jobs; made, for its owner alone, if
/// missing.
Result<std::filesystem::path> records_folder(const slurm::Environment& environment);

/// A new job takes the place of an older one that had its number, on another cluster or long ago.
Result<std::monostate> save_record(const std::filesystem::path& folder, const JobRecord& record);

/// All jobs, and elements of arrays, that there are records or events of.
std::vector<KnownJob> load_records(const std::filesystem::path& folder);

} // namespace muster::launcher::jobs
