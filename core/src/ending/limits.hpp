#pragma once

#include <muster/base/clock.hpp>
#include <muster/base/result.hpp>
#include <muster/core/options.hpp>
#include <muster/slurm/environment.hpp>
#include <muster/slurm/launch.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace muster::ending {

/// How long a run may take, and how long ends take.
struct Limits {
    std::optional<Duration> left; ///< Until its time is over.
    Duration lead{};              ///< How long before that it begins to end.
    Duration terminate_grace{};   ///< From SIGTERM to the end of the process.
    Duration notice_grace{};      ///< From SIGUSR2 to the end, if no end is known.
    std::string why;              ///< Where `left` is from: for the log. Empty if it is not known.
    std::string doubt;            ///< A sentence for the log, if something is odd.
};

/// Reads MUSTER_TIME_LIMIT, MUSTER_TIME_LEAD, MUSTER_TERM_GRACE and SLURM_JOB_END_TIME.
///
/// Of the end of the Slurm job and a time limit the earlier counts; MUSTER_TIME_LIMIT=none ignores
/// both. By default the lead is a minute, but no more than a tenth of the time that is left; and
/// SIGTERM leaves what the launcher leaves between it and SIGKILL, less a reserve.
///
/// @param now  When the run starts.
/// @return a Failure (usage) that names the variable, what it says and what it may say.
Result<Limits> read_limits(const slurm::Environment& environment,
                           slurm::Launcher launcher,
                           const RunOptions& options,
                           std::chrono::system_clock::time_point now);

} // namespace muster::ending
