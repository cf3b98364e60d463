#pragma once

#include <muster/base/clock.hpp>

#include <cstdint>
#include <optional>

namespace muster::journal {

/// Whether another job still lives, as far as its files tell.
///
/// Its lock tells at once, but only among processes of one kernel: file systems differ in whether
/// locks cross nodes, and some only pretend. Of a job on another node it counts whether its segment
/// changes, which a living job sees to every few seconds. Only time in which this process was
/// looking counts: one that was frozen for an hour has not seen the others be silent for an hour.
///
/// A job that is taken for gone and is not costs work done twice, and nothing else.
///
/// Pure: no files, threads, clock or randomness.
class Liveness {
public:
    explicit Liveness(Duration silence_max = std::chrono::minutes{2}) : silence_max_(silence_max) {}

    /// @param lock_held  Nothing if the lock says nothing about this job.
    /// @param trace      Differs from the one before if its segment has changed.
    /// @return whether it lives.
    bool observe(TimePoint now, std::optional<bool> lock_held, std::uint64_t trace);

private:
    static constexpr Duration look_max = std::chrono::seconds{5}; ///< Longer gaps count as this.

    Duration silence_max_;
    std::optional<TimePoint> looked_;
    std::uint64_t trace_ = 0;
    Duration silent_{};
};

} // namespace muster::journal
