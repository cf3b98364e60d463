#include "runtime/seating.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace muster::runtime {
namespace {

/// The calling thread's; a thread is one pool's for as long as it lives.
struct Seat {
    Amount cpus; ///< That its task demands.
    wire::DeviceList devices;
    std::vector<int> own;   ///< Taken from the pool.
    std::vector<int> bound; ///< Of the thread; none: as the process.
    bool lasting = false;
    std::int32_t threads = 0; ///< Of OpenMP, as it was told; 0: it was not.
};

thread_local Seat seat;

/// CPUs that are a task's alone: all of a whole number.
std::size_t exclusive(Amount cpus) {
    return cpus.units() % Amount::units_per_one == 0
               ? static_cast<std::size_t>(cpus.units() / Amount::units_per_one)
               : 0;
}

std::int32_t threads_for(Amount cpus) {
    return static_cast<std::int32_t>(
        std::max<std::int64_t>(cpus.units() / Amount::units_per_one, 1));
}

} // namespace

Seating::Seating(Config config)
    : config_(std::move(config)), process_(bound_to()), pool_(config_.cpus) {
}

void Seating::begin_thread() const {
    if (config_.binds) {
        (void)bind_to(process_);
    }
}

void Seating::sit(Amount cpus, const wire::DeviceList& devices, bool lasting) {
    seat.cpus = cpus;
    seat.devices = devices;
    seat.lasting = lasting;
    if (config_.binds) {
        const std::size_t count = exclusive(cpus);
        if (seat.own.size() != count || !devices.empty()) {
            take(count, devices);
        }
        bind(seat.own);
    }
    set_threads(cpus);
}

void Seating::sit_at(Amount cpus, const std::vector<int>& own) {
    if (config_.binds) {
        bind(own);
    }
    set_threads(cpus);
}

void Seating::take(std::size_t count, const wire::DeviceList& devices) {
    static const std::vector<int> anywhere;
    const auto& near = devices.empty() || devices.front() >= config_.near.size()
                           ? anywhere
                           : config_.near[devices.front()];
    const std::array<int, 1> here{::sched_getcpu()};
    const std::span<const int> wanted =
        seat.bound.size() == count ? std::span<const int>(seat.bound) : std::span<const int>(here);
    const std::lock_guard lock(mutex_);
    pool_.give_back(seat.own);
    seat.own = count > 0 ? pool_.take(count, wanted, near) : std::vector<int>{};
}

void Seating::stand() {
    seat.devices.clear();
    if (!seat.own.empty()) {
        const std::lock_guard lock(mutex_);
        pool_.give_back(std::exchange(seat.own, {}));
    }
}

void Seating::leave() {
    if (!seat.lasting && !seat.own.empty()) {
        {
            const std::lock_guard lock(mutex_);
            pool_.give_back(std::exchange(seat.own, {}));
        }
        bind({});
    }
}

void Seating::come_back() {
    if (!seat.lasting) {
        sit(seat.cpus, wire::DeviceList(seat.devices));
    }
}

std::vector<int> Seating::keep() {
    return std::exchange(seat.own, {});
}

void Seating::give_back(const std::vector<int>& cpus) {
    const std::lock_guard lock(mutex_);
    pool_.give_back(cpus);
}

void Seating::bind(const std::vector<int>& cpus) const {
    if (cpus != seat.bound) {
        const bool bound = bind_to(cpus.empty() ? process_ : cpus);
        seat.bound = bound ? cpus : std::vector<int>{};
    }
}

void Seating::set_threads(Amount cpus) const {
    if (const std::int32_t threads = threads_for(cpus);
        config_.sets_threads && threads != seat.threads) {
        seat.threads = threads;
        set_openmp_threads(threads);
    }
}

Granted Seating::granted(const wire::DeviceList& devices) const {
    return {gpus(devices),
            !config_.gpus.empty(),
            cpus(),
            !seat.bound.empty(),
            config_.sets_threads ? std::max(seat.threads, 1) : 0};
}

std::vector<std::string> Seating::gpus(const wire::DeviceList& devices) const {
    std::vector<std::string> names;
    for (const wire::DeviceIndex device : devices) {
        if (device < config_.gpus.size()) {
            names.push_back(config_.gpus[device]);
        }
    }
    return names;
}

std::vector<int> Seating::cpus() const {
    std::vector<int> cpus = seat.bound.empty() ? config_.cpus : seat.bound;
    std::sort(cpus.begin(), cpus.end());
    return cpus;
}

} // namespace muster::runtime
