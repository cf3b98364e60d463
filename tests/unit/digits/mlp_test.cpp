#include "digits_sweep/mlp.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace digits {
namespace {

/// Random images, mostly background as in handwriting.
struct Batch {
    std::vector<float> images;
    std::vector<std::uint8_t> labels;

    explicit Batch(std::size_t rows, std::uint64_t seed = 1) : images(rows * pixels), labels(rows) {
        muster::Random random(seed);
        for (float& value : images) {
            value = random.chance(0.2) ? static_cast<float>(random.uniform()) : 0.0F;
        }
        for (std::uint8_t& label : labels) {
            label = static_cast<std::uint8_t>(random.below(classes));
        }
    }

    [[nodiscard]] BatchView view() const { return {images, labels}; }
};

double loss_of(const TrialConfig& config, const std::vector<float>& weights, const Batch& batch) {
    return evaluation_of(judge(config, weights, batch.view())).loss;
}

/// A step of training in one piece.
void train_batch(const TrialConfig& config, ModelState& state, const Batch& batch) {
    std::vector<float> gradient(state.weights.size());
    loss_and_gradient(config, state.weights, batch.view(), gradient);
    descend(state, gradient, config.learning_rate);
}

/// A place in the flat weights: the matrix or the biases of one layer.
struct Block {
    std::size_t offset;
    std::size_t size;
};

std::vector<Block> blocks_of(const TrialConfig& config) {
    std::vector<Block> blocks;
    std::size_t inputs = pixels;
    std::size_t offset = 0;
    for (int layer = 0; layer <= config.layers; ++layer) {
        const auto outputs =
            static_cast<std::size_t>(layer < config.layers ? config.width : classes);
        blocks.push_back({offset, inputs * outputs});
        blocks.push_back({offset + inputs * outputs, outputs});
        offset += (inputs + 1) * outputs;
        inputs = outputs;
    }
    return blocks;
}

/// Weights with every hidden unit far from the kink of its ReLU, half of them on and half off:
/// biases are +8 or -8. In the first layer pre-activations deviate from them by
/// sqrt(2 / 784 * 784 * 0.2 / 3) = 0.4; in later ones, whose matrices are scaled by 0.2, by
/// 0.2 * sqrt(2 / 8) * sqrt(4) * 8 = 1.6, a fifth of the way.
ModelState away_from_kinks(const TrialConfig& config) {
    ModelState state = initial_state(config);
    const std::vector<Block> blocks = blocks_of(config);
    for (std::size_t b = 2; b < blocks.size(); b += 2) {
        for (std::size_t i = 0; i < blocks[b].size; ++i) {
            state.weights[blocks[b].offset + i] *= b + 2 < blocks.size() ? 0.2F : 0.3F;
        }
    }
    for (std::size_t b = 1; b + 1 < blocks.size(); b += 2) {
        for (std::size_t i = 0; i < blocks[b].size; ++i) {
            state.weights[blocks[b].offset + i] = i % 2 == 0 ? 8.0F : -8.0F;
        }
    }
    return state;
}

double norm(const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) {
        sum += x * x;
    }
    return std::sqrt(sum);
}

