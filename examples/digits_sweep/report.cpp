#include "digits_sweep/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace digits {
namespace {

constexpr int bar_cells = 20;

std::string_view status_text(TrialStatus status) {
    switch (status) {
    case TrialStatus::training:
        return "training";
    case TrialStatus::waiting:
        return "waiting";
    case TrialStatus::stopped:
        return "stopped";
    case TrialStatus::finished:
        return "finished";
    }
    return "unknown";
}

std::string percent(double share) {
    return std::isnan(share) ? "failed" : fmt::format("{:.2f} %", 100 * share);
}

std::string loss_text(double loss) {
    return std::isfinite(loss) ? fmt::format("{:.4f}", loss) : "diverged";
}

std::string_view plural(int count) {
    return count == 1 ? "" : "s";
}

std::string bar(int done, int planned) {
    const int filled = planned > 0 ? std::clamp(bar_cells * done / planned, 0, bar_cells) : 0;
    return fmt::format("[{:#<{}}{:.<{}}]", "", filled, "", bar_cells - filled);
}

} // namespace

std::string trial_table(std::vector<TrialOutcome> outcomes) {
    std::sort(outcomes.begin(), outcomes.end(), [](const TrialOutcome& a, const TrialOutcome& b) {
        return a.last.epoch != b.last.epoch ? a.last.epoch > b.last.epoch : better(a.last, b.last);
    });
    std::string text = fmt::format("{:>5}  {:>13}  {:>5}  {:>6}  {:>5}  {:>6}  {:>10}  {:>8}  {}\n",
                                   "trial",
                                   "learning rate",
                                   "batch",
                                   "layers",
                                   "width",
                                   "epochs",
                                   "validation",
                                   "loss",
                                   "status");
    for (const TrialOutcome& outcome : outcomes) {
        const bool has_report = outcome.last.epoch > 0;
        text += fmt::format("{:>5}  {:>13.6f}  {:>5}  {:>6}  {:>5}  {:>6}  {:>10}  {:>8}  {}\n",
                            outcome.config.id,
                            outcome.config.learning_rate,
                            outcome.config.batch_size,
                            outcome.config.layers,
                            outcome.config.width,
                            outcome.last.epoch,
                            has_report ? percent(outcome.last.accuracy) : "-",
                            has_report ? loss_text(outcome.last.loss) : "-",
                            status_text(outcome.status));
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
                       best.config.id,
                       percent(best.last.accuracy),
                       best.last.epoch,
                       plural(best.last.epoch),
                       config_text(best.config));
}

std::string test_line(const Evaluation& evaluation) {
    return fmt::format("test accuracy {}", percent(evaluation.accuracy));
}

Progress progress_of(const SuccessiveHalving& halving, const std::vector<TrialConfig>& configs) {
    Progress progress;
    progress.epochs_done = halving.epochs_done();
    progress.epochs_planned = halving.epochs_planned();
    const std::optional<Report> best = halving.best();
    for (const TrialConfig& config : configs) {
        const TrialStatus status = halving.status(config.id);
        progress.training += status == TrialStatus::training ? 1 : 0;
        progress.waiting += status == TrialStatus::waiting ? 1 : 0;
        progress.stopped += status == TrialStatus::stopped ? 1 : 0;
        progress.finished += status == TrialStatus::finished ? 1 : 0;
        if (best && best->trial == config.id) {
            progress.best = {.config = config, .last = *best, .status = status};
        }
    }
    return progress;
}

std::vector<std::string> progress_lines(const Progress& progress, int width) {
    std::vector<std::string> lines;
    lines.push_back(
        fmt::format("{} {}/{} epochs, trials: {} training, {} waiting, {} stopped, {} finished",
                    bar(progress.epochs_done, progress.epochs_planned),
                    progress.epochs_done,
                    progress.epochs_planned,
                    progress.training,
                    progress.waiting,
                    progress.stopped,
                    progress.finished));
    if (progress.best) {
        lines.push_back(fmt::format("best so far: trial {}, {} after {} epoch{} ({})",
                                    progress.best->config.id,
                                    percent(progress.best->last.accuracy),
                                    progress.best->last.epoch,
                                    plural(progress.best->last.epoch),
                                    config_text(progress.best->config)));
    } else {
        lines.emplace_back("best so far: none yet");
    }
    for (std::string& line : lines) {
        line.resize(std::min(line.size(), static_cast<std::size_t>(std::max(width, 0))));
    }
    return lines;
}

} // namespace digits
