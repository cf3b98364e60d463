#include "data/values.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace muster::launcher::data {
namespace {

ElementType guess(std::initializer_list<std::string_view> texts) {
    TypeGuess type;
    for (const auto text : texts) {
        type.see(text);
    }
    return type.type();
}

TEST(TypeGuess, LooksAtAllTexts) {
    EXPECT_EQ(guess({"1", "-2", "+3"}), ElementType::int64);
    EXPECT_EQ(guess({"1", "18446744073709551615"}), ElementType::uint64);
    EXPECT_EQ(guess({"1", "2.5", "1e-3", "nan", "-inf"}), ElementType::float64);
    EXPECT_EQ(guess({"true", "False", "TRUE"}), ElementType::boolean);
    EXPECT_EQ(guess({"1", "x"}), ElementType::string);
    EXPECT_EQ(guess({"1", "true"}), ElementType::string);
}

TEST(TypeGuess, LosesNothing) {
    EXPECT_EQ(guess({"007"}), ElementType::string);
    EXPECT_EQ(guess({"0", "0.5"}), ElementType::float64);
    EXPECT_EQ(guess({"99999999999999999999"}), ElementType::string);
    EXPECT_EQ(guess({"9007199254740993", "0.5"}), ElementType::string);
    EXPECT_EQ(guess({"-1", "18446744073709551615"}), ElementType::string);
}

TEST(TypeGuess, EmptyFields) {
    EXPECT_EQ(guess({"1", ""}), ElementType::float64);
    EXPECT_EQ(guess({"true", ""}), ElementType::string);
    EXPECT_EQ(guess({"", ""}), ElementType::string);
    EXPECT_EQ(guess({}), ElementType::string);
}

TEST(TypeText, NamesATypeAndARow) {
    EXPECT_EQ(*parse_type("float32"), (TypeText{ElementType::float32, 0, {}}));
    EXPECT_EQ(*parse_type("uint8:28x28"), (TypeText{ElementType::uint8, 0, {28, 28}}));
    EXPECT_EQ(*parse_type("bool"), (TypeText{ElementType::boolean, 0, {}}));
    EXPECT_EQ(*parse_type("string8"), (TypeText{ElementType::fixed_string, 8, {}}));
    for (const char* text :
         {"", "float", "uint8:", "uint8:0", "uint8:3x", "uint8:-1", "string0", ":3"}) {
        const auto type = parse_type(text);
        ASSERT_FALSE(type) << text;
        EXPECT_NE(type.error().message.find("is no type; there are int8"), std::string::npos);
    }
}

TEST(Values, AreReadWhollyOrNotAtAll) {
    std::vector<std::byte> out;
    ASSERT_TRUE(append_value(ElementType::int16, 0, "-2", out));
    ASSERT_TRUE(append_value(ElementType::float32, 0, "1.5", out));
    ASSERT_TRUE(append_value(ElementType::boolean, 0, "True", out));
    ASSERT_TRUE(append_value(ElementType::fixed_string, 3, "ab", out));
    std::int16_t whole = 0;
    float real = 0;
    std::memcpy(&whole, out.data(), 2);
    std::memcpy(&real, out.data() + 2, 4);
    EXPECT_EQ(whole, -2);
    EXPECT_EQ(real, 1.5F);
    EXPECT_EQ(out.size(), 10);
    EXPECT_EQ(append_value(ElementType::int8, 0, "300", out).error().message, "'300' is no int8");
    EXPECT_EQ(append_value(ElementType::uint8, 0, "-1", out).error().message, "'-1' is no uint8");
    EXPECT_EQ(append_value(ElementType::float32, 0, "1.5x", out).error().message,
              "'1.5x' is no float32");
    EXPECT_EQ(append_value(ElementType::fixed_string, 1, "ab", out).error().message,
              "a text of 2 bytes is too long for string1");
    EXPECT_EQ(out.size(), 10);
}

} // namespace
} // namespace muster::launcher::data
