#include "ending/limits.hpp"

#include <muster/base/duration.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::ending {
namespace {

using namespace std::chrono_literals;

constexpr Duration usual_lead = 60s;

// Slurm's KillWait is 30 s unless the site has set another: what is left is for slow file systems.
constexpr Duration slurm_grace = 20s;
// Who starts a program by hand does not like to wait.
constexpr Duration usual_grace = 1s;
// From the last moment of a rank to the launcher's SIGKILL.
constexpr Duration kill_reserve = 200ms;

// Open MPI's mpirun sends SIGTERM, and SIGKILL after as many seconds.
Duration open_mpi_grace(const slurm::Environment& environment) {
    const auto seconds = environment.number<std::int32_t>("OMPI_MCA_odls_base_sigkill_timeout");
    const Duration timeout = std::chrono::seconds{std::clamp(seconds.value_or(1), 1, 3600)};
    return timeout - kill_reserve;
}

Duration default_grace(const slurm::Environment& environment, slurm::Launcher launcher) {
    switch (launcher) {
    case slurm::Launcher::open_mpi:
        return open_mpi_grace(environment);
    case slurm::Launcher::srun:
        return slurm_grace;
    default:
        return usual_grace;
    }
}

} // namespace

Result<Limits> read_limits(const slurm::Environment& environment,
                           slurm::Launcher launcher,
                           const RunOptions& options,
                           std::chrono::system_clock::time_point now) {
    std::optional<Failure> failure;
    const auto duration = [&](const char* name) -> std::optional<Duration> {
        const auto text = environment.find(name);
        if (!text) {
            return std::nullopt;
        }
        auto value = parse_duration(*text);
        if (!value) {
            failure = Failure{ErrorCode::usage, fmt::format("{}: {}", name, value.error().message)};
            return std::nullopt;
        }
        return *value;
    };
    Limits limits;
    const bool none = environment.get_or_empty("MUSTER_TIME_LIMIT") == "none";
    auto limit = none ? std::nullopt : duration("MUSTER_TIME_LIMIT");
    if (limit && *limit <= Duration{}) {
        failure =
            Failure{ErrorCode::usage, "MUSTER_TIME_LIMIT is 0; a run needs some time, or \"none\""};
    }
    if (limit) {
        limits.why = "MUSTER_TIME_LIMIT";
    } else if (!none && options.time_limit > Duration{}) {
        limit = options.time_limit;
        limits.why = "RunOptions::time_limit";
    }
    if (const auto end = environment.number<std::int64_t>("SLURM_JOB_END_TIME"); end && !none) {
        // Years from now it means "no limit".
        const auto at = std::chrono::system_clock::time_point{
            std::chrono::seconds{std::clamp<std::int64_t>(*end, 0, 1LL << 32)}};
        const Duration left = at - now;
        if (left <= Duration{}) {
            limits.doubt = fmt::format("SLURM_JOB_END_TIME={} is over: ignored. If the job's time "
                                       "was extended, set MUSTER_TIME_LIMIT",
                                       *end);
        } else if (!limit || left < *limit) {
            limit = left;
            limits.why = "SLURM_JOB_END_TIME";
        }
    }
    limits.left = limit;
    const auto lead = duration("MUSTER_TIME_LEAD");
    const Duration wanted = lead.value_or(options.time_lead);
    limits.lead = wanted > Duration{} || lead ? wanted : usual_lead;
    if (limit && !lead && options.time_lead <= Duration{}) {
        limits.lead = std::min(limits.lead, *limit / 10);
    }
    limits.terminate_grace =
        duration("MUSTER_TERM_GRACE").value_or(default_grace(environment, launcher));
    limits.notice_grace = lead.value_or(usual_lead);
    if (failure) {
        return *failure;
    }
    return limits;
}

} // namespace muster::ending
