#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/tune/asha_scheduler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace muster::tune {
namespace {

std::vector<std::int64_t> rung_resources(const AshaOptions& options) {
    std::vector<std::int64_t> resources;
    std::int64_t resource = options.min_resource;
    while (resource < options.max_resource) {
        resources.push_back(resource);
        if (resource > options.max_resource / options.reduction_factor) {
            break; // The next would be beyond the maximum, perhaps beyond 2^63.
        }
        resource *= options.reduction_factor;
    }
    resources.push_back(options.max_resource);
    return resources;
}

void check(const AshaOptions& options) {
    if (options.trials == 0) {
        throw UsageError("ASHA with 0 trials was asked for; set .trials to at least 1");
    }
    if (options.min_resource < 1) {
        throw UsageError(
            fmt::format("ASHA's min_resource is {}; it must be at least 1", options.min_resource));
    }
    if (options.max_resource < options.min_resource) {
        throw UsageError(fmt::format(
            "ASHA's max_resource is {}, below its min_resource {}; set it to what a trial that is "
            "never stopped should get",
            options.max_resource,
            options.min_resource));
    }
    if (options.reduction_factor < 2) {
        throw UsageError(
            fmt::format("ASHA's reduction factor is {}; with less than 2 nothing is ever stopped",
                        options.reduction_factor));
    }
}

} // namespace

std::string_view to_string(TrialStatus status) {
    switch (status) {
    case TrialStatus::waiting:
        return "waiting";
    case TrialStatus::running:
        return "running";
    case TrialStatus::paused:
        return "paused";
    case TrialStatus::stopped:
        return "stopped";
    case TrialStatus::completed:
        return "completed";
    case TrialStatus::failed:
        return "failed";
    }
    return "unknown";
}

AshaScheduler::AshaScheduler(AshaOptions options) : options_(options) {
    check(options_);
    rung_resources_ = rung_resources(options_);
    rungs_.resize(rung_resources_.size());
    trials_.resize(options_.trials);
    job_ends_.resize(options_.trials);
}

std::optional<Job> AshaScheduler::next_job() {
    Job job;
    if (const auto promotion = next_promotion()) {
        Entry& entry = rungs_[promotion->rung][promotion->position];
        entry.is_promoted = true;
        job = {entry.trial, rung_resources_[promotion->rung], rung_resources_[promotion->rung + 1]};
    } else if (started_ < trials_.size()) {
        job = {started_++, 0, rung_resources_.front()};
    } else {
        return std::nullopt;
    }
    trials_[job.trial].status = TrialStatus::running;
    job_ends_[job.trial] = job.to;
    ++running_;
    return job;
}

/// Steps 1 and 3 of the rule.
std::optional<AshaScheduler::Promotion> AshaScheduler::next_promotion() const {
    for (std::size_t rung = rungs_.size() - 1; rung-- > 0;) {
        const Rung& entries = rungs_[rung];
        const std::size_t quota =
            entries.size() / static_cast<std::size_t>(options_.reduction_factor);
        for (std::size_t i = 0; i < quota; ++i) {
            if (!entries[i].is_promoted && !std::isnan(entries[i].value)) {
                return Promotion{rung, i};
            }
        }
    }
    return last_promotion();
}

std::optional<AshaScheduler::Promotion> AshaScheduler::last_promotion() const {
    const bool is_end = started_ == trials_.size() && running_ == 0;
    const Rung& completed = rungs_.back();
    const bool has_result = !completed.empty() && !std::isnan(completed.front().value);
    if (!options_.finish_best || !is_end || has_result) {
        return std::nullopt;
    }
    for (std::size_t rung = rungs_.size() - 1; rung-- > 0;) {
        const Rung& entries = rungs_[rung];
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (!entries[i].is_promoted && !std::isnan(entries[i].value)) {
                return Promotion{rung, i};
            }
        }
    }
    return std::nullopt;
}

bool AshaScheduler::is_better(const Entry& a, const Entry& b) const {
    if (std::isnan(a.value) != std::isnan(b.value)) {
        return std::isnan(b.value);
    }
    if (a.value == b.value || std::isnan(a.value)) {
        return a.trial < b.trial;
    }
    return options_.mode == Mode::min ? a.value < b.value : a.value > b.value;
}

void AshaScheduler::on_result(std::size_t trial, std::int64_t resource, double value) {
    TrialState& state = running_trial(trial);
    if (resource != job_ends_[trial]) {
        throw UsageError(fmt::format(
            "trial {} reported a result at resource {}, but its job goes to {}; report when the "
            "job is done",
            trial,
            resource,
            job_ends_[trial]));
    }
    const auto rung = static_cast<std::size_t>(
        std::find(rung_resources_.begin(), rung_resources_.end(), resource) -
        rung_resources_.begin());
    const Entry entry{value, trial, false};
    Rung& entries = rungs_[rung];
    const auto place = std::upper_bound(
        entries.begin(), entries.end(), entry, [this](const Entry& a, const Entry& b) {
            return is_better(a, b);
        });
    entries.insert(place, entry);
    const bool is_last = rung + 1 == rungs_.size();
    state = {is_last ? TrialStatus::completed : TrialStatus::paused, resource, value};
    after_job();
}

void AshaScheduler::on_failure(std::size_t trial) {
    running_trial(trial).status = TrialStatus::failed;
    after_job();
}

TrialState& AshaScheduler::running_trial(std::size_t trial) {
    if (trial >= trials_.size() || trials_[trial].status != TrialStatus::running) {
        throw UsageError(fmt::format(
            "trial {} was reported on, but it is {}; each job is reported once, by on_result() or "
            "on_failure()",
            trial,
            trial < trials_.size() ? to_string(trials_[trial].status) : "none of the study's"));
    }
    return trials_[trial];
}

void AshaScheduler::after_job() {
    --running_;
    finished_ = running_ == 0 && started_ == trials_.size() && !next_promotion();
    if (!finished_) {
        return;
    }
    for (TrialState& state : trials_) {
        if (state.status == TrialStatus::paused) {
            state.status = TrialStatus::stopped;
        }
    }
}

const TrialState& AshaScheduler::state(std::size_t trial) const {
    MUSTER_ASSERT(trial < trials_.size());
    return trials_[trial];
}

std::optional<std::size_t> AshaScheduler::best() const {
    for (auto rung = rungs_.rbegin(); rung != rungs_.rend(); ++rung) {
        for (const Entry& entry : *rung) {
            const TrialState& state = trials_[entry.trial];
            // Its last value: one that was good here may have diverged since.
            if (!std::isnan(state.value) && state.status != TrialStatus::failed) {
                return entry.trial;
            }
        }
    }
    return std::nullopt;
}

} // namespace muster::tune
