#pragma once

#include "actions.hpp"
#include "sched/scheduler.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <vector>

namespace muster::sched {

/// A scheduler with registered ranks, and what a test tells it; checks its invariants on the way.
class Cluster {
public:
    explicit Cluster(const std::vector<Resources>& capacities, std::int32_t ranks_per_node = 100)
        : scheduler_({.self = Rank{0},
                      .term = Term{1},
                      .world_size = static_cast<std::int32_t>(capacities.size())}) {
        for (std::int32_t i = 0; i < static_cast<std::int32_t>(capacities.size()); ++i) {
            scheduler_.on_register(Rank{i},
                                   {NodeId{i / ranks_per_node},
                                    "host" + std::to_string(i / ranks_per_node),
                                    capacities[static_cast<std::size_t>(i)]},
                                   formed);
        }
    }

    /// `count` new tasks of the class, owned by rank 0.
    wire::Range submit(const wire::TaskClass& task_class, std::uint64_t count) {
        const wire::Range range{make_object_id(Rank{0}, next_), count};
        next_ += count;
        scheduler_.on_submit({task_class, {range}});
        return range;
    }

    std::vector<wire::Grant> dispatch() {
        last_.clear();
        scheduler_.dispatch(last_);
        scheduler_.check_invariants();
        std::vector<wire::Grant> grants;
        for (const auto& [to, grant] : testing::sent<wire::Grant>(last_)) {
            EXPECT_EQ(to, owner_of(grant.range.first));
            grants.push_back(grant);
        }
        return grants;
    }

    /// The recalls of the last dispatch.
    [[nodiscard]] std::vector<std::pair<Rank, wire::Recall>> recalls() const {
        return testing::sent<wire::Recall>(last_);
    }

    void finish(const wire::Grant& grant, std::uint32_t count, Duration each) {
        scheduler_.on_progress({{{grant.lease, count, each * count}}});
        scheduler_.check_invariants();
    }

    void finish(const wire::Grant& grant) {
        finish(grant, static_cast<std::uint32_t>(grant.range.count), std::chrono::milliseconds{1});
    }

    void lend(const wire::Grant& grant, bool resumed = false, bool suspended = false) {
        scheduler_.on_lent({grant.lease, resumed, suspended});
        scheduler_.check_invariants();
    }

    Scheduler& operator*() { return scheduler_; }

    Scheduler* operator->() { return &scheduler_; }

    wire::Actions formed;

private:
    Scheduler scheduler_;
    wire::Actions last_;
    std::uint64_t next_ = 1;
};

inline Resources cpus(Amount amount) {
    return {amount, {}, {}, {}};
}

inline Resources gpus(Amount cpus, Amount gpus) {
    return {cpus, gpus, {}, {}};
}

/// How many tasks each rank was granted.
inline std::map<Rank, std::uint64_t> by_rank(const std::vector<wire::Grant>& grants) {
    std::map<Rank, std::uint64_t> counts;
    for (const auto& grant : grants) {
        counts[grant.worker] += grant.range.count;
    }
    return counts;
}

} // namespace muster::sched
