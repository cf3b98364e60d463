#include <muster/core/serialize.hpp>
#include <muster/pipeline/block.hpp>
#include <muster/pipeline/row.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <complex>

namespace muster::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <class Call>
std::string message_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no exception";
}

Block example() {
    Block block;
    block.add("x", std::vector<float>{1, 2, 3});
    block.add("pair", std::vector<std::int16_t>{1, 2, 3, 4, 5, 6}, {2});
    block.add("name", std::vector<std::string>{"one", "", "three"});
    block.add("yes", std::vector<bool>{true, false, true});
    block.add("z", std::vector<std::complex<float>>{{1, 2}, {3, 4}, {5, 6}});
    return block;
}

TEST(Block, GivesColumnsAsTheirTypeAndNoOther) {
    const Block block = example();
    EXPECT_EQ(block.rows(), 3U);
    EXPECT_THAT(block.column<float>("x"), ElementsAre(1, 2, 3));
    EXPECT_THAT(block.column<std::int16_t>("pair"), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(block.column<bool>("yes"), ElementsAre(true, false, true));
    EXPECT_EQ(block.texts("name")[2], "three");
    EXPECT_EQ(
        message_of([&] { (void)block.column<double>("x"); }),
        "column \"x\" is float32, and was asked for as float64; the columns are: x (float32), "
        "pair (int16[2]), name (text), yes (bool), z (complex64)");
    EXPECT_THAT(message_of([&] { (void)block.texts("nome"); }), HasSubstr("no column \"nome\""));
}

TEST(Block, SlicesShareMemory) {
    const Block part = example().slice(1, 2);
    EXPECT_THAT(part.column<float>("x"), ElementsAre(2, 3));
    EXPECT_THAT(part.column<std::int16_t>("pair"), ElementsAre(3, 4, 5, 6));
    EXPECT_EQ(part.texts("name")[1], "three");
    EXPECT_THAT(message_of([&] { (void)part.slice(1, 2); }), HasSubstr("rows 1 to 3"));
}

TEST(Block, ColumnsAreAddedOnceAndOfEqualLength) {
    Block block = example();
    EXPECT_THAT(message_of([&] {
                    block.add("x", std::vector<int>{1, 2, 3});
                }),
                HasSubstr("there is a column \"x\" already"));
    EXPECT_THAT(message_of([&] {
                    block.add("y", std::vector<int>{1, 2});
                }),
                HasSubstr("column \"y\" has 2 rows, and the block has 3"));
    EXPECT_THAT(message_of([&] {
                    block.add("y", std::vector<int>{1, 2, 3}, {2});
                }),
                HasSubstr("no whole number of rows"));
    EXPECT_THAT(message_of([&] { (void)block.rename("x", "name"); }), HasSubstr("already"));
    EXPECT_EQ(block.select({"name", "x"}).fields().size(), 2U);
    EXPECT_FALSE(block.drop({"x"}).has("x"));
}

TEST(Block, IsDecodedAsItWasEncoded) {
    for (const Block& block : {example(), example().slice(1, 2), example().slice(3, 0), Block()}) {
        const auto back = from_buffer<Block>(to_buffer(block));
        EXPECT_EQ(back.fields(), block.fields());
        EXPECT_EQ(back.rows(), block.rows());
        EXPECT_EQ(to_buffer(back), to_buffer(block));
        for (std::size_t i = 0; i < back.fields().size(); ++i) {
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(back.values(i).data()) % 64, 0U);
        }
    }
}

TEST(Block, RefusesBytesThatAreNone) {
    const Buffer whole = to_buffer(example());
    for (std::size_t size = 0; size < whole.size(); size += 1 + size / 16) {
        EXPECT_THROW((void)from_buffer<Block>(whole.slice(0, size)), Error) << size;
    }
}

TEST(NewBlock, IsFilledInPlace) {
    NewBlock made({{"x", ValueType::int32, {2}}, {"y", ValueType::float64, {}}}, 2);
    made.column<std::int32_t>("x")[3] = 7;
    made.column<double>("y")[0] = 0.5;
    EXPECT_THAT(message_of([&] { (void)made.column<float>("x"); }), HasSubstr("int32[2]"));
    const Block block = std::move(made).finish();
    EXPECT_EQ(block.column<std::int32_t>("x")[3], 7);
    EXPECT_THAT(message_of([] { NewBlock({{"a"}, {"a"}}, 1); }), HasSubstr("\"a\""));
    EXPECT_THAT(message_of([] {
                    NewBlock({{"a", ValueType::text, {}}}, 1);
                }),
                HasSubstr("no text columns"));
    EXPECT_THAT(message_of([] { NewBlock({{"a"}}, ~std::uint64_t{0}); }), HasSubstr("rows of"));
}

TEST(Rows, HaveTheColumnsOfTheFirst) {
    Rows rows;
    rows.add().set("a", 1).set("b", "x");
    rows.add().set("b", std::string("y")).set("a", 2);
    EXPECT_THAT(message_of([&] { rows.set("a", 3); }), HasSubstr("set twice"));
    EXPECT_THAT(message_of([&] { rows.set("c", 3); }), HasSubstr("which earlier ones lack"));
    rows.add().set("a", 3);
    EXPECT_THAT(message_of([&] { rows.add(); }), HasSubstr("was not given column \"b\""));
    EXPECT_THAT(message_of([&] { rows.set("b", 3.0); }), HasSubstr("earlier rows had"));
    rows.set("b", "z");
    const Block block = rows.finish();
    EXPECT_THAT(block.column<int>("a"), ElementsAre(1, 2, 3));
    EXPECT_EQ(block.texts("b")[1], "y");
    EXPECT_EQ(Row(block, 2).get<int>("a"), 3);
    EXPECT_THAT(message_of([] { Rows().set("a", 1); }), HasSubstr("call add() first"));
    const Block wide = example();
    EXPECT_THAT(message_of([&] { (void)Row(wide, 0).get<std::int16_t>("pair"); }),
                HasSubstr("ask for values()"));
    EXPECT_THAT(Row(wide, 1).values<std::int16_t>("pair"), ElementsAre(3, 4));
}

} // namespace
} // namespace muster::data
