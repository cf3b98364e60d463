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
    display.show({.epochs_done = 1, .epochs_planned = 10});
    EXPECT_EQ(out.str(),
              "\r\x1b[2K[##..................] 1/10 ep\n\r\x1b[2K"
              "best so far: none yet\n");
    out.str("");
    display.show({.epochs_done = 2, .epochs_planned = 10});
    EXPECT_THAT(out.str(), testing::StartsWith("\x1b[2A\r\x1b[2K[####"));
}

TEST(ProgressDisplay, WritesAPlainLineForEachTenthElsewhere) {
    std::ostringstream out;
    ProgressDisplay display(out, false);
    for (int done = 0; done <= 200; ++done) {
        display.show({.epochs_done = done, .epochs_planned = 200});
    }
    const std::string text = out.str();
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("\x1b")));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 20) << "ten times two lines";
    EXPECT_THAT(text, testing::HasSubstr("200/200 epochs"));
}

} // namespace
} // namespace digits
