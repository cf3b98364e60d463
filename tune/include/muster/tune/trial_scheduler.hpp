#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace muster::tune {

/// Which way a result is better.
enum class Mode : std::uint8_t { min, max };

enum class TrialStatus : std::uint8_t {
    waiting,   ///< Not started yet.
    running,   ///< Has a job under way.
    paused,    ///< At a rung: may still be promoted.
    stopped,   ///< Was paused when the study ended.
    completed, ///< Has had all its resource.
    failed,    ///< Its job failed.
};

[[nodiscard]] std::string_view to_string(TrialStatus status);

/// Work to be done: a trial is to go on from one amount of resource to another and then report.
/// Resource is what the caller counts: epochs, steps, samples, seconds. `from` is 0 for a new
/// trial; otherwise the trial left off there, and takes up the state it had.
struct Job {
    std::size_t trial = 0;
    std::int64_t from = 0;
    std::int64_t to = 0;

    bool operator==(const Job&) const = default;
};

/// What is known of a trial. Resource and value are those of its last result.
struct TrialState {
    TrialStatus status = TrialStatus::waiting;
    std::int64_t resource = 0;
    double value = 0;
};

/// Decides which trial runs next, and how far.
///
///     while (!scheduler.finished()) {
///         while (there_is_room()) {
///             const auto job = scheduler.next_job();
///             if (!job) {
///                 break;
///             }
///             start(*job);
///         }
///         const auto [trial, resource, value] = wait_for_any();
///         scheduler.on_result(trial, resource, value);
///     }
///
/// Pure: no threads, clock or randomness; the same calls give the same answers. What asynchronous
/// rules decide depends on the order in which results come; for a study that does not depend on
/// timing, keep a fixed number of jobs under way and hand in their results in the order in which
/// the jobs were given out.
///
/// Trials are numbered from 0 in the order in which they start. Not thread-safe.
class TrialScheduler {
public:
    virtual ~TrialScheduler() = default;

    /// The next job, as if there were room for one more. None if there is nothing to do until a
    /// result comes in, or ever: see finished().
    [[nodiscard]] virtual std::optional<Job> next_job() = 0;

    /// A job is done. NaN is a result as well: the worst there is.
    /// @throws UsageError if the trial is not running, or its job does not end at `resource`.
    virtual void on_result(std::size_t trial, std::int64_t resource, double value) = 0;

    /// A job failed; its trial is over.
    /// @throws UsageError if the trial is not running.
    virtual void on_failure(std::size_t trial) = 0;

    /// Nothing is running and there will be no more jobs. Every trial is stopped, completed or
    /// failed.
    [[nodiscard]] virtual bool finished() const = 0;

    /// How many trials there are, started or not.
    [[nodiscard]] virtual std::size_t trials() const = 0;

    /// @pre trial < trials()
    [[nodiscard]] virtual const TrialState& state(std::size_t trial) const = 0;

    /// The trial with the best result among those that got furthest, failed ones and NaN left out.
    [[nodiscard]] virtual std::optional<std::size_t> best() const = 0;
};

} // namespace muster::tune
