// Sharded training: the same model on every gang, however much of it each rank holds.
//
// A model of two layers learns to turn vectors round. Its optimizer's state, then its gradients,
// then its parameters are split among the ranks; what it learns stays the same.

#include <muster/core/muster.hpp>
#include <muster/train/sharded_model.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <span>
#include <vector>

namespace train = muster::train;

constexpr std::size_t width = 60; // so that 1, 2, 3, 4, 5 and 6 ranks hold equal parts
constexpr std::size_t rows = 60;

struct Trained {
    double error = 0;
    std::uint64_t held_kib = 0;
};

// y = M x
std::vector<float> times(std::span<const float> matrix, std::span<const float> x) {
    std::vector<float> y(width);
    for (std::size_t i = 0; i < width; ++i) {
        for (std::size_t j = 0; j < width; ++j) {
            y[i] += matrix[i * width + j] * x[j];
        }
    }
    return y;
}

Trained learn(muster::Communicator& ranks, int sharding) {
    const auto backend = train::make_communicator_backend(ranks);
    train::ShardedModel model(*backend,
                              {width * width, width * width},
                              train::adamw({.learning_rate = 0.01, .weight_decay = 0}),
                              {.sharding = static_cast<train::Sharding>(sharding)});
    std::vector<float> identity(width * width);
    for (std::size_t i = 0; i < width; ++i) {
        identity[i * width + i] = 1;
    }
    model.assign(0, identity);
    model.assign(1, identity);
    const std::size_t begin =
        rows * static_cast<std::size_t>(ranks.rank()) / static_cast<std::size_t>(ranks.size());
    const std::size_t end =
        rows * static_cast<std::size_t>(ranks.rank() + 1) / static_cast<std::size_t>(ranks.size());
    double error = 0;
    for (int step = 0; step < 60; ++step) {
        error = 0;
        model.begin(end - begin);
        const auto first = model.gather(0);
        const auto second = model.gather(1);
        const auto of_first = model.gradient(0);
        const auto of_second = model.gradient(1);
        for (std::size_t row = begin; row < end; ++row) {
            std::vector<float> x(width);
            x[row] = 1;
            const auto hidden = times(first, x);
            auto difference = times(second, hidden);
            difference[(row + 1) % width] -= 1; // where it should have gone
            for (std::size_t i = 0; i < width; ++i) {
                error += double{difference[i]} * double{difference[i]};
                for (std::size_t j = 0; j < width; ++j) {
                    const float share = difference[i] / static_cast<float>(end - begin);
                    of_second[i * width + j] += share * hidden[j];
                    of_first[j * width + row] += share * second[i * width + j];
                }
            }
        }
        model.release(0);
        model.release(1);
        model.reduce(1);
        model.reduce(0);
        (void)model.step();
    }
    ranks.all_reduce(std::span(&error, 1));
    return {error / rows, model.held().total() >> 10U};
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        const int size = std::min(muster::cluster().ranks, 6);
        const char* const names[] = {"nothing", "state", "and gradients", "and parameters"};
        for (int sharding = 0; sharding < 4; ++sharding) {
            const auto results = muster::task<&learn>.with({.ranks = size})(sharding).get();
            std::cout << "shared out " << names[sharding] << ": " << results.front().held_kib
                      << " KiB per rank, error " << std::fixed << std::setprecision(4)
                      << results.front().error << '\n';
        }
    });
}
