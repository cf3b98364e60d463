// The part of the scheduler that knows placement groups: from their owners' word to their end.

#include "sched/scheduler.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace muster::sched {

Group* Scheduler::find_group(const wire::TaskClass& definition) {
    if (!definition.placement.is_in_group()) {
        return nullptr;
    }
    const auto place = groups_.find(definition.placement.group);
    return place == groups_.end() ? nullptr : &place->second;
}

const Group* Scheduler::find_group(const wire::TaskClass& definition) const {
    return const_cast<Scheduler*>(this)->find_group(definition);
}

Bundle* Scheduler::find_bundle(const ClassState& state, Rank worker, std::int32_t bundle) {
    Group* const group = bundle == no_bundle ? nullptr : find_group(state.definition);
    if (group == nullptr || static_cast<std::size_t>(bundle) >= group->bundles.size()) {
        return nullptr;
    }
    Bundle& found = group->bundles[static_cast<std::size_t>(bundle)];
    return found.rank == worker ? &found : nullptr;
}

const Bundle*
Scheduler::find_bundle(const ClassState& state, Rank worker, std::int32_t bundle) const {
    return const_cast<Scheduler*>(this)->find_bundle(state, worker, bundle);
}

bool Scheduler::fits_beside_bundles(const Resources& demand, Rank rank, std::int64_t times) const {
    if (!ranks_.has_bundles()) {
        return true; // as far as it fits the rank at all
    }
    return ranks_.at(rank).room_beside_bundles().times_fitting(demand, times) == times;
}

void Scheduler::join_group(wire::ClassIndex index) {
    const Placement& placement = classes_[index].definition.placement;
    if (!placement.is_in_group()) {
        return;
    }
    Group& group = groups_[placement.group];
    group.spec.id = placement.group;
    group.classes.insert(index);
    if (!group.known) {
        groups_to_ask_.insert(placement.group);
    }
}

void Scheduler::know_group(wire::GroupSpec spec) {
    Group& group = groups_[spec.id];
    if (std::exchange(group.known, true)) {
        return;
    }
    group.complete = spec.placed;
    group.bundles.resize(spec.bundles.size());
    for (std::size_t b = 0; b < spec.bundles.size(); ++b) {
        MUSTER_ASSERT(!group.bundles[b].rank || group.bundles[b].capacity == spec.bundles[b]);
        group.bundles[b].capacity = spec.bundles[b];
    }
    group.spec = std::move(spec);
    update_order(group);
}

void Scheduler::update_order(Group& group) {
    const bool waits = group.known && !group.given_up && group.misses_any();
    if (waits == group.order.has_value()) {
        return;
    }
    if (waits) {
        group.order = Order{-std::int64_t{group.spec.priority},
                            -std::int64_t{group.spec.depth},
                            ++last_age_,
                            0,
                            group.spec.id};
        waiting_.insert(*group.order);
    } else {
        waiting_.erase(*group.order);
        group.order.reset();
        group.reserved.clear();
    }
}

void Scheduler::on_group_open(wire::GroupOpen message, wire::Actions& actions) {
    const ObjectId id = message.spec.id;
    know_group(std::move(message.spec));
    if (formed_) {
        settle_group(groups_.at(id), actions); // its owner may not have heard of a loss
    }
}

void Scheduler::on_group_closed(const wire::GroupClosed& message, wire::Actions& actions) {
    close_group(message.group, message.why, message.removed, actions);
}

void Scheduler::close_group(ObjectId id,
                            const std::string& why,
                            bool removed,
                            wire::Actions& actions) {
    const auto place = groups_.find(id);
    if (place == groups_.end()) {
        return;
    }
    Group& group = place->second;
    give_up_places(group, actions);
    const auto classes = std::move(group.classes);
    for (const wire::ClassIndex index : classes) {
        turn_away(index, {{}, why, removed}, actions);
    }
    if (group.order) {
        waiting_.erase(*group.order);
    }
    groups_to_ask_.erase(id);
    groups_.erase(place);
    for (const wire::ClassIndex index : classes) {
        forget_if_over(index);
    }
}

// What runs in it goes on with the rank's own resources, here and on the rank.
void Scheduler::give_up_bundle(Group& group, std::int32_t number, wire::Actions& actions) {
    Bundle& bundle = group.bundles[static_cast<std::size_t>(number)];
    if (!bundle.rank) {
        return;
    }
    const Rank rank = *bundle.rank;
    const auto r = static_cast<std::size_t>(index(rank));
    ranks_.free_bundle(rank, bundle.capacity, bundle.devices, {bundle.free, bundle.free_devices});
    blocked_[r] += bundle.blocked;
    actors_[r] += bundle.actors;
    group.strays[rank] += bundle.slots;
    actions.push_back(wire::SendMessage{rank, wire::BundleFree{{group.spec.id, number}}});
    Resources capacity = std::move(bundle.capacity);
    bundle = {};
    bundle.capacity = std::move(capacity);
}

