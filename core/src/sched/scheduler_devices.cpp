// The part of the scheduler that knows which GPUs tasks and bundles have.

#include "sched/scheduler.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>

namespace muster::sched {

Devices& Scheduler::devices_for(const ClassState& state, Rank worker, std::int32_t bundle) {
    Bundle* const in = find_bundle(state, worker, bundle);
    return in != nullptr ? in->free_devices : ranks_.devices(worker);
}

wire::DeviceList
Scheduler::take_devices(const ClassState& state, Rank worker, std::int32_t bundle) {
    const Amount gpus = state.definition.demand.gpus;
    if (gpus == Amount{}) {
        return {};
    }
    Devices& free = devices_for(state, worker, bundle);
    auto devices = free.pick(gpus);
    free.take(devices, gpus);
    return devices;
}

void Scheduler::give_back_devices(const Lease& lease) {
    if (lease.devices.empty()) {
        return;
    }
    const ClassState& state = classes_[lease.task_class];
    devices_for(state, lease.worker, lease.bundle)
        .give_back(lease.devices, state.definition.demand.gpus);
}

void Scheduler::lay(Bundle& bundle, Rank rank, const wire::DeviceList& devices) {
    bundle.rank = rank;
    bundle.free = bundle.capacity;
    bundle.devices = devices;
    bundle.free_devices = ranks_.at(rank).devices.only(devices, bundle.capacity.gpus);
    ranks_.charge_bundle(rank, bundle.capacity, devices);
}

void Scheduler::give_up_overlapping(wire::Actions& actions) {
    for (auto& [id, group] : groups_) {
        for (std::size_t b = 0; b < group.bundles.size(); ++b) {
            const Bundle& bundle = group.bundles[b];
            if (!bundle.rank) {
                continue;
            }
            const auto& free = ranks_.at(*bundle.rank).devices.free();
            if (std::any_of(bundle.devices.begin(),
                            bundle.devices.end(),
                            [&](wire::DeviceIndex device) { return free[device] < Amount{}; })) {
                give_up_bundle(group, static_cast<std::int32_t>(b), actions);
                update_order(group);
            }
        }
    }
}

void Scheduler::check_devices() const {
    std::map<wire::BundleId, Devices> in_bundles;
    std::vector<Devices> free;
    std::vector<Devices> beside;
    for (std::int32_t i = 0; i < ranks_.size(); ++i) {
        free.emplace_back(ranks_.at(Rank{i}).capacity.gpus);
    }
    beside = free;
    for (const auto& [id, group] : groups_) {
        for (std::size_t b = 0; b < group.bundles.size(); ++b) {
            const Bundle& bundle = group.bundles[b];
            if (!bundle.rank) {
                MUSTER_ASSERT(bundle.devices.empty());
                continue;
            }
            const auto r = static_cast<std::size_t>(index(*bundle.rank));
            const Amount gpus = bundle.capacity.gpus;
            MUSTER_ASSERT(bundle.devices.size() == wire::device_count(gpus));
            in_bundles[{id, static_cast<std::int32_t>(b)}] = free[r].only(bundle.devices, gpus);
            free[r].take(bundle.devices, gpus);
            beside[r].take(bundle.devices, gpus);
        }
    }
    for (const auto& [id, lease] : leases_) {
        const ClassState& state = classes_[lease.task_class];
        const Amount gpus = state.definition.demand.gpus;
        MUSTER_ASSERT(lease.devices.size() == wire::device_count(gpus));
        MUSTER_ASSERT(lease.devices.empty() || lease.remaining == 1);
        const bool in_bundle = find_bundle(state, lease.worker, lease.bundle) != nullptr;
        Devices& taken_from = in_bundle
                                  ? in_bundles[{state.definition.placement.group, lease.bundle}]
                                  : free[static_cast<std::size_t>(index(lease.worker))];
        taken_from.take(lease.devices, gpus);
    }
    for (const auto& [id, group] : groups_) {
        for (std::size_t b = 0; b < group.bundles.size(); ++b) {
            const Bundle& bundle = group.bundles[b];
            const auto found = in_bundles.find({id, static_cast<std::int32_t>(b)});
            MUSTER_ASSERT(!bundle.rank || found->second == bundle.free_devices);
        }
    }
    for (std::int32_t i = 0; i < ranks_.size(); ++i) {
        const auto& entry = ranks_.at(Rank{i});
        const auto r = static_cast<std::size_t>(i);
        MUSTER_ASSERT(entry.devices == free[r] && entry.beside_bundles == beside[r]);
        Amount sum;
        for (const Amount amount : free[r].free()) {
            MUSTER_ASSERT(!formed_ || amount >= Amount{});
            sum += amount;
        }
        MUSTER_ASSERT(sum == entry.free.gpus);
    }
}

} // namespace muster::sched
