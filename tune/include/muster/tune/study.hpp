#pragma once

#include <muster/tune/random_sampler.hpp>
#include <muster/tune/trial_scheduler.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <vector>

namespace muster::tune {

/// A result of a trial.
struct Report {
    std::int64_t resource = 0;
    double value = 0;
};

/// What a study knows of one of its trials.
struct Trial {
    std::size_t number = 0;
    Configuration configuration;
    TrialStatus status = TrialStatus::waiting;
    std::vector<Report> reports; ///< In order of resource; one per job done.
    std::string failure;         ///< Why, once failed.
};

/// The books of a search: which configurations are tried, how far each got, and what comes next.
///
///     Study study({space, seed}, AshaScheduler({.trials = 24, .max_resource = 16, .mode =
///     Mode::max})); while (const auto job = study.next_job()) {
///         study.on_result(*job, train(study.trial(job->trial).configuration, job->from, job->to));
///     }
///     std::cout << study.best()->configuration << '\n';
///
/// To run several jobs at once, ask for more before the first is done, until there is no room or
/// no job; TrialScheduler shows the loop. Pure, and not thread-safe.
class Study {
public:
    template <std::derived_from<TrialScheduler> Scheduler>
    Study(const RandomSampler& sampler, Scheduler scheduler)
        : Study(sampler, std::make_unique<Scheduler>(std::move(scheduler))) {}

    /// @pre `scheduler` is new.
    Study(const RandomSampler& sampler, std::unique_ptr<TrialScheduler> scheduler);

    /// As TrialScheduler's.
    [[nodiscard]] std::optional<Job> next_job();

    /// The job is done; its trial is as good as `value`.
    void on_result(const Job& job, double value);

    /// The job failed, and its trial with it.
    void on_failure(const Job& job, std::string why);

    [[nodiscard]] bool finished() const { return scheduler_->finished(); }

    /// All trials by number, those not started yet included.
    [[nodiscard]] const std::vector<Trial>& trials() const { return trials_; }

    /// @pre number < trials().size()
    [[nodiscard]] const Trial& trial(std::size_t number) const { return trials_.at(number); }

    /// The best trial of those that got furthest; null before the first result.
    [[nodiscard]] const Trial* best() const;

    /// How many trials are in this state.
    [[nodiscard]] std::size_t count(TrialStatus status) const;

private:
    void refresh(std::size_t trial);

    std::unique_ptr<TrialScheduler> scheduler_;
    std::vector<Trial> trials_;
};

} // namespace muster::tune
