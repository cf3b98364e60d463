// A gang: one function on several ranks at once, which talk while they work.
//
// A rod is kept hot at one end and cold at the other. Each rank has a piece of it, and learns from
// its neighbours what is beyond, until nothing changes any more.

#include <muster/core/muster.hpp>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <span>
#include <vector>

// The cells of this rank are in the middle; the first and the last one are its neighbours'.
void ask_neighbours(muster::Communicator& ranks, std::vector<double>& rod) {
    std::vector<muster::Request> under_way;
    const auto swap_with = [&](int neighbour, double& mine, double& its) {
        if (neighbour >= 0 && neighbour < ranks.size()) {
            under_way.push_back(ranks.send_async(std::span<const double>(&mine, 1), neighbour));
            under_way.push_back(ranks.receive_async(std::span(&its, 1), neighbour));
        }
    };
    swap_with(ranks.rank() - 1, rod[1], rod.front());
    swap_with(ranks.rank() + 1, rod[rod.size() - 2], rod.back());
    for (auto& request : under_way) {
        request.wait();
    }
}

std::vector<double> settle(muster::Communicator& ranks, int cells) {
    const int begin = cells * ranks.rank() / ranks.size();
    const int end = cells * (ranks.rank() + 1) / ranks.size();
    std::vector<double> rod(static_cast<std::size_t>(end - begin) + 2);
    if (ranks.rank() == 0) {
        rod.front() = 1; // the hot end
    }
    std::vector<double> next = rod;
    for (double change = 1; change > 1e-7;) {
        ask_neighbours(ranks, rod);
        next.front() = rod.front();
        next.back() = rod.back();
        change = 0;
        for (std::size_t i = 1; i + 1 < rod.size(); ++i) {
            next[i] = (rod[i - 1] + rod[i + 1]) / 2;
            change = std::max(change, std::abs(next[i] - rod[i]));
        }
        rod.swap(next);
        ranks.all_reduce(std::span(&change, 1), muster::ReduceOp::max);
    }
    return {rod.begin() + 1, rod.end() - 1};
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        // All members start together or not at all; the result is a vector of what each returned.
        const int size = std::min(muster::cluster().ranks, 8);
        const auto pieces = muster::task<&settle>.with({.ranks = size})(15).get();
        std::cout << std::fixed << std::setprecision(3);
        for (const auto& piece : pieces) {
            for (const double cell : piece) {
                std::cout << cell << ' ';
            }
        }
        std::cout << '\n';
    });
}
