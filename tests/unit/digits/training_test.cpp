#include "digits_sweep/training.hpp"

#include <gtest/gtest.h>

namespace digits {
namespace {

TEST(CosineRate, FallsFromPeakToZero) {
    EXPECT_DOUBLE_EQ(cosine_rate(0.1, 0.0), 0.1);
    EXPECT_NEAR(cosine_rate(0.1, 0.5), 0.05, 1e-12);
    EXPECT_NEAR(cosine_rate(0.1, 1.0), 0.0, 1e-12);
}

TEST(Training, LearnsRealDigitsAndRepeatsItselfBitwise) {
    const auto data = DigitsData::open(MNIST_FILE, 1);
    const TrialConfig config{
        .learning_rate = 0.03, .batch_size = 32, .layers = 1, .width = 64, .seed = 4};
    const auto train = [&] {
        ModelState state = initial_state(config);
        for (int epoch = 0; epoch < 2; ++epoch) {
            state = train_epoch(config, std::move(state), *data, Part::training, 2);
        }
        return state;
    };
    const ModelState first = train();
    const ModelState second = train();
    EXPECT_EQ(first.epoch, 2);
    EXPECT_EQ(first.weights, second.weights);
    // Two epochs give about 0.90. The deviation of a share of 500 is sqrt(0.9 * 0.1 / 500) =
    // 0.013; four of them leave 0.85.
    EXPECT_GT(evaluate_part(config, first, *data, Part::validation).accuracy, 0.85);
}

TEST(Training, GoesOnFromAStateAsIfNothingHadHappened) {
    const auto data = DigitsData::open(MNIST_FILE, 1);
    const TrialConfig config{
        .learning_rate = 0.03, .batch_size = 128, .layers = 1, .width = 64, .seed = 4};
    ModelState state = train_epoch(config, initial_state(config), *data, Part::validation, 2);
    const ModelState travelled{state.weights, state.momentum, state.epoch};
    state = train_epoch(config, std::move(state), *data, Part::validation, 2);
    EXPECT_EQ(train_epoch(config, travelled, *data, Part::validation, 2).weights, state.weights);
}

} // namespace
} // namespace digits
