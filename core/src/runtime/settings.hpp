#pragma once

#include <muster/base/log.hpp>
#include <muster/base/result.hpp>
#include <muster/core/options.hpp>
#include <muster/slurm/environment.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace muster::runtime {

/// What MUSTER_* variables say about the runtime itself; resources have their own reader.
struct Settings {
    log::Level log_level = log::Level::warn;
    std::int32_t local_ranks = 1;
    std::optional<std::int32_t> coordinator; ///< The rank to prefer in the election.
    std::optional<std::int32_t> driver_cpus; ///< CPUs of the driver's rank; 0: it runs no tasks.
    std::uint32_t stop_grace_seconds = 5;
    std::uint32_t parked_max = 1024;
    std::int32_t heartbeat_timeout = 4; ///< Seconds; 0: ranks are not watched.
    std::string journal;                ///< A directory; empty: none.
    /// What large values of a node's ranks may take together of its memory; 0: any, privately.
    std::optional<Bytes> object_memory;
    std::optional<Bytes> spill_size; ///< The same of its disk; 0: nothing.
    std::string spill_directory;     ///< On the disk; empty: one is looked for.
    std::uint32_t object_wait_seconds = 60;
    std::string program_version;
    bool looked_at = true;         ///< Those who want to look at the run are answered.
    std::string trace;             ///< A directory; empty: none is written.
    std::string runtime_directory; ///< XDG_RUNTIME_DIR; may be empty.
    std::string job;               ///< Slurm's; empty outside any.
    bool bind = true;              ///< Threads to the CPUs that their tasks were granted.
};

/// @return a Failure that names the variable, what it says and what it may say.
Result<Settings> read_settings(const slurm::Environment& environment, const RunOptions& options);

} // namespace muster::runtime
