#pragma once

#include <muster/base/amount.hpp>
#include <muster/core/resources.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::resources {

/// What one rank finds on its node, before it is shared out among the ranks that find the same.
struct LocalResources {
    std::vector<int> cpu_ids; ///< Affinity mask, neighbours close to each other in the machine.
    std::optional<Amount> cpu_quota;  ///< Of the cgroup, in CPUs.
    std::vector<std::string> gpu_ids; ///< As CUDA_VISIBLE_DEVICES names them: indices or UUIDs.
    bool gpus_private = false; ///< Other ranks' GPUs are others, even where the names are the same.
    Bytes memory;              ///< Of the job on this node, all its ranks together.
    std::optional<Bytes> process_memory_max; ///< RLIMIT_AS: of this process alone.

    std::optional<std::int64_t> cpus_wanted;            ///< MUSTER_CPUS.
    std::optional<std::int64_t> gpus_wanted;            ///< MUSTER_GPUS.
    std::optional<Bytes> memory_wanted;                 ///< MUSTER_MEMORY.
    std::vector<std::pair<std::string, Amount>> custom; ///< MUSTER_RESOURCES, sorted by name.
};

/// What one rank may hand out to tasks.
struct Capacity {
    Resources resources;
    /// The rank's own CPUs. There may be more than `resources.cpus` if a quota limits their time
    /// (do not bind then), and fewer if MUSTER_CPUS claims more than there are.
    std::vector<int> cpu_ids;
    std::vector<std::string> gpu_ids; ///< As many as `resources.gpus`.
    bool oversubscribed = false;      ///< Shares its CPU with other ranks: more ranks than CPUs.
};

} // namespace muster::resources
