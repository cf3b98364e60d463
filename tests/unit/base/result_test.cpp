#include <muster/base/log.hpp>
#include <muster/base/result.hpp>

#include <gtest/gtest.h>

namespace muster {
namespace {

Result<int> half(int value) {
    if (value % 2 != 0) {
        return Failure{ErrorCode::usage, "odd"};
    }
    return value / 2;
}

TEST(Result, HoldsAValueOrAFailure) {
    EXPECT_EQ(*half(4), 2);
    EXPECT_FALSE(half(3));
    EXPECT_EQ(half(3).error().message, "odd");
}

TEST(Result, ThrowsItsFailureAtThePublicEdge) {
    EXPECT_EQ(half(4).value_or_throw(), 2);
    try {
        (void)half(3).value_or_throw();
        FAIL() << "nothing was thrown";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::usage);
        EXPECT_STREQ(error.what(), "odd");
    }
}

TEST(ResultDeathTest, AskingAFailureForItsValueStopsTheProcess) {
    EXPECT_DEATH((void)*half(3), "broken invariant: has_value");
}

TEST(Log, KnowsItsLevels) {
    log::Level level{};
    EXPECT_TRUE(log::parse_level("debug", level));
    EXPECT_EQ(level, log::Level::debug);
    EXPECT_FALSE(log::parse_level("loud", level));
    EXPECT_FALSE(log::parse_level("", level));
}

TEST(Log, WritesOneLineWithLevelRankAndEvent) {
    log::set_level(log::Level::info);
    log::set_rank(Rank{3});
    testing::internal::CaptureStderr();
    log::info("sched", "task_assigned task={}", 17);
    log::debug("sched", "not wanted");
    const std::string line = testing::internal::GetCapturedStderr();
    EXPECT_NE(line.find(" info  rank 3 | sched task_assigned task=17\n"), std::string::npos)
        << line;
    EXPECT_EQ(line.find("not wanted"), std::string::npos) << line;
    log::set_level(log::Level::warn);
}

} // namespace
} // namespace muster
