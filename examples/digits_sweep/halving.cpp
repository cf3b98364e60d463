#include "digits_sweep/halving.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace digits {

bool better(const Report& a, const Report& b) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const auto accuracy = [](const Report& r) {
        return std::isnan(r.accuracy) ? -infinity : r.accuracy;
    };
    const auto loss = [](const Report& r) { return std::isnan(r.loss) ? infinity : r.loss; };
    if (accuracy(a) != accuracy(b)) {
        return accuracy(a) > accuracy(b);
    }
    if (loss(a) != loss(b)) {
        return loss(a) < loss(b);
    }
    return a.trial < b.trial;
}

SuccessiveHalving::SuccessiveHalving(const std::vector<int>& trials, int epochs) : epochs_(epochs) {
    MUSTER_ASSERT(!trials.empty() && epochs >= 1);
    for (const int id : trials) {
        const bool is_new = trials_.emplace(id, Trial{.last = {.trial = id}}).second;
        MUSTER_ASSERT(is_new);
    }
}

std::vector<int> SuccessiveHalving::on_report(const Report& report) {
    const auto found = trials_.find(report.trial);
    MUSTER_ASSERT(found != trials_.end());
    Trial& trial = found->second;
    MUSTER_ASSERT(trial.status == TrialStatus::training && report.epoch == trial.last.epoch + 1);
    trial.last = report;
    ++epochs_done_;
    if (report.epoch == epochs_) {
        trial.status = TrialStatus::finished;
        return {};
    }
    if (!is_rung(report.epoch)) {
        return {report.trial};
    }
    trial.status = TrialStatus::waiting;
    return close_rung(report.epoch);
}

bool SuccessiveHalving::is_rung(int epoch) const {
    return epoch < epochs_ && std::has_single_bit(static_cast<unsigned>(epoch));
}

/// Lets the better half of the rung go on, if nobody is still on the way to it.
/// Nobody is ahead of it either: the rung has to close first.
std::vector<int> SuccessiveHalving::close_rung(int epoch) {
    std::vector<Report> reports;
    for (const auto& [id, trial] : trials_) {
        if (trial.status == TrialStatus::training) {
            return {};
        }
        if (trial.status == TrialStatus::waiting) {
            MUSTER_ASSERT(trial.last.epoch == epoch);
            reports.push_back(trial.last);
        }
    }
    std::sort(reports.begin(), reports.end(), better);
    const std::size_t kept = (reports.size() + 1) / 2;
    std::vector<int> going_on;
    for (std::size_t i = 0; i < reports.size(); ++i) {
        Trial& trial = trials_.at(reports[i].trial);
        trial.status = i < kept ? TrialStatus::training : TrialStatus::stopped;
        if (i < kept) {
            going_on.push_back(reports[i].trial);
        }
    }
    std::sort(going_on.begin(), going_on.end());
    return going_on;
}

bool SuccessiveHalving::finished() const {
    return std::none_of(trials_.begin(), trials_.end(), [](const auto& entry) {
        return entry.second.status == TrialStatus::training ||
               entry.second.status == TrialStatus::waiting;
    });
}

std::optional<Report> SuccessiveHalving::best() const {
    std::optional<Report> best;
    for (const auto& [id, trial] : trials_) {
        if (trial.last.epoch == 0) {
            continue;
        }
        if (!best || trial.last.epoch > best->epoch ||
            (trial.last.epoch == best->epoch && better(trial.last, *best))) {
            best = trial.last;
        }
    }
    return best;
}

const Report& SuccessiveHalving::last_report(int trial) const {
    return trials_.at(trial).last;
}

TrialStatus SuccessiveHalving::status(int trial) const {
    return trials_.at(trial).status;
}

int SuccessiveHalving::epochs_planned() const {
    int planned = 0;
    auto racing = static_cast<int>(trials_.size());
    for (int epoch = 1; epoch <= epochs_; ++epoch) {
        planned += racing;
        racing = is_rung(epoch) ? (racing + 1) / 2 : racing;
    }
    return planned;
}

} // namespace digits
