#include <muster/core/muster.hpp>

#include <iostream>

double integrate(double lo, double hi) { // 4/(1+x*x), by the midpoint rule
    double sum = 0;
    for (int i = 0; i < 1'000'000; ++i) {
        const double x = lo + (hi - lo) * (i + 0.5) * 1e-6;
        sum += 4 / (1 + x * x);
    }
    return sum * (hi - lo) * 1e-6;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] { // runs once; the other ranks serve it
        std::vector<muster::Future<double>> parts;
        for (int i = 0; i < 8; ++i) {
            parts.push_back(muster::task<&integrate>(i / 8.0, (i + 1) / 8.0));
        }
        double pi = 0;
        for (auto& part : parts) {
            pi += part.get();
        }
        std::cout << "pi is about " << pi << ", from " << muster::cluster().ranks << " ranks\n";
    });
}
