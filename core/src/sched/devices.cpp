#include "sched/devices.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <optional>

namespace muster::sched {
namespace {

constexpr Amount whole{1};

} // namespace

Devices::Devices(Amount gpus) : free_(wire::device_count(gpus), whole) {
    if (const auto rest = gpus.units() % Amount::units_per_one; rest > 0) {
        free_.back() = Amount::from_units(rest);
    }
}

bool Devices::has_room(Amount demand) const {
    const Amount share = wire::device_share(demand);
    const auto having =
        std::count_if(free_.begin(), free_.end(), [&](Amount free) { return free >= share; });
    return static_cast<std::size_t>(having) >= wire::device_count(demand);
}

std::int64_t Devices::times_fitting(Amount demand, std::int64_t limit) const {
    if (demand == Amount{}) {
        return limit;
    }
    const Amount share = wire::device_share(demand);
    std::int64_t shares = 0;
    for (const Amount free : free_) {
        shares += std::max<std::int64_t>(free.units(), 0) / share.units();
    }
    return std::min(limit, shares / static_cast<std::int64_t>(wire::device_count(demand)));
}

wire::DeviceList Devices::pick(Amount demand) const {
    wire::DeviceList picked;
    const Amount share = wire::device_share(demand);
    if (share < whole) {
        std::optional<std::size_t> best;
        for (std::size_t i = 0; i < free_.size(); ++i) {
            if (free_[i] >= share && (!best || free_[i] < free_[*best])) {
                best = i;
            }
        }
        if (best && demand > Amount{}) {
            picked.push_back(static_cast<wire::DeviceIndex>(*best));
        }
    } else {
        for (std::size_t i = 0; i < free_.size() && picked.size() < wire::device_count(demand);
             ++i) {
            if (free_[i] >= whole) {
                picked.push_back(static_cast<wire::DeviceIndex>(i));
            }
        }
    }
    MUSTER_ASSERT(picked.size() == wire::device_count(demand));
    return picked;
}

void Devices::take(const wire::DeviceList& devices, Amount demand) {
    for (const wire::DeviceIndex device : devices) {
        free_.at(device) -= wire::device_share(demand);
    }
}

void Devices::give_back(const wire::DeviceList& devices, Amount demand) {
    for (const wire::DeviceIndex device : devices) {
        free_.at(device) += wire::device_share(demand);
    }
}

void Devices::add(const Devices& other) {
    MUSTER_ASSERT(other.free_.size() == free_.size());
    for (std::size_t i = 0; i < free_.size(); ++i) {
        free_[i] += other.free_[i];
    }
}

Devices Devices::only(const wire::DeviceList& devices, Amount demand) const {
    Devices part;
    part.free_.resize(free_.size());
    part.give_back(devices, demand);
    return part;
}

} // namespace muster::sched
