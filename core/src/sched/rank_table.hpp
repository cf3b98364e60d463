#pragma once

#include "sched/devices.hpp"
#include "sched/free_index.hpp"

#include <muster/base/ids.hpp>
#include <muster/core/resources.hpp>

#include <cstdint>
#include <map>
#include <vector>

namespace muster::sched {

/// What every rank has and what of it is free, with an index by free CPUs.
///
/// `free` may fall below zero: a task that lent its CPUs while it waited takes them back even if
/// others have them by then.
class RankTable {
public:
    struct Entry {
        bool present = false;
        NodeId node{};
        Resources capacity;
        Resources free;
        Resources bundled;      ///< Taken by bundles of placement groups.
        Devices devices;        ///< What of its GPUs is free.
        Devices beside_bundles; ///< What of them no bundle has.

        [[nodiscard]] bool has_room(const Resources& demand) const {
            return fits(demand, free) && devices.fit(demand.gpus);
        }

        [[nodiscard]] std::int64_t times_fitting(const Resources& demand,
                                                 std::int64_t limit) const {
            return devices.times_fitting(demand.gpus, muster::times_fitting(demand, free, limit));
        }

        /// What is free, and what would be if there were nothing but bundles.
        [[nodiscard]] Room room() const { return {free, devices}; }

        [[nodiscard]] Room room_beside_bundles() const;
    };

    explicit RankTable(std::int32_t world_size) : entries_(static_cast<std::size_t>(world_size)) {}

    void insert(Rank rank, NodeId node, const Resources& capacity);

    [[nodiscard]] const Entry& at(Rank rank) const;

    /// The ranks of a node, in the order inserted.
    [[nodiscard]] const std::vector<Rank>& on_node(NodeId node) const;

    [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(entries_.size()); }

    [[nodiscard]] const FreeIndex& by_free_cpus() const { return by_free_; }

    /// Takes `times` demands off what is free on `rank`, or with a negative `times` gives them
    /// back.
    void charge(Rank rank, const Resources& demand, std::int64_t times);

    /// How often that has changed what ranks have beside bundles.
    [[nodiscard]] std::uint64_t bundle_changes() const { return bundle_changes_; }

    [[nodiscard]] bool has_bundles() const { return bundles_ > 0; }

    /// What of the rank's GPUs is free, to be taken from and given back to.
    [[nodiscard]] Devices& devices(Rank rank);

    /// A bundle takes its resources off what is free on `rank`.
    void charge_bundle(Rank rank, const Resources& bundle, const wire::DeviceList& devices);

    /// The bundle is gone; `free` of it is free on the rank now, the rest is what runs there.
    void free_bundle(Rank rank,
                     const Resources& bundle,
                     const wire::DeviceList& devices,
                     const Room& free);

private:
    std::vector<Entry> entries_;
    FreeIndex by_free_;
    std::map<NodeId, std::vector<Rank>> on_node_;
    std::uint64_t bundle_changes_ = 0;
    std::uint64_t bundles_ = 0;
};

} // namespace muster::sched
