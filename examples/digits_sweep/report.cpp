#include "digits_sweep/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <tuple>

namespace digits {

using muster::tune::TrialStatus;

namespace {

std::string percent(double share) {
    return fmt::format("{:.2f} %", 100 * share);
}

std::string loss_text(double loss) {
    return std::isfinite(loss) ? fmt::format("{:.4f}", loss) : "diverged";
}

std::string_view plural(std::int64_t count) {
    return count == 1 ? "" : "s";
}

bool ranks_before(const TrialOutcome& a, const TrialOutcome& b) {
    const bool a_failed = a.status == TrialStatus::failed;
    const bool b_failed = b.status == TrialStatus::failed;
    return std::tuple(a_failed, -a.epochs, -a.judged.accuracy, a.trial) <
           std::tuple(b_failed, -b.epochs, -b.judged.accuracy, b.trial);
}

} // namespace

std::string trial_table(std::vector<TrialOutcome> outcomes) {
    std::sort(outcomes.begin(), outcomes.end(), ranks_before);
    std::string text = fmt::format("{:>5}  {:>6}  {:>10}  {:>8}  {:>13}  {:>5}  {:>6}  {:>5}  {}\n",
                                   "trial",
                                   "epochs",
                                   "validation",
                                   "loss",
                                   "learning rate",
                                   "batch",
                                   "layers",
                                   "width",
                                   "status");
    for (const TrialOutcome& outcome : outcomes) {
        const bool has_result = outcome.epochs > 0;
        text += fmt::format("{:>5}  {:>6}  {:>10}  {:>8}  {:>13.6f}  {:>5}  {:>6}  {:>5}  {}\n",
                            outcome.trial,
                            outcome.epochs,
                            has_result ? percent(outcome.judged.accuracy) : "-",
                            has_result ? loss_text(outcome.judged.loss) : "-",
                            outcome.config.learning_rate,
                            outcome.config.batch_size,
                            outcome.config.layers,
                            outcome.config.width,
                            to_string(outcome.status));
    }
    return text;
}

std::string config_text(const TrialConfig& config) {
    return fmt::format("learning rate {:.6f}, batch size {}, {} hidden layer{} of {}",
                       config.learning_rate,
                       config.batch_size,
                       config.layers,
                       plural(config.layers),
                       config.width);
}

std::string best_lines(const TrialOutcome& best) {
    return fmt::format("best: trial {}, validation accuracy {} after {} epoch{}\n      {}\n",
                       best.trial,
                       percent(best.judged.accuracy),
                       best.epochs,
                       plural(best.epochs),
                       config_text(best.config));
}

std::string test_line(const Evaluation& evaluation) {
    return fmt::format("test accuracy {}", percent(evaluation.accuracy));
}

std::vector<std::string> progress_lines(const Progress& progress, int width) {
    std::vector<std::string> lines;
    std::string& counts = lines.emplace_back(
        fmt::format("{} epoch{} trained, trials: ", progress.epochs, plural(progress.epochs)));
    const auto count = [&](std::size_t trials, std::string_view status) {
        if (trials > 0) {
            counts += fmt::format("{}{} {}", counts.back() == ' ' ? "" : ", ", trials, status);
        }
    };
    count(progress.waiting, "waiting");
    count(progress.running, "running");
    count(progress.paused, "paused");
    count(progress.stopped, "stopped");
    count(progress.completed, "completed");
    count(progress.failed, "failed");
    if (progress.best) {
        const TrialOutcome& best = *progress.best;
        lines.push_back(fmt::format("best so far: trial {}, {} after {} epoch{} ({})",
                                    best.trial,
                                    percent(best.judged.accuracy),
                                    best.epochs,
                                    plural(best.epochs),
                                    config_text(best.config)));
    } else {
        lines.emplace_back("best so far: none yet");
    }
    for (std::string& line : lines) {
        line.resize(std::min(line.size(), static_cast<std::size_t>(std::max(width, 0))));
    }
    return lines;
}

} // namespace digits
