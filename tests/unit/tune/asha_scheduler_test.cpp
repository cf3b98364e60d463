#include <muster/base/error.hpp>
#include <muster/tune/asha_scheduler.hpp>

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <ostream>

namespace muster::tune {

void PrintTo(const Job& job, std::ostream* out) {
    *out << "trial " << job.trial << " from " << job.from << " to " << job.to;
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Hands out the next job and reports its result at once.
/// @return what the job was, or a job of no length if there was none.
Job run(AshaScheduler& asha, const std::vector<double>& values) {
    const auto job = asha.next_job();
    if (!job) {
        return {};
    }
    asha.on_result(job->trial, job->to, values.at(job->trial));
    return *job;
}

std::vector<std::size_t> trials_with(const AshaScheduler& asha, TrialStatus status) {
    std::vector<std::size_t> trials;
    for (std::size_t trial = 0; trial < asha.trials(); ++trial) {
        if (asha.state(trial).status == status) {
            trials.push_back(trial);
        }
    }
    return trials;
}

TEST(AshaScheduler, PlacesRungsAtPowersOfTheFactorUpToTheMaximum) {
    const auto rungs = [](std::int64_t min, std::int64_t max, std::int64_t factor) {
        return AshaScheduler({.trials = 1,
                              .max_resource = max,
                              .min_resource = min,
                              .reduction_factor = factor})
            .rungs();
    };
    EXPECT_THAT(rungs(1, 16, 4), ElementsAre(1, 4, 16));
    EXPECT_THAT(rungs(1, 9, 3), ElementsAre(1, 3, 9));
    EXPECT_THAT(rungs(1, 20, 4), ElementsAre(1, 4, 16, 20));
    EXPECT_THAT(rungs(3, 20, 2), ElementsAre(3, 6, 12, 20));
    EXPECT_THAT(rungs(5, 5, 4), ElementsAre(5));
    EXPECT_THAT(rungs(4, 5, 4), ElementsAre(4, 5));
    constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max();
    EXPECT_THAT(rungs(far / 3, far, 2), ElementsAre(far / 3, far / 3 * 2, far));
}

TEST(AshaScheduler, PromotesTheBestAsSoonAsAFactorOfTrialsHasReported) {
    // Factor 2, one job at a time. After trial 1, rung 0 has two: the better, trial 0, goes on.
    // After trial 3 it has four: the best two are 3 and 0, so 3 goes on. That makes two in rung 1,
    // the better of whom is 3. After trial 5, rung 0 has six: the best three are 5, 3 and 0, so 5
    // goes on. That makes three in rung 1, so still one of them, and now that is 5.
    AshaScheduler asha({.trials = 6, .max_resource = 4, .reduction_factor = 2});
    const std::vector<double> losses{0.5, 0.9, 0.8, 0.3, 0.7, 0.1};
    const std::vector<Job> jobs{{0, 0, 1},
                                {1, 0, 1},
                                {0, 1, 2},
                                {2, 0, 1},
                                {3, 0, 1},
                                {3, 1, 2},
                                {3, 2, 4},
                                {4, 0, 1},
                                {5, 0, 1},
                                {5, 1, 2},
                                {5, 2, 4}};
    for (const Job& job : jobs) {
        EXPECT_FALSE(asha.finished());
        EXPECT_EQ(run(asha, losses), job) << "trial " << job.trial << " from " << job.from;
    }
    EXPECT_TRUE(asha.finished());
    EXPECT_EQ(asha.next_job(), std::nullopt);
    EXPECT_THAT(trials_with(asha, TrialStatus::completed), ElementsAre(3, 5));
    EXPECT_THAT(trials_with(asha, TrialStatus::stopped), ElementsAre(0, 1, 2, 4));
    EXPECT_EQ(asha.best(), 5U);
    EXPECT_EQ(asha.state(5).resource, 4);
    EXPECT_EQ(asha.state(5).value, 0.1);
}

TEST(AshaScheduler, StartsNewTrialsWhileNobodyCanBePromoted) {
    AshaScheduler asha({.trials = 3, .max_resource = 4, .reduction_factor = 2});
    EXPECT_EQ(asha.next_job(), (Job{0, 0, 1}));
    EXPECT_EQ(asha.next_job(), (Job{1, 0, 1}));
    EXPECT_EQ(asha.next_job(), (Job{2, 0, 1}));
    EXPECT_EQ(asha.next_job(), std::nullopt) << "all are running";
    EXPECT_FALSE(asha.finished());
    asha.on_result(2, 1, 0.2);
    EXPECT_EQ(asha.state(2).status, TrialStatus::paused);
    EXPECT_EQ(asha.next_job(), std::nullopt) << "half of one is none";
    asha.on_result(0, 1, 0.1);
    EXPECT_EQ(asha.next_job(), (Job{0, 1, 2}));
}

TEST(AshaScheduler, PromotesFromTheHighestRungFirst) {
    AshaScheduler asha({.trials = 8, .max_resource = 4, .reduction_factor = 2});
    for (std::size_t trial = 0; trial < 8; ++trial) {
        (void)asha.next_job();
    }
    for (std::size_t trial = 0; trial < 4; ++trial) {
        asha.on_result(trial, 1, double(trial));
    }
    EXPECT_EQ(asha.next_job(), (Job{0, 1, 2}));
    EXPECT_EQ(asha.next_job(), (Job{1, 1, 2}));
    asha.on_result(0, 2, 0.5);
    asha.on_result(1, 2, 0.4);
    for (std::size_t trial = 4; trial < 8; ++trial) {
        asha.on_result(trial, 1, double(trial));
    }
    // Now rung 0 could promote trials 2 and 3, and rung 1 trial 1.
    EXPECT_EQ(asha.next_job(), (Job{1, 2, 4}));
    EXPECT_EQ(asha.next_job(), (Job{2, 1, 2}));
    EXPECT_EQ(asha.next_job(), (Job{3, 1, 2}));
    EXPECT_EQ(asha.next_job(), std::nullopt);
}

TEST(AshaScheduler, KeepsWhatItPromotedWhenBetterOnesCome) {
    AshaScheduler asha({.trials = 4, .max_resource = 2, .reduction_factor = 2});
    const std::vector<double> losses{0.4, 0.5, 0.2, 0.1};
    EXPECT_EQ(run(asha, losses), (Job{0, 0, 1}));
    EXPECT_EQ(run(asha, losses), (Job{1, 0, 1}));
    EXPECT_EQ(run(asha, losses), (Job{0, 1, 2})) << "best of two then";
    EXPECT_EQ(run(asha, losses), (Job{2, 0, 1}));
    EXPECT_EQ(run(asha, losses), (Job{2, 1, 2})) << "best of three";
    EXPECT_EQ(run(asha, losses), (Job{3, 0, 1}));
    EXPECT_EQ(run(asha, losses), (Job{3, 1, 2})) << "one of the best two of four";
    EXPECT_TRUE(asha.finished());
    EXPECT_THAT(trials_with(asha, TrialStatus::completed), ElementsAre(0, 2, 3))
        << "more than one half, by asynchrony";
}

TEST(AshaScheduler, RanksLowerOrHigherValuesFirstNaNLastAndLowerTrialsOfEqualOnes) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    constexpr double infinity = std::numeric_limits<double>::infinity();

    struct Case {
        std::string why;
        Mode mode;
        std::vector<double> values;
        std::size_t promoted;
    };

    const std::vector<Case> cases{
        {"lowest", Mode::min, {0.3, 0.1, 0.2}, 1},
        {"highest", Mode::max, {0.1, 0.2, 0.3}, 2},
        {"lower trial", Mode::min, {0.2, 0.1, 0.1}, 1},
        {"lower trial", Mode::max, {0.2, 0.1, 0.2}, 0},
        {"NaN is worst", Mode::min, {nan, 0.9, nan}, 1},
        {"NaN is worst", Mode::max, {nan, nan, 0.1}, 2},
        {"infinity is a number", Mode::min, {nan, infinity, nan}, 1},
        {"infinity is a number", Mode::max, {nan, -infinity, nan}, 1},
        {"both zeros are equal", Mode::min, {0.0, -0.0, 1}, 0},
    };
    for (const Case& c : cases) {
        AshaScheduler asha({.trials = 3, .max_resource = 3, .reduction_factor = 3, .mode = c.mode});
        for (std::size_t trial = 0; trial < 3; ++trial) {
            (void)run(asha, c.values);
        }
        EXPECT_EQ(asha.best(), c.promoted) << c.why;
        EXPECT_EQ(asha.next_job(), (Job{c.promoted, 1, 3})) << c.why;
    }
}

TEST(AshaScheduler, NeverPromotesNaN) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    AshaScheduler asha({.trials = 4, .max_resource = 4, .reduction_factor = 2});
    const std::vector<double> losses{nan, nan, nan, nan};
    for (std::size_t trial = 0; trial < 4; ++trial) {
        EXPECT_EQ(run(asha, losses), (Job{trial, 0, 1}));
    }
    EXPECT_TRUE(asha.finished());
    EXPECT_EQ(asha.best(), std::nullopt);
    EXPECT_THAT(trials_with(asha, TrialStatus::stopped), ElementsAre(0, 1, 2, 3));
}

