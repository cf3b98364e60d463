#pragma once

#include "wire/devices.hpp"

#include <muster/base/ids.hpp>
#include <muster/core/resources.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

/// What ranks say to one another about placement groups; see sched/groups.hpp.
///
///     owner       -> coordinator  GroupOpen    reserve these bundles; also in Register
///     coordinator -> worker       BundleTake   keep this much for a bundle
///     worker      -> coordinator  BundleTaken  it is kept
///     coordinator -> owner        GroupPlaced  all of them are; or GroupFailed: they never will be
///     any rank    -> owner        GroupRemove  it is not needed any more
///     owner       -> coordinator  GroupClosed  it is gone
///     coordinator -> worker       BundleFree   keep nothing for the bundle any more
///
/// Tasks in a group may come to the coordinator before the group does, or after it has gone. So it
/// asks the owner about one that it does not know (GroupAsked), who answers if there is none.
namespace muster::wire {

/// A placement group: resources on several ranks, reserved all or none. It is named by its owner,
/// the rank that made it, as objects are.
struct GroupSpec {
    ObjectId id{};
    std::string name; ///< "placement group trainers": as errors say it.
    std::vector<Resources> bundles;
    Strategy strategy{};
    std::int32_t priority = 0; ///< Of being placed, among tasks.
    std::uint32_t depth = 0;
    bool placed = false; ///< All its bundles had a place once.
};

/// One bundle of a group.
struct BundleId {
    ObjectId group{};
    std::int32_t bundle = 0;

    friend auto operator<=>(const BundleId&, const BundleId&) = default;
};

/// A bundle that a rank keeps resources for.
struct HeldBundle {
    BundleId id;
    Resources resources;
    DeviceList devices{}; ///< The GPUs that it has, in whole or in part.
};

struct GroupOpen {
    GroupSpec spec;
};

/// Again after a loss, once lost bundles have another place.
struct GroupPlaced {
    ObjectId group{};
};

/// After a loss: the ranks that are left cannot hold it.
struct GroupFailed {
    ObjectId group{};
    std::string why;
};

struct GroupAsked {
    ObjectId group{};
};

struct GroupClosed {
    ObjectId group{};
    std::string why;
    bool removed = true; ///< Else it has failed.
};

struct GroupRemove {
    ObjectId group{};
};

/// Answered by BundleTaken once there is room, and before any task may run in the bundle.
struct BundleTake {
    HeldBundle bundle;
};

struct BundleTaken {
    BundleId id;
};

/// What still runs in it goes on, with the rank's own resources.
struct BundleFree {
    BundleId id;
};

} // namespace muster::wire
