#include "digits_sweep/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace digits {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TrialOutcome outcome(int id, int epoch, double accuracy, TrialStatus status) {
    return {
        .config = {.id = id, .learning_rate = 0.04, .batch_size = 64, .layers = 3, .width = 256},
        .last = {id, epoch, accuracy, 0.25},
        .status = status};
}

TEST(TrialTable, ListsTheFurthestAndBestFirst) {
    std::vector<TrialOutcome> outcomes{outcome(0, 1, 0.5, TrialStatus::stopped),
                                       outcome(1, 16, 0.95, TrialStatus::finished),
                                       outcome(2, 16, 0.96, TrialStatus::finished),
                                       outcome(3, 0, 0, TrialStatus::training)};
    outcomes[0].last.loss = nan;
    EXPECT_EQ(
        trial_table(outcomes),
        "trial  learning rate  batch  layers  width  epochs  validation      loss  status\n"
        "    2       0.040000     64       3    256      16     96.00 %    0.2500  finished\n"
        "    1       0.040000     64       3    256      16     95.00 %    0.2500  finished\n"
        "    0       0.040000     64       3    256       1     50.00 %  diverged  stopped\n"
        "    3       0.040000     64       3    256       0           -         -  training\n");
}

TEST(TrialTable, SaysWhichTrialsFailed) {
    EXPECT_THAT(trial_table({outcome(0, 1, nan, TrialStatus::stopped)}),
                testing::HasSubstr("failed"));
}

TEST(BestLines, NameTheTrialAndItsConfiguration) {
    EXPECT_EQ(best_lines(outcome(17, 16, 0.952, TrialStatus::finished)),
              "best: trial 17, validation accuracy 95.20 % after 16 epochs\n"
              "      learning rate 0.040000, batch size 64, 3 hidden layers of 256\n");
    EXPECT_THAT(config_text({.layers = 1}), testing::HasSubstr("1 hidden layer of"));
}

TEST(TestLine, GivesPercentWithTwoDigits) {
    EXPECT_EQ(test_line({.loss = 0.2, .accuracy = 0.952}), "test accuracy 95.20 %");
}

TEST(ProgressLines, ShowABarCountsAndTheBestSoFar) {
    const std::vector<std::string> lines =
        progress_lines({.epochs_done = 38,
                        .epochs_planned = 76,
                        .training = 4,
                        .waiting = 2,
                        .stopped = 18,
                        .finished = 0,
                        .best = outcome(17, 4, 0.912, TrialStatus::training)},
                       1000);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0],
              "[##########..........] 38/76 epochs, trials: 4 training, 2 waiting, 18 stopped, "
              "0 finished");
    EXPECT_EQ(lines[1],
              "best so far: trial 17, 91.20 % after 4 epochs (learning rate 0.040000, "
              "batch size 64, 3 hidden layers of 256)");
}

TEST(ProgressLines, StartEmptyEndFullAndFitTheWidth) {
    EXPECT_EQ(progress_lines({.epochs_planned = 10}, 22)[0], "[....................]");
    EXPECT_EQ(progress_lines({.epochs_done = 10, .epochs_planned = 10}, 22)[0],
              "[####################]");
    EXPECT_EQ(progress_lines({}, 80)[1], "best so far: none yet");
    EXPECT_EQ(progress_lines({}, 0)[0], "");
}

TEST(ProgressOf, CountsTrialsByStatus) {
    SuccessiveHalving halving({0, 1, 2}, 2);
    halving.on_report({0, 1, 0.2, 1});
    halving.on_report({1, 1, 0.9, 1});
    const std::vector<TrialConfig> configs{{.id = 0}, {.id = 1}, {.id = 2}};
    const Progress before = progress_of(halving, configs);
    EXPECT_EQ(before.training, 1);
    EXPECT_EQ(before.waiting, 2);
    EXPECT_EQ(before.best->config.id, 1);
    halving.on_report({2, 1, 0.8, 1});
    const Progress after = progress_of(halving, configs);
    EXPECT_EQ(after.training, 2);
    EXPECT_EQ(after.stopped, 1);
    EXPECT_EQ(after.epochs_done, 3);
    EXPECT_EQ(after.epochs_planned, 5);
}

} // namespace
} // namespace digits