TEST(Mlp, GradientAgreesWithFiniteDifferences) {
    const TrialConfig config{.layers = 3, .width = 8, .seed = 5};
    const Batch batch(16);
    const ModelState state = away_from_kinks(config);
    std::vector<float> gradient(state.weights.size());
    loss_and_gradient(config, state.weights, batch.view(), gradient);
    muster::Random random(3);
    for (const Block& block : blocks_of(config)) {
        std::vector<double> slope(block.size);
        for (std::size_t i = 0; i < block.size; ++i) {
            slope[i] = static_cast<double>(gradient[block.offset + i]);
        }
        const double steepness = norm(slope);
        ASSERT_GT(steepness, 0);
        for (int attempt = 0; attempt < 4; ++attempt) {
            // The steepest direction, then ones that point elsewhere by 45 degrees: an error in
            // any part of the gradient shows in one of them.
            std::vector<double> direction(block.size);
            for (std::size_t i = 0; i < block.size; ++i) {
                direction[i] = slope[i] / steepness;
                direction[i] += attempt == 0 ? 0 : random.normal() / std::sqrt(double(block.size));
            }
            const double length = norm(direction);
            // A step that changes the loss by about 0.01, unless that takes a step above 0.1.
            const double step = std::min(0.1, 0.01 / steepness);
            ASSERT_GT(step * steepness, 2e-4);
            std::vector<float> ahead = state.weights;
            std::vector<float> behind = state.weights;
            double expected = 0;
            for (std::size_t i = 0; i < block.size; ++i) {
                const double d = direction[i] / length;
                ahead[block.offset + i] += static_cast<float>(step * d);
                behind[block.offset + i] -= static_cast<float>(step * d);
                expected += slope[i] * d;
            }
            const double measured =
                (loss_of(config, ahead, batch) - loss_of(config, behind, batch)) / (2 * step);
            // Central differences err by rounding / step and by step^2 / 6 of the third
            // derivative. The loss of a row carries the float rounding of logits, sums of up to
            // 784 terms of order 1: sqrt(784) * 6e-8 = 2e-6, averaged over 16 rows 5e-7. Against
            // a change of the loss of 2e-4 or more that is 0.25 %. The second error: a change of
            // 0.01 moves logits by a few hundredths, whose square is of order 0.1 %. A missing
            // factor, mask or transpose is far outside 1 %.
            EXPECT_NEAR(measured, expected, 0.01 * steepness)
                << "block at " << block.offset << " attempt " << attempt;
        }
    }
}

TEST(Mlp, TellsOfEachLayerFromLastToFirstOnceItsGradientIsComplete) {
    const TrialConfig config{.layers = 2, .width = 16, .seed = 5};
    const Batch batch(16);
    const ModelState state = initial_state(config);
    std::vector<float> whole(state.weights.size());
    loss_and_gradient(config, state.weights, batch.view(), whole);
    std::vector<float> gradient(state.weights.size());
    const auto parts = layers_of(config, gradient);
    const auto expected = layers_of(config, whole);
    ASSERT_EQ(parts.size(), 3U);
    EXPECT_EQ(parts[0].size(), 785U * 16);
    EXPECT_EQ(parts[2].size(), 17U * 10);
    std::vector<std::size_t> order;
    loss_and_gradient(config, state.weights, batch.view(), gradient, [&](std::size_t layer) {
        order.push_back(layer);
        EXPECT_TRUE(std::equal(parts[layer].begin(), parts[layer].end(), expected[layer].begin()));
        // What has been handed out is the receiver's: nobody reads or writes it again.
        std::fill(parts[layer].begin(), parts[layer].end(), -1.0F);
    });
    EXPECT_EQ(order, (std::vector<std::size_t>{2, 1, 0}));
    EXPECT_EQ(std::count(gradient.begin(), gradient.end(), -1.0F),
              static_cast<std::ptrdiff_t>(gradient.size()));
}

TEST(Mlp, JudgesPiecesThatAddUpToTheWhole) {
    const TrialConfig config{.layers = 1, .width = 64, .seed = 1};
    const Batch batch(48);
    const auto weights = initial_state(config).weights;
    const auto piece = [&](std::size_t from, std::size_t rows) {
        return judge(config,
                     weights,
                     {std::span(batch.images).subspan(from * pixels, rows * pixels),
                      std::span(batch.labels).subspan(from, rows)});
    };
    const Tally whole = piece(0, 48);
    const Tally first = piece(0, 48 / 3);
    const Tally rest = piece(48 / 3, 48 - 48 / 3);
    const Tally none = piece(0, 0);
    EXPECT_EQ(whole.images, 48U);
    EXPECT_EQ(first.right + rest.right, whole.right);
    EXPECT_EQ(first.images + rest.images, whole.images);
    // Losses of about 2.3 carry the float rounding of logits, below 784 * 2^-24 * 10 = 5e-4 each.
    EXPECT_NEAR(first.loss + rest.loss, whole.loss, 48 * 5e-4);
    EXPECT_EQ(none.images, 0U);
    EXPECT_EQ(none.loss, 0);
}

