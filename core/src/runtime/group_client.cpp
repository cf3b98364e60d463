// The part of RankClient that knows of placement groups.

#include "runtime/rank_client.hpp"
#include "sched/policy.hpp"
#include "sched/scheduler.hpp"

#include <muster/core/detail/group_block.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::runtime {
namespace {

/// "more than any node has": why a group that fits nowhere does not, by its strategy.
std::string
why_not(Strategy strategy, std::size_t bundles, std::int32_t nodes, const Resources& all) {
    switch (strategy) {
    case Strategy::strict_pack:
        return fmt::format("all of them on one node ({} together), and no node has room for that",
                           to_string(all));
    case Strategy::strict_spread:
        return bundles > static_cast<std::size_t>(nodes)
                   ? fmt::format("each on a node of its own, and there {}",
                                 nodes == 1 ? std::string("is one node")
                                            : fmt::format("are {} nodes", nodes))
                   : std::string("each on a node of its own, and too few nodes have room for one");
    default:
        return fmt::format("{} together, and the ranks there are do not hold them all at once",
                           to_string(all));
    }
}

} // namespace

std::shared_ptr<detail::GroupBlock> RankClient::make_group(std::vector<Bundle> bundles,
                                                           const PlacementGroupOptions& options) {
    if (ended()) {
        throw_ended();
    }
    detail::GroupDescription description;
    description.name = options.name;
    const std::string what = description.title();
    if (bundles.empty()) {
        throw Error(what + " has no bundles: there is nothing to reserve", ErrorCode::usage);
    }
    for (std::size_t b = 0; b < bundles.size(); ++b) {
        const Bundle& bundle = bundles[b];
        const std::string which = fmt::format("bundle {} of {}", b, what);
        wire::TaskClass as_task;
        as_task.demand =
            demand_of(bundle.cpus, bundle.gpus, bundle.memory, bundle.resources, which);
        check_feasible(as_task, which);
        description.bundles.push_back(std::move(as_task.demand));
    }
    wire::GroupSpec spec;
    spec.name = what;
    spec.bundles = description.bundles;
    spec.strategy = options.strategy;
    spec.priority = options.priority;
    if (const auto* parent = detail::current_task()) {
        spec.depth = parent->depth + 1;
    }
    check_group_fits(spec, what);
    spec.id = next_id(1);
    description.id = spec.id;
    auto ready = std::make_shared<detail::FutureBlock>(shared_from_this(), spec.id, 1);
    know_group(description);
    if (!post_and_drive(rank::Event{rank::GroupMade{std::move(spec), ready}})) {
        throw_ended();
    }
    return std::make_shared<detail::GroupBlock>(
        shared_from_this(), std::move(description), std::move(ready));
}

// As the coordinator would place it if nothing else ran.
void RankClient::check_group_fits(const wire::GroupSpec& spec, const std::string& what) const {
    const auto cluster = announced();
    const auto ranks = static_cast<std::int32_t>(config_.node_of.size());
    sched::RankTable table(ranks);
    std::vector<sched::Room> room(config_.node_of.size());
    for (std::int32_t i = 0; i < ranks; ++i) {
        if (const auto* group = cluster->group(Rank{i})) {
            const auto r = static_cast<std::size_t>(i);
            table.insert(Rank{i}, config_.node_of[r], group->capacity);
            room[r] = sched::Room::all_of(group->capacity);
        }
    }
    const std::vector<bool> none(room.size());
    const std::vector<std::optional<Rank>> nowhere(spec.bundles.size());
    if (sched::pick_bundles({table, room, none, spec.bundles, spec.strategy, nowhere})) {
        return;
    }
    Resources all;
    for (const Resources& bundle : spec.bundles) {
        add(all, bundle);
    }
    throw Error(fmt::format("{} ({}, {} bundles) needs {}",
                            what,
                            to_string(spec.strategy),
                            spec.bundles.size(),
                            why_not(spec.strategy, spec.bundles.size(), cluster->nodes, all)),
                ErrorCode::infeasible);
}

void RankClient::know_group(const detail::GroupDescription& description) {
    const std::lock_guard lock(groups_mutex_);
    auto& known = groups_[description.id];
    ++known.blocks;
    known.description = description;
}

void RankClient::check_in_group(const wire::TaskClass& task_class, const std::string& what) const {
    const Placement& placement = task_class.placement;
    detail::GroupDescription group;
    {
        const std::lock_guard lock(groups_mutex_);
        const auto place = groups_.find(placement.group);
        if (place == groups_.end()) {
            throw Error(fmt::format("{} is placed in a group ({}) of which this rank has no handle "
                                    "any more: keep the PlacementGroup until what is to run in it "
                                    "has been submitted",
                                    what,
                                    to_string(placement.group).substr(5)),
                        ErrorCode::usage);
        }
        group = place->second.description;
    }
    if (placement.target >= static_cast<std::int32_t>(group.bundles.size()) ||
        placement.target < -1) {
        detail::throw_no_bundle(group, placement.target);
    }
    const auto cluster = announced();
    std::int64_t ranks = 0;
    for (const auto& one : cluster->capacities) {
        ranks += one.ranks;
    }
    const std::int64_t members = std::max(task_class.ranks, 1);
    const bool share = task_class.ranks > 0 && ranks == 1 && !task_class.raw_mpi;
    std::int64_t room = 0;
    for (std::size_t b = 0; b < group.bundles.size(); ++b) {
        if (placement.target < 0 || placement.target == static_cast<std::int32_t>(b)) {
            room += sched::Room::all_of(group.bundles[b])
                        .times_fitting(task_class.demand, share ? members : 1);
        }
    }
    if (room >= members) {
        return;
    }
    const std::string title = group.title();
    throw Error(
        members > 1
            ? fmt::format("{} needs {} members with {} each: {} has room for {}, in its bundles {}",
                          what,
                          members,
                          to_string(task_class.demand),
                          title,
                          room,
                          share ? "on the only rank" : "one each")
        : placement.target >= 0
            ? fmt::format("{} needs {}: bundle {} of {} has {}",
                          what,
                          to_string(task_class.demand),
                          placement.target,
                          title,
                          to_string(group.bundles[static_cast<std::size_t>(placement.target)]))
            : fmt::format("{} needs {}: no bundle of {} has that; the first has {}",
                          what,
                          to_string(task_class.demand),
                          title,
                          to_string(group.bundles.front())),
        ErrorCode::infeasible);
}

std::shared_ptr<detail::GroupBlock> RankClient::borrow_group(detail::GroupDescription description) {
    if (!post(rank::Event{rank::ActorBorrowed{description.id}})) {
        throw_ended();
    }
    know_group(description);
    return std::make_shared<detail::GroupBlock>(shared_from_this(), std::move(description));
}

void RankClient::remove_group(ObjectId group) {
    post(rank::Event{rank::GroupRemoved{group}});
}

void RankClient::release_group(ObjectId group) noexcept {
    try {
        {
            const std::lock_guard lock(groups_mutex_);
            if (const auto place = groups_.find(group);
                place != groups_.end() && --place->second.blocks == 0) {
                groups_.erase(place);
            }
        }
        post(rank::Event{rank::ActorReleased{group}});
    } catch (...) {
        // Out of memory: the group lives until the run ends.
    }
}

} // namespace muster::runtime
