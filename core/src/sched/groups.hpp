#pragma once

#include "sched/devices.hpp"
#include "wire/actions.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace muster::sched {

/// Place of a waiting class, or of a waiting group, among all that wait: priority and depth, both
/// negated, age, and which it is.
using Order = std::tuple<std::int64_t, std::int64_t, std::uint64_t, wire::ClassIndex, ObjectId>;

/// A bundle of a placement group, and what of it is free.
struct Bundle {
    Resources capacity;
    std::optional<Rank> rank; ///< Whose resources it has; none: it waits for a place.
    bool taken = false;       ///< The rank keeps them: tasks may run.
    Resources free;
    wire::DeviceList devices; ///< The GPUs it has, in whole or in part.
    Devices free_devices;     ///< Of all its rank's, what is free in the bundle.
    std::int64_t slots = 0;   ///< Tasks and members that are granted in it.
    std::int64_t blocked = 0; ///< Of these: wait for a future.
    std::int64_t actors = 0;  ///< Live in it, or are made there.
    bool reserved = false;    ///< Within one dispatch(): a class that goes first waits for it.

    [[nodiscard]] bool has_room(const Resources& demand) const {
        return fits(demand, free) && free_devices.fit(demand.gpus);
    }
};

/// What the coordinator knows of a placement group.
///
/// Its bundles get ranks all at once or not at all, and each rank says when it has made room. Once
/// all have, tasks may run in them. After a loss the bundles that are left stay where they are, if
/// the others can then be placed at all. But of the groups that wait for room for lost bundles only
/// the first in order keeps the others: two that did could wait for one another.
///
/// A bundle that is given up while tasks run in it leaves them their resources, as if they had
/// been granted outside of any group: they are *strays*. No bundle of the group comes to a rank
/// with strays of it, so that it is always clear what a task's resources are part of.
struct Group {
    wire::GroupSpec spec;
    bool known = false;    ///< Its owner has spoken of it; else only tasks or bundles of it came.
    bool asked = false;    ///< The owner was asked whether there is such a group.
    bool complete = false; ///< All bundles had a place once, and were taken: tasks may run.
    bool given_up = false; ///< The run ends, and its owner was told so.
    std::vector<Bundle> bundles;
    std::map<Rank, std::int64_t> strays;
    std::set<wire::ClassIndex> classes; ///< Of tasks in it.
    std::optional<Order> order;         ///< While bundles have no place.
    std::vector<Rank> reserved;         ///< Ranks kept free for it while it waits.
    std::uint64_t reserved_at = 0;      ///< RankTable::bundle_changes() then.

    [[nodiscard]] bool has_strays(Rank rank) const {
        const auto place = strays.find(rank);
        return place != strays.end() && place->second > 0;
    }

    [[nodiscard]] bool has_any() const {
        for (const Bundle& bundle : bundles) {
            if (bundle.rank) {
                return true;
            }
        }
        return false;
    }

    [[nodiscard]] bool misses_any() const {
        for (const Bundle& bundle : bundles) {
            if (!bundle.rank) {
                return true;
            }
        }
        return false;
    }

    [[nodiscard]] bool all_taken() const {
        for (const Bundle& bundle : bundles) {
            if (!bundle.taken) {
                return false;
            }
        }
        return true;
    }
};

} // namespace muster::sched
