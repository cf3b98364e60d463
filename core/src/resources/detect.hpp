#pragma once

#include "resources/local_resources.hpp"
#include "resources/system_files.hpp"

#include <muster/base/result.hpp>
#include <muster/slurm/environment.hpp>

namespace muster::resources {

/// What the system says about this process by calls rather than files.
struct ProcessLimits {
    std::vector<int> cpu_ids;           ///< sched_getaffinity.
    std::optional<Bytes> address_space; ///< RLIMIT_AS; empty if unlimited.

    static ProcessLimits of_this_process();
};

/// Reads what this process may use on its node. No messages; the same ranks on the same node may
/// see different things (masks, GPUs), which share_out() sorts out.
///
/// Memory is the least of: what is available on the node now, the cgroup's limit, and what Slurm
/// granted the job on this node.
///
/// @return a Failure (usage) if a MUSTER_ variable does not parse.
Result<LocalResources> detect_local(const slurm::Environment& environment,
                                    const SystemFiles& files,
                                    const ProcessLimits& limits);

/// The same, of this process.
Result<LocalResources> detect_local();

} // namespace muster::resources
