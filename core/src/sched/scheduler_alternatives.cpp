// The part of the scheduler that knows tasks with several demands, of which any will do.

#include "sched/scheduler.hpp"

#include <algorithm>

namespace muster::sched {

std::vector<wire::ClassIndex> Scheduler::decided(wire::ClassIndex index) {
    if (classes_[index].decided.empty()) {
        wire::TaskClass definition = classes_[index].definition;
        definition.undecided = false;
        std::vector<wire::ClassIndex> found;
        for (std::size_t a = 0; a < definition.alternatives.size(); ++a) {
            definition.demand = definition.alternatives[a];
            found.push_back(intern(definition)); // classes_ may move
        }
        classes_[index].decided = std::move(found);
    }
    return classes_[index].decided;
}

void Scheduler::open_alternatives(wire::ClassIndex index, wire::Actions& actions) {
    const auto classes = decided(index);
    for (std::size_t a = 0; a < classes.size(); ++a) {
        while (classes_[index].ready_count > 0) {
            const auto rank = pick_rank(view(classes_[classes[a]]));
            if (!rank) {
                break;
            }
            grant_from(
                index, classes[a], *rank, 1, actions, no_bundle, static_cast<std::uint32_t>(a));
            change_slots(classes[a], *rank, 1);
        }
    }
}

void Scheduler::reserve_alternative(wire::ClassIndex index) {
    const Resources demand = awaited(classes_[index]);
    for (const wire::ClassIndex one : decided(index)) {
        if (classes_[one].definition.demand == demand) {
            reserve(one);
            return;
        }
    }
}

// The first that some rank could ever have room for.
const Resources& Scheduler::awaited(const ClassState& state) const {
    const auto& definition = state.definition;
    if (!definition.undecided) {
        return definition.demand;
    }
    for (const Resources& demand : definition.alternatives) {
        for (std::int32_t i = 0; i < ranks_.size(); ++i) {
            if (eligible(ranks_, demand, definition.placement, Rank{i})) {
                return demand;
            }
        }
    }
    return definition.demand;
}

} // namespace muster::sched
