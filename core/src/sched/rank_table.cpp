#include "sched/rank_table.hpp"

#include <muster/base/assert.hpp>

namespace muster::sched {

void RankTable::insert(Rank rank, NodeId node, const Resources& capacity) {
    auto& entry = entries_.at(static_cast<std::size_t>(index(rank)));
    MUSTER_ASSERT(!entry.present);
    entry = Entry{true, node, capacity, capacity, {}};
    by_free_.insert(capacity.cpus, rank);
    on_node_[node].push_back(rank);
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

void RankTable::charge_bundle(Rank rank, const Resources& bundle) {
    charge(rank, bundle, 1);
    ++bundles_;
    ++bundle_changes_;
    add(entries_.at(static_cast<std::size_t>(index(rank))).bundled, bundle);
}

void RankTable::free_bundle(Rank rank, const Resources& bundle, const Resources& free) {
    charge(rank, free, -1);
    --bundles_;
    ++bundle_changes_;
    subtract(entries_.at(static_cast<std::size_t>(index(rank))).bundled, bundle);
}

} // namespace muster::sched
