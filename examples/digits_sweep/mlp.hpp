#pragma once

#include "digits_sweep/config.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
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

/// The same as sums, so that those of several pieces add up to that of the whole.
struct Tally {
    double loss = 0;
    std::uint64_t right = 0;
    std::uint64_t images = 0;
};

/// A batch on loan: `images` has labels.size() rows of `pixels` values in [0, 1].
struct BatchView {
    std::span<const float> images;
    std::span<const std::uint8_t> labels; ///< Each below `classes`.
};

/// Fresh weights drawn from the trial's seed, biases and momentum zero.
/// Source: He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 10.
[[nodiscard]] ModelState initial_state(const TrialConfig& config);

/// The part of each layer, first to last, in values laid out as the weights.
[[nodiscard]] std::vector<std::span<float>> layers_of(const TrialConfig& config,
                                                      std::span<float> values);

/// Told of each layer, last to first, as soon as its part of the gradient is complete and while
/// those before it are still to be computed.
using LayerCallback = std::function<void(std::size_t layer)>;

/// Mean cross-entropy of the batch and its gradient, laid out as the weights.
/// Same arguments, bitwise the same result.
/// @pre The batch is not empty.
double loss_and_gradient(
    const TrialConfig& config,
    std::span<const float> weights,
    const BatchView& batch,
    std::span<float> gradient,
    const LayerCallback& on_layer = [](std::size_t) {});

/// One step of gradient descent with momentum 0.9.
void descend(ModelState& state, std::span<const float> gradient, double learning_rate);

/// How many images of a batch, which may be empty, the network names right.
[[nodiscard]] Tally
judge(const TrialConfig& config, std::span<const float> weights, const BatchView& batch);

/// @pre There are images.
[[nodiscard]] Evaluation evaluation_of(const Tally& tally);

} // namespace digits
