#include <muster/slurm/allocation.hpp>
#include <muster/slurm/hostlist.hpp>

#include <limits>

namespace muster::slurm {
namespace {

std::optional<int> positive(const Environment& environment, std::string_view name) {
    const auto value = environment.number<int>(name);
    return value && *value > 0 ? value : std::nullopt;
}

/// Slurm's unit is the MiB. Zero means all the memory of the node.
std::optional<Bytes> mebibytes(const Environment& environment, std::string_view name) {
    const auto value = environment.number<std::uint64_t>(name);
    if (!value || *value == 0 || *value > (std::numeric_limits<std::uint64_t>::max() >> 20)) {
        return std::nullopt;
    }
    return Bytes{*value << 20};
}

std::optional<Bytes> memory_on_node(const Environment& environment) {
    if (const auto whole = mebibytes(environment, "SLURM_MEM_PER_NODE")) {
        return whole;
    }
    const auto each = mebibytes(environment, "SLURM_MEM_PER_CPU");
    const auto cpus = positive(environment, "SLURM_CPUS_ON_NODE");
    if (!each || !cpus) {
        return std::nullopt;
    }
    return Bytes{each->count * static_cast<std::uint64_t>(*cpus)};
}

} // namespace

Result<Allocation> read_allocation(const Environment& environment) {
    Allocation allocation;
    allocation.job_id = environment.get_or_empty("SLURM_JOB_ID");
    if (allocation.job_id.empty()) {
        return allocation;
    }
    auto nodes = expand_hostlist(environment.get_or_empty("SLURM_JOB_NODELIST"));
    if (!nodes) {
        return Failure{nodes.error().code, "SLURM_JOB_NODELIST: " + nodes.error().message};
    }
    allocation.nodes = std::move(*nodes);
    allocation.cpus_per_task = positive(environment, "SLURM_CPUS_PER_TASK");
    allocation.cpus_on_node = positive(environment, "SLURM_CPUS_ON_NODE");
    allocation.gpus_on_node = positive(environment, "SLURM_GPUS_ON_NODE");
    allocation.memory_on_node = memory_on_node(environment);
    if (const auto end = environment.number<std::int64_t>("SLURM_JOB_END_TIME"); end && *end > 0) {
        allocation.ends_at = std::chrono::sys_seconds{std::chrono::seconds{*end}};
    }
    allocation.restart_count = positive(environment, "SLURM_RESTART_COUNT").value_or(0);
    return allocation;
}

} // namespace muster::slurm
