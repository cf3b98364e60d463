#include <muster/base/duration.hpp>

#include <gtest/gtest.h>

#include <string>

namespace muster {
namespace {

using namespace std::chrono_literals;

TEST(Duration, IsReadWithAUnit) {
    EXPECT_EQ(*parse_duration("90s"), 90s);
    EXPECT_EQ(*parse_duration("10min"), 10min);
    EXPECT_EQ(*parse_duration("10m"), 10min);
    EXPECT_EQ(*parse_duration("1.5h"), 90min);
    EXPECT_EQ(*parse_duration("2d"), 48h);
    EXPECT_EQ(*parse_duration("250ms"), 250ms);
    EXPECT_EQ(*parse_duration("0s"), 0s);
}

TEST(Duration, IsReadAsSlurmWritesIt) {
    EXPECT_EQ(*parse_duration("30:00"), 30min);
    EXPECT_EQ(*parse_duration("12:00:05"), 12h + 5s);
    EXPECT_EQ(*parse_duration("1-12:00:00"), 36h);
    EXPECT_EQ(*parse_duration("1-12"), 36h);
    EXPECT_EQ(*parse_duration("1-12:30"), 36h + 30min);
}

TEST(Duration, WithoutUnitOrWithWhatIsNoneIsRefused) {
    for (const char* text : {"",
                             "60",
                             "s",
                             "-5s",
                             "5 s",
                             "5sec",
                             "1e9h",
                             "12:",
                             ":30",
                             "1:2:3:4",
                             "1-",
                             "-1",
                             "nan s",
                             "inf s",
                             "99999999999d",
                             "1:x",
                             "1-1:1:1:1"}) {
        const auto read = parse_duration(text);
        EXPECT_FALSE(read.has_value()) << text;
        if (!read) {
            EXPECT_NE(read.error().message.find("\"" + std::string(text) + "\""),
                      std::string::npos);
        }
    }
}

TEST(Duration, IsSaidInItsLargestUnits) {
    EXPECT_EQ(format_duration(800ms), "0.8 s");
    EXPECT_EQ(format_duration(-3s), "0 s");
    EXPECT_EQ(format_duration(20ms), "20 ms");
    EXPECT_EQ(format_duration(1s), "1 s");
    EXPECT_EQ(format_duration(2500ms), "2.5 s");
    EXPECT_EQ(format_duration(45s), "45 s");
    EXPECT_EQ(format_duration(119s), "119 s");
    EXPECT_EQ(format_duration(125s), "2 min 5 s");
    EXPECT_EQ(format_duration(12min + 5s), "12 min");
    EXPECT_EQ(format_duration(90min), "1 h 30 min");
    EXPECT_EQ(format_duration(53h), "2 d 5 h");
}

} // namespace
} // namespace muster
