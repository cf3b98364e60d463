#pragma once

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace muster::sim {

/// Something that happens to ranks and is not their doing. The driver's rank may freeze, but never
/// crashes: its loss ends a run.
struct Fault {
    enum class What : std::uint8_t {
        crash,      ///< All its state is gone; what it has sent still arrives.
        freeze,     ///< Nothing of it runs for a while.
        freeze_all, ///< The whole machine stands still.
    };

    /// What `after_events` counts from.
    enum class When : std::uint8_t {
        start,    ///< The first event of the simulation.
        run,      ///< The first of the driver.
        recovery, ///< The last declaration of a loss; never, if there is none.
        shutdown, ///< The driver's end.
    };

    enum class Whom : std::uint8_t { any, coordinator, worker, owner, gang_member, actor_host };

    What what = What::crash;
    When when = When::run;
    Whom whom = Whom::any; ///< Waited for, but not for ever; then any.
    std::uint64_t after_events = 0;
    Duration length{}; ///< Of a freeze.
};

/// Which ranks are gone, as the world knows it, whatever the ranks know.
class Fate {
public:
    void crash(Rank rank) { crashed_.insert(rank); }

    void declare_lost(Rank rank) { declared_.insert(rank); }

    /// `alone`: while others go on, so that they may take it for lost.
    void freeze(Rank rank, TimePoint until, bool alone) {
        TimePoint& end = frozen_[rank];
        end = std::max(end, until);
        if (alone) {
            frozen_alone_.insert(rank);
        }
    }

    [[nodiscard]] bool crashed(Rank rank) const { return crashed_.contains(rank); }

    [[nodiscard]] bool declared_lost(Rank rank) const { return declared_.contains(rank); }

    /// What it does, or did, does not count any more.
    [[nodiscard]] bool gone(Rank rank) const { return crashed(rank) || declared_lost(rank); }

    [[nodiscard]] bool frozen_alone(Rank rank) const { return frozen_alone_.contains(rank); }

    [[nodiscard]] bool any_gone() const { return !crashed_.empty() || !declared_.empty(); }

    [[nodiscard]] std::size_t gone_count() const {
        std::set<Rank> all = crashed_;
        all.insert(declared_.begin(), declared_.end());
        return all.size();
    }

    /// A crash that the others have not heard of.
    [[nodiscard]] bool any_undeclared() const {
        for (const Rank rank : crashed_) {
            if (!declared_.contains(rank)) {
                return true;
            }
        }
        return false;
    }

    /// One that was taken for lost and has not ended yet.
    [[nodiscard]] bool any_undead() const {
        return std::any_of(
            declared_.begin(), declared_.end(), [&](Rank rank) { return !crashed(rank); });
    }

    [[nodiscard]] TimePoint frozen_until(Rank rank) const {
        const auto place = frozen_.find(rank);
        return place == frozen_.end() ? TimePoint{} : place->second;
    }

    [[nodiscard]] bool any_frozen(TimePoint now) const {
        for (const auto& [rank, until] : frozen_) {
            if (until > now && !crashed(rank)) {
                return true;
            }
        }
        return false;
    }

private:
    std::set<Rank> crashed_;
    std::set<Rank> declared_;
    std::set<Rank> frozen_alone_;
    std::map<Rank, TimePoint> frozen_;
};

} // namespace muster::sim
