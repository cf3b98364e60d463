#pragma once

#include <algorithm>
#include <cstdint>

namespace muster::worker {

/// When the coordinator is to hear that tasks of a class have ended on a rank: when a slot came
/// free, or when half of what waited ahead for one has been taken since it heard last. Before, it
/// could do nothing about it. So it hears of n tasks ahead log2(n) times at most.
class ReportRule {
public:
    /// Asked when tasks have ended. @param ahead  Tasks that could run and have no slot.
    /// @return true if it is to hear of all that have ended.
    [[nodiscard]] bool due(std::uint32_t ahead) {
        most_ = std::max(most_, ahead);
        if (ahead > most_ / 2) {
            return false;
        }
        most_ = ahead;
        return true;
    }

private:
    std::uint32_t most_ = 0; ///< Tasks ahead since it heard last.
};

} // namespace muster::worker