TEST(AshaScheduler, FinishesTheBestTrialOfAStudyTooSmallForItsQuotas) {
    AshaScheduler asha({.trials = 3, .max_resource = 16});
    const std::vector<double> losses{0.3, 0.1, 0.2};
    (void)asha.next_job();
    (void)asha.next_job();
    (void)asha.next_job();
    asha.on_result(0, 1, 0.3);
    asha.on_result(1, 1, 0.1);
    EXPECT_EQ(asha.next_job(), std::nullopt) << "trial 2 might still be better";
    asha.on_result(2, 1, 0.2);
    EXPECT_FALSE(asha.finished());
    EXPECT_EQ(run(asha, losses), (Job{1, 1, 4}));
    EXPECT_EQ(run(asha, losses), (Job{1, 4, 16}));
    EXPECT_TRUE(asha.finished());
    EXPECT_EQ(asha.best(), 1U);
}

TEST(AshaScheduler, EndsWithoutCompletedTrialIfNotAskedToFinishTheBest) {
    AshaScheduler asha({.trials = 3, .max_resource = 16, .finish_best = false});
    const std::vector<double> losses{0.3, 0.1, 0.2};
    for (std::size_t trial = 0; trial < 3; ++trial) {
        (void)run(asha, losses);
    }
    EXPECT_TRUE(asha.finished());
    EXPECT_EQ(asha.best(), 1U);
    EXPECT_THAT(trials_with(asha, TrialStatus::stopped), ElementsAre(0, 1, 2));
}

