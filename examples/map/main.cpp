// One call submits a task for every element of a range; results are taken as they come.

#include <muster/core/muster.hpp>

#include <iostream>
#include <ranges>

struct Candidate {
    int number = 0;
    int steps = 0; ///< Until the Collatz sequence from `number` reaches 1.
};

Candidate collatz(int number) {
    Candidate candidate{.number = number};
    for (long value = number; value != 1; ++candidate.steps) {
        value = value % 2 == 0 ? value / 2 : 3 * value + 1;
    }
    return candidate;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        auto candidates = muster::map<&collatz>(std::views::iota(1, 10'000));
        Candidate best;
        for (auto& future : muster::as_completed(candidates)) {
            const auto candidate = future.get();
            if (candidate.steps > best.steps) {
                best = candidate;
            }
        }
        std::cout << "below 10000, " << best.number << " takes longest: " << best.steps
                  << " steps\n";
    });
}
