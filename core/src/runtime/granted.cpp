#include "runtime/granted.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <sched.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <memory>

namespace muster::runtime {
namespace {

struct FreeCpuSet {
    void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

using CpuSet = std::unique_ptr<cpu_set_t, FreeCpuSet>;

std::vector<pid_t> threads_of_process() {
    std::vector<pid_t> threads;
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir("/proc/self/task"));
    while (const dirent* entry = directory != nullptr ? ::readdir(directory.get()) : nullptr) {
        if (const int thread = std::atoi(entry->d_name); thread > 0) {
            threads.push_back(thread);
        }
    }
    return threads;
}

} // namespace

std::string visible_devices(const Granted& granted) {
    std::string text;
    for (const std::string& gpu : granted.gpus) {
        text += (text.empty() ? "" : ",") + gpu;
    }
    return text;
}

bool bind_to(const std::vector<int>& cpus, bool process) {
    if (cpus.empty()) {
        return false;
    }
    const auto count = static_cast<std::size_t>(std::max(0, *std::ranges::max_element(cpus))) + 1;
    const std::size_t size = CPU_ALLOC_SIZE(count);
    const CpuSet set(CPU_ALLOC(count));
    if (set == nullptr) {
        return false;
    }
    CPU_ZERO_S(size, set.get());
    for (const int cpu : cpus) {
        CPU_SET_S(static_cast<std::size_t>(std::max(cpu, 0)), size, set.get());
    }
    if (process) {
        for (const pid_t thread : threads_of_process()) {
            (void)::sched_setaffinity(thread, size, set.get()); // it may have ended
        }
    }
    return ::sched_setaffinity(0, size, set.get()) == 0;
}

std::vector<int> bound_to() {
    constexpr std::size_t cpus_max = std::size_t{1} << 16;
    std::vector<int> found;
    for (std::size_t cpus = 1024; cpus <= cpus_max; cpus *= 2) { // as large as the kernel's
        const CpuSet set(CPU_ALLOC(cpus));
        const std::size_t size = CPU_ALLOC_SIZE(cpus);
        if (set == nullptr) {
            break;
        }
        CPU_ZERO_S(size, set.get());
        if (::sched_getaffinity(0, size, set.get()) == 0) {
            for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
                if (CPU_ISSET_S(cpu, size, set.get())) {
                    found.push_back(static_cast<int>(cpu));
                }
            }
            break;
        }
        if (errno != EINVAL) {
            break;
        }
    }
    return found;
}

void set_openmp_threads(std::int32_t threads) {
    using Set = void (*)(int);
    static const auto set = reinterpret_cast<Set>(::dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    if (set != nullptr) {
        set(threads);
    }
}

} // namespace muster::runtime
