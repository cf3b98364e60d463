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
        const ClassState& state = classes_[std::get<wire::ClassIndex>(order)];
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
        status.queued.push_back(std::move(queued));
    }
    return status;
}

} // namespace muster::sched
