#include <muster/core/muster.hpp>

#include <algorithm>
#include <iostream>
#include <ranges>

int longest_run(int start) { // of the Collatz sequence, from here on to 1
    int steps = 0;
    for (long long n = start; n != 1; n = n % 2 == 0 ? n / 2 : 3 * n + 1) {
        ++steps;
    }
    return steps;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        // Known by function and argument: what the journal has is not computed again.
        auto steps = muster::map<&longest_run>(std::views::iota(1, 10'000), {.keyed = true});
        int longest = 0;
        for (auto& one : muster::as_completed(steps)) {
            longest = std::max(longest, one.get());
        }
        std::cout << "the longest takes " << longest << " steps\n";
    });
}
