#include <muster/base/error.hpp>
#include <muster/train/fit_plan.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace muster::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SavedCheckpoint at(std::uint64_t step, Metrics metrics = {}) {
    return {step, "step-" + std::to_string(step), std::move(metrics)};
}

FitOrder starts(int workers, std::uint32_t attempt, std::optional<SavedCheckpoint> from = {}) {
    return StartGang{workers, attempt, std::move(from)};
}

FitOrder ends(Finish::Outcome outcome) {
    return Finish{outcome, {}};
}

std::string reason(const FitOrder& order) {
    const auto* const finish = std::get_if<Finish>(&order);
    return finish != nullptr && finish->outcome == Finish::Outcome::gave_up ? finish->reason
                                                                            : "it did not give up";
}

std::vector<std::uint64_t> steps(const std::vector<SavedCheckpoint>& checkpoints) {
    std::vector<std::uint64_t> result;
    for (const auto& each : checkpoints) {
        result.push_back(each.step);
    }
    return result;
}

TEST(FitPlan, StartsWithAsManyWorkersAsAllowedAtTheBeginning) {
    FitPlan plan({.workers = {4, 8}}, {});
    EXPECT_EQ(plan.begin(), starts(8, 1));
    EXPECT_EQ(plan.on_ended(GangEnd::finished, ""), ends(Finish::Outcome::done));
}

TEST(FitPlan, GoesOnWithTheNewestCheckpointOfARunBefore) {
    FitPlan plan({.workers = 2}, {at(20), at(5), at(10)});
    EXPECT_EQ(plan.begin(), starts(2, 1, at(20)));
    EXPECT_THAT(steps(plan.checkpoints()), ElementsAre(5, 10, 20));
}

TEST(FitPlan, PassesOverCheckpointsThatCannotBeRead) {
    FitPlan plan({.workers = 2}, {at(5), at(10)});
    (void)plan.begin();
    EXPECT_EQ(plan.on_unreadable(), starts(2, 1, at(5)));
    EXPECT_EQ(plan.on_unreadable(), starts(2, 1));
}

TEST(FitPlan, StartsAgainFromTheLastCheckpointAfterAFailure) {
    FitPlan plan({.workers = 2, .max_failures = 3}, {});
    (void)plan.begin();
    EXPECT_THAT(plan.on_saved(at(10)), IsEmpty());
    EXPECT_EQ(plan.on_ended(GangEnd::failed, "boom"), starts(2, 2, at(10)));
    EXPECT_EQ(plan.on_ended(GangEnd::failed, "boom"), starts(2, 3, at(10)));
    EXPECT_EQ(plan.failures(), 2U);
}

TEST(FitPlan, GivesUpAtOnceWhereNoFailureIsAllowed) {
    FitPlan plan({.workers = 2, .max_failures = 0}, {});
    (void)plan.begin();
    EXPECT_EQ(reason(plan.on_ended(GangEnd::failed, "rank 1 is out of paper")),
              "rank 1 is out of paper");
}

TEST(FitPlan, GivesUpAfterSoManyFailuresInARow) {
    FitPlan plan({.workers = 2, .max_failures = 2}, {});
    (void)plan.begin();
    EXPECT_EQ(plan.on_ended(GangEnd::failed, "a"), starts(2, 2));
    EXPECT_EQ(plan.on_ended(GangEnd::failed, "b"), starts(2, 3));
    EXPECT_THAT(reason(plan.on_ended(GangEnd::failed, "c")),
                HasSubstr("failed 3 times without a new checkpoint in between; the last time: c"));
}

TEST(FitPlan, ForgetsFailuresWhenThereIsANewCheckpoint) {
    FitPlan plan({.workers = 2, .max_failures = 1}, {});
    (void)plan.begin();
    for (std::uint64_t i = 1; i < 20; ++i) {
        (void)plan.on_saved(at(i));
        EXPECT_EQ(plan.on_ended(GangEnd::failed, ""),
                  starts(2, static_cast<std::uint32_t>(i) + 1, at(i)));
    }
    EXPECT_NE(reason(plan.on_ended(GangEnd::failed, "")), "it did not give up");
}

TEST(FitPlan, TakesFewerWorkersWhereThereIsNoRoomForAsMany) {
    FitPlan plan({.workers = {2, 4}, .max_failures = 1}, {});
    EXPECT_EQ(plan.begin(), starts(4, 1));
    EXPECT_EQ(plan.on_ended(GangEnd::infeasible, ""), starts(3, 1)) << "it had not begun";
    (void)plan.on_saved(at(7));
    EXPECT_EQ(plan.on_ended(GangEnd::failed, ""), starts(3, 2, at(7)));
    EXPECT_EQ(plan.on_ended(GangEnd::infeasible, ""), starts(2, 2, at(7)));
    EXPECT_EQ(reason(plan.on_ended(GangEnd::infeasible, "1 rank is left")),
              "there is no room for 2 workers: 1 rank is left");
    EXPECT_EQ(plan.failures(), 1U);
}

