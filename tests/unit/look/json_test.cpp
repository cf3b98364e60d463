#include <muster/look/json.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace muster::look {
namespace {

std::string quoted(std::string_view text) {
    std::string json;
    append_quoted(json, text);
    return json;
}

TEST(Json, PutsCommasWhereTheyBelong) {
    Json json;
    json.open('{').field("a", 1).key("b").open('[').value(true).value("x").open('{').close('}');
    json.value(2.5).close(']').field("c", std::string("y")).close('}');
    EXPECT_EQ(json.text(), R"({"a":1,"b":[true,"x",{},2.5],"c":"y"})");
}

TEST(Json, EscapesWhatMustBe) {
    EXPECT_EQ(quoted("a\"b\\c\n\t\x01\x7f"), R"("a\"b\\c\n\t\u0001\u007f")");
    EXPECT_EQ(quoted("größe 日本 😀"), "\"größe 日本 😀\"");
}

TEST(Json, ReplacesWhatIsNotUtf8) {
    const std::string mark = "\xEF\xBF\xBD";
    EXPECT_EQ(quoted("\xff"), '"' + mark + '"');
    EXPECT_EQ(quoted("a\xc3"), "\"a" + mark + '"');                    // cut off
    EXPECT_EQ(quoted("\xc0\xaf"), '"' + mark + mark + '"');            // overlong
    EXPECT_EQ(quoted("\xed\xa0\x80"), '"' + mark + mark + mark + '"'); // a surrogate
    EXPECT_EQ(quoted("\xf4\x90\x80\x80").size(), 2 + 4 * mark.size()); // beyond U+10FFFF
}

TEST(Json, HasNoNumberForWhatIsNotFinite) {
    Json json;
    json.open('[').value(std::numeric_limits<double>::infinity()).value(0.1).close(']');
    EXPECT_EQ(json.text(), "[null,0.1]");
}

} // namespace
} // namespace muster::look
