// The part of the scheduler that grants tasks, members of gangs and actors in bundles.

#include "sched/scheduler.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <tuple>

namespace muster::sched {

std::vector<std::int32_t> Scheduler::bundles_for(const ClassState& state) const {
    std::vector<std::int32_t> numbers;
    const Group* const group = find_group(state.definition);
    if (group == nullptr || !group->complete) {
        return numbers;
    }
    const std::int32_t target = state.definition.placement.target;
    for (std::size_t b = 0; b < group->bundles.size(); ++b) {
        const auto number = static_cast<std::int32_t>(b);
        if (group->bundles[b].taken && (target == number || target == no_bundle)) {
            numbers.push_back(number);
        }
    }
    return numbers;
}

void Scheduler::open_in_group(wire::ClassIndex index, wire::Actions& actions) {
    ClassState& state = classes_[index];
    const auto numbers = bundles_for(state);
    while (state.ready_count > 0) {
        std::int32_t best = no_bundle;
        Amount most;
        for (const std::int32_t number : numbers) {
            const Bundle& bundle =
                find_group(state.definition)->bundles[static_cast<std::size_t>(number)];
            const Usage& usage = state.usage[static_cast<std::size_t>(muster::index(*bundle.rank))];
            if (!bundle.reserved && bundle.has_room(state.definition.demand) &&
                usage.slots - usage.suspended < view(state).slots_per_rank_max &&
                (best == no_bundle || bundle.free.cpus > most)) {
                best = number;
                most = bundle.free.cpus;
            }
        }
        if (best == no_bundle) {
            return;
        }
        const Rank rank =
            *find_group(state.definition)->bundles[static_cast<std::size_t>(best)].rank;
        grant(index, rank, 1, actions, best);
        change_slots(index, rank, 1, best);
    }
}

std::vector<std::int32_t> Scheduler::seats(const ClassState& state, bool idle) const {
    const auto& definition = state.definition;
    const bool share = members_share_ranks(definition);
    const auto members = static_cast<std::size_t>(definition.ranks);
    std::vector<std::int32_t> seats;
    std::set<Rank> ranks;
    for (const std::int32_t number : bundles_for(state)) {
        const Bundle& bundle = find_group(definition)->bundles[static_cast<std::size_t>(number)];
        const Rank rank = *bundle.rank;
        const auto r = static_cast<std::size_t>(muster::index(rank));
        const bool closed = !idle && (bundle.reserved || (definition.raw_mpi && raw_busy_[r]));
        if (closed || (!share && ranks.contains(rank))) {
            continue;
        }
        const Room free =
            idle ? Room::all_of(bundle.capacity) : Room{bundle.free, bundle.free_devices};
        const std::int64_t room = free.times_fitting(
            definition.demand, share ? static_cast<std::int64_t>(members - seats.size()) : 1);
        seats.insert(seats.end(), static_cast<std::size_t>(room), number);
        if (room > 0) {
            ranks.insert(rank);
        }
        if (seats.size() == members) {
            break;
        }
    }
    if (seats.size() < members) {
        return {};
    }
    const auto& bundles = find_group(definition)->bundles;
    const auto place = [&](std::int32_t number) {
        const Rank rank = *bundles[static_cast<std::size_t>(number)].rank;
        return std::tuple{ranks_.at(rank).node, rank, number};
    };
    std::sort(seats.begin(), seats.end(), [&](std::int32_t a, std::int32_t b) {
        return place(a) < place(b);
    });
    return seats;
}

void Scheduler::open_gangs_in_group(wire::ClassIndex index, wire::Actions& actions) {
    ClassState& state = classes_[index];
    while (state.ready_count > 0) {
        const auto bundles = seats(state, false);
        if (bundles.empty()) {
            break;
        }
        std::vector<Rank> members;
        for (const std::int32_t number : bundles) {
            members.push_back(
                *find_group(state.definition)->bundles[static_cast<std::size_t>(number)].rank);
        }
        grant_gang(index, members, actions, bundles);
    }
    const Group* const group = find_group(state.definition);
    if (state.ready_count > 0 && group != nullptr && group->complete && group->all_taken() &&
        seats(state, true).empty()) {
        turn_away(index,
                  {{},
                   "each member of a gang has a rank of its own, and its placement group's bundles "
                   "lie on fewer ranks than the gang has members",
                   false},
                  actions);
    }
}

// Never a bundle where a task is blocked or an actor lives: as ranks are reserved.
void Scheduler::reserve_in_group(wire::ClassIndex index) {
    const ClassState& state = classes_[index];
    const auto& definition = state.definition;
    Group* const group = find_group(definition);
    std::vector<std::int32_t> suitable = bundles_for(state);
    std::erase_if(suitable, [&](std::int32_t number) {
        const Bundle& bundle = group->bundles[static_cast<std::size_t>(number)];
        return bundle.blocked > 0 || bundle.actors > 0 || bundle.reserved ||
               !fits(definition.demand, bundle.capacity);
    });
    std::stable_sort(suitable.begin(), suitable.end(), [&](std::int32_t a, std::int32_t b) {
        return group->bundles[static_cast<std::size_t>(a)].free.cpus >
               group->bundles[static_cast<std::size_t>(b)].free.cpus;
    });
    const bool share = definition.ranks > 0 && members_share_ranks(definition);
    const auto wanted = static_cast<std::size_t>(std::max(definition.ranks, 1));
    if (share) {
        // Which of them its members will share is not clear yet.
    } else if (suitable.size() >= wanted) {
        suitable.resize(wanted);
    } else {
        suitable.clear();
    }
    for (const std::int32_t number : suitable) {
        group->bundles[static_cast<std::size_t>(number)].reserved = true;
        bundles_reserved_ = true;
    }
}

wire::GroupStatus Scheduler::describe(const Group& group) const {
    wire::GroupStatus status;
    status.group = group.spec.id;
    status.name = group.spec.name;
    status.strategy = group.spec.strategy;
    for (const Bundle& bundle : group.bundles) {
        add(status.demand, bundle.capacity);
        ++status.bundles;
        status.missing += bundle.taken ? 0 : 1;
    }
    return status;
}

void Scheduler::describe_in_group(wire::QueuedStatus& queued, const ClassState& state) const {
    const auto numbers = bundles_for(state);
    queued.group_waits = numbers.empty();
    for (const std::int32_t number : numbers) {
        const Bundle& bundle =
            find_group(state.definition)->bundles[static_cast<std::size_t>(number)];
        if (!fits(queued.demand, bundle.capacity)) {
            continue;
        }
        if (queued.ranks_eligible++ == 0 || bundle.free.cpus > queued.free.cpus) {
            queued.most_free = *bundle.rank;
            queued.free = bundle.free;
        }
        queued.ranks_with_room += bundle.has_room(queued.demand) ? 1 : 0;
    }
}

void Scheduler::check_groups(const std::map<wire::BundleId, Resources>& charged,
                             const std::map<wire::BundleId, std::int64_t>& slots) const {
    std::vector<Resources> bundled(static_cast<std::size_t>(ranks_.size()));
    for (const auto& [id, group] : groups_) {
        MUSTER_ASSERT(group.order.has_value() ==
                      (group.known && !group.given_up && group.misses_any()));
        MUSTER_ASSERT(!group.order || waiting_.contains(*group.order));
        for (std::size_t b = 0; b < group.bundles.size(); ++b) {
            const Bundle& bundle = group.bundles[b];
            const wire::BundleId name{id, static_cast<std::int32_t>(b)};
            MUSTER_ASSERT(!bundle.reserved && (bundle.rank || !bundle.taken));
            if (!bundle.rank) {
                MUSTER_ASSERT(bundle.slots == 0 && bundle.blocked == 0 && bundle.actors == 0);
                continue;
            }
            add(bundled[static_cast<std::size_t>(muster::index(*bundle.rank))], bundle.capacity);
            Resources expected = bundle.capacity;
            if (const auto use = charged.find(name); use != charged.end()) {
                subtract(expected, use->second);
            }
            const auto count = slots.find(name);
            MUSTER_ASSERT(bundle.slots == (count == slots.end() ? 0 : count->second));
            MUSTER_ASSERT(expected.cpus == bundle.free.cpus && expected.gpus == bundle.free.gpus &&
                          expected.memory == bundle.free.memory);
            MUSTER_ASSERT(fits(bundle.free, bundle.capacity));
        }
        for (const auto& [rank, count] : group.strays) {
            MUSTER_ASSERT(count >= 0);
        }
    }
    for (std::int32_t i = 0; i < ranks_.size(); ++i) {
        const Resources& is = ranks_.at(Rank{i}).bundled;
        const Resources& expected = bundled[static_cast<std::size_t>(i)];
        MUSTER_ASSERT(is.cpus == expected.cpus && is.gpus == expected.gpus &&
                      is.memory == expected.memory);
    }
}

} // namespace muster::sched
