#include "pool/decide.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::launcher::pool {
namespace {

using ::testing::HasSubstr;

constexpr Rules rules{.jobs_max = 4, .waiting_max = 2, .fruitless_max = 3};

TEST(Pool, SubmitsWhileCommandsAreLeftAndTheRulesAllow) {
    EXPECT_EQ(decide(rules, {.left = 100}).step, Step::submit);
    EXPECT_EQ(decide(rules, {.left = 100, .waiting = 1, .running = 2}).step, Step::submit);
}

TEST(Pool, SaysWhyItDoesNot) {
    const auto backlog = decide(rules, {.left = 100, .waiting = 2});
    EXPECT_EQ(backlog.step, Step::wait);
    EXPECT_THAT(backlog.why, HasSubstr("--backlog"));
    const auto most = decide(rules, {.left = 100, .waiting = 1, .running = 3});
    EXPECT_EQ(most.step, Step::wait);
    EXPECT_THAT(most.why, HasSubstr("--max-jobs"));
    const auto last = decide(rules, {.left = 2, .running = 2});
    EXPECT_EQ(last.step, Step::wait);
    EXPECT_THAT(last.why, HasSubstr("2 commands are left"));
}

TEST(Pool, EndsWhenNothingIsLeftAndWithdrawsWhatWaits) {
    EXPECT_EQ(decide(rules, {.left = 0}).step, Step::done);
    EXPECT_EQ(decide(rules, {.left = 0, .waiting = 1, .running = 1}).step, Step::withdraw);
    EXPECT_EQ(decide(rules, {.left = 0, .running = 1}).step, Step::wait);
}

TEST(Pool, GivesUpWhenJobsFinishNothing) {
    EXPECT_EQ(decide(rules, {.left = 100, .fruitless = 2}).step, Step::submit);
    EXPECT_EQ(decide(rules, {.left = 100, .fruitless = 3}).step, Step::give_up);
    EXPECT_EQ(decide(rules, {.left = 0, .fruitless = 3}).step, Step::done);
}

TEST(Pool, NeverHasMoreThanItMayWhateverHappens) {
    for (int waiting = 0; waiting < 6; ++waiting) {
        for (int running = 0; running < 6; ++running) {
            const auto step =
                decide(rules, {.left = 1000, .waiting = waiting, .running = running}).step;
            EXPECT_EQ(step == Step::submit,
                      waiting < rules.waiting_max && waiting + running < rules.jobs_max);
        }
    }
}

} // namespace
} // namespace muster::launcher::pool
