#pragma once

#include "digits_sweep/config.hpp"
#include "digits_sweep/mlp.hpp"

#include <muster/tune/trial_scheduler.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What the sweep tells the user. Pure: state in, text out; progress.hpp does the printing.
namespace digits {

/// A trial, how far it got, and how well it does on the validation images.
struct TrialOutcome {
    std::size_t trial = 0;
    TrialConfig config = {};
    std::int64_t epochs = 0;
    Evaluation judged = {}; ///< After these epochs; nothing before the first.
    muster::tune::TrialStatus status = muster::tune::TrialStatus::waiting;
};

/// One line per trial under a heading, best first, as the study ranks them: those that got
/// furthest, then by accuracy, then by number; failed ones last.
[[nodiscard]] std::string trial_table(std::vector<TrialOutcome> outcomes);

/// "learning rate 0.0407, batch size 64, 3 hidden layers of 256".
[[nodiscard]] std::string config_text(const TrialConfig& config);

/// Two lines: which trial won with what accuracy, and its configuration.
[[nodiscard]] std::string best_lines(const TrialOutcome& best);

/// "test accuracy 95.20 %"
[[nodiscard]] std::string test_line(const Evaluation& evaluation);

/// Where the sweep stands. How much is still to come nobody knows: that depends on the results.
struct Progress {
    std::size_t trials = 0;
    std::size_t jobs_done = 0;
    std::int64_t epochs = 0; ///< Trained by all trials together.
    std::size_t waiting = 0; ///< Trials, as the next five.
    std::size_t running = 0;
    std::size_t paused = 0;
    std::size_t stopped = 0;
    std::size_t completed = 0;
    std::size_t failed = 0;
    std::optional<TrialOutcome> best = {}; ///< None before the first result.
};

/// Two lines of at most `width` characters: what has been done, and the best so far.
[[nodiscard]] std::vector<std::string> progress_lines(const Progress& progress, int width);

} // namespace digits
