#pragma once

#include "resources/system_files.hpp"

#include <muster/base/amount.hpp>

#include <optional>

namespace muster::resources {

/// What the cgroups of a process allow it; empty where they set no limit.
struct CgroupLimits {
    std::optional<Amount> cpu_quota; ///< CPU time per time, in CPUs: 1.5 is three halves of a CPU.
    std::optional<Bytes> memory;
};

/// Reads /proc/self/cgroup and /proc/self/mountinfo and follows them to the limits.
///
/// A limit of any ancestor counts, so the tightest on the way from the process's cgroup to the root
/// of its mount is the one. Both versions may be mounted side by side. Inside a container the
/// process's path may lie outside what is mounted; then what is mounted is its own cgroup.
/// Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max, memory.max) and
/// cgroup-v1/memory.rst; scheduler/sched-bwc.rst (cpu.cfs_quota_us).
CgroupLimits read_cgroup_limits(const SystemFiles& files);

} // namespace muster::resources
