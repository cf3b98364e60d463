#pragma once

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace muster::rank {

/// Gangs with a raw MPI communicator that have lost a member with its rank. What is left of them
/// here may wait in MPI for the dead one, and no word of ours reaches it there.
class DoomedGangs {
public:
    struct Gang {
        LeaseId id{};
        Rank lost{};
        std::optional<TimePoint> deadline{};
    };

    /// They have three times as long as a rank may be silent, as the progress thread has in MPI.
    explicit DoomedGangs(Duration heartbeat_timeout) : patience_(3 * heartbeat_timeout) {}

    void add(LeaseId gang, Rank lost) { gangs_.push_back({gang, lost, std::nullopt}); }

    void remove(LeaseId gang) {
        std::erase_if(gangs_, [&](const Gang& one) { return one.id == gang; });
    }

    /// The one that has been here for too long, if there is one.
    [[nodiscard]] std::optional<Gang> on_time(TimePoint now) {
        for (Gang& gang : gangs_) {
            if (!gang.deadline) {
                gang.deadline = now + patience_;
            } else if (*gang.deadline <= now) {
                return gang;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<TimePoint> next_timer() const {
        std::optional<TimePoint> next;
        for (const Gang& gang : gangs_) {
            const TimePoint due = gang.deadline.value_or(TimePoint{});
            next = std::min(next.value_or(due), due);
        }
        return next;
    }

private:
    Duration patience_;
    std::vector<Gang> gangs_;
};

} // namespace muster::rank
