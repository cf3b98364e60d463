// The part of the scheduler that starts gangs: all members together, or none.

#include "sched/scheduler.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>

namespace muster::sched {

bool Scheduler::members_share_ranks(const wire::TaskClass& definition) const {
    // With a single rank its threads are all there is; raw MPI tells processes apart only.
    return registered_ == 1 && !definition.raw_mpi;
}

void Scheduler::open_gangs(wire::ClassIndex index, wire::Actions& actions) {
    ClassState& state = classes_[index];
    const auto& definition = state.definition;
    while (state.ready_count > 0) {
        const auto members = pick_gang(view(state),
                                       definition.ranks,
                                       !members_share_ranks(definition),
                                       definition.raw_mpi ? raw_busy_ : none_busy_);
        if (members.empty()) {
            return;
        }
        grant_gang(index, members, actions);
    }
}

void Scheduler::grant_gang(wire::ClassIndex index,
                           const std::vector<Rank>& members,
                           wire::Actions& actions,
                           const std::vector<std::int32_t>& bundles) {
    ClassState& state = classes_[index];
    auto& oldest = state.ready.front().range;
    const wire::Range range{oldest.first, members.size()};
    MUSTER_ASSERT(oldest.count % members.size() == 0);
    oldest = {advance(oldest.first, range.count), oldest.count - range.count};
    if (oldest.count == 0) {
        state.ready.pop_front();
    }
    state.ready_count -= range.count;
    state.granted_total += static_cast<std::int64_t>(range.count);
    const LeaseId first = make_lease_id(config_.term, last_lease_ + 1);
    wire::Grant message{first, range, {}, members, bundles};
    for (std::size_t m = 0; m < members.size(); ++m) {
        const Rank rank = members[m];
        const std::int32_t bundle = bundles.empty() ? no_bundle : bundles[m];
        const auto r = static_cast<std::size_t>(muster::index(rank));
        auto devices = take_devices(state, rank, bundle);
        message.devices.insert(message.devices.end(), devices.begin(), devices.end());
        leases_.emplace(make_lease_id(config_.term, ++last_lease_),
                        Lease{index, rank, 1, 0, bundle, std::move(devices)});
        ++state.usage[r].granted;
        change_slots(index, rank, 1, bundle);
        raw_busy_[r] = raw_busy_[r] || state.definition.raw_mpi;
    }
    actions.push_back(wire::SendMessage{owner_of(range.first), std::move(message)});
}

// Ranks on which nothing waits for a future: what runs there ends, and makes room. All members' or
// none, since part of a gang is of no use while what it keeps out could be what the rest waits for.
void Scheduler::reserve_gang(wire::ClassIndex index) {
    ClassState& state = classes_[index];
    const auto& definition = state.definition;
    const std::int64_t on_each = members_share_ranks(definition) ? definition.ranks : 1;
    const auto unsuitable = [&](Rank rank) {
        const auto r = static_cast<std::size_t>(muster::index(rank));
        return blocked_[r] > 0 || reserved_[r] ||
               !fits_beside_bundles(definition.demand, rank, on_each);
    };
    if (std::any_of(state.reserved.begin(), state.reserved.end(), unsuitable)) {
        state.reserved.clear();
    }
    if (state.reserved.empty()) {
        const std::int32_t ranks_wanted = members_share_ranks(definition) ? 1 : definition.ranks;
        for (const auto& [free, rank] : ranks_.by_free_cpus()) {
            if (!unsuitable(rank) &&
                eligible(ranks_, definition.demand, definition.placement, rank)) {
                state.reserved.push_back(rank);
                if (static_cast<std::int32_t>(state.reserved.size()) == ranks_wanted) {
                    break;
                }
            }
        }
        if (static_cast<std::int32_t>(state.reserved.size()) < ranks_wanted) {
            state.reserved.clear();
        }
    }
    for (const Rank rank : state.reserved) {
        reserved_[static_cast<std::size_t>(muster::index(rank))] = true;
    }
    contest(state);
}

} // namespace muster::sched
