#include <muster/base/random.hpp>
#include <muster/tune/asha_scheduler.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <ostream>

namespace muster::tune {

void PrintTo(const Job& job, std::ostream* out) {
    *out << "trial " << job.trial << " from " << job.from << " to " << job.to;
}

namespace {

/// A study of random shape, whose results come in random order, checked against its rule, written
/// down a second time in the most direct way.
class RandomStudy {
public:
    explicit RandomStudy(std::uint64_t seed)
        : random_(seed), options_(random_options(random_)), asha_(options_),
          reached_(asha_.rungs().size()), rungs_of_(options_.trials, 0) {}

    /// Runs it to the end. @return all jobs in order.
    std::vector<Job> run() {
        const std::uint64_t width = 1 + random_.below(6);
        while (!asha_.finished() && !testing::Test::HasFailure()) {
            while (running_.size() < width) {
                const auto job = asha_.next_job();
                if (!job) {
                    EXPECT_TRUE(!running_.empty()) << "neither a job nor the end";
                    break;
                }
                check(*job);
                running_.push_back(*job);
                jobs_.push_back(*job);
            }
            finish_one();
        }
        check_end();
        return jobs_;
    }

    [[nodiscard]] const AshaScheduler& asha() const { return asha_; }

private:
    static AshaOptions random_options(Random& random) {
        AshaOptions options;
        options.trials = 1 + random.below(60);
        options.min_resource = random.between(1, 3);
        options.max_resource = options.min_resource + random.between(0, 80);
        options.reduction_factor = random.between(2, 4);
        options.mode = random.chance(0.5) ? Mode::min : Mode::max;
        options.finish_best = random.chance(0.5);
        return options;
    }

    /// Few different values, so that there are ties; NaN among them.
    double random_value() {
        return random_.chance(0.1) ? std::numeric_limits<double>::quiet_NaN()
                                   : static_cast<double>(random_.below(8));
    }

    [[nodiscard]] bool
    beats(std::size_t a, std::size_t b, const std::map<std::size_t, double>& of) {
        const double worst = options_.mode == Mode::min ? std::numeric_limits<double>::infinity()
                                                        : -std::numeric_limits<double>::infinity();
        const double x = std::isnan(of.at(a)) ? worst : of.at(a);
        const double y = std::isnan(of.at(b)) ? worst : of.at(b);
        return x == y ? a < b : (x < y) == (options_.mode == Mode::min);
    }

    /// Who is first in line to be promoted from a rung if so many of it may be.
    std::optional<std::size_t> candidate(std::size_t rung, std::size_t quota) {
        std::optional<std::size_t> best;
        for (const auto& [trial, value] : reached_[rung]) {
            std::size_t better = 0;
            for (const auto& [other, ignored] : reached_[rung]) {
                better += beats(other, trial, reached_[rung]) ? 1U : 0U;
            }
            const bool is_promoted = rungs_of_[trial] > rung + 1;
            if (better < quota && !is_promoted && !std::isnan(value) &&
                (!best || beats(trial, *best, reached_[rung]))) {
                best = trial;
            }
        }
        return best;
    }

    /// Whether the rule gives this job now. rungs_of_[t] is how many rungs t has been sent to.
    void check(const Job& job) {
        const auto& rungs = asha_.rungs();
        for (std::size_t rung = rungs.size() - 1; rung-- > 0;) {
            const auto quota =
                reached_[rung].size() / static_cast<std::size_t>(options_.reduction_factor);
            if (const auto best = candidate(rung, quota)) {
                ASSERT_EQ(job, (Job{*best, rungs[rung], rungs[rung + 1]}));
                rungs_of_[*best] = rung + 2;
                return;
            }
        }
        if (started_ < options_.trials) {
            ASSERT_EQ(job, (Job{started_, 0, rungs.front()}));
            rungs_of_[started_++] = 1;
            return;
        }
        ASSERT_TRUE(options_.finish_best) << "trial " << job.trial << " was not to be promoted";
        ASSERT_TRUE(running_.empty());
        for (const auto& [trial, value] : reached_.back()) {
            ASSERT_TRUE(std::isnan(value)) << "trial " << trial << " has completed";
        }
        for (std::size_t rung = rungs.size() - 1; rung-- > 0;) {
            if (const auto best = candidate(rung, reached_[rung].size())) {
                ASSERT_EQ(job, (Job{*best, rungs[rung], rungs[rung + 1]}));
                rungs_of_[*best] = rung + 2;
                return;
            }
        }
        FAIL() << "there was nobody left to promote";
    }

    void finish_one() {
        const std::size_t i = random_.below(running_.size());
        const Job job = running_[i];
        running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
        if (random_.chance(0.05)) {
            asha_.on_failure(job.trial);
            return;
        }
        const double value = random_value();
        reached_[rungs_of_[job.trial] - 1].emplace(job.trial, value);
        asha_.on_result(job.trial, job.to, value);
    }

    void check_end() {
        EXPECT_TRUE(running_.empty());
        EXPECT_EQ(started_, options_.trials);
        EXPECT_EQ(asha_.next_job(), std::nullopt);
        for (std::size_t trial = 0; trial < options_.trials; ++trial) {
            const TrialState& state = asha_.state(trial);
            switch (state.status) {
            case TrialStatus::completed:
                EXPECT_EQ(state.resource, options_.max_resource);
                break;
            case TrialStatus::stopped:
                EXPECT_LT(state.resource, options_.max_resource);
                break;
            case TrialStatus::failed:
                break;
            default:
                ADD_FAILURE() << "trial " << trial << " ended " << to_string(state.status);
            }
        }
    }

    Random random_;
    AshaOptions options_;
    AshaScheduler asha_;
    std::vector<std::map<std::size_t, double>> reached_; ///< By rung: trials and their results.
    std::vector<std::size_t> rungs_of_;
    std::size_t started_ = 0;
    std::vector<Job> running_;
    std::vector<Job> jobs_;
};

TEST(AshaScheduler, GivesTheJobsOfItsRuleInStudiesOfAnyShapeAndOrder) {
    for (std::uint64_t seed = 0; seed < 600; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        RandomStudy(seed).run();
        ASSERT_FALSE(HasFailure());
    }
}

TEST(AshaScheduler, SendsEveryTrialThroughTheRungsInOrder) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        RandomStudy study(seed);
        std::map<std::size_t, std::int64_t> reached;
        for (const Job& job : study.run()) {
            ASSERT_EQ(reached[job.trial], job.from) << "seed " << seed << " trial " << job.trial;
            ASSERT_LT(job.from, job.to);
            reached[job.trial] = job.to;
        }
    }
}

TEST(AshaScheduler, DecidesTheSameForTheSameEvents) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        RandomStudy first(seed);
        RandomStudy second(seed);
        ASSERT_EQ(first.run(), second.run()) << "seed " << seed;
        ASSERT_EQ(first.asha().best(), second.asha().best()) << "seed " << seed;
    }
}

} // namespace
} // namespace muster::tune
