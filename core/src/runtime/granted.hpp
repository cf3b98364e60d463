#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muster::runtime {

/// What a task was given, as a process is told of it.
struct Granted {
    std::vector<std::string> gpus; ///< As CUDA_VISIBLE_DEVICES names them.
    bool hides_gpus = false;       ///< Its rank has GPUs: it is to see none but these.
    std::vector<int> cpus;         ///< That it may run on.
    bool bound = false;            ///< Only on these, which nobody else has.
    std::int32_t threads = 1;      ///< That it has CPUs for, for OpenMP; 0: the user has set it.
};

/// The value of CUDA_VISIBLE_DEVICES.
std::string visible_devices(const Granted& granted);

/// Binds the calling thread, or with `process` all threads of this process, to these CPUs.
/// @return false if the system refuses.
bool bind_to(const std::vector<int>& cpus, bool process = false);

/// Those that the calling thread may run on.
std::vector<int> bound_to();

/// What parallel regions of OpenMP that the calling thread begins have; if it is loaded.
void set_openmp_threads(std::int32_t threads);

} // namespace muster::runtime
