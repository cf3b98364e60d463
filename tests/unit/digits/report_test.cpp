#include "digits_sweep/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace digits {
namespace {

using muster::tune::TrialStatus;

TrialOutcome outcome(std::size_t trial, std::int64_t epochs, double accuracy, TrialStatus status) {
    return {.trial = trial,
            .config = {.learning_rate = 0.04, .batch_size = 64, .layers = 3, .width = 256},
            .epochs = epochs,
            .judged = {.loss = 0.25, .accuracy = accuracy},
            .status = status};
}

TEST(TrialTable, ListsTheFurthestAndBestFirstAndTheFailedLast) {
    std::vector<TrialOutcome> outcomes{outcome(0, 1, 0.5, TrialStatus::stopped),
                                       outcome(1, 16, 0.95, TrialStatus::completed),
                                       outcome(2, 16, 0.96, TrialStatus::completed),
                                       outcome(3, 0, 0, TrialStatus::failed),
                                       outcome(4, 4, 0.97, TrialStatus::failed),
                                       outcome(5, 1, 0.5, TrialStatus::stopped)};
    outcomes[0].judged.loss = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(
        trial_table(outcomes),
        "trial  epochs  validation      loss  learning rate  batch  layers  width  status\n"
        "    2      16     96.00 %    0.2500       0.040000     64       3    256  completed\n"
        "    1      16     95.00 %    0.2500       0.040000     64       3    256  completed\n"
        "    0       1     50.00 %  diverged       0.040000     64       3    256  stopped\n"
        "    5       1     50.00 %    0.2500       0.040000     64       3    256  stopped\n"
        "    4       4     97.00 %    0.2500       0.040000     64       3    256  failed\n"
        "    3       0           -         -       0.040000     64       3    256  failed\n");
}

TEST(BestLines, NameTheTrialAndItsConfiguration) {
    EXPECT_EQ(best_lines(outcome(17, 16, 0.952, TrialStatus::completed)),
              "best: trial 17, validation accuracy 95.20 % after 16 epochs\n"
              "      learning rate 0.040000, batch size 64, 3 hidden layers of 256\n");
    EXPECT_THAT(config_text({.layers = 1}), testing::HasSubstr("1 hidden layer of"));
}

TEST(TestLine, GivesPercentWithTwoDigits) {
    EXPECT_EQ(test_line({.loss = 0.2, .accuracy = 0.952}), "test accuracy 95.20 %");
}

TEST(ProgressLines, ShowWhatIsDoneTrialsByStatusAndTheBestSoFar) {
    const std::vector<std::string> lines =
        progress_lines({.trials = 24,
                        .jobs_done = 20,
                        .epochs = 38,
                        .waiting = 2,
                        .running = 4,
                        .paused = 17,
                        .failed = 1,
                        .best = outcome(17, 4, 0.912, TrialStatus::running)},
                       1000);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0], "38 epochs trained, trials: 2 waiting, 4 running, 17 paused, 1 failed");
    EXPECT_EQ(lines[1],
              "best so far: trial 17, 91.20 % after 4 epochs (learning rate 0.040000, "
              "batch size 64, 3 hidden layers of 256)");
}

TEST(ProgressLines, NameStatesThatEndATrialToo) {
    EXPECT_EQ(progress_lines({.epochs = 1, .stopped = 21, .completed = 3}, 1000)[0],
              "1 epoch trained, trials: 21 stopped, 3 completed");
}

TEST(ProgressLines, FitTheWidth) {
    EXPECT_EQ(progress_lines({.trials = 24, .waiting = 24}, 8)[0], "0 epochs");
    EXPECT_EQ(progress_lines({}, 80)[1], "best so far: none yet");
    EXPECT_EQ(progress_lines({}, 0)[0], "");
}

} // namespace
} // namespace digits
