// A search that trains many configurations a little, and the better ones longer. What a trial has
// reached is a future: the argument of its next job, which goes on from there.

#include <muster/core/muster.hpp>
#include <muster/tune/asha_scheduler.hpp>
#include <muster/tune/study.hpp>

#include <cmath>
#include <deque>
#include <iostream>
#include <vector>

namespace tune = muster::tune;

struct State {
    double x = -1.5;
    double y = 2;
    double dx = 0;
    double dy = 0;
    double loss = 0;
};

/// Gradient descent with momentum on Rosenbrock's function, whose minimum is 0 at (1, 1).
State train(const tune::Configuration& configuration, State state, tune::Job job) {
    const double rate = configuration["learning_rate"];
    const double momentum = configuration["momentum"];
    for (auto step = job.from; step < job.to; ++step) {
        const double valley = state.y - state.x * state.x;
        state.dx = momentum * state.dx + 2 * (1 - state.x) + 400 * state.x * valley;
        state.dy = momentum * state.dy - 200 * valley;
        state.x += rate * state.dx;
        state.y += rate * state.dy;
    }
    state.loss = std::pow(1 - state.x, 2) + 100 * std::pow(state.y - state.x * state.x, 2);
    return state; // NaN after too large a rate: the worst of all results
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        const tune::SearchSpace space{{"learning_rate", tune::loguniform(1e-6, 1e-1)},
                                      {"momentum", tune::choice({0.0, 0.5, 0.9, 0.99})}};
        tune::Study study({space, 1}, tune::AshaScheduler({.trials = 64, .max_resource = 1024}));
        std::vector<muster::Future<State>> states(64, muster::put(State{}));
        std::deque<tune::Job> running;
        while (!study.finished()) {
            while (running.size() < 4) {
                const auto job = study.next_job();
                if (!job) {
                    break;
                }
                auto& state = states[job->trial];
                state = muster::task<&train>(study.trial(job->trial).configuration, state, *job);
                running.push_back(*job);
            }
            // In the order of the jobs, so that timing has no say in who goes on.
            const tune::Job done = running.front();
            running.pop_front();
            study.on_result(done, states[done.trial].get().loss);
        }
        std::cout << study.count(tune::TrialStatus::completed)
                  << " of 64 trained to the end; best: " << study.best()->configuration << '\n';
    });
}
