#include "sweep/rows.hpp"

#include <muster/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <memory>

namespace muster::launcher::sweep {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Lines lines(std::vector<std::string> texts) {
    auto left = std::make_shared<std::vector<std::string>>(std::move(texts));
    return [left, at = std::size_t{0}]() mutable -> std::optional<std::string> {
        return at < left->size() ? std::optional((*left)[at++]) : std::nullopt;
    };
}

std::vector<Row> all(Source& source) {
    std::vector<Row> rows;
    Row row;
    while (source.next(row)) {
        rows.push_back(std::exchange(row, {}));
    }
    EXPECT_FALSE(source.next(row)) << "once at its end, always";
    return rows;
}

std::vector<std::string> first_column(std::unique_ptr<Source> source) {
    std::vector<std::string> values;
    for (const Row& row : all(*source)) {
        values.push_back(row.at(0));
    }
    return values;
}

template <class Make>
std::string refused(const Make& make) {
    try {
        auto source = make();
        (void)all(*source);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "it was taken";
}

TEST(Range, HasBothItsEnds) {
    EXPECT_THAT(first_column(range_source("", "1-3")), ElementsAre("1", "2", "3"));
    EXPECT_THAT(first_column(range_source("", "1-10:4")), ElementsAre("1", "5", "9"));
    EXPECT_THAT(first_column(range_source("", "3-1")), ElementsAre("3", "2", "1"));
    EXPECT_THAT(first_column(range_source("", "7")), ElementsAre("7"));
    EXPECT_THAT(first_column(range_source("", "-2--1,5")), ElementsAre("-2", "-1", "5"));
    EXPECT_THAT(first_column(range_source("", "4611686018427387903-4611686018427387904")),
                ElementsAre("4611686018427387903", "4611686018427387904"));
    for (const auto* text :
         {"", "a", "1-", "1-2:0", "1-2:-1", "1,", "1 - 2", "9223372036854775807"}) {
        EXPECT_THROW((void)range_source("", text), UsageError) << text;
    }
}

TEST(Table, HasTheColumnsOfItsFirstLine) {
    const auto table =
        table_source("t.csv", ',', lines({"lr,name", "0.1,\"a, \"\"b\"\"\"", "", "0.2,"}));
    EXPECT_THAT(table->columns(), ElementsAre("lr", "name"));
    EXPECT_THAT(all(*table), ElementsAre(ElementsAre("0.1", "a, \"b\""), ElementsAre("0.2", "")));
}

TEST(Table, AFieldInQuotesMayGoOverLines) {
    const auto table = table_source("t.csv", ',', lines({"a,b\r", "\"x", "y\",2\r"}));
    EXPECT_THAT(all(*table), ElementsAre(ElementsAre("x\ny", "2")));
}

TEST(Table, MistakesAreRefusedWithTheirLine) {
    EXPECT_THAT(refused([] { return table_source("t.csv", ',', lines({})); }), HasSubstr("t.csv"));
    EXPECT_THAT(refused([] { return table_source("t.csv", ',', lines({"a,a"})); }),
                HasSubstr("'a'"));
    EXPECT_THAT(refused([] { return table_source("t.csv", ',', lines({"a,"})); }),
                HasSubstr("no name"));
    EXPECT_THAT(refused([] {
                    return table_source("t.csv", ',', lines({"a,b", "1,2", "3"}));
                }),
                HasSubstr("t.csv, line 3"));
    EXPECT_THAT(refused([] {
                    return table_source("t.csv", ',', lines({"a", "\"b"}));
                }),
                HasSubstr("does not end"));
    EXPECT_THAT(refused([] {
                    return table_source("t.csv", ',', lines({"a", "\"b\"c"}));
                }),
                HasSubstr("behind"));
}

TEST(Json, StringsStandAsTheyAreAndOtherValuesAsJson) {
    const auto source = json_source(
        "t.jsonl",
        lines({R"({"s": "a b", "n": 0.5, "l": [1, 2]})", R"({"l": null, "n": 2, "s": "c"})"}));
    EXPECT_THAT(source->columns(), ElementsAre("s", "n", "l"));
    EXPECT_THAT(all(*source),
                ElementsAre(ElementsAre("a b", "0.5", "[1,2]"), ElementsAre("c", "2", "null")));
}

TEST(Json, MistakesAreRefusedWithTheirLine) {
    EXPECT_THAT(refused([] { return json_source("t.jsonl", lines({"[1]"})); }),
                HasSubstr("line 1"));
    EXPECT_THAT(refused([] {
                    return json_source("t.jsonl", lines({"{\"a\":1}", "{}"}));
                }),
                HasSubstr("line 2"));
    EXPECT_THAT(refused([] {
                    return json_source("t.jsonl", lines({"{\"a\":1}", "{\"a\":1,\"b\":2}"}));
                }),
                HasSubstr("other keys"));
}

TEST(Combination, HasEveryCombinationTheLastChangingFastest) {
    Combination rows;
    rows.add(list_source("", {"a", "b"}), false);
    rows.add(list_source("", {"1", "2"}), false);
    EXPECT_THAT(all(rows),
                ElementsAre(ElementsAre("a", "1"),
                            ElementsAre("a", "2"),
                            ElementsAre("b", "1"),
                            ElementsAre("b", "2")));
}

TEST(Combination, LinkedSourcesGoTogetherAsFarAsTheShortest) {
    Combination rows;
    rows.add(list_source("x", {"a", "b", "c"}), false);
    rows.add(list_source("y", {"1", "2"}), true);
    rows.add(list_source("z", {"p", "q"}), false);
    EXPECT_THAT(rows.columns(), ElementsAre("x", "y", "z"));
    EXPECT_THAT(all(rows),
                ElementsAre(ElementsAre("a", "1", "p"),
                            ElementsAre("a", "1", "q"),
                            ElementsAre("b", "2", "p"),
                            ElementsAre("b", "2", "q")));
}

TEST(Combination, WithAnEmptySourceIsEmpty) {
    for (const bool linked : {false, true}) {
        Combination rows;
        rows.add(list_source("", {"a"}), false);
        rows.add(list_source("", {}), linked);
        EXPECT_TRUE(all(rows).empty());
    }
    Combination none;
    EXPECT_TRUE(none.empty());
    EXPECT_TRUE(all(none).empty());
}

TEST(Combination, AColumnMayBeThereOnce) {
    Combination rows;
    rows.add(list_source("x", {"a"}), false);
    EXPECT_THROW(rows.add(list_source("x", {"b"}), false), UsageError);
    EXPECT_NO_THROW(rows.add(list_source("", {"b"}), false));
}

TEST(Combination, TheFirstSourceIsNotReadBeforeItIsAskedFor) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    Combination rows;
    rows.add(descriptor_source("", pipe[0]), false);
    rows.add(list_source("", {"1", "2"}), false);
    EXPECT_FALSE(rows.ready());
    ASSERT_EQ(::write(pipe[1], "a\nb", 3), 3);
    EXPECT_TRUE(rows.ready());
    Row row;
    EXPECT_TRUE(rows.next(row));
    EXPECT_THAT(row, ElementsAre("a", "1"));
    EXPECT_TRUE(rows.ready()) << "the second combination is known";
    row.clear();
    EXPECT_TRUE(rows.next(row));
    EXPECT_FALSE(rows.ready()) << "half a line";
    ::close(pipe[1]);
    EXPECT_TRUE(rows.ready());
    row.clear();
    EXPECT_TRUE(rows.next(row));
    EXPECT_THAT(row, ElementsAre("b", "1"));
    ::close(pipe[0]);
}

} // namespace
} // namespace muster::launcher::sweep
