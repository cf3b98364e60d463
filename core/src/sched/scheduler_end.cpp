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
        const wire::ClassIndex index = std::get<wire::ClassIndex>(*waiting_.begin());
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
    status.classes = waiting_.size();
    status.draining = draining_;
    for (const Order& order : waiting_) {
        if (status.queued.size() == classes_named_max) {
            break;
        }
        status.queued.push_back(describe(classes_[std::get<wire::ClassIndex>(order)]));
    }
    return status;
}

wire::QueuedStatus Scheduler::describe(const ClassState& state) const {
    const auto& definition = state.definition;
    wire::QueuedStatus queued;
    queued.function = definition.function;
    queued.demand = definition.demand;
    queued.placement = definition.placement;
    queued.priority = definition.priority;
    queued.members = definition.ranks;
    queued.actor = definition.actor;
    queued.tasks = state.ready_count / definition.stride();
    queued.oldest = state.ready.front().range.first;
    for (const auto& [cpus, rank] : ranks_.by_free_cpus()) {
        if (!eligible(ranks_, definition.demand, definition.placement, rank)) {
            continue;
        }
        const auto& entry = ranks_.at(rank);
        if (queued.ranks_eligible++ == 0) {
            queued.most_free = rank;
            queued.free = entry.free;
        }
        queued.ranks_with_room += fits(definition.demand, entry.free) ? 1 : 0;
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
        const ClassState& other = classes_[std::get<wire::ClassIndex>(order)];
        before += other.ready_count / other.definition.stride();
    }
    status.before = before;
    status.queued = describe(*state);
}

} // namespace muster::sched
