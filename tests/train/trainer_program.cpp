// Trains on whatever ranks there are, and dies as it is told to: for trainer_test.py.
//
//     trainer_program FOLDER WORKERS_MIN WORKERS_MAX STEPS SAVE_EVERY [die|hold|hang RANK STEP]

#include "regression.hpp"

#include <muster/core/muster.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

namespace {

namespace train = muster::train;

struct Trouble {
    muster::test::Fit fit;
    std::string kind{};
    int rank = 0;
    std::uint64_t step = 0;
};

/// A pipe that nobody writes to.
void wait_for_ever() {
    std::array<int, 2> ends{};
    char byte = 0;
    if (::pipe(ends.data()) == 0) {
        (void)!::read(ends[0], &byte, 1);
    }
}

void loop(train::Worker& worker, Trouble trouble) {
    muster::test::regress(worker, trouble.fit, [&](std::uint64_t step) {
        if (step != trouble.step || worker.attempt() > 1) {
            return;
        }
        if (trouble.kind == "hold") { // until the run is about to end
            if (worker.rank() == 0) {
                std::cout << "holding" << std::endl;
            }
            while (!muster::stopping()) {
                ::sched_yield();
            }
        }
        if (worker.rank() == trouble.rank && trouble.kind == "die") {
            ::raise(SIGKILL);
        }
        if (worker.rank() == trouble.rank && trouble.kind == "hang") {
            worker.phase(train::Phase::data);
            wait_for_ever();
        }
    });
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv, argv + argc);
    return muster::run(argc, argv, [&] {
        const std::string folder = words.at(1);
        Trouble trouble{.fit = {.data = folder + "/observations.h5",
                                .steps = std::stoull(words.at(4)),
                                .save_every = std::stoull(words.at(5))}};
        if (words.size() > 6) {
            trouble.kind = words.at(6);
            trouble.rank = std::stoi(words.at(7));
            trouble.step = std::stoull(words.at(8));
        }
        if (!std::filesystem::exists(trouble.fit.data)) {
            muster::test::write_observations(trouble.fit.data);
        }
        train::TrainerOptions options{.workers = {std::stoi(words.at(2)), std::stoi(words.at(3))},
                                      .cpus_per_worker = 0,
                                      .max_failures = 2,
                                      .storage = folder + "/run",
                                      .best_by = "loss"};
        if (trouble.kind == "hang" || trouble.kind == "die") {
            options.late_after = std::chrono::milliseconds(300);
            options.when_late = train::WhenLate::abort;
        }
        const train::Result result = train::Trainer<&loop>(options).fit(trouble);
        if (!result.error.empty()) {
            std::cout << "error: " << result.error << std::endl;
            return 1;
        }
        const train::Checkpoint checkpoint(result.last.value().path);
        std::cout << fmt::format("step {} failures {}", checkpoint.step(), result.failures);
        for (const double weight : checkpoint.file().read<double>("weights")) {
            std::cout << fmt::format(" {:a}", weight);
        }
        std::cout << std::endl;
        return 0;
    });
}
