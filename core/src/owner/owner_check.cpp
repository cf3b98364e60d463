// What must be true of an owner between events; simulations check it after each.

#include "owner/owner.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace muster::owner {

void Owner::check_invariants() const {
    // Simulations check after each event: sorted lists, because maps would take most of their time.
    std::vector<ObjectId> uses; ///< An object as often as there should be uses of it.
    std::vector<ObjectId> lineage;
    std::vector<ObjectId> named;
    std::vector<TaskId> missing;
    for (const auto& [object, tasks] : dependents_) {
        missing.insert(missing.end(), tasks.begin(), tasks.end());
    }
    std::sort(missing.begin(), missing.end());
    const auto count = [](const std::vector<ObjectId>& sorted, ObjectId object) {
        const auto [begin, end] = std::equal_range(sorted.begin(), sorted.end(), object);
        return static_cast<std::uint64_t>(end - begin);
    };
    std::uint64_t unfinished = 0;
    std::uint64_t kept = 0;
    std::array<std::uint64_t, 5> in{};
    for (const auto& [first, block] : blocks_) {
        std::uint64_t live = 0;
        for (std::uint64_t i = 0; i < block.items.size(); ++i) {
            const Item& item = block.items[i];
            live += item.dropped && item.lineage == 0 && !item.kept && !item.replaying ? 0 : 1;
            unfinished += item.known() ? 0U : 1U;
            in[static_cast<std::size_t>(item.state)] += block.totals == nullptr ? 0U : 1U;
            kept += item.kept ? 1U : 0U;
            MUSTER_ASSERT(!item.kept || kept_.at(block.call->actor).contains(first));
            MUSTER_ASSERT(!item.replaying || item.state != State::done);
            if (item.state == State::waiting) {
                MUSTER_ASSERT(item.missing > 0);
                MUSTER_ASSERT(count(missing, advance(first, i * block.task_class.stride())) >=
                              item.missing - (item.withheld ? 1U : 0U));
            } else {
                MUSTER_ASSERT(item.missing == 0 || item.state == State::done);
            }
            for (const ObjectId object : item.task.dependencies) {
                const bool ours = owner_of(object) == config_.self;
                named.push_back(object);
                if (item.state != State::done || item.kept || !ours) {
                    uses.push_back(object);
                }
                if (item.retained && ours) {
                    lineage.push_back(object);
                }
            }
            MUSTER_ASSERT(item.state != State::done || item.retained || item.kept ||
                          item.task.dependencies.empty());
            MUSTER_ASSERT((item.gang != nullptr) ==
                          (item.state == State::granted && block.task_class.ranks > 0));
        }
        MUSTER_ASSERT(live == block.live);
    }
    MUSTER_ASSERT(unfinished == unfinished_);
    for (const auto& [function, totals] : totals_) {
        for (const State state :
             {State::waiting, State::delayed, State::submitted, State::granted}) {
            in[static_cast<std::size_t>(state)] -= totals.in[static_cast<std::size_t>(state)];
        }
    }
    in[static_cast<std::size_t>(State::done)] = 0; // some of them are gone
    MUSTER_ASSERT(in == decltype(in){});
    for (const auto& [actor, calls] : kept_) {
        MUSTER_ASSERT(!calls.empty());
        kept -= calls.size();
    }
    MUSTER_ASSERT(kept == 0);
    std::sort(uses.begin(), uses.end());
    std::sort(lineage.begin(), lineage.end());
    std::sort(named.begin(), named.end());
    named.erase(std::unique(named.begin(), named.end()), named.end());
    for (const ObjectId object : named) {
        const std::uint64_t used = count(uses, object);
        if (owner_of(object) != config_.self) {
            MUSTER_ASSERT(borrowed_.at(object).uses == used);
            continue;
        }
        const Item* item = find_item(object);
        const std::uint64_t retained_by = count(lineage, object);
        MUSTER_ASSERT(item != nullptr && item->uses == used);
        MUSTER_ASSERT(retained_by == 0 || item->lineage == retained_by);
        MUSTER_ASSERT(!item->dropped || used == 0);
    }
}

} // namespace muster::owner
