#pragma once

#include <muster/base/amount.hpp>
#include <muster/base/result.hpp>
#include <muster/slurm/environment.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace muster::slurm {

/// What the variables of a Slurm job say about it. A field is empty if its variable is not set or
/// not understood; which are set depends on the options the job was submitted with.
struct Allocation {
    std::string job_id;               ///< SLURM_JOB_ID; empty outside a job.
    std::vector<std::string> nodes;   ///< SLURM_JOB_NODELIST, expanded.
    std::optional<int> cpus_per_task; ///< SLURM_CPUS_PER_TASK: only if asked for.
    std::optional<int> cpus_on_node;  ///< SLURM_CPUS_ON_NODE: of the job, on this node.
    std::optional<int> gpus_on_node;  ///< SLURM_GPUS_ON_NODE: of the job, on this node.
    /// Of the job, on this node: SLURM_MEM_PER_NODE, or SLURM_MEM_PER_CPU times the CPUs.
    /// Empty if the job may use all of the node's.
    std::optional<Bytes> memory_on_node;
    /// SLURM_JOB_END_TIME: when the time limit ends the job.
    std::optional<std::chrono::sys_seconds> ends_at;
    int restart_count = 0; ///< SLURM_RESTART_COUNT: how often the job was requeued.
};

/// @return a Failure only if the list of nodes does not parse.
Result<Allocation> read_allocation(const Environment& environment);

} // namespace muster::slurm
