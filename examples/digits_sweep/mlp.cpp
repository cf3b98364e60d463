#include "digits_sweep/mlp.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/random.hpp>

#include <Eigen/Core>
#include <cmath>
#include <mutex>

namespace digits {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMatrixMap = Eigen::Map<const Matrix>;
using MatrixMap = Eigen::Map<Matrix>;
using Eigen::Index;

constexpr float momentum_factor = 0.9F;

/// One layer's place in the flat vector of weights.
struct Layer {
    Index inputs;
    Index outputs;
    std::size_t offset;

    [[nodiscard]] std::size_t bias_offset() const {
        return offset + static_cast<std::size_t>(inputs * outputs);
    }
};

std::vector<Layer> places_of_layers(const TrialConfig& config) {
    std::vector<Layer> layers;
    Index inputs = pixels;
    std::size_t offset = 0;
    for (int i = 0; i <= config.layers; ++i) {
        const Index outputs = i < config.layers ? config.width : classes;
        layers.push_back({inputs, outputs, offset});
        offset += static_cast<std::size_t>((inputs + 1) * outputs);
        inputs = outputs;
    }
    return layers;
}

/// Fixes the block sizes of Eigen's products. By default they follow the caches of the machine,
/// and with them the order of additions: two nodes of different make would train differently.
void fix_block_sizes() {
    static std::once_flag once;
    std::call_once(once, [] { Eigen::setCpuCacheSizes(32 << 10, 256 << 10, 2 << 20); });
}

/// outputs = inputs * weights + biases, row by row.
///
/// The bias is added in a plain loop, as all sums over rows or columns here: Eigen's own
/// reductions start at an aligned address, so their rounding would depend on where memory lies.
Matrix affine(const Matrix& inputs, const Layer& layer, std::span<const float> weights) {
    const ConstMatrixMap matrix(&weights[layer.offset], layer.inputs, layer.outputs);
    Matrix outputs(inputs.rows(), layer.outputs);
    outputs.noalias() = inputs * matrix;
    const float* bias = &weights[layer.bias_offset()];
    for (Index row = 0; row < outputs.rows(); ++row) {
        for (Index column = 0; column < outputs.cols(); ++column) {
            outputs(row, column) += bias[column];
        }
    }
    return outputs;
}

/// Activations of every layer: the images first, the last layer's logits last.
std::vector<Matrix>
forward(const std::vector<Layer>& layers, std::span<const float> weights, const BatchView& batch) {
    const auto rows = static_cast<Index>(batch.labels.size());
    MUSTER_ASSERT(batch.images.size() == batch.labels.size() * std::size_t{pixels});
    std::vector<Matrix> activations;
    activations.reserve(layers.size() + 1);
    activations.emplace_back(ConstMatrixMap(batch.images.data(), rows, pixels));
    for (std::size_t i = 0; i < layers.size(); ++i) {
        activations.push_back(affine(activations.back(), layers[i], weights));
        if (i + 1 < layers.size()) {
            activations.back() = activations.back().cwiseMax(0.0F);
        }
    }
    return activations;
}

/// Turns one row of logits into probabilities and returns the cross-entropy of `label`.
/// The largest logit is subtracted first, so that no exponential overflows.
double softmax_row(float* logits, std::uint8_t label) {
    float largest = logits[0];
    for (int i = 1; i < classes; ++i) {
        largest = std::max(largest, logits[i]);
    }
    const float of_label = logits[label];
    float sum = 0;
    for (int i = 0; i < classes; ++i) {
        logits[i] = std::exp(logits[i] - largest);
        sum += logits[i];
    }
    for (int i = 0; i < classes; ++i) {
        logits[i] /= sum;
    }
    return static_cast<double>(std::log(sum)) - static_cast<double>(of_label - largest);
}

} // namespace

ModelState initial_state(const TrialConfig& config) {
    ModelState state;
    state.weights.assign(parameter_count(config), 0.0F);
    state.momentum.assign(parameter_count(config), 0.0F);
    muster::Random random(config.seed);
    for (const Layer& layer : places_of_layers(config)) {
        const double deviation = std::sqrt(2.0 / static_cast<double>(layer.inputs));
        for (std::size_t i = layer.offset; i < layer.bias_offset(); ++i) {
            state.weights[i] = static_cast<float>(deviation * random.normal());
        }
    }
    return state;
}

