#pragma once

#include "wire/messages.hpp"

namespace muster::wire {

/// What a blocked task of this demand lends.
inline Resources lendable(const Resources& demand) {
    return Resources{.cpus = demand.cpus, .gpus = {}, .memory = {}, .custom = {}};
}

/// More than CPUs: what a blocked task keeps.
inline bool holds_more_than_cpus(const Resources& demand) {
    return demand.gpus > Amount{} || demand.memory > Amount{} || !demand.custom.empty();
}

/// Tasks of the class may be leased to a rank beyond what it has room for. Members of gangs have
/// room when they are granted; and of what is in a placement group, its removal stops all that has
/// not begun. Which of several demands a task gets is not clear until there is room.
inline bool may_wait_ahead(const TaskClass& definition) {
    return !definition.actor && definition.ranks == 0 && !definition.placement.is_in_group() &&
           definition.alternatives.empty() && !holds_more_than_cpus(definition.demand);
}

} // namespace muster::wire
