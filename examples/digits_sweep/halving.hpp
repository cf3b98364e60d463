#pragma once

#include <map>
#include <optional>
#include <vector>

namespace digits {

/// What a trial reached after an epoch, on the validation images.
struct Report {
    int trial = 0;
    int epoch = 0;       ///< Epochs trained so far; a trial reports after each, counting up from 1.
    double accuracy = 0; ///< NaN for a trial that failed: the worst there is.
    double loss = 0;
};

/// Whether `a` is the better result: higher accuracy, then lower loss, then lower trial.
/// NaN is worse than any number, so this orders all reports of different trials.
[[nodiscard]] bool better(const Report& a, const Report& b);

enum class TrialStatus {
    training, ///< Working on its next epoch.
    waiting,  ///< At a rung, until the rung's last trial has reported.
    stopped,  ///< Among the worse half of a rung.
    finished, ///< Trained all its epochs.
};

/// The stop rule of the sweep: successive halving.
///
/// After epochs 1, 2, 4, 8, … below the last, the trials still in the race meet at a rung; when
/// all have reported, the better half (rounded up) goes on and the rest is stopped. Between rungs
/// a trial goes on at once. Which trials survive depends on their results only, never on the
/// order in which reports arrive; so any number of ranks picks the same winner.
///
/// Pure: the caller feeds reports and carries on the trials it is given back.
/// Source: Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
/// Optimization", AISTATS 2016, figure 1.
class SuccessiveHalving {
public:
    /// @param trials  Distinct ids, at least one; all start at once.
    /// @param epochs  Epochs of a trial that is never stopped; at least 1.
    SuccessiveHalving(const std::vector<int>& trials, int epochs);

    /// Takes a trial's next report and returns the trials that now train another epoch, ascending:
    /// this one, or the better half of a rung that this report completed, or none.
    /// A report of an unknown trial, a trial that is not training, or a skipped epoch is a bug.
    std::vector<int> on_report(const Report& report);

    /// Whether no trial has anything left to do.
    [[nodiscard]] bool finished() const;

    /// The best last report among the trials that got furthest; none before the first report.
    [[nodiscard]] std::optional<Report> best() const;

    /// The last report of a trial; its epoch is 0 before the first.
    [[nodiscard]] const Report& last_report(int trial) const;
    [[nodiscard]] TrialStatus status(int trial) const;

    /// Epochs that all trials together train from start to end, known from the start.
    [[nodiscard]] int epochs_planned() const;

    [[nodiscard]] int epochs_done() const { return epochs_done_; }

private:
    struct Trial {
        TrialStatus status = TrialStatus::training;
        Report last;
    };

    [[nodiscard]] bool is_rung(int epoch) const;
    std::vector<int> close_rung(int epoch);

    int epochs_;
    int epochs_done_ = 0;
    std::map<int, Trial> trials_;
};

} // namespace digits
