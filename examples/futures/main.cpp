// A future in the place of an argument is a dependency: the task starts when the value is there,
// and goes to it without passing through here. Nobody waits before the last line.

#include <muster/core/muster.hpp>

#include <iostream>
#include <numeric>
#include <string>
#include <vector>

std::vector<double> load(int month) {
    return std::vector<double>(10'000, month);
}

double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string report(const std::vector<double>& means, double total) {
    return std::to_string(means.size()) + " months, mean of means " +
           std::to_string(total / static_cast<double>(means.size()));
}

double add_up(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        std::vector<muster::Future<double>> means;
        for (int month = 1; month <= 12; ++month) {
            means.push_back(muster::task<&mean>(muster::task<&load>(month)));
        }
        auto total = muster::task<&add_up>(means); // futures of the elements make the vector
        auto text = muster::task<&report>(means, total);
        std::cout << text.get() << '\n';
    });
}