TEST(FitPlan, CountsAnInterruptionAsNoFailure) {
    FitPlan plan({.workers = 2, .max_failures = 0}, {});
    (void)plan.begin();
    EXPECT_EQ(plan.on_ended(GangEnd::interrupted, ""), ends(Finish::Outcome::interrupted));
    EXPECT_EQ(plan.failures(), 0U);
}

TEST(FitPlan, KeepsTheNewestAndTheBest) {
    FitPlan plan({.workers = 1, .retention = {.last = 2, .metric = "loss"}}, {});
    (void)plan.begin();
    EXPECT_THAT(plan.on_saved(at(1, {{"loss", 5}})), IsEmpty());
    EXPECT_THAT(plan.on_saved(at(2, {{"loss", 1}})), IsEmpty());
    EXPECT_THAT(steps(plan.on_saved(at(3, {{"loss", 3}}))), ElementsAre(1));
    EXPECT_THAT(steps(plan.on_saved(at(4, {{"loss", 2}}))), IsEmpty()) << "2 is the best";
    EXPECT_THAT(steps(plan.on_saved(at(5, {{"loss", 1}}))), ElementsAre(2, 3))
        << "of equal ones the newest is the best";
    EXPECT_EQ(plan.best()->step, 5U);
    EXPECT_EQ(plan.last()->step, 5U);
}

TEST(FitPlan, FindsTheBestInEitherMode) {
    for (const Mode mode : {Mode::min, Mode::max}) {
        FitPlan plan({.workers = 1, .retention = {.last = 9, .metric = "m", .mode = mode}},
                     {at(1, {{"m", 3}}),
                      at(2, {{"m", 7}}),
                      at(3, {{"m", std::numeric_limits<double>::quiet_NaN()}}),
                      at(4, {{"other", 9}})});
        EXPECT_EQ(plan.best()->step, mode == Mode::min ? 1U : 2U);
    }
    FitPlan plan({.workers = 1}, {at(1, {{"m", 3}})});
    EXPECT_FALSE(plan.best());
}

TEST(FitPlan, KeepsTheOneThatAGangBeganWith) {
    FitPlan plan({.workers = 1, .max_failures = 1, .retention = {.last = 1}}, {at(1)});
    (void)plan.begin();
    EXPECT_THAT(plan.on_saved(at(2)), IsEmpty()) << "workers may still read 1";
    EXPECT_THAT(steps(plan.on_saved(at(3))), ElementsAre(2));
    EXPECT_EQ(plan.on_ended(GangEnd::failed, ""), starts(1, 2, at(3)));
    EXPECT_THAT(steps(plan.on_saved(at(4))), ElementsAre(1));
}

TEST(FitPlan, LetsACheckpointOfTheSameStepTakeThePlaceOfTheOneBefore) {
    FitPlan plan({.workers = 1}, {at(1), at(5)});
    (void)plan.begin();
    EXPECT_THAT(plan.on_saved(at(5, {{"loss", 1}})), IsEmpty());
    EXPECT_EQ(plan.last(), at(5, {{"loss", 1}}));
    EXPECT_THAT(steps(plan.checkpoints()), ElementsAre(1, 5));
}

TEST(FitPlan, RefusesWhatCannotBe) {
    EXPECT_THROW(FitPlan({.workers = {0, 3}}, {}), UsageError);
    EXPECT_THROW(FitPlan({.workers = {4, 3}}, {}), UsageError);
    EXPECT_THROW(FitPlan({.workers = 1, .retention = {.last = 0}}, {}), UsageError);
}

/// Every sequence of seven events: the promises of the plan hold in each state it can get into.
class EverySequence {
public:
    void run() {
        step(
            FitPlan({.workers = {1, 3}, .max_failures = 1, .retention = {.last = 2}}, {}), 7, 0, 0);
    }

    std::uint64_t states = 0;

private:
    void step(FitPlan plan, int left, std::uint64_t newest, int in_a_row) {
        ++states;
        EXPECT_LE(plan.checkpoints().size(), 3U);
        EXPECT_EQ(plan.last() ? plan.last()->step : 0, newest);
        if (left == 0) {
            return;
        }
        {
            FitPlan saved = plan;
            (void)saved.on_saved(at(newest + 1));
            step(saved, left - 1, newest + 1, 0);
        }
        for (const GangEnd end : {GangEnd::failed, GangEnd::infeasible}) {
            FitPlan next = plan;
            const FitOrder order = next.on_ended(end, "why");
            const int failures = in_a_row + (end == GangEnd::failed ? 1 : 0);
            if (const auto* const start = std::get_if<StartGang>(&order)) {
                EXPECT_LE(failures, 1);
                EXPECT_GE(start->workers, 1);
                EXPECT_LE(start->workers, 3);
                EXPECT_EQ(start->from ? start->from->step : 0, newest);
                step(next, left - 1, newest, failures);
            } else {
                EXPECT_FALSE(reason(order).empty());
                EXPECT_TRUE(failures > 1 || end == GangEnd::infeasible);
            }
        }
    }
};

TEST(FitPlan, KeepsItsPromisesAfterEverySequenceOfEvents) {
    EverySequence sequences;
    sequences.run();
    EXPECT_GT(sequences.states, 200U);
}

} // namespace
} // namespace muster::train
