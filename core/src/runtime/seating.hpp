#pragma once

#include "runtime/cpu_pool.hpp"
#include "runtime/granted.hpp"
#include "wire/devices.hpp"

#include <muster/base/amount.hpp>

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

namespace muster::runtime {

/// Which of the rank's CPUs its threads run on: what a task was granted is what it has.
///
/// A task that demands whole CPUs gets as many for itself, near its GPU if it has one, and its
/// thread is bound to them. The thread keeps them from one task of its slot to the next, and gives
/// them up with the slot, or while its task waits. So a slot costs a system call, and a task none.
/// What demands no whole number, or finds too few free (tasks that were resumed share CPUs), runs
/// where the process may.
///
/// Threads: any; sit() and the like are about the calling one, which must be an executor's.
class Seating {
public:
    struct Config {
        std::vector<int> cpus;         ///< The rank's.
        bool binds = false;            ///< As many as it has to give: tasks can have their own.
        std::vector<std::string> gpus; ///< The rank's, as CUDA_VISIBLE_DEVICES names them.
        std::vector<std::vector<int>> near{}; ///< By GPU: CPUs close to it; none if not known.
        bool sets_threads = true; ///< For OpenMP, whose threads the user has not limited.
    };

    explicit Seating(Config config);

    /// On a new thread, which may have been started by one that is bound.
    void begin_thread() const;

    /// It runs a task that was granted these. `lasting`: and does not give them up while it waits.
    void sit(Amount cpus, const wire::DeviceList& devices, bool lasting = false);

    /// It runs a call of an actor that keeps `own`.
    void sit_at(Amount cpus, const std::vector<int>& own);

    /// What it ran is over.
    void stand();

    /// Its task waits; and goes on.
    void leave();
    void come_back();

    /// The actor that it has made keeps its CPUs; until they are given back.
    [[nodiscard]] std::vector<int> keep();
    void give_back(const std::vector<int>& cpus);

    /// What it has, with these devices.
    [[nodiscard]] Granted granted(const wire::DeviceList& devices) const;

    [[nodiscard]] std::vector<std::string> gpus(const wire::DeviceList& devices) const;
    [[nodiscard]] std::vector<int> cpus() const;

private:
    void take(std::size_t count, const wire::DeviceList& devices);
    /// Bound to nothing of its own if there are none.
    void bind(const std::vector<int>& cpus) const;
    void set_threads(Amount cpus) const;

    const Config config_;
    const std::vector<int> process_; ///< Where the process may run.
    std::mutex mutex_;               ///< Guards pool_.
    CpuPool pool_;
};

} // namespace muster::runtime
