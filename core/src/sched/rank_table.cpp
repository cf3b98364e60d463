#include "sched/rank_table.hpp"

#include <muster/base/assert.hpp>

namespace muster::sched {

void RankTable::insert(Rank rank, NodeId node, const Resources& capacity) {
    auto& entry = entries_.at(static_cast<std::size_t>(index(rank)));
    MUSTER_ASSERT(!entry.present);
    const Devices devices(capacity.gpus);
    entry = Entry{true, node, capacity, capacity, {}, devices, devices};
    by_free_.insert(capacity.cpus, rank);
    on_node_[node].push_back(rank);
}

Room RankTable::Entry::room_beside_bundles() const {
    Room room{capacity, beside_bundles};
    subtract(room.amounts, bundled);
    return room;
}

const std::vector<Rank>& RankTable::on_node(NodeId node) const {
    static const std::vector<Rank> none;
    const auto place = on_node_.find(node);
    return place == on_node_.end() ? none : place->second;
}

const RankTable::Entry& RankTable::at(Rank rank) const {
    return entries_.at(static_cast<std::size_t>(index(rank)));
}

void RankTable::charge(Rank rank, const Resources& demand, std::int64_t times) {
    auto& entry = entries_.at(static_cast<std::size_t>(index(rank)));
    MUSTER_ASSERT(entry.present);
    const Amount before = entry.free.cpus;
    subtract(entry.free, demand, times);
    by_free_.move(rank, before, entry.free.cpus);
}

Devices& RankTable::devices(Rank rank) {
    return entries_.at(static_cast<std::size_t>(index(rank))).devices;
}

void RankTable::charge_bundle(Rank rank, const Resources& bundle, const wire::DeviceList& devices) {
    charge(rank, bundle, 1);
    ++bundles_;
    ++bundle_changes_;
    auto& entry = entries_.at(static_cast<std::size_t>(index(rank)));
    add(entry.bundled, bundle);
    entry.devices.take(devices, bundle.gpus);
    entry.beside_bundles.take(devices, bundle.gpus);
}

void RankTable::free_bundle(Rank rank,
                            const Resources& bundle,
                            const wire::DeviceList& devices,
                            const Room& free) {
    charge(rank, free.amounts, -1);
    --bundles_;
    ++bundle_changes_;
    auto& entry = entries_.at(static_cast<std::size_t>(index(rank)));
    subtract(entry.bundled, bundle);
    entry.devices.add(free.devices);
    entry.beside_bundles.give_back(devices, bundle.gpus);
}

} // namespace muster::sched