void Scheduler::give_up_places(Group& group, wire::Actions& actions) {
    for (std::size_t b = 0; b < group.bundles.size(); ++b) {
        give_up_bundle(group, static_cast<std::int32_t>(b), actions);
    }
    group.complete = false;
}

void Scheduler::forget_if_over(wire::ClassIndex index) {
    ClassState& state = classes_[index];
    const Placement& placement = state.definition.placement;
    if (!placement.is_in_group() || groups_.contains(placement.group) || !state.ready.empty() ||
        state.granted_total > 0) {
        return;
    }
    class_index_.erase(state.definition);
    state = {};
    state.usage.resize(static_cast<std::size_t>(config_.world_size));
    class_free_.push_back(index);
}

// After a change of coordinator.

void Scheduler::take_over_bundle(Rank worker,
                                 const wire::HeldBundle& held,
                                 wire::Actions& actions) {
    Group& group = groups_[held.id.group];
    group.spec.id = held.id.group;
    const auto b = static_cast<std::size_t>(held.id.bundle);
    if (b >= group.bundles.size()) {
        group.bundles.resize(b + 1);
    }
    Bundle& bundle = group.bundles[b];
    if (bundle.rank) { // it was on its way from one to the other
        actions.push_back(wire::SendMessage{worker, wire::BundleFree{held.id}});
        return;
    }
    bundle.capacity = held.resources;
    bundle.taken = true;
    lay(bundle, worker, held.devices);
    update_order(group);
}

void Scheduler::settle_groups(wire::Actions& actions) {
    give_up_overlapping(actions);
    std::vector<ObjectId> ids;
    for (const auto& [id, group] : groups_) {
        ids.push_back(id);
    }
    for (const ObjectId id : ids) {
        Group& group = groups_.at(id);
        if (group.known) {
            settle_group(group, actions);
        } else if (group.has_any() && !config_.lost.contains(owner_of(id))) {
            close_group(id, "its placement group was removed", true, actions);
        } else {
            groups_to_ask_.insert(id);
        }
    }
}

// What is left of it stays where it is, if what is missing can then be placed at all, sometime.
void Scheduler::settle_group(Group& group, wire::Actions& actions) {
    if (group.misses_any()) {
        std::vector<Room> empty;
        for (std::int32_t i = 0; i < ranks_.size(); ++i) {
            empty.push_back(Room::all_of(ranks_.at(Rank{i}).capacity));
        }
        std::vector<Room> beside = empty;
        for (const Bundle& bundle : group.bundles) {
            if (bundle.rank) {
                Room& room = beside[static_cast<std::size_t>(index(*bundle.rank))];
                subtract(room.amounts, bundle.capacity);
                room.devices.take(bundle.devices, bundle.capacity.gpus);
            }
        }
        const std::vector<bool> none(empty.size());
        if (!pick(group, beside, none, false)) {
            if (!pick(group, empty, none, true)) {
                const std::string why =
                    fmt::format("its placement group ({}) does not fit the ranks that are left",
                                to_string(group.spec.strategy));
                actions.push_back(wire::SendMessage{owner_of(group.spec.id),
                                                    wire::GroupFailed{group.spec.id, why}});
                close_group(group.spec.id, why, false, actions);
                return;
            }
            give_up_places(group, actions);
        }
        update_order(group);
    }
    announce_if_complete(group, actions);
}

void Scheduler::ask_for_groups(wire::Actions& actions) {
    for (const ObjectId id : std::exchange(groups_to_ask_, {})) {
        const auto place = groups_.find(id);
        if (place == groups_.end() || place->second.known) {
            continue;
        }
        if (const Rank owner = owner_of(id); config_.lost.contains(owner)) {
            close_group(
                id,
                fmt::format("{}, which made its placement group, was lost", to_string(owner)),
                false,
                actions);
        } else if (!std::exchange(place->second.asked, true)) {
            actions.push_back(wire::SendMessage{owner, wire::GroupAsked{id}});
        }
    }
}

// Places for bundles.

std::optional<std::vector<Rank>> Scheduler::pick(const Group& group,
                                                 const std::vector<Room>& room,
                                                 const std::vector<bool>& excluded,
                                                 bool anew) const {
    std::vector<std::optional<Rank>> placed;
    for (const Bundle& bundle : group.bundles) {
        placed.push_back(anew ? std::nullopt : bundle.rank);
    }
    return pick_bundles({ranks_, room, excluded, group.spec.bundles, group.spec.strategy, placed});
}

