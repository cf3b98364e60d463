#include "digits_sweep/training.hpp"
#include "local_gang.hpp"

#include <muster/base/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stop_token>

namespace digits {
namespace {

using muster::Communicator;
using muster::test::run_gang;

TEST(CosineRate, FallsFromPeakToZero) {
    EXPECT_DOUBLE_EQ(cosine_rate(0.1, 0.0), 0.1);
    EXPECT_NEAR(cosine_rate(0.1, 0.5), 0.05, 1e-12);
    EXPECT_NEAR(cosine_rate(0.1, 1.0), 0.0, 1e-12);
}

/// What a gang of so many trains from the start; all members must have the same bits.
ModelState
trained_by(int members, const TrialConfig& config, Part part, int epochs, int epochs_of_all) {
    const auto data = DigitsData::open(MNIST_FILE, 1);
    std::vector<ModelState> states(static_cast<std::size_t>(members));
    run_gang(members, [&](Communicator& ranks) {
        Trainer trainer(ranks, config, *data, part, epochs_of_all);
        ModelState& state = states[static_cast<std::size_t>(ranks.rank())];
        state = trainer.initial_state();
        while (state.epoch < epochs) {
            trainer.train_epoch(state);
        }
    });
    for (const ModelState& state : states) {
        EXPECT_EQ(state.weights, states.front().weights);
        EXPECT_EQ(state.momentum, states.front().momentum);
    }
    return states.front();
}

Evaluation judged_by(int members, const TrialConfig& config, const ModelState& state, Part part) {
    const auto data = DigitsData::open(MNIST_FILE, 1);
    std::vector<Evaluation> evaluations(static_cast<std::size_t>(members));
    run_gang(members, [&](Communicator& ranks) {
        evaluations[static_cast<std::size_t>(ranks.rank())] =
            evaluate_part(ranks, config, state, *data, part);
    });
    for (const Evaluation& evaluation : evaluations) {
        EXPECT_EQ(evaluation.loss, evaluations.front().loss);
        EXPECT_EQ(evaluation.accuracy, evaluations.front().accuracy);
    }
    return evaluations.front();
}

TEST(Training, LearnsRealDigitsAndRepeatsItselfBitwise) {
    const TrialConfig config{
        .learning_rate = 0.03, .batch_size = 32, .layers = 1, .width = 64, .seed = 4};
    for (const int members : {1, 2}) {
        const ModelState first = trained_by(members, config, Part::training, 2, 2);
        EXPECT_EQ(first.epoch, 2);
        EXPECT_EQ(first.weights, trained_by(members, config, Part::training, 2, 2).weights);
        // Two epochs give about 0.90. The deviation of a share of 500 is sqrt(0.9 * 0.1 / 500) =
        // 0.013; four of them leave 0.85.
        EXPECT_GT(judged_by(members, config, first, Part::validation).accuracy, 0.85);
    }
}

TEST(Training, GoesOnFromAStateAsIfNothingHadHappened) {
    const auto data = DigitsData::open(MNIST_FILE, 1);
    const TrialConfig config{
        .learning_rate = 0.03, .batch_size = 128, .layers = 1, .width = 64, .seed = 4};
    const ModelState at_once = trained_by(2, config, Part::validation, 2, 2);
    const ModelState half_way = trained_by(2, config, Part::validation, 1, 2);
    EXPECT_EQ(half_way.epoch, 1);
    run_gang(2, [&](Communicator& ranks) {
        ModelState state{half_way.weights, half_way.momentum, half_way.epoch};
        Trainer(ranks, config, *data, Part::validation, 2).train_epoch(state);
        EXPECT_EQ(state.weights, at_once.weights);
        EXPECT_EQ(state.momentum, at_once.momentum);
    });
}

TEST(Training, IsJudgedTheSameOnAnyNumberOfMembers) {
    const TrialConfig config{.batch_size = 64, .layers = 1, .width = 64, .seed = 4};
    const ModelState state = initial_state(config);
    const Evaluation alone = judged_by(1, config, state, Part::validation);
    for (const int members : {2, 3, 4}) {
        const Evaluation shared = judged_by(members, config, state, Part::validation);
        // Of 500 images, one whose two best logits differ by less than their rounding may be
        // named otherwise.
        EXPECT_NEAR(shared.accuracy, alone.accuracy, 1.0 / 500) << members << " members";
        // Logits of sums of 784 terms below 1, each rounded to 2^-24.
        EXPECT_NEAR(shared.loss, alone.loss, 784 * 0x1p-24) << members << " members";
    }
}

TEST(Training, OfAGangThatIsAskedToStopEnds) {
    const auto data = DigitsData::open(MNIST_FILE, 1);
    const TrialConfig config{.batch_size = 64, .layers = 1, .width = 64, .seed = 4};
    std::stop_source stop;
    stop.request_stop();
    for (const int members : {1, 2}) {
        const auto train = [&](Communicator& ranks) {
            Trainer trainer(ranks, config, *data, Part::validation, 1);
            ModelState state = initial_state(config);
            trainer.train_epoch(state);
        };
        EXPECT_THROW(run_gang(members, train, {.stop = stop.get_token()}), muster::Error);
    }
}

/// How far apart two sets of weights are, at the worst place.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return most;
}

/// Gangs of several sizes take the same steps: with a batch of 64, one member has all of it, two
/// have 32 each, four 16 each. They add the same terms in another order, in floats of unit roundoff
/// u = 2^-24. How far that may take their weights apart after K = 16 steps of rate r <= 0.01:
///
/// One step. An element of the gradient is the mean over 64 rows of x * delta. Roundings have
/// either sign, so a sum of n terms is off by some sqrt(n) u of the sum of their sizes; four times
/// that is practically never exceeded (Higham and Mary, "A New Approach to Probabilistic Rounding
/// Error Analysis", SIAM J. Sci. Comput. 41, 2019, theorem 2.4). A gradient's element is built from
/// sums of 784 and 64 terms (forward), 10 (back) and 64 + 3 (over rows; and the factor, the
/// addition of members and the quotient of the reducer). Inputs and activations are of order 1; the
/// deltas of a row are of size 0.2 on average, at the logits, where their sizes sum to at most 2,
/// and below, through weights of deviation sqrt(2 / 64). Two gangs differ by twice
///     4 * sqrt(784 + 64 + 10 + 67) u * 0.2 = 24 u,    so by 49 u.
///
/// All steps. The velocity adds up 1 / (1 - 0.9) = 10 of such differences, the weights K r of
/// those: 16 * 0.01 * 10 * 49 u = 78 u. Each step rounds weights below 0.25 as well, and twice:
/// with four times sqrt(32) / 4 that is 6 u. What weights differ by comes back through the
/// gradient. Along directions in which the loss curves upwards descent shrinks it. Along others it
/// grows by at most exp(K r * 10 c), c being the largest downward curvature, about 1 in a fresh
/// network: by less than 5. Together 5 * (78 + 6) u = 420 u.
///
/// Not in the bound: a unit whose input is 0 but for rounding may be on here and off there, which
/// moves its weights by up to r * 10 / 64 * 0.2 = 3e-4. With 16 * 64 * 64 inputs of order 1, whose
/// roundings differ by some 1e-7, that happens to one start in a hundred, and not to this one.
constexpr double tolerance = 420 * 0x1p-24; // 2.5e-5
constexpr int steps = 16;

constexpr TrialConfig even{
    .learning_rate = 0.01, .batch_size = 64, .layers = 1, .width = 64, .seed = 4};

TEST(DataParallelTraining, OneRankWithBatch64AndSeveralWithPartsOfItEndWithTheSameWeights) {
    // The 500 images are 8 batches: 7 of 64 and one of 52, which is shared out evenly, too.
    constexpr int epochs = steps / 8;
    const ModelState start = initial_state(even);
    const ModelState one = trained_by(1, even, Part::validation, epochs, 4);
    // Otherwise the comparison would mean little.
    EXPECT_GT(distance(one.weights, start.weights), 1000 * tolerance);
    for (const int members : {2, 4}) {
        const ModelState several = trained_by(members, even, Part::validation, epochs, 4);
        EXPECT_LT(distance(several.weights, one.weights), tolerance) << members << " members";
    }
}

TEST(DataParallelTraining, PiecesMayDifferInSizeOrBeEmpty) {
    // 500 images in batches of 83: members have 27 or 28 of each, and of the last batch of two
    // images one member has none. Sums are 83 terms long instead of 64, steps 14 instead of 16.
    TrialConfig uneven = even;
    uneven.batch_size = 83;
    const ModelState one = trained_by(1, uneven, Part::validation, 2, 4);
    const ModelState three = trained_by(3, uneven, Part::validation, 2, 4);
    EXPECT_LT(distance(three.weights, one.weights), tolerance);
}

} // namespace
} // namespace digits