TEST(AshaScheduler, FinishesTheNextBestWhenTheBestDiverges) {
    AshaScheduler asha({.trials = 2, .max_resource = 4});
    (void)run(asha, {0.1, 0.2});
    (void)run(asha, {0.1, 0.2});
    EXPECT_EQ(asha.next_job(), (Job{0, 1, 4}));
    asha.on_result(0, 4, std::nan(""));
    EXPECT_EQ(asha.best(), 1U) << "trial 0 was better before it diverged";
    EXPECT_EQ(asha.next_job(), (Job{1, 1, 4}));
    asha.on_result(1, 4, 0.2);
    EXPECT_TRUE(asha.finished());
    EXPECT_THAT(trials_with(asha, TrialStatus::completed), ElementsAre(0, 1));
}

TEST(AshaScheduler, FailedTrialsAreOverAndKeepTheirPlaceInTheRungsTheyReached) {
    AshaScheduler asha({.trials = 5, .max_resource = 2, .reduction_factor = 2});
    const std::vector<double> losses{0.1, 0.2, 0.3, 0.4, 0.5};
    EXPECT_EQ(asha.next_job(), (Job{0, 0, 1}));
    asha.on_failure(0);
    EXPECT_EQ(asha.state(0).status, TrialStatus::failed);
    EXPECT_EQ(run(asha, losses), (Job{1, 0, 1}));
    EXPECT_EQ(run(asha, losses), (Job{2, 0, 1})) << "trial 0 never reached the rung";
    EXPECT_EQ(asha.next_job(), (Job{1, 1, 2}));
    asha.on_failure(1);
    EXPECT_EQ(asha.best(), 2U) << "not the failed one";
    EXPECT_EQ(run(asha, losses), (Job{3, 0, 1})) << "trial 1 was the half of two";
    EXPECT_EQ(run(asha, losses), (Job{4, 0, 1}));
    EXPECT_EQ(run(asha, losses), (Job{2, 1, 2}));
    EXPECT_TRUE(asha.finished());
    EXPECT_THAT(trials_with(asha, TrialStatus::failed), ElementsAre(0, 1));
    EXPECT_EQ(asha.best(), 2U);
}