TEST(Mlp, LossBeforeTrainingIsNearThatOfGuessing) {
    const TrialConfig config{.layers = 1, .width = 64, .seed = 1};
    const Batch batch(64);
    const Evaluation evaluation =
        evaluation_of(judge(config, initial_state(config).weights, batch.view()));
    // Logits of an untrained network have a deviation of about 0.5: ln 10, and a little more.
    EXPECT_NEAR(evaluation.loss, std::log(10.0), 0.4);
    EXPECT_LT(evaluation.accuracy, 0.4);
}

TEST(Mlp, TrainsBitwiseTheSameTwice) {
    const TrialConfig config{.learning_rate = 0.05, .layers = 2, .width = 64, .seed = 9};
    const Batch batch(48);
    ModelState first = initial_state(config);
    ModelState second = initial_state(config);
    for (int step = 0; step < 10; ++step) {
        train_batch(config, first, batch);
        // Memory elsewhere, and at another address modulo the width of a vector register.
        const std::vector<float> elsewhere(static_cast<std::size_t>(step) + 1);
        train_batch(config, second, batch);
    }
    EXPECT_EQ(first.weights, second.weights);
    EXPECT_EQ(first.momentum, second.momentum);
}

TEST(Mlp, DoesNotDependOnWhereItsInputLies) {
    const TrialConfig config{.layers = 2, .width = 64, .seed = 9};
    const Batch batch(33);
    const ModelState state = initial_state(config);
    std::vector<float> gradient(state.weights.size());
    const double loss = loss_and_gradient(config, state.weights, batch.view(), gradient);
    for (std::size_t shift = 1; shift < 8; ++shift) {
        std::vector<float> weights(shift, 0.0F);
        weights.insert(weights.end(), state.weights.begin(), state.weights.end());
        std::vector<float> images(shift, 0.0F);
        images.insert(images.end(), batch.images.begin(), batch.images.end());
        std::vector<float> shifted(gradient.size() + shift);
        const std::span<float> result = std::span(shifted).subspan(shift);
        EXPECT_EQ(loss_and_gradient(config,
                                    std::span(weights).subspan(shift),
                                    {std::span(images).subspan(shift), batch.labels},
                                    result),
                  loss);
        EXPECT_TRUE(std::equal(result.begin(), result.end(), gradient.begin()));
    }
}

TEST(Mlp, LearnsTenPatternsByHeart) {
    const TrialConfig config{.learning_rate = 0.05, .layers = 2, .width = 64, .seed = 2};
    Batch batch(40);
    ModelState state = initial_state(config);
    for (int step = 0; step < 60; ++step) {
        train_batch(config, state, batch);
    }
    const Evaluation evaluation = evaluation_of(judge(config, state.weights, batch.view()));
    EXPECT_EQ(evaluation.accuracy, 1.0);
    EXPECT_LT(evaluation.loss, 0.1);
}

TEST(Mlp, ReportsDivergenceAsNanLoss) {
    const TrialConfig config{.learning_rate = 1e6, .layers = 2, .width = 64, .seed = 2};
    const Batch batch(40);
    ModelState state = initial_state(config);
    for (int step = 0; step < 20; ++step) {
        train_batch(config, state, batch);
    }
    const Evaluation evaluation = evaluation_of(judge(config, state.weights, batch.view()));
    EXPECT_FALSE(std::isfinite(evaluation.loss));
    EXPECT_LE(evaluation.accuracy, 1.0);
}

} // namespace
} // namespace digits
