#pragma once

#include <muster/base/amount.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::wire {

/// One of a rank's GPUs, by its place among them.
using DeviceIndex = std::uint16_t;

/// Of one rank. How much of each is had follows from what is demanded: device_share().
using DeviceList = std::vector<DeviceIndex>;

/// A demand below one GPU is a part of one; from one on it is whole GPUs.
constexpr bool is_of_devices(Amount gpus) {
    return gpus < Amount{1} || gpus.units() % Amount::units_per_one == 0;
}

/// How many GPUs a demand has a share of.
constexpr std::size_t device_count(Amount gpus) {
    return static_cast<std::size_t>((gpus.units() + Amount::units_per_one - 1) /
                                    Amount::units_per_one);
}

/// What it has of each.
constexpr Amount device_share(Amount gpus) {
    return std::min(gpus, Amount{1});
}

} // namespace muster::wire
