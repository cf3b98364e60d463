#include "data/csv.hpp"

#include <gtest/gtest.h>

namespace muster::launcher::data {
namespace {

using Records = std::vector<std::vector<std::string>>;

/// Reads a text in pieces of so many bytes; a failure is the last record.
Records read(std::string_view text, std::size_t piece = 1000, char delimiter = ',') {
    Records records;
    CsvReader reader(delimiter);
    const auto visit = [&](std::span<const std::string> fields,
                           std::uint64_t) -> Result<std::monostate> {
        records.emplace_back(fields.begin(), fields.end());
        return std::monostate{};
    };
    while (!text.empty()) {
        const auto next = text.substr(0, piece);
        text.remove_prefix(next.size());
        if (const auto fed = reader.feed(next, visit); !fed) {
            records.push_back({fed.error().message});
            return records;
        }
    }
    if (const auto finished = reader.finish(visit); !finished) {
        records.push_back({finished.error().message});
    }
    return records;
}

TEST(Csv, FieldsAndRecords) {
    EXPECT_EQ(read("a,b\n1,2\n"), (Records{{"a", "b"}, {"1", "2"}}));
    EXPECT_EQ(read("a,b\r\n1,2"), (Records{{"a", "b"}, {"1", "2"}}));
    EXPECT_EQ(read("a,\n,b\n,\n"), (Records{{"a", ""}, {"", "b"}, {"", ""}}));
    EXPECT_EQ(read("a;b", 1000, ';'), (Records{{"a", "b"}}));
    EXPECT_EQ(read(""), Records{});
    EXPECT_EQ(read("\n\r\n\na\n\n"), (Records{{"a"}})) << "empty lines are skipped";
}

TEST(Csv, QuotesHoldAnything) {
    EXPECT_EQ(read("\"a,b\",\"c\"\"d\"\n\"e\nf\",\"\"\n"),
              (Records{{"a,b", "c\"d"}, {"e\nf", ""}}));
    EXPECT_EQ(read("\"\"\n"), (Records{{""}})) << "a field that is empty is no empty line";
}

TEST(Csv, PiecesOfAnySizeAreTheSame) {
    const std::string text = "\xEF\xBB\xBF\"a\r\n\",b\r\n\"c\"\"\",d\r\n";
    const Records whole{{"a\r\n", "b"}, {"c\"", "d"}};
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        EXPECT_EQ(read(text, piece), whole) << piece;
    }
    EXPECT_EQ(read("\xEF\xBB", 1), (Records{{"\xEF\xBB"}})) << "half a byte order mark";
    EXPECT_EQ(read("\xEF\xBBx", 1), (Records{{"\xEF\xBBx"}}));
}

TEST(Csv, MistakesNameTheLine) {
    EXPECT_EQ(read("a\n\"b\nc\n").back().front(),
              "line 2: field 1 begins with a quote that never ends");
    EXPECT_EQ(
        read("a\nb,c\"d\n").back().front(),
        "line 2: field 2 has a quote in it, but does not begin with one; quote the whole field");
    EXPECT_EQ(
        read("\"a\"b\n").back().front(),
        "line 1: field 1 goes on behind its closing quote; a quote inside of quotes is written "
        "twice");
    EXPECT_EQ(read("a\rb").back().front(),
              "line 1: a carriage return stands alone; lines end with LF or CRLF");
}

} // namespace
} // namespace muster::launcher::data
