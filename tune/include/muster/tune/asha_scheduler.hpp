#pragma once

#include <muster/tune/trial_scheduler.hpp>

#include <vector>

namespace muster::tune {

struct AshaOptions {
    std::size_t trials = 0;            ///< How many to start; at least 1.
    std::int64_t max_resource = 0;     ///< What a trial that is never stopped gets: R in the paper.
    std::int64_t min_resource = 1;     ///< What every trial gets: r * eta^s in the paper.
    std::int64_t reduction_factor = 4; ///< eta: one trial in so many goes on. At least 2.
    Mode mode = Mode::min;
    /// Whether a study in which no trial completed goes on with its best one; see AshaScheduler.
    bool finish_best = true;
};

/// Asynchronous successive halving: many trials start, the better ones go on.
///
/// Rung k holds the trials that have reached resource min_resource * reduction_factor^k; the last
/// rung is max_resource. A trial runs to a rung, reports, and is paused there. next_job():
///
///   1. From the rung below the last down to rung 0: among its best floor(size / reduction_factor)
///      trials, if any is not promoted yet, the best of those goes on to the next rung.
///   2. Otherwise a new trial starts on its way to rung 0, while there are any left.
///   3. Otherwise, once nothing is running: if no trial has completed with a number, and
///   finish_best
///      is set, the best paused trial of the highest rung that has one goes on to the next.
///   4. Otherwise there is no job, and if nothing is running the study is finished.
///
/// Nobody waits for a rung to fill, so it may happen that more than one trial in reduction_factor
/// is promoted: one that was among the best when fewer had reported stays promoted.
///
/// Of equal values the lower trial is better. NaN counts in a rung, as its worst, and is never
/// promoted. A failed trial counts in the rungs that it reached, with its place among the promoted.
///
/// Steps 1 and 2 are Algorithm 2 (ASHA) of Li et al., "A System for Massively Parallel
/// Hyperparameter Tuning", MLSys 2020. Two things are not. The last rung holds max_resource also
/// where that is no power of the factor times min_resource, as in Syne Tune. Step 3: with few
/// trials the quotas round to nobody (of 15 results and factor 4, three go on, and none of three),
/// and the paper's study would end without a trained model. Optuna promotes the best of a rung
/// however small it is; but then the first trial of every study goes all the way. Here that happens
/// at the end, to the one that deserves it. The factor is 4 by default, as in the paper's
/// experiments, Ray Tune and Optuna.
///
/// Cost: next_job() looks at up to trials / reduction_factor results per rung.
class AshaScheduler final : public TrialScheduler {
public:
    /// @throws UsageError that says which option cannot be.
    explicit AshaScheduler(AshaOptions options);

    [[nodiscard]] std::optional<Job> next_job() override;
    void on_result(std::size_t trial, std::int64_t resource, double value) override;
    void on_failure(std::size_t trial) override;

    [[nodiscard]] bool finished() const override { return finished_; }

    [[nodiscard]] std::size_t trials() const override { return trials_.size(); }

    [[nodiscard]] const TrialState& state(std::size_t trial) const override;
    [[nodiscard]] std::optional<std::size_t> best() const override;

    /// The resource of each rung, ascending; the last is max_resource.
    [[nodiscard]] const std::vector<std::int64_t>& rungs() const { return rung_resources_; }

private:
    /// A trial that reached a rung, and its result there.
    struct Entry {
        double value;
        std::size_t trial;
        bool is_promoted;
    };

    using Rung = std::vector<Entry>; ///< Best first.

    /// Which entry of which rung goes on to the next.
    struct Promotion {
        std::size_t rung;
        std::size_t position;
    };

    [[nodiscard]] bool is_better(const Entry& a, const Entry& b) const;
    [[nodiscard]] std::optional<Promotion> next_promotion() const;
    [[nodiscard]] std::optional<Promotion> last_promotion() const;
    TrialState& running_trial(std::size_t trial);
    void after_job();

    AshaOptions options_;
    std::vector<std::int64_t> rung_resources_;
    std::vector<Rung> rungs_;
    std::vector<TrialState> trials_;
    std::vector<std::int64_t> job_ends_; ///< By trial: where its last job ends.
    std::size_t started_ = 0;
    std::size_t running_ = 0;
    bool finished_ = false;
};

} // namespace muster::tune
