#include "digits_sweep/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace digits {
namespace {

TEST(ProgressDisplay, RedrawsInPlaceOnATerminal) {
    std::ostringstream out;
    ProgressDisplay display(out, true, 30);
    display.show({.trials = 10, .epochs = 1, .waiting = 9, .running = 1});
    EXPECT_EQ(out.str(),
              "\r\x1b[2K1 epoch trained, trials: 9 wai\n\r\x1b[2K"
              "best so far: none yet\n");
    out.str("");
    display.show({.trials = 10, .epochs = 2});
    EXPECT_THAT(out.str(), testing::StartsWith("\x1b[2A\r\x1b[2K2 epochs"));
}

TEST(ProgressDisplay, DrawsBelowWhatElseWasPrinted) {
    std::ostringstream out;
    ProgressDisplay display(out, true, 30);
    display.show({.trials = 10});
    display.leave();
    out.str("");
    display.show({.trials = 10});
    EXPECT_THAT(out.str(), testing::StartsWith("\r\x1b[2K0 epochs"));
}

TEST(ProgressDisplay, WritesPlainLinesForEachTenthOfTheTrialsElsewhere) {
    std::ostringstream out;
    ProgressDisplay display(out, false);
    for (std::size_t done = 0; done <= 250; ++done) { // some trials have several jobs
        display.show({.trials = 200, .jobs_done = done, .epochs = 3 * static_cast<int>(done)});
    }
    const std::string text = out.str();
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("\x1b")));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 24) << "twelve times two lines";
    EXPECT_THAT(text, testing::HasSubstr("720 epochs trained"));
}

} // namespace
} // namespace digits
