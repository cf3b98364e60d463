#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace muster::launcher::look {

/// Turns times of one rank's clock into times of the driver's rank's. [pure]
///
/// Between two comparisons of the clocks the difference is taken to change evenly; before the first
/// and after the last one it stays.
class ClockMap {
public:
    struct Comparison {
        std::int64_t at = 0;         ///< By the rank's clock. Nanoseconds, as all here.
        std::int64_t offset = 0;     ///< By which the driver's rank's clock was ahead,
        std::int64_t round_trip = 0; ///< within half of that.
    };

    ClockMap() = default;

    /// @param same_node  Both ranks have one clock, unless the comparisons say otherwise.
    ClockMap(std::vector<Comparison> comparisons, bool same_node)
        : comparisons_(std::move(comparisons)) {
        std::sort(comparisons_.begin(), comparisons_.end(), [](const auto& a, const auto& b) {
            return a.at < b.at;
        });
        const bool agree =
            std::all_of(comparisons_.begin(), comparisons_.end(), [](const Comparison& one) {
                return std::abs(one.offset) <= one.round_trip / 2 + 1;
            });
        if (same_node && agree) {
            comparisons_.clear();
        }
    }

    /// For a rank whose clock was never compared: by what both said of the time of day.
    static ClockMap shifted(std::int64_t offset) { return ClockMap({{0, offset, 0}}, false); }

    [[nodiscard]] std::int64_t offset_at(std::int64_t time) const {
        if (comparisons_.empty()) {
            return 0;
        }
        const auto after = std::upper_bound(
            comparisons_.begin(),
            comparisons_.end(),
            time,
            [](std::int64_t value, const Comparison& one) { return value < one.at; });
        if (after == comparisons_.begin()) {
            return after->offset;
        }
        const Comparison& before = *(after - 1);
        if (after == comparisons_.end() || after->at == before.at) {
            return before.offset;
        }
        const double part =
            static_cast<double>(time - before.at) / static_cast<double>(after->at - before.at);
        return before.offset +
               static_cast<std::int64_t>(part * static_cast<double>(after->offset - before.offset));
    }

    [[nodiscard]] std::int64_t map(std::int64_t time) const { return time + offset_at(time); }

private:
    std::vector<Comparison> comparisons_;
};

} // namespace muster::launcher::look
