#pragma once

#include "wire/devices.hpp"

#include <muster/core/resources.hpp>

#include <cstdint>
#include <vector>

namespace muster::sched {

/// What is free of each of a rank's GPUs.
///
/// Amounts alone would send a task of 0.6 GPU to a rank with 0.4 free on each of two. A part of a
/// GPU is taken where the least is left that it fits in, so that whole ones stay whole.
///
/// After a change of coordinator more may be held of a GPU than there is, until a bundle that was
/// given up is known to be: then what is free of it is below zero.
class Devices {
public:
    Devices() = default;

    /// So many, all free. Of a fraction the last has only that.
    explicit Devices(Amount gpus);

    /// True if the demand finds what it needs of as many GPUs as it needs.
    [[nodiscard]] bool fit(Amount demand) const { return demand == Amount{} || has_room(demand); }

    /// How many times one after the other, at most `limit`.
    [[nodiscard]] std::int64_t times_fitting(Amount demand, std::int64_t limit) const;

    /// The GPUs that a demand which fits would get.
    [[nodiscard]] wire::DeviceList pick(Amount demand) const;

    void take(const wire::DeviceList& devices, Amount demand);
    void give_back(const wire::DeviceList& devices, Amount demand);

    /// All that is free in `other`, of the same GPUs, is free here, too.
    void add(const Devices& other);

    /// Of so many GPUs, with nothing but the demand's shares of `devices` free.
    [[nodiscard]] Devices only(const wire::DeviceList& devices, Amount demand) const;

    [[nodiscard]] const std::vector<Amount>& free() const { return free_; }

    friend bool operator==(const Devices&, const Devices&) = default;

private:
    [[nodiscard]] bool has_room(Amount demand) const;

    std::vector<Amount> free_;
};

/// What may be taken of a rank: amounts, and which GPUs.
struct Room {
    Resources amounts;
    Devices devices;

    /// All of it.
    static Room all_of(const Resources& capacity) { return {capacity, Devices(capacity.gpus)}; }

    [[nodiscard]] bool fits(const Resources& demand) const {
        return muster::fits(demand, amounts) && devices.fit(demand.gpus);
    }

    [[nodiscard]] std::int64_t times_fitting(const Resources& demand, std::int64_t limit) const {
        return devices.times_fitting(demand.gpus, muster::times_fitting(demand, amounts, limit));
    }

    void take(const Resources& demand) {
        devices.take(devices.pick(demand.gpus), demand.gpus);
        subtract(amounts, demand);
    }
};

} // namespace muster::sched
