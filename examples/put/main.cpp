// A value that many tasks need is stored once. Ranks of its node read it where it lies; others
// fetch it once each, when a task there first needs it.

#include <muster/core/muster.hpp>

#include <iostream>
#include <span>
#include <utility>
#include <vector>

double evaluate(std::span<const double> coefficients, double x) {
    double value = 0;
    for (auto i = coefficients.rbegin(); i != coefficients.rend(); ++i) {
        value = value * x + *i;
    }
    return value;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        const auto polynomial = muster::put(std::vector<double>(100'000, 1.0));
        std::vector<std::pair<muster::Future<std::vector<double>>, double>> calls;
        for (int i = 0; i < 100; ++i) {
            calls.emplace_back(polynomial, 0.005 * i);
        }
        double sum = 0;
        for (auto& value : muster::map<&evaluate>(calls)) {
            sum += value.get(); // of 1/(1-x), its geometric series
        }
        std::cout << "sum " << sum << '\n';
    });
}
