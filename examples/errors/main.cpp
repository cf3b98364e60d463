// A task that throws fails its future, and every task that depends on it. get() says what happened
// where, down to the root cause, and can throw that again as its own type.

#include <muster/core/muster.hpp>

#include <iostream>
#include <stdexcept>
#include <string>

double parse(const std::string& text) {
    return std::stod(text);
}

double add(double a, double b) {
    return a + b;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        auto first = muster::task<&parse>.with({.name = "line 1"})("2.5");
        auto second = muster::task<&parse>.with({.name = "line 2"})("none");
        auto sum = muster::task<&add>(first, second);
        std::cout << "line 1 is " << first.get() << '\n';
        try {
            const double value = sum.get();
            std::cout << "the sum is " << value << '\n';
        } catch (const muster::TaskError& error) {
            std::cout << "no sum, because " << error.root_cause().task << " said "
                      << error.root_cause().message << '\n';
            try {
                error.rethrow_cause();
            } catch (const std::invalid_argument&) {
                std::cout << "which is an invalid argument\n";
            }
        }
    });
}
