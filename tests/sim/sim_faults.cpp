// The part of Sim that makes ranks fail.

#include "sim.hpp"

#include <algorithm>

namespace muster::sim {
namespace {

/// How long a fault waits for one whom it suits.
constexpr std::uint64_t waits_events_max = 3000;

} // namespace

bool Sim::idle() const {
    if (world_.queue.empty()) {
        return true;
    }
    return world_.options.watches && world_.steps_pending == 0 && !world_.fate.any_frozen(now()) &&
           !world_.fate.any_undead() && now() - world_.last_stir > world_.patience();
}

void Sim::crash(Rank rank) {
    MUSTER_ASSERT(rank != world_.options.driver);
    if (at(rank).crashed() || at(rank).closed()) {
        return;
    }
    ++world_.statistics.crashes;
    at(rank).crash();
}

void Sim::freeze(Rank rank, Duration length) {
    ++world_.statistics.freezes;
    world_.statistics.took(Path::rank_froze);
    at(rank).freeze(now() + length, true);
}

void Sim::freeze_all(Duration length) {
    ++world_.statistics.freezes;
    world_.statistics.took(Path::machine_froze);
    for (auto& rank : ranks_) {
        rank->freeze(now() + length, false);
    }
}

std::optional<std::uint64_t> Sim::events_since(Fault::When when) const {
    const auto since = [&](const std::optional<std::uint64_t>& event) {
        return event ? std::optional{world_.queue.events_run() - *event} : std::nullopt;
    };
    switch (when) {
    case Fault::When::start:
        return since(std::uint64_t{0});
    case Fault::When::run:
        return world_.faults ? since(driver_began_) : std::nullopt;
    case Fault::When::recovery:
        return since(world_.loss_declared);
    case Fault::When::shutdown:
        return since(shutdown_began_);
    }
    return std::nullopt;
}

std::vector<Rank> Sim::candidates() const {
    std::vector<Rank> found;
    for (std::int32_t i = 0; i < ranks(); ++i) {
        const VirtualRank& candidate = at(Rank{i});
        if (Rank{i} != world_.options.driver && !candidate.crashed() && !candidate.closed()) {
            found.push_back(Rank{i});
        }
    }
    return found;
}

std::vector<Rank> Sim::candidates(Fault::Whom whom) const {
    std::vector<Rank> found = candidates();
    std::erase_if(found, [&](Rank rank) {
        const VirtualRank& candidate = at(rank);
        switch (whom) {
        case Fault::Whom::any:
            return false;
        case Fault::Whom::coordinator:
            return at(world_.options.driver).machine().coordinator() != rank;
        case Fault::Whom::worker:
            return candidate.executors().running_count() == 0;
        case Fault::Whom::owner:
            return candidate.machine().owner().unfinished() == 0;
        case Fault::Whom::gang_member:
            return !candidate.executors().runs_member();
        case Fault::Whom::actor_host:
            return !candidate.executors().hosts_actors();
        }
        return false;
    });
    return found;
}

void Sim::inject(const Fault& fault) {
    if (fault.what == Fault::What::freeze_all) {
        freeze_all(fault.length);
        return;
    }
    auto suitable = candidates(fault.whom);
    if (suitable.empty()) {
        suitable = candidates();
    }
    std::optional<Rank> rank;
    if (!suitable.empty()) {
        rank = suitable[world_.random.below(suitable.size())];
    }
    if (fault.what == Fault::What::freeze) {
        // The driver's rank, too, now and then.
        freeze(world_.random.chance(0.1) ? world_.options.driver
                                         : rank.value_or(world_.options.driver),
               fault.length);
    } else if (rank) {
        world_.statistics.took(Path::crashed_in_start, driver().cluster() ? 0 : 1);
        world_.statistics.took(Path::crashed_in_recovery,
                               fault.when == Fault::When::recovery ? 1 : 0);
        world_.statistics.took(Path::crashed_in_shutdown, shutdown_began_ ? 1 : 0);
        crash(*rank);
    }
}

void Sim::inject_faults() {
    for (std::size_t i = 0; i < faults_.size();) {
        const auto events = events_since(faults_[i].when);
        if (!events || *events < faults_[i].after_events ||
            (*events < faults_[i].after_events + waits_events_max &&
             candidates(faults_[i].whom).empty())) {
            ++i;
            continue;
        }
        const Fault fault = faults_[i];
        faults_.erase(faults_.begin() + static_cast<std::ptrdiff_t>(i));
        inject(fault);
    }
}

} // namespace muster::sim
