#include <muster/tune/study.hpp>

#include <algorithm>

namespace muster::tune {

Study::Study(const RandomSampler& sampler, std::unique_ptr<TrialScheduler> scheduler)
    : scheduler_(std::move(scheduler)) {
    trials_.resize(scheduler_->trials());
    for (std::size_t number = 0; number < trials_.size(); ++number) {
        trials_[number].number = number;
        trials_[number].configuration = sampler.sample(number);
    }
}

std::optional<Job> Study::next_job() {
    const auto job = scheduler_->next_job();
    if (job) {
        refresh(job->trial);
    }
    return job;
}

void Study::on_result(const Job& job, double value) {
    scheduler_->on_result(job.trial, job.to, value);
    trials_[job.trial].reports.push_back({job.to, value});
    refresh(job.trial);
}

void Study::on_failure(const Job& job, std::string why) {
    scheduler_->on_failure(job.trial);
    trials_[job.trial].failure = std::move(why);
    refresh(job.trial);
}

/// Takes over what the last call changed: one trial, or, at the end, those that were paused.
void Study::refresh(std::size_t trial) {
    trials_[trial].status = scheduler_->state(trial).status;
    if (scheduler_->finished()) {
        for (Trial& t : trials_) {
            t.status = scheduler_->state(t.number).status;
        }
    }
}

const Trial* Study::best() const {
    const auto best = scheduler_->best();
    return best ? &trials_[*best] : nullptr;
}

std::size_t Study::count(TrialStatus status) const {
    return static_cast<std::size_t>(
        std::count_if(trials_.begin(), trials_.end(), [&](const Trial& trial) {
            return trial.status == status;
        }));
}

} // namespace muster::tune
