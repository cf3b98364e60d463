#include "cli/digits.hpp"
#include "sweep/command_sources.hpp"
#include "sweep/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace muster::launcher::sweep {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

TEST(Progress, SaysHowFarItIsHowFastAndHowLong) {
    Standing standing;
    EXPECT_EQ(progress_line(standing), "0 done");
    standing = {
        .succeeded = 1500, .failed = 2, .earlier = 500, .running = 10, .total = 3504, .time = 10s};
    EXPECT_EQ(progress_line(standing), "1,502 of 3,504 done, 2 failed; 100/s, 20 s left");
    EXPECT_EQ(summary_line(standing),
              "1,502 commands (500 of them before): 1,500 succeeded, 2 failed, in 10 s");
}

TEST(Progress, GroupsDigits) {
    EXPECT_EQ(grouped_digits(0), "0");
    EXPECT_EQ(grouped_digits(999), "999");
    EXPECT_EQ(grouped_digits(1234567), "1,234,567");
}

TEST(CommandSources, AreTakenApartAtTheColons) {
    const std::vector<std::string> words{
        "a", "{}", ":::", "1", "2", "::::", "f", ":::+", "x", "::::+", "g"};
    const auto result = split_sources(words);
    EXPECT_THAT(result.command, ElementsAre("a", "{}"));
    ASSERT_EQ(result.sources.size(), 4U);
    EXPECT_THAT(result.sources[0].words, ElementsAre("1", "2"));
    EXPECT_FALSE(result.sources[0].files || result.sources[0].linked);
    EXPECT_TRUE(result.sources[1].files);
    EXPECT_TRUE(result.sources[2].linked && !result.sources[2].files);
    EXPECT_TRUE(result.sources[3].linked && result.sources[3].files);
}

} // namespace
} // namespace muster::launcher::sweep
