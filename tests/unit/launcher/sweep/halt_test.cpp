#include "sweep/halt.hpp"

#include <muster/base/error.hpp>

#include <gtest/gtest.h>

namespace muster::launcher::sweep {
namespace {

using When = HaltRule::When;

TEST(Halt, StopsWhenItsRuleSaysSo) {
    Tally tally(parse_halt_rule("now,fail=2"));
    tally.add(false);
    tally.add(true);
    EXPECT_EQ(tally.stops(), When::never);
    tally.add(false);
    EXPECT_EQ(tally.stops(), When::now);
    EXPECT_EQ(tally.failed(), 2U);
    EXPECT_EQ(tally.succeeded(), 1U);
}

TEST(Halt, APercentageNeedsThree) {
    Tally tally(parse_halt_rule("soon,fail=50%"));
    tally.add(false);
    tally.add(false);
    EXPECT_EQ(tally.stops(), When::never);
    for (int i = 0; i < 4; ++i) {
        tally.add(true);
    }
    tally.add(false); // 3 of 7
    EXPECT_EQ(tally.stops(), When::never);
    tally.add(false); // 4 of 8
    EXPECT_EQ(tally.stops(), When::soon);
}

TEST(Halt, KnowsSuccessesAndEnds) {
    Tally success(parse_halt_rule("now,success=1"));
    success.add(false);
    EXPECT_EQ(success.stops(), When::never);
    success.add(true);
    EXPECT_EQ(success.stops(), When::now);
    Tally done(parse_halt_rule("soon,done=2"));
    done.add(false);
    done.add(true);
    EXPECT_EQ(done.stops(), When::soon);
    Tally never(parse_halt_rule("never"));
    never.add(false);
    EXPECT_EQ(never.stops(), When::never);
}

TEST(Halt, RefusesOtherWords) {
    for (const auto* text : {"",
                             "now",
                             "now,fail",
                             "now,fail=",
                             "now,fail=0",
                             "now,fail=x",
                             "later,fail=1",
                             "now,fails=1",
                             "now,fail=101%",
                             "soon,done=5%",
                             "fail=1,now"}) {
        EXPECT_THROW((void)parse_halt_rule(text), UsageError) << text;
    }
}

} // namespace
} // namespace muster::launcher::sweep
