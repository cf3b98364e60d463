#include "sched/scheduler.hpp"

#include <muster/base/assert.hpp>

namespace muster::sched {

bool Scheduler::idle() const {
    if (!waiting_.empty() || !leases_.empty() || !groups_.empty()) {
        return false;
    }
    for (std::int32_t i = 0; i < ranks_.size(); ++i) {
        const auto& entry = ranks_.at(Rank{i});
        if (entry.present && entry.free != entry.capacity) {
            return false;
        }
    }
    return true;
}

void Scheduler::check_invariants() const {
    std::vector<Resources> charged(static_cast<std::size_t>(ranks_.size()));
    std::vector<std::vector<std::int64_t>> leased(classes_.size());
    for (std::size_t c = 0; c < classes_.size(); ++c) {
        const ClassState& state = classes_[c];
        leased[c].resize(charged.size());
        std::uint64_t ready = 0;
        for (const auto& item : state.ready) {
            MUSTER_ASSERT(item.range.count > 0);
            ready += item.range.count;
        }
        MUSTER_ASSERT(ready == state.ready_count);
        MUSTER_ASSERT(state.order.has_value() == (ready > 0));
        MUSTER_ASSERT(!state.order || waiting_.contains(*state.order));
        for (std::size_t r = 0; r < charged.size(); ++r) {
            const Usage& usage = state.usage[r];
            MUSTER_ASSERT(usage.slots == usage.granted || may_wait_ahead(state.definition));
            MUSTER_ASSERT(state.surplus.contains(Rank{static_cast<std::int32_t>(r)}) ==
                          (usage.granted > usage.slots));
            MUSTER_ASSERT(0 <= usage.lent && usage.lent <= usage.slots &&
                          usage.slots <= usage.granted);
            MUSTER_ASSERT(0 <= usage.suspended && usage.suspended <= usage.lent);
            if (!state.definition.placement.is_in_group()) {
                add(charged[r], state.definition.demand, usage.slots);
            }
        }
    }
    std::map<wire::BundleId, Resources> in_bundles;
    std::map<wire::BundleId, std::int64_t> slots;
    for (const auto& [id, lease] : leases_) {
        const ClassState& state = classes_[lease.task_class];
        const auto r = static_cast<std::size_t>(index(lease.worker));
        const auto count = static_cast<std::int64_t>(lease.remaining);
        leased[lease.task_class][r] += count;
        const bool in_bundle = find_bundle(state, lease.worker, lease.bundle) != nullptr;
        const wire::BundleId bundle{state.definition.placement.group, lease.bundle};
        Resources& use = in_bundle ? in_bundles[bundle] : charged[r];
        if (state.definition.placement.is_in_group()) { // of these none waits ahead
            add(use, state.definition.demand, count);
            slots[bundle] += in_bundle ? count : 0;
        }
        subtract(use, wire::lendable(state.definition.demand), lease.lent);
    }
    check_groups(in_bundles, slots);
    check_devices();
    for (std::int32_t i = 0; i < ranks_.size(); ++i) {
        add(charged[static_cast<std::size_t>(i)], ranks_.at(Rank{i}).bundled);
    }
    for (std::size_t c = 0; c < classes_.size(); ++c) {
        for (std::size_t r = 0; r < charged.size(); ++r) {
            MUSTER_ASSERT(leased[c][r] == classes_[c].usage[r].granted);
        }
    }
    for (std::size_t r = 0; r < charged.size(); ++r) {
        const auto& entry = ranks_.at(Rank{static_cast<std::int32_t>(r)});
        if (entry.present) {
            Resources expected = entry.capacity;
            subtract(expected, charged[r]);
            MUSTER_ASSERT(fits(expected, entry.free) || expected.cpus < Amount{});
            MUSTER_ASSERT(expected.cpus == entry.free.cpus && expected.gpus == entry.free.gpus &&
                          expected.memory == entry.free.memory);
            MUSTER_ASSERT(fits(entry.free, entry.capacity));
        }
    }
}

} // namespace muster::sched