std::vector<std::span<float>> layers_of(const TrialConfig& config, std::span<float> values) {
    std::vector<std::span<float>> parts;
    for (const Layer& layer : places_of_layers(config)) {
        parts.push_back(values.subspan(
            layer.offset, static_cast<std::size_t>((layer.inputs + 1) * layer.outputs)));
    }
    return parts;
}

double loss_and_gradient(const TrialConfig& config,
                         std::span<const float> weights,
                         const BatchView& batch,
                         std::span<float> gradient,
                         const LayerCallback& on_layer) {
    MUSTER_ASSERT(!batch.labels.empty() && gradient.size() == weights.size());
    MUSTER_ASSERT(weights.size() == parameter_count(config));
    fix_block_sizes();
    const std::vector<Layer> layers = places_of_layers(config);
    std::vector<Matrix> activations = forward(layers, weights, batch);

    // The gradient with respect to the logits is (probabilities - one-hot label) / batch size.
    Matrix delta = std::move(activations.back());
    double loss = 0;
    for (Index row = 0; row < delta.rows(); ++row) {
        const std::uint8_t label = batch.labels[static_cast<std::size_t>(row)];
        loss += softmax_row(&delta(row, 0), label);
        delta(row, label) -= 1.0F;
    }
    delta *= 1.0F / static_cast<float>(delta.rows());

    for (std::size_t i = layers.size(); i-- > 0;) {
        const Layer& layer = layers[i];
        const Matrix& inputs = activations[i];
        MatrixMap(&gradient[layer.offset], layer.inputs, layer.outputs).noalias() =
            inputs.transpose() * delta;
        float* bias_gradient = &gradient[layer.bias_offset()];
        std::fill_n(bias_gradient, layer.outputs, 0.0F);
        for (Index row = 0; row < delta.rows(); ++row) {
            for (Index column = 0; column < delta.cols(); ++column) {
                bias_gradient[column] += delta(row, column);
            }
        }
        on_layer(i);
        if (i > 0) {
            const ConstMatrixMap matrix(&weights[layer.offset], layer.inputs, layer.outputs);
            Matrix previous(delta.rows(), layer.inputs);
            previous.noalias() = delta * matrix.transpose();
            delta = (inputs.array() > 0.0F).select(previous, 0.0F);
        }
    }
    return loss / static_cast<double>(batch.labels.size());
}

void descend(ModelState& state, std::span<const float> gradient, double learning_rate) {
    MUSTER_ASSERT(gradient.size() == state.weights.size());
    const auto rate = static_cast<float>(learning_rate);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        state.momentum[i] = momentum_factor * state.momentum[i] + gradient[i];
        state.weights[i] -= rate * state.momentum[i];
    }
}

Tally judge(const TrialConfig& config, std::span<const float> weights, const BatchView& batch) {
    MUSTER_ASSERT(weights.size() == parameter_count(config));
    Tally tally{.images = batch.labels.size()};
    if (batch.labels.empty()) {
        return tally;
    }
    fix_block_sizes();
    Matrix logits = std::move(forward(places_of_layers(config), weights, batch).back());
    for (Index row = 0; row < logits.rows(); ++row) {
        const std::uint8_t label = batch.labels[static_cast<std::size_t>(row)];
        Index guess = 0;
        for (Index column = 1; column < classes; ++column) {
            guess = logits(row, column) > logits(row, guess) ? column : guess;
        }
        tally.right += guess == label ? 1U : 0U;
        tally.loss += softmax_row(&logits(row, 0), label);
    }
    return tally;
}

Evaluation evaluation_of(const Tally& tally) {
    MUSTER_ASSERT(tally.images > 0);
    const auto images = static_cast<double>(tally.images);
    return {.loss = tally.loss / images, .accuracy = static_cast<double>(tally.right) / images};
}

} // namespace digits
