#include <muster/base/error.hpp>
#include <muster/tune/asha_scheduler.hpp>
#include <muster/tune/study.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace muster::tune {
namespace {

const RandomSampler sampler({{"rate", loguniform(1e-4, 1e-1)}}, 3);

/// How a trial does: the closer its rate to 0.01, the better, and better with time.
double loss(const Configuration& configuration, std::int64_t epochs) {
    return std::abs(std::log10(configuration.get<double>("rate")) + 2) + 1.0 / double(epochs);
}

TEST(Study, FindsTheBestConfigurationAndKeepsTheBooks) {
    Study study(sampler, AshaScheduler({.trials = 24, .max_resource = 16}));
    EXPECT_EQ(study.best(), nullptr);
    EXPECT_EQ(study.count(TrialStatus::waiting), 24U);
    while (const auto job = study.next_job()) {
        EXPECT_EQ(study.trial(job->trial).status, TrialStatus::running);
        study.on_result(*job, loss(study.trial(job->trial).configuration, job->to));
    }
    ASSERT_TRUE(study.finished());
    const Trial* winner = study.best();
    ASSERT_NE(winner, nullptr);
    EXPECT_EQ(winner->status, TrialStatus::completed);
    ASSERT_EQ(winner->reports.size(), 3U);
    EXPECT_EQ(winner->reports[1].resource, 4);
    EXPECT_EQ(winner->reports[2].value, loss(winner->configuration, 16));
    for (const Trial& trial : study.trials()) {
        EXPECT_LE(loss(winner->configuration, 1), loss(trial.configuration, 1));
        EXPECT_EQ(trial.configuration, sampler.sample(trial.number));
    }
    EXPECT_EQ(study.count(TrialStatus::stopped) + study.count(TrialStatus::completed), 24U);
    EXPECT_GE(study.count(TrialStatus::stopped), 16U);
}

TEST(Study, RemembersWhyATrialFailed) {
    Study study(sampler, AshaScheduler({.trials = 1, .max_resource = 4}));
    const auto job = study.next_job();
    ASSERT_TRUE(job.has_value());
    study.on_failure(*job, "out of memory");
    EXPECT_EQ(study.trial(0).failure, "out of memory");
    EXPECT_EQ(study.trial(0).status, TrialStatus::failed);
    EXPECT_TRUE(study.finished());
    EXPECT_EQ(study.best(), nullptr);
    EXPECT_THROW(study.on_failure(*job, "again"), UsageError);
    EXPECT_EQ(study.trial(0).failure, "out of memory");
}

} // namespace
} // namespace muster::tune
