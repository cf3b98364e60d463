#include "digits_sweep/config.hpp"
#include "digits_sweep/digits_data.hpp"
#include "digits_sweep/options.hpp"
#include "digits_sweep/progress.hpp"
#include "digits_sweep/report.hpp"
#include "digits_sweep/search.hpp"
#include "digits_sweep/training.hpp"

#include <muster/core/muster.hpp>
#include <muster/tune/asha_scheduler.hpp>
#include <muster/tune/study.hpp>

#include <fmt/format.h>

#include <iostream>
#include <string>
#include <vector>

/// A hyperparameter search on handwritten digits: ASHA decides which networks are trained further,
/// and each is trained data-parallel by a gang of ranks.
namespace {

using namespace digits;
namespace tune = muster::tune;

/// What every rank needs to find the same images in the same parts.
struct Source {
    std::string file;
    std::uint64_t seed = 0;
    int epochs = 0; ///< Of a network that is trained to the end.
};

/// What a member of a gang returns.
struct Trained {
    ModelState state; ///< Of member 0 only: all have the same.
    Evaluation judged;
};

// The tasks. Each reads the data through its own rank's copy, opened once per process.

/// A job of a trial: trains on from where the job before left off.
Trained train(muster::Communicator& ranks,
              const TrialConfig& config,
              std::vector<Trained> before,
              const Source& source,
              tune::Job job) {
    const auto data = DigitsData::open(source.file, source.seed);
    Trainer trainer(ranks, config, *data, Part::training, source.epochs);
    ModelState state = before.empty() ? trainer.initial_state() : std::move(before.front().state);
    while (state.epoch < job.to) {
        trainer.train_epoch(state);
    }
    Trained after{{}, evaluate_part(ranks, config, state, *data, Part::validation)};
    if (ranks.rank() == 0) {
        after.state = std::move(state);
    }
    return after;
}

/// The few bytes of a job's result that the driver decides by.
Evaluation judged(const std::vector<Trained>& trained) {
    return trained.front().judged;
}

Evaluation
retrain_and_test(muster::Communicator& ranks, const TrialConfig& config, const Source& source) {
    const auto data = DigitsData::open(source.file, source.seed);
    Trainer trainer(ranks, config, *data, Part::training_and_validation, source.epochs);
    ModelState state = trainer.initial_state();
    while (state.epoch < source.epochs) {
        trainer.train_epoch(state);
    }
    return evaluate_part(ranks, config, state, *data, Part::test);
}

/// The study, and what the driver knows of its trials.
class Sweep {
public:
    explicit Sweep(const SweepOptions& options)
        : options_(options), source_{options.data, options.seed, options.epochs},
          study_({search_space(), options.seed},
                 tune::AshaScheduler({.trials = static_cast<std::size_t>(options.trials),
                                      .max_resource = options.epochs,
                                      .reduction_factor = 4,
                                      .mode = tune::Mode::max})),
          states_(study_.trials().size()), judged_(study_.trials().size()) {
        for (const tune::Trial& trial : study_.trials()) {
            outcomes_.push_back(
                {.trial = trial.number,
                 .config = trial_config(trial.configuration, options.seed, trial.number)});
        }
    }

    /// Runs the study and prints how it goes. @return the winner.
    const TrialOutcome& search() {
        display_.show(progress());
        run_study(
            study_,
            [this](const tune::Job& job) { start(job); },
            [this](const tune::Job& job) { return result(job); },
            [this](const tune::Job& job) { on_done(job); });
        for (TrialOutcome& outcome : outcomes_) {
            outcome.status = study_.trial(outcome.trial).status;
        }
        std::cout << '\n' << trial_table(outcomes_) << '\n';
        const TrialOutcome& winner = outcomes_[study_.best()->number];
        std::cout << best_lines(winner);
        return winner;
    }

    /// Judged once, by the winner only: what was chosen on validation images is trained again with
    /// them, and the test images have had no say in anything.
    [[nodiscard]] Evaluation test(const TrialOutcome& winner) const {
        return muster::task<&retrain_and_test>
            .with({.name = "retrain", .ranks = options_.ranks_per_trial})(winner.config, source_)
            .get()
            .front();
    }

private:
    void start(const tune::Job& job) {
        const auto gang =
            muster::task<&train>.with({.name = "train", .ranks = options_.ranks_per_trial});
        const TrialConfig& config = outcomes_[job.trial].config;
        auto& state = states_[job.trial];
        // The state goes from the rank that has it to those that need it, not through here.
        state = state.valid() ? gang(config, state, source_, job)
                              : gang(config, std::vector<Trained>{}, source_, job);
        // Needs no cpus, so that it does not queue behind networks in training.
        judged_[job.trial] = muster::task<&judged>.with({.cpus = 0})(state);
    }

    double result(const tune::Job& job) {
        TrialOutcome& outcome = outcomes_[job.trial];
        outcome.judged = judged_[job.trial].get();
        outcome.epochs = job.to;
        return outcome.judged.accuracy;
    }

    void on_done(const tune::Job& job) {
        ++jobs_done_;
        const tune::Trial& trial = study_.trial(job.trial);
        if (trial.status == tune::TrialStatus::failed) {
            display_.leave();
            std::cerr << "trial " << trial.number << " failed: " << trial.failure << '\n';
        }
        display_.show(progress());
    }

    [[nodiscard]] Progress progress() const {
        Progress progress{.trials = outcomes_.size(),
                          .jobs_done = jobs_done_,
                          .waiting = study_.count(tune::TrialStatus::waiting),
                          .running = study_.count(tune::TrialStatus::running),
                          .paused = study_.count(tune::TrialStatus::paused),
                          .stopped = study_.count(tune::TrialStatus::stopped),
                          .completed = study_.count(tune::TrialStatus::completed),
                          .failed = study_.count(tune::TrialStatus::failed)};
        for (const TrialOutcome& outcome : outcomes_) {
            progress.epochs += outcome.epochs;
        }
        if (const tune::Trial* best = study_.best()) {
            progress.best = outcomes_[best->number];
        }
        return progress;
    }

    SweepOptions options_;
    Source source_;
    tune::Study study_;
    ProgressDisplay display_ = standard_output_display();
    std::size_t jobs_done_ = 0;
    // By trial.
    std::vector<TrialOutcome> outcomes_;
    std::vector<muster::Future<std::vector<Trained>>> states_; ///< After its last job.
    std::vector<muster::Future<Evaluation>> judged_;
};

void sweep(int argc, char** argv) {
    const SweepOptions options = parse_options(argc, argv);
    if (options.wants_help) {
        std::cout << help_text();
        return;
    }
    // Opened here first, so that a bad file is one sentence and not one per trial.
    (void)DigitsData::open(options.data, options.seed);
    const auto cluster = muster::cluster();
    std::cout << fmt::format(
                     "{} trials of up to {} epochs, {} rank{} each, in a cluster of {} ({}); "
                     "coordinator: rank {}\n",
                     options.trials,
                     options.epochs,
                     options.ranks_per_trial,
                     options.ranks_per_trial == 1 ? "" : "s",
                     cluster.ranks,
                     to_string(cluster.capacity),
                     muster::index(cluster.coordinator))
              << std::flush;
    Sweep sweep(options);
    const TrialOutcome& winner = sweep.search();
    std::cout << test_line(sweep.test(winner)) << std::endl;
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [&] {
        sweep(argc, argv);
        if (!std::cout.flush()) {
            throw muster::Error("standard output could not be written to the end; is the disk "
                                "full, or the reader gone?");
        }
    });
}
