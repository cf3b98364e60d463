/// A user's program, built outside the tree: integrates 4 / (1 + x^2) over [0, 1] by tasks.

#include <muster/core/muster.hpp>

#include <cmath>
#include <iostream>
#include <numbers>
#include <vector>

double integrate(double from, double to) {
    constexpr int steps = 1000;
    const double width = (to - from) / steps;
    double sum = 0;
    for (int i = 0; i < steps; ++i) {
        const double x = from + (i + 0.5) * width;
        sum += width * 4 / (1 + x * x);
    }
    return sum;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        constexpr int parts = 8;
        std::vector<muster::Future<double>> sums;
        for (int i = 0; i < parts; ++i) {
            sums.push_back(muster::task<&integrate>(double(i) / parts, double(i + 1) / parts));
        }
        double pi = 0;
        for (auto& sum : sums) {
            pi += sum.get();
        }
        // The midpoint rule is off by (b - a) h^2 / 24 * max|f''| < 1 / (24 * 8000^2) * 8 < 1e-8.
        if (std::abs(pi - std::numbers::pi) > 1e-8) {
            throw muster::Error("the integral is wrong");
        }
        std::cout << "pi is " << pi << '\n';
    });
}
