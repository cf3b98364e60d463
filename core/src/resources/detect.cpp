#include "resources/detect.hpp"

#include "resources/cgroup.hpp"
#include "resources/cpu_order.hpp"
#include "resources/gpu_cpus.hpp"
#include "resources/overrides.hpp"

#include <muster/slurm/allocation.hpp>
#include <muster/slurm/launch.hpp>

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>

namespace muster::resources {
namespace {

struct FreeCpuSet {
    void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

/// The set must be as large as the kernel's, which is known only by trying.
std::vector<int> affinity_mask() {
    constexpr int cpus_max = 1 << 16;
    for (int cpus = 1024; cpus <= cpus_max; cpus *= 2) {
        const std::unique_ptr<cpu_set_t, FreeCpuSet> set(CPU_ALLOC(static_cast<std::size_t>(cpus)));
        const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
        if (set == nullptr) {
            return {};
        }
        CPU_ZERO_S(size, set.get());
        if (sched_getaffinity(0, size, set.get()) == 0) {
            std::vector<int> ids;
            for (int id = 0; id < cpus; ++id) {
                if (CPU_ISSET_S(static_cast<std::size_t>(id), size, set.get())) {
                    ids.push_back(id);
                }
            }
            return ids;
        }
        if (errno != EINVAL) {
            return {};
        }
    }
    return {};
}

/// The value of "MemAvailable:   123456 kB" in /proc/meminfo.
std::optional<Bytes> meminfo(std::string_view text, std::string_view key) {
    auto at = text.find(key);
    if (at == std::string_view::npos || (at > 0 && text[at - 1] != '\n')) {
        return std::nullopt;
    }
    at = text.find_first_not_of(" :", at + key.size());
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    std::uint64_t kibibytes = 0;
    const auto error = std::from_chars(text.data() + at, text.data() + text.size(), kibibytes).ec;
    return error == std::errc{} ? std::optional(Bytes{kibibytes << 10}) : std::nullopt;
}

Bytes node_memory(const SystemFiles& files) {
    const std::string text = files.read("/proc/meminfo").value_or("");
    if (const auto available = meminfo(text, "MemAvailable")) { // since Linux 3.14
        return *available;
    }
    return meminfo(text, "MemTotal").value_or(Bytes{});
}

/// The entries up to the first that is none, as CUDA reads the list.
/// Source: CUDA C++ Programming Guide, "CUDA Environment Variables".
std::vector<std::string> parse_visible_devices(std::string_view text) {
    std::vector<std::string> ids;
    while (!text.empty()) {
        const auto comma = text.find(',');
        std::string_view id = text.substr(0, comma);
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
        const auto first = std::min(id.find_first_not_of(' '), id.size());
        id = id.substr(first, id.find_last_not_of(' ') + 1 - first);
        if (id.empty() || id == "NoDevFiles" || id.starts_with('-') ||
            std::ranges::find(ids, id) != ids.end()) {
            break;
        }
        ids.emplace_back(id);
    }
    return ids;
}

/// Indices 0, 1, …: as many as there are device files /dev/nvidia0, /dev/nvidia1, …
std::vector<std::string> device_files(const SystemFiles& files) {
    constexpr std::string_view prefix = "nvidia";
    std::vector<std::string> ids;
    for (const std::string& name : files.list("/dev")) {
        if (name.starts_with(prefix) && name.size() > prefix.size() &&
            name.find_first_not_of("0123456789", prefix.size()) == std::string::npos) {
            ids.push_back(std::to_string(ids.size()));
        }
    }
    return ids;
}

/// With --gpus-per-task each task has GPUs of its own, which the device cgroup numbers from 0 in
/// every task: equal lists are then different GPUs.
bool has_gpus_of_its_own(const slurm::Environment& environment) {
    const auto launch = slurm::detect_launch(environment);
    return launch && launch->launcher == slurm::Launcher::srun &&
           environment.has("SLURM_GPUS_PER_TASK");
}

/// Where Slurm binds nobody, a process sees all CPUs of its node, and other jobs' too: then Slurm's
/// count is what it has. A mask that leaves CPUs out was made for this process, and says more: the
/// count may be one of cores.
std::optional<Amount> unbound_cpus(const slurm::Allocation& allocation,
                                   const SystemFiles& files,
                                   const std::vector<int>& mask) {
    const auto online = parse_cpu_list(files.read("/sys/devices/system/cpu/online").value_or(""));
    if (!allocation.cpus_on_node || online.empty() || mask.size() < online.size() ||
        static_cast<std::size_t>(*allocation.cpus_on_node) >= mask.size()) {
        return std::nullopt;
    }
    return Amount{*allocation.cpus_on_node};
}

} // namespace

ProcessLimits ProcessLimits::of_this_process() {
    ProcessLimits limits;
    limits.cpu_ids = affinity_mask();
    rlimit space{};
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
        limits.address_space = Bytes{space.rlim_cur};
    }
    return limits;
}

Result<LocalResources> detect_local(const slurm::Environment& environment,
                                    const SystemFiles& files,
                                    const ProcessLimits& limits) {
    auto overrides = read_overrides(environment);
    if (!overrides) {
        return overrides.error();
    }
    const CgroupLimits cgroup = read_cgroup_limits(files);
    LocalResources local;
    local.cpu_ids = ordered_by_topology(limits.cpu_ids);
    local.cpu_quota = cgroup.cpu_quota;
    const auto visible = environment.find("CUDA_VISIBLE_DEVICES");
    local.gpu_ids = visible ? parse_visible_devices(*visible) : device_files(files);
    local.gpus_private = has_gpus_of_its_own(environment);

    local.memory = node_memory(files);
    local.memory = std::min(local.memory, cgroup.memory.value_or(local.memory));
    if (const auto allocation = slurm::read_allocation(environment)) {
        local.memory = std::min(local.memory, allocation->memory_on_node.value_or(local.memory));
        if (const auto cpus = unbound_cpus(*allocation, files, limits.cpu_ids)) {
            local.cpu_quota = std::min(*cpus, local.cpu_quota.value_or(*cpus));
        }
    }
    local.process_memory_max = limits.address_space;

    local.cpus_wanted = overrides->cpus;
    local.gpus_wanted = overrides->gpus;
    local.memory_wanted = overrides->memory;
    local.custom = std::move(overrides->custom);
    return local;
}

Result<LocalResources> detect_local() {
    return detect_local(
        slurm::Environment::of_process(), RealFiles{}, ProcessLimits::of_this_process());
}

} // namespace muster::resources
