// Tasks submit tasks and wait for them. A waiting task lends its CPUs to others, so that however
// deep they nest, something always runs.

#include <muster/core/muster.hpp>

#include <algorithm>
#include <iostream>
#include <vector>

std::vector<int> merge(const std::vector<int>& a, const std::vector<int>& b) {
    std::vector<int> merged(a.size() + b.size());
    std::merge(a.begin(), a.end(), b.begin(), b.end(), merged.begin());
    return merged;
}

std::vector<int> sort(std::vector<int> values) {
    if (values.size() <= 2'000) {
        std::sort(values.begin(), values.end());
        return values;
    }
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    auto left = muster::task<&sort>(std::vector<int>(values.begin(), middle));
    auto right = muster::task<&sort>(std::vector<int>(middle, values.end()));
    return merge(left.get(), right.get());
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        std::vector<int> values;
        for (int i = 0; i < 50'000; ++i) {
            values.push_back(i * 7919 % 50'000);
        }
        const auto sorted = muster::task<&sort>(values).get();
        std::cout << sorted.size() << " values, "
                  << (std::is_sorted(sorted.begin(), sorted.end()) ? "sorted" : "in disorder")
                  << '\n';
    });
}
