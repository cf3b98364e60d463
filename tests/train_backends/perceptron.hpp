#pragma once

#include <muster/train/sharded_model.hpp>

#include <vector>

namespace muster::test {

struct Trained {
    std::vector<float> parameters; ///< Of all layers.
    double first_loss = 0;
    double last_loss = 0;
    train::HeldBytes held;
    std::uint64_t peak_bytes = 0;
};

/// Trains a network of two layers, 8 inputs, 12 hidden units and 4 outputs without biases, on
/// batches of 24 rows of a function of its own: each member has the same share of every batch, or
/// as near as can be. All layers divide by 1, 2, 3 and 4.
[[nodiscard]] Trained train_perceptron(train::Backend& backend,
                                       const train::OptimizerFactory& optimizer,
                                       const train::ShardedOptions& options,
                                       int steps);

} // namespace muster::test
