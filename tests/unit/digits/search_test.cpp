#include "digits_sweep/search.hpp"

#include <muster/core/error.hpp>
#include <muster/tune/asha_scheduler.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

namespace digits {
namespace {

namespace tune = muster::tune;
using testing::HasSubstr;

tune::Study study_of(std::size_t trials) {
    return {{{{"x", tune::uniform(0, 1)}}, 1},
            tune::AshaScheduler({.trials = trials, .max_resource = 16, .mode = tune::Mode::max})};
}

/// What runs jobs in a test: nothing happens, and higher numbers are better.
class RecordedRun {
public:
    explicit RecordedRun(tune::Study& study) : study_(study) {}

    void run() {
        run_study(
            study_,
            [this](const tune::Job& job) {
                running_.push_back(job);
                most_running_ = std::max(most_running_, running_.size());
            },
            [this](const tune::Job& job) {
                at_result_.push_back(running_.size());
                EXPECT_EQ(job, running_.front()) << "results are taken in the order of the jobs";
                running_.pop_front();
                if (std::count(bad_.begin(), bad_.end(), job.trial) > 0) {
                    muster::TaskFailure failure;
                    failure.task = "train";
                    failure.message = "no good";
                    throw muster::TaskError({failure}, muster::ErrorCode::task_failed);
                }
                return static_cast<double>(job.trial);
            },
            [this](const tune::Job& job) { done_.push_back(job); });
    }

    std::vector<std::size_t> bad_;       ///< Trials whose jobs fail.
    std::vector<tune::Job> done_;        ///< In order.
    std::vector<std::size_t> at_result_; ///< Jobs under way whenever a result was awaited.
    std::size_t most_running_ = 0;

private:
    tune::Study& study_;
    std::deque<tune::Job> running_;
};

TEST(RunStudy, HasAFixedNumberOfJobsUnderWayAsLongAsThereAreAny) {
    auto study = study_of(64);
    RecordedRun recorded(study);
    recorded.run();
    EXPECT_TRUE(study.finished());
    EXPECT_EQ(study.best()->number, 63U);
    EXPECT_EQ(recorded.most_running_, jobs_under_way);
    // While trials are waiting to start there is always a next job: 64 first ones, of which 15 are
    // still under way when the last has begun.
    EXPECT_GE(std::count(recorded.at_result_.begin(), recorded.at_result_.end(), jobs_under_way),
              64 - 15);
}

TEST(RunStudy, GoesOnWithoutTheTrialsThatFail) {
    auto study = study_of(8);
    RecordedRun recorded(study);
    recorded.bad_ = {3, 7};
    recorded.run();
    EXPECT_EQ(study.count(tune::TrialStatus::failed), 2U);
    EXPECT_THAT(study.trial(3).failure, HasSubstr("no good"));
    EXPECT_EQ(study.best()->number, 6U);
    EXPECT_EQ(study.best()->status, tune::TrialStatus::completed);
    EXPECT_EQ(std::count_if(recorded.done_.begin(),
                            recorded.done_.end(),
                            [](const tune::Job& job) { return job.trial == 3; }),
              1)
        << "the caller hears of a failure, too";
}

TEST(RunStudy, EndsWithTheErrorIfEveryTrialFails) {
    auto study = study_of(3);
    RecordedRun recorded(study);
    recorded.bad_ = {0, 1, 2};
    EXPECT_THROW(recorded.run(), muster::TaskError);
    EXPECT_EQ(recorded.done_.size(), 2U) << "the third is the error itself";
}

} // namespace
} // namespace digits
