// The part of the worker that keeps resources for bundles of placement groups.

#include "worker/worker.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <iterator>

namespace muster::worker {
namespace {

Resources cpus_of(const Resources& resources) {
    return Resources{.cpus = resources.cpus, .gpus = {}, .memory = {}, .custom = {}};
}

} // namespace

void Worker::move(wire::ClassIndex index, Pool& pool) {
    ClassState& state = classes_[index];
    if (state.pool != nullptr) {
        state.pool->order.erase(order_of(index));
        state.pool->gang_classes.erase(index);
    }
    state.pool = &pool;
    pool.order.insert(order_of(index));
    if (state.definition.ranks > 0) {
        pool.gang_classes.insert(index);
    }
}

void Worker::on_bundle_take(const wire::BundleTake& message) {
    MUSTER_ASSERT(!bundles_.contains(message.bundle.id));
    taking_.push_back(message.bundle);
}

bool Worker::has_strays(const wire::BundleId& bundle) const {
    return std::any_of(strays_.begin(), strays_.end(), [&](wire::ClassIndex index) {
        const ClassState& state = classes_[index];
        const Placement& placement = state.definition.placement;
        return placement.group == bundle.group && placement.target == bundle.bundle &&
               !state.over();
    });
}

bool Worker::take_bundles(wire::Actions& actions) {
    bool waits = false;
    for (auto place = taking_.begin(); place != taking_.end();) {
        if (has_strays(place->id)) {
            ++place; // their slots are on their way back
            continue;
        }
        if (!fits(place->resources, own_.free)) {
            waits = make_room(own_, place->resources, nullptr, actions) || waits;
            ++place;
            continue;
        }
        subtract(own_.free, place->resources);
        add(own_.actor_cpus, cpus_of(place->resources));
        Pool& pool = bundles_[place->id];
        pool.capacity = place->resources;
        pool.free = place->resources;
        pool.devices = place->devices;
        for (const wire::ClassIndex index : std::vector(strays_.begin(), strays_.end())) {
            const Placement& placement = classes_[index].definition.placement;
            if (placement.group == place->id.group && placement.target == place->id.bundle) {
                strays_.erase(index);
                move(index, pool);
            }
        }
        actions.push_back(wire::SendMessage{coordinator_, wire::BundleTaken{place->id}});
        place = taking_.erase(place);
    }
    return waits;
}

void Worker::on_bundle_free(const wire::BundleFree& message) {
    std::erase_if(taking_, [&](const wire::HeldBundle& bundle) { return bundle.id == message.id; });
    const auto place = bundles_.find(message.id);
    if (place == bundles_.end()) {
        return;
    }
    Pool& pool = place->second;
    add(own_.free, pool.free);
    subtract(own_.actor_cpus, cpus_of(pool.capacity));
    add(own_.actor_cpus, pool.actor_cpus);
    own_.resuming.insert(own_.resuming.end(), pool.resuming.begin(), pool.resuming.end());
    const auto order = pool.order;
    for (const Order& entry : order) {
        const auto index = std::get<wire::ClassIndex>(entry);
        strays_.insert(index);
        move(index, own_);
    }
    bundles_.erase(place);
}

void Worker::forget_strays() {
    for (auto place = strays_.begin(); place != strays_.end();) {
        ClassState& state = classes_[*place];
        if (!state.over()) {
            ++place;
            continue;
        }
        own_.order.erase(order_of(*place));
        own_.gang_classes.erase(*place);
        owing_.erase(*place);
        class_index_.erase(state.definition);
        state = {};
        class_free_.push_back(*place);
        place = strays_.erase(place);
    }
}

std::vector<wire::HeldBundle> Worker::held_bundles() const {
    std::vector<wire::HeldBundle> held;
    for (const auto& [id, bundle] : bundles_) {
        held.push_back({id, bundle.capacity, bundle.devices});
    }
    return held;
}

} // namespace muster::worker
