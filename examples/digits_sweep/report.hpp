#pragma once

#include "digits_sweep/config.hpp"
#include "digits_sweep/halving.hpp"
#include "digits_sweep/mlp.hpp"

#include <optional>
#include <string>
#include <vector>

/// What the sweep tells the user. Pure: state in, text out; progress.hpp does the printing.
namespace digits {

/// A trial and how far it got.
struct TrialOutcome {
    TrialConfig config;
    Report last;
    TrialStatus status = TrialStatus::training;
};

/// One line per trial under a heading, best first: those that got furthest, by `better`.
[[nodiscard]] std::string trial_table(std::vector<TrialOutcome> outcomes);

/// "learning rate 0.0407, batch size 64, 3 hidden layers of 256".
[[nodiscard]] std::string config_text(const TrialConfig& config);

/// Two lines: which trial won with what accuracy, and its configuration.
[[nodiscard]] std::string best_lines(const TrialOutcome& best);

/// "test accuracy 95.20 %"
[[nodiscard]] std::string test_line(const Evaluation& evaluation);

/// Where the sweep stands.
struct Progress {
    int epochs_done = 0;
    int epochs_planned = 0;
    int training = 0; ///< Trials, as the next three.
    int waiting = 0;
    int stopped = 0;
    int finished = 0;
    std::optional<TrialOutcome> best = {}; ///< None before the first report.
};

/// Counts the trials of `configs` by what `halving` says of them.
[[nodiscard]] Progress progress_of(const SuccessiveHalving& halving,
                                   const std::vector<TrialConfig>& configs);

/// Two lines of at most `width` characters: a bar with counts, and the best so far.
[[nodiscard]] std::vector<std::string> progress_lines(const Progress& progress, int width);

} // namespace digits
