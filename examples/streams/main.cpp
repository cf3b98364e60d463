// A task that yields its values one after another, taken while it still runs: here simulated
// sensor readings, of which the average is wanted long before all are there.

#include <muster/core/muster.hpp>

#include <cmath>
#include <iostream>

muster::Generator<double> readings(int sensor, int count) {
    for (int i = 0; i < count; ++i) {
        co_yield sensor + std::sin(0.1 * i); // waits here once it is 4 ahead
    }
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        auto first = muster::task<&readings>.with({.ahead = 4})(1, 1'000'000);
        double sum = 0;
        for (int i = 0; i < 40; ++i) {
            sum += first.next().value();
        }
        std::cout << "the first 40 average " << std::round(1'000 * sum / 40) / 1'000 << '\n';

        int count = 0;
        for (const double reading : muster::task<&readings>(2, 100)) {
            count += reading > 2 ? 1 : 0;
        }
        std::cout << count << " of 100 are high\n";
        // The first stream ends here, and so does its task, far from its last value.
    });
}