void Scheduler::open_group(Group& group, wire::Actions& actions) {
    // While a large batch runs, no rank has a CPU free most of the time.
    const Amount most = ranks_.by_free_cpus().most();
    for (const Bundle& bundle : group.bundles) {
        if (!bundle.rank && bundle.capacity.cpus > std::max(most, Amount{})) {
            return;
        }
    }
    std::vector<Room> room;
    std::vector<bool> excluded = reserved_;
    for (std::int32_t i = 0; i < ranks_.size(); ++i) {
        room.push_back(ranks_.at(Rank{i}).room());
        excluded[static_cast<std::size_t>(i)] =
            excluded[static_cast<std::size_t>(i)] || group.has_strays(Rank{i});
    }
    const auto ranks = pick(group, room, excluded, false);
    if (!ranks) {
        return;
    }
    std::vector<std::size_t> missing;
    for (std::size_t b = 0; b < group.bundles.size(); ++b) {
        if (!group.bundles[b].rank) {
            missing.push_back(b);
        }
    }
    // On each rank in the order in which they were picked, so that the GPUs suffice here, too.
    std::stable_sort(missing.begin(), missing.end(), [&](std::size_t a, std::size_t b) {
        return group.bundles[a].capacity.gpus > group.bundles[b].capacity.gpus;
    });
    for (const std::size_t b : missing) {
        Bundle& bundle = group.bundles[b];
        const Rank rank = (*ranks)[b];
        lay(bundle, rank, ranks_.at(rank).devices.pick(bundle.capacity.gpus));
        actions.push_back(wire::SendMessage{
            rank,
            wire::BundleTake{
                {{group.spec.id, static_cast<std::int32_t>(b)}, bundle.capacity, bundle.devices}}});
    }
    update_order(group);
}

// Ranks on which nothing waits for a future, and no actor lives, as for other classes.
void Scheduler::reserve_group(Group& group) {
    const auto unsuitable = [&](Rank rank) {
        const auto r = static_cast<std::size_t>(index(rank));
        return blocked_[r] > 0 || actors_[r] > 0 || reserved_[r] || group.has_strays(rank);
    };
    if (group.reserved_at != ranks_.bundle_changes() ||
        std::any_of(group.reserved.begin(), group.reserved.end(), unsuitable)) {
        group.reserved.clear();
    }
    if (group.reserved.empty()) {
        group.reserved_at = ranks_.bundle_changes();
        std::vector<Room> room;
        std::vector<bool> excluded;
        for (std::int32_t i = 0; i < ranks_.size(); ++i) {
            const auto& entry = ranks_.at(Rank{i});
            room.push_back(entry.room_beside_bundles());
            excluded.push_back(!entry.present || unsuitable(Rank{i}));
        }
        const auto ranks = pick(group, room, excluded, false);
        for (std::size_t b = 0; ranks && b < group.bundles.size(); ++b) {
            if (!group.bundles[b].rank) {
                group.reserved.push_back((*ranks)[b]);
            }
        }
    }
    for (const Rank rank : group.reserved) {
        reserved_[static_cast<std::size_t>(index(rank))] = true;
        contested_[static_cast<std::size_t>(index(rank))] = true;
    }
}

void Scheduler::on_bundle_taken(Rank from,
                                const wire::BundleTaken& message,
                                wire::Actions& actions) {
    const auto place = groups_.find(message.id.group);
    const auto b = static_cast<std::size_t>(message.id.bundle);
    if (place == groups_.end() || b >= place->second.bundles.size()) {
        return; // it is gone, and the rank hears so
    }
    Bundle& bundle = place->second.bundles[b];
    MUSTER_ASSERT(bundle.rank == from);
    bundle.taken = true;
    announce_if_complete(place->second, actions);
}

void Scheduler::announce_if_complete(Group& group, wire::Actions& actions) {
    if (group.all_taken()) {
        group.complete = true;
        actions.push_back(
            wire::SendMessage{owner_of(group.spec.id), wire::GroupPlaced{group.spec.id}});
    }
}

std::map<std::int32_t, Rank> Scheduler::places(ObjectId group) const {
    std::map<std::int32_t, Rank> places;
    if (const auto place = groups_.find(group); place != groups_.end()) {
        for (std::size_t b = 0; b < place->second.bundles.size(); ++b) {
            if (const auto& rank = place->second.bundles[b].rank) {
                places.emplace(static_cast<std::int32_t>(b), *rank);
            }
        }
    }
    return places;
}

} // namespace muster::sched
