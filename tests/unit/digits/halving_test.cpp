#include "digits_sweep/halving.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>

namespace digits {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(Better, PrefersAccuracyThenLowLossThenLowTrial) {
    struct Case {
        std::string why;
        Report winner;
        Report loser;
    };

    const std::vector<Case> cases{
        {"accuracy", {2, 1, 0.9, 5.0}, {1, 1, 0.8, 0.1}},
        {"loss among equal accuracies", {2, 1, 0.9, 0.1}, {1, 1, 0.9, 0.2}},
        {"trial among equals", {1, 1, 0.9, 0.1}, {2, 1, 0.9, 0.1}},
        {"a number before NaN accuracy", {2, 1, 0.0, 9.0}, {1, 1, nan, 0.1}},
        {"a number before NaN loss", {2, 1, 0.1, 9.0}, {1, 1, 0.1, nan}},
        {"infinite loss is no better than NaN", {1, 1, 0.1, nan}, {2, 1, 0.1, INFINITY}},
        {"trial among failed ones", {1, 1, nan, nan}, {2, 1, nan, nan}},
    };
    for (const Case& c : cases) {
        EXPECT_TRUE(better(c.winner, c.loser)) << c.why;
        EXPECT_FALSE(better(c.loser, c.winner)) << c.why;
    }
}

TEST(SuccessiveHalving, StopsTheWorseHalfOnceAllHaveReported) {
    SuccessiveHalving halving({0, 1, 2, 3}, 4);
    EXPECT_TRUE(halving.on_report({0, 1, 0.5, 1}).empty());
    EXPECT_TRUE(halving.on_report({3, 1, 0.9, 1}).empty());
    EXPECT_TRUE(halving.on_report({1, 1, 0.4, 1}).empty());
    EXPECT_EQ(halving.status(1), TrialStatus::waiting);
    EXPECT_EQ(halving.on_report({2, 1, 0.6, 1}), (std::vector{2, 3}));
    EXPECT_EQ(halving.status(0), TrialStatus::stopped);
    EXPECT_EQ(halving.status(1), TrialStatus::stopped);
    EXPECT_EQ(halving.status(2), TrialStatus::training);
    EXPECT_FALSE(halving.finished());
}

TEST(SuccessiveHalving, KeepsTheLargerHalfOfAnOddNumber) {
    SuccessiveHalving halving({0, 1, 2}, 2);
    halving.on_report({0, 1, 0.1, 1});
    halving.on_report({1, 1, 0.3, 1});
    EXPECT_EQ(halving.on_report({2, 1, 0.2, 1}), (std::vector{1, 2}));
}

TEST(SuccessiveHalving, LetsATrialGoOnAtOnceBetweenRungs) {
    SuccessiveHalving halving({0, 1}, 8);
    halving.on_report({0, 1, 0.1, 1});
    EXPECT_EQ(halving.on_report({1, 1, 0.3, 1}), (std::vector{1}));
    EXPECT_EQ(halving.on_report({1, 2, 0.3, 1}), (std::vector{1})) << "a rung of its own";
    EXPECT_EQ(halving.on_report({1, 3, 0.3, 1}), (std::vector{1})) << "no rung";
}

TEST(SuccessiveHalving, NeverStopsTheLastTrial) {
    SuccessiveHalving halving({7}, 5);
    for (int epoch = 1; epoch < 5; ++epoch) {
        EXPECT_EQ(halving.on_report({7, epoch, nan, nan}), (std::vector{7}));
    }
    EXPECT_TRUE(halving.on_report({7, 5, 0.2, 1}).empty());
    EXPECT_EQ(halving.status(7), TrialStatus::finished);
    EXPECT_TRUE(halving.finished());
    EXPECT_EQ(halving.best()->trial, 7);
}

TEST(SuccessiveHalving, StopsFailedTrialsFirst) {
    SuccessiveHalving halving({0, 1, 2, 3}, 2);
    halving.on_report({0, 1, nan, nan});
    halving.on_report({1, 1, 0.1, nan});
    halving.on_report({2, 1, 0.1, 2.3});
    EXPECT_EQ(halving.on_report({3, 1, 0.2, 2.0}), (std::vector{2, 3}));
}

TEST(SuccessiveHalving, WithOneEpochFinishesAllTrials) {
    SuccessiveHalving halving({0, 1}, 1);
    EXPECT_FALSE(halving.best().has_value());
    EXPECT_TRUE(halving.on_report({0, 1, 0.5, 1}).empty());
    EXPECT_TRUE(halving.on_report({1, 1, 0.6, 1}).empty());
    EXPECT_TRUE(halving.finished());
    EXPECT_EQ(halving.best()->trial, 1);
}

TEST(SuccessiveHalving, BestIsAmongThoseThatGotFurthest) {
    SuccessiveHalving halving({0, 1}, 2);
    halving.on_report({0, 1, 0.8, 1});
    EXPECT_EQ(halving.best()->trial, 0);
    halving.on_report({1, 1, 0.9, 1});
    halving.on_report({1, 2, 0.7, 1});
    EXPECT_EQ(halving.best()->trial, 1);
    EXPECT_EQ(halving.best()->accuracy, 0.7);
}

/// What a trial would report: drawn from the seed, with ties and failures.
Report result_of(std::uint64_t seed, int trial, int epoch) {
    muster::Random random(seed, static_cast<std::uint64_t>(trial * 1000 + epoch));
    Report report{trial, epoch, static_cast<double>(random.below(6)) / 6, 1.0};
    report.loss = random.chance(0.1) ? nan : static_cast<double>(random.below(3));
    report.accuracy = random.chance(0.1) ? nan : report.accuracy;
    return report;
}

struct Race {
    std::vector<int> epochs; ///< By trial: how far it got.
    int best = -1;
};

/// Runs a sweep whose reports arrive in an order drawn from `order`.
Race run(std::uint64_t seed, int trial_count, int epochs, muster::Random order) {
    std::vector<int> running(static_cast<std::size_t>(trial_count));
    std::iota(running.begin(), running.end(), 0);
    SuccessiveHalving halving(running, epochs);
    Race race{std::vector<int>(running.size(), 0)};
    while (!running.empty()) {
        const std::size_t next = order.below(running.size());
        const int trial = running[next];
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(next));
        int& epoch = race.epochs[static_cast<std::size_t>(trial)];
        ++epoch;
        for (const int going_on : halving.on_report(result_of(seed, trial, epoch))) {
            running.push_back(going_on);
        }
    }
    EXPECT_TRUE(halving.finished());
    EXPECT_EQ(halving.epochs_done(), halving.epochs_planned());
    race.best = halving.best()->trial;
    return race;
}

TEST(SuccessiveHalving, DecidesTheSameWhateverTheOrderOfReports) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        muster::Random shape(seed);
        const auto trials = static_cast<int>(shape.between(1, 30));
        const auto epochs = static_cast<int>(shape.between(1, 20));
        const Race first = run(seed, trials, epochs, muster::Random(0));
        for (std::uint64_t order = 1; order < 8; ++order) {
            const Race again = run(seed, trials, epochs, muster::Random(order));
            ASSERT_EQ(again.epochs, first.epochs) << "seed " << seed << " order " << order;
            ASSERT_EQ(again.best, first.best) << "seed " << seed << " order " << order;
        }
    }
}

} // namespace
} // namespace digits
