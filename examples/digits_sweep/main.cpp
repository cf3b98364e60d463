#include "digits_sweep/config.hpp"
#include "digits_sweep/digits_data.hpp"
#include "digits_sweep/halving.hpp"
#include "digits_sweep/options.hpp"
#include "digits_sweep/progress.hpp"
#include "digits_sweep/report.hpp"
#include "digits_sweep/training.hpp"

#include <muster/core/muster.hpp>

#include <iostream>
#include <limits>
#include <string>
#include <vector>

/// A hyperparameter search on handwritten digits: every epoch of every trial is a task.
namespace {

using namespace digits;

/// What every rank needs to find the same images in the same parts.
struct Source {
    std::string file;
    std::uint64_t seed = 0;
    int epochs = 0;
};

/// A network after an epoch, and how it does on the part that it is judged by.
struct Trained {
    ModelState state;
    Evaluation judged;
};

// The tasks. Each reads the data through its own rank's copy, opened once per process.

Trained train(TrialConfig config, Trained before, Source source) {
    const auto data = DigitsData::open(source.file, source.seed);
    if (before.state.weights.empty()) {
        before.state = initial_state(config);
    }
    Trained after;
    after.state =
        train_epoch(config, std::move(before.state), *data, Part::training, source.epochs);
    after.judged = evaluate_part(config, after.state, *data, Part::validation);
    return after;
}

Evaluation retrain_and_test(TrialConfig config, Source source) {
    const auto data = DigitsData::open(source.file, source.seed);
    ModelState state = initial_state(config);
    for (int epoch = 0; epoch < source.epochs; ++epoch) {
        state = train_epoch(
            config, std::move(state), *data, Part::training_and_validation, source.epochs);
    }
    return evaluate_part(config, state, *data, Part::test);
}

/// A trial's epoch under way.
struct Epoch {
    int trial = 0;
    int number = 0;
};

/// Runs the trials, worse halves stopped early. @return the winner's index.
std::size_t search(const std::vector<TrialConfig>& configs, const Source& source) {
    std::vector<int> ids;
    for (const auto& config : configs) {
        ids.push_back(config.id);
    }
    SuccessiveHalving halving(ids, source.epochs);
    auto display = standard_output_display();

    std::vector<muster::Future<Trained>> states(configs.size()); // of the last epoch, by trial
    std::vector<muster::Future<Trained>> running;
    std::vector<Epoch> epochs; // of `running`, in its order
    const auto go_on = [&](int trial) {
        const auto i = static_cast<std::size_t>(trial);
        // The state goes from the rank that made it to the rank that needs it, not through here.
        auto next = states[i].valid() ? muster::task<&train>(configs[i], states[i], source)
                                      : muster::task<&train>(configs[i], Trained{}, source);
        states[i] = next;
        running.push_back(std::move(next));
        epochs.push_back({trial, halving.last_report(trial).epoch + 1});
    };
    for (const int trial : ids) {
        go_on(trial);
    }
    std::size_t failures = 0;
    while (!halving.finished()) {
        (void)muster::wait(running, {.count = 1});
        std::vector<Epoch> done;
        std::vector<muster::Future<Trained>> results;
        for (std::size_t i = running.size(); i-- > 0;) {
            if (running[i].ready()) {
                done.push_back(epochs[i]);
                results.push_back(std::move(running[i]));
                running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
                epochs.erase(epochs.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
        for (std::size_t i = 0; i < done.size(); ++i) {
            Report report{done[i].trial, done[i].number, 0, 0};
            try {
                const Evaluation judged = results[i].get().judged;
                report.accuracy = judged.accuracy;
                report.loss = judged.loss;
            } catch (const muster::TaskError& error) {
                if (++failures == configs.size()) {
                    throw; // then it is not the trial's fault
                }
                std::cerr << "trial " << report.trial << " failed: " << error.what() << '\n';
                report.accuracy = report.loss = std::numeric_limits<double>::quiet_NaN();
            }
            for (const int trial : halving.on_report(report)) {
                go_on(trial);
            }
        }
        display.show(progress_of(halving, configs));
    }

    std::vector<TrialOutcome> outcomes;
    for (const auto& config : configs) {
        outcomes.push_back({config, halving.last_report(config.id), halving.status(config.id)});
    }
    std::cout << '\n' << trial_table(outcomes) << '\n';
    const auto winner = static_cast<std::size_t>(halving.best()->trial);
    std::cout << best_lines(outcomes[winner]);
    return winner;
}

void sweep(int argc, char** argv) {
    const SweepOptions options = parse_options(argc, argv);
    if (options.wants_help) {
        std::cout << help_text();
        return;
    }
    // Opened here first, so that a bad file is one sentence and not one per trial.
    (void)DigitsData::open(options.data, options.seed);
    const Source source{options.data, options.seed, options.epochs};
    std::vector<TrialConfig> configs;
    for (int id = 0; id < options.trials; ++id) {
        configs.push_back(sample_config(options.seed, id));
    }
    const auto cluster = muster::cluster();
    std::cout << options.trials << " trials of up to " << options.epochs << " epochs on "
              << cluster.ranks << (cluster.ranks == 1 ? " rank" : " ranks") << " ("
              << to_string(cluster.capacity) << "); coordinator: rank "
              << muster::index(cluster.coordinator) << '\n';
    const std::size_t winner = search(configs, source);
    // Judged once, by the winner only: what was chosen on validation images is trained again with
    // them, and the test images have had no say in anything.
    const auto test = muster::task<&retrain_and_test>(configs[winner], source);
    std::cout << test_line(test.get()) << std::endl;
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
