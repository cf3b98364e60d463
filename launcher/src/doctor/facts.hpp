#pragma once

#include "launch/plan_launch.hpp"

#include <muster/slurm/environment.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muster::launcher::doctor {

struct FileSystem {
    std::string purpose; ///< "TMPDIR", "the working directory", …
    std::string path;
    bool exists = false;
    bool writable = false;
    std::int64_t type = 0; ///< f_type of statfs(2).
    std::uint64_t free_bytes = 0;
    bool locks = false; ///< A file in it could be locked.
};

/// A limit of this process; nothing: unlimited.
using Limit = std::optional<std::uint64_t>;

struct Limits {
    Limit open_files;
    Limit open_files_hard;
    Limit processes;
    Limit locked_bytes;
    Limit core_bytes;
};

struct Library {
    std::string name; ///< "libcuda.so.1"
    bool loadable = false;
    std::string why_not;
};

/// What there is, as it was found; what it means is judge()'s.
struct Facts {
    slurm::Environment environment;
    launch::Tools tools;
    std::string sbatch; ///< Paths of Slurm's clients; empty: not found.
    std::string scontrol;

    std::optional<std::uint64_t> shared_memory_bytes; ///< Size of /dev/shm; nothing: none.
    std::uint64_t shared_memory_free_bytes = 0;
    bool has_memory_files = true; ///< memfd_create(2) works.

    Limits limits;

    std::string clock_source;          ///< "tsc"; empty: not known.
    std::optional<bool> clock_in_sync; ///< The kernel's opinion, by whoever disciplines it.

    std::string nvidia_driver; ///< Its version; empty: none.
    int gpus = 0;              ///< Devices of it.
    std::vector<Library> gpu_libraries;
    bool has_infiniband = false;

    int cpus_of_machine = 1;
    int cpus_of_mask = 1;
    std::optional<double> cpu_quota;
    std::optional<std::uint64_t> memory_limit_bytes; ///< Of the cgroup.
    std::uint64_t memory_bytes = 0;                  ///< What this process may use.

    std::vector<FileSystem> file_systems;
};

/// Of this machine, as this process sees it.
[[nodiscard]] Facts gather_facts();

} // namespace muster::launcher::doctor
