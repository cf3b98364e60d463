#pragma once

#include "digits_sweep/config.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace digits {

/// A network between two steps of its training. An aggregate, so that it travels between tasks.
struct ModelState {
    std::vector<float> weights;  ///< Layer by layer: matrix (inputs x outputs, row-major), biases.
    std::vector<float> momentum; ///< Same layout; the velocity of each weight.
    int epoch = 0;               ///< Epochs trained so far.
};

/// How well a network does on some images.
struct Evaluation {
    double loss = 0;     ///< Mean cross-entropy in nats; NaN once the network has diverged.
    double accuracy = 0; ///< Share of images it names right, in [0, 1].
};

/// A batch on loan: `images` has labels.size() rows of `pixels` values in [0, 1].
struct BatchView {
    std::span<const float> images;
    std::span<const std::uint8_t> labels; ///< Each below `classes`.
};

/// Fresh weights drawn from the trial's seed, biases and momentum zero.
/// Source: He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 10.
[[nodiscard]] ModelState initial_state(const TrialConfig& config);

/// One step of gradient descent with momentum 0.9 on the batch's mean cross-entropy.
/// Returns the loss before the step. Same arguments, bitwise the same result.
double train_batch(const TrialConfig& config,
                   ModelState& state,
                   const BatchView& batch,
                   double learning_rate);

/// Mean cross-entropy of the batch and its gradient, laid out as the weights.
double loss_and_gradient(const TrialConfig& config,
                         std::span<const float> weights,
                         const BatchView& batch,
                         std::span<float> gradient);

[[nodiscard]] Evaluation
evaluate(const TrialConfig& config, std::span<const float> weights, const BatchView& batch);

} // namespace digits