TEST(AshaScheduler, EndsWhenEveryTrialFails) {
    AshaScheduler asha({.trials = 2, .max_resource = 16});
    (void)asha.next_job();
    (void)asha.next_job();
    asha.on_failure(1);
    EXPECT_FALSE(asha.finished());
    asha.on_failure(0);
    EXPECT_TRUE(asha.finished());
    EXPECT_EQ(asha.best(), std::nullopt);
}

TEST(AshaScheduler, TrainsAllTrialsToTheEndWhereThereIsOneRung) {
    AshaScheduler asha({.trials = 2, .max_resource = 3, .min_resource = 3});
    EXPECT_EQ(run(asha, {0.2, 0.1}), (Job{0, 0, 3}));
    EXPECT_EQ(run(asha, {0.2, 0.1}), (Job{1, 0, 3}));
    EXPECT_TRUE(asha.finished());
    EXPECT_THAT(trials_with(asha, TrialStatus::completed), ElementsAre(0, 1));
    EXPECT_EQ(asha.best(), 1U);
}

template <class F>
std::string error_of(F f) {
    try {
        f();
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no error";
}

TEST(AshaScheduler, RefusesOptionsThatCannotBe) {
    const auto with = [](AshaOptions options) {
        return error_of([&] { AshaScheduler asha(options); });
    };
    EXPECT_THAT(with({.max_resource = 4}), HasSubstr("0 trials"));
    EXPECT_THAT(with({.trials = 1}), HasSubstr("max_resource is 0, below its min_resource 1"));
    EXPECT_THAT(with({.trials = 1, .max_resource = 4, .min_resource = 0}),
                HasSubstr("min_resource is 0"));
    EXPECT_THAT(with({.trials = 1, .max_resource = 4, .reduction_factor = 1}),
                HasSubstr("reduction factor is 1"));
}

TEST(AshaScheduler, RefusesReportsThatFitNoJob) {
    AshaScheduler asha({.trials = 1, .max_resource = 4});
    EXPECT_THAT(error_of([&] { asha.on_result(0, 1, 0.1); }),
                HasSubstr("trial 0 was reported on, but it is waiting"));
    (void)asha.next_job();
    EXPECT_THAT(error_of([&] { asha.on_result(0, 3, 0.1); }),
                HasSubstr("trial 0 reported a result at resource 3, but its job goes to 1"));
    asha.on_result(0, 1, 0.1);
    EXPECT_THAT(error_of([&] { asha.on_result(0, 1, 0.1); }), HasSubstr("but it is paused"));
    EXPECT_THAT(error_of([&] { asha.on_failure(1); }), HasSubstr("but it is none of the study's"));
}

} // namespace
} // namespace muster::tune
