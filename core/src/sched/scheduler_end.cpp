// The part of the scheduler that ends a run, and says what waits for room.

#include "sched/scheduler.hpp"

#include <algorithm>

namespace muster::sched {
namespace {

constexpr std::size_t classes_named_max = 16;

} // namespace

void Scheduler::halt() {
    draining_ = true;
    halted_ = true;
}

void Scheduler::give_up_ready(wire::Actions& actions) {
    std::map<Rank, wire::NotStarted> messages;
    while (!waiting_.empty()) {
        const Order order = *waiting_.begin();
        if (const ObjectId group = std::get<ObjectId>(order); group != ObjectId{}) {
            messages[owner_of(group)].ranges.push_back({group, 1});
            groups_.at(group).order.reset();
            groups_.at(group).given_up = true;
            waiting_.erase(order);
            continue;
        }
        const wire::ClassIndex index = std::get<wire::ClassIndex>(order);
        ClassState& state = classes_[index];
        for (const auto& item : state.ready) {
            messages[owner_of(item.range.first)].ranges.push_back(item.range);
        }
        state.ready.clear();
        state.ready_count = 0;
        update_order(index);
    }
    for (auto& [owner, message] : messages) {
        actions.push_back(wire::SendMessage{owner, std::move(message)});
    }
}

wire::CoordinatorStatus Scheduler::describe() const {
    wire::CoordinatorStatus status;
    for (const Order& order : waiting_) {
        status.classes += std::get<ObjectId>(order) == ObjectId{} ? 1U : 0U;
    }
    status.draining = draining_;
    for (const Order& order : waiting_) {
        if (status.queued.size() == classes_named_max) {
            break;
        }
        if (std::get<ObjectId>(order) == ObjectId{}) {
            status.queued.push_back(describe(classes_[std::get<wire::ClassIndex>(order)]));
        }
    }
    for (const auto& [id, group] : groups_) {
        if (group.known && !group.all_taken() && status.groups.size() < classes_named_max) {
            status.groups.push_back(describe(group));
        }
    }
    return status;
}

wire::QueuedStatus Scheduler::describe(const ClassState& state) const {
    const auto& definition = state.definition;
    wire::QueuedStatus queued;
    queued.function = definition.function;
    queued.demand = awaited(state);
    queued.placement = definition.placement;
    queued.priority = definition.priority;
    queued.members = definition.ranks;
    queued.actor = definition.actor;
    queued.tasks = state.ready_count / definition.stride();
    queued.oldest = state.ready.front().range.first;
    if (definition.placement.is_in_group()) {
        describe_in_group(queued, state);
        return queued;
    }
    for (const auto& [cpus, rank] : ranks_.by_free_cpus()) {
        if (!eligible(ranks_, queued.demand, definition.placement, rank)) {
            continue;
        }
        const auto& entry = ranks_.at(rank);
        if (queued.ranks_eligible++ == 0) {
            queued.most_free = rank;
            queued.free = entry.free;
        }
        queued.ranks_with_room += entry.has_room(queued.demand) ? 1 : 0;
    }
    return queued;
}

void Scheduler::explain(wire::TaskStatus& status, const wire::TaskClass& definition) const {
    status.draining = draining_;
    const auto known = class_index_.find(definition);
    const ClassState* const state =
        known == class_index_.end() ? nullptr : &classes_[known->second];
    if (state == nullptr || !state->order) {
        status.stage = wire::TaskStatus::Stage::sent;
        return;
    }
    std::uint64_t before = 0;
    bool found = false;
    for (const auto& item : state->ready) {
        if (status.task >= item.range.first &&
            distance(item.range.first, status.task) < item.range.count) {
            before += distance(item.range.first, status.task) / definition.stride();
            found = true;
            break;
        }
        before += item.range.count / definition.stride();
    }
    if (!found) {
        status.stage = wire::TaskStatus::Stage::sent;
        return;
    }
    for (const Order& order : waiting_) {
        if (order == *state->order) {
            break;
        }
        if (std::get<ObjectId>(order) != ObjectId{}) {
            ++before;
            continue;
        }
        const ClassState& other = classes_[std::get<wire::ClassIndex>(order)];
        before += other.ready_count / other.definition.stride();
    }
    status.before = before;
    status.queued = describe(*state);
}

} // namespace muster::sched
