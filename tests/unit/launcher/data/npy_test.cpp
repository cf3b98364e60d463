#include "data/npy.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace muster::launcher::data {
namespace {

std::vector<std::byte> npy(std::string header, std::string_view values) {
    std::string text = "\x93NUMPY";
    text += std::string("\x01\x00", 2);
    text += static_cast<char>(header.size() & 0xFFU);
    text += static_cast<char>(header.size() >> 8U);
    text += header;
    text += values;
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

std::string header(std::string_view descr, bool fortran, std::string_view shape) {
    return "{'descr': '" + std::string(descr) +
           "', 'fortran_order': " + (fortran ? "True" : "False") +
           ", 'shape': " + std::string(shape) + ", }\n";
}

std::string text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Npy, RowsInTheOrderOfC) {
    const auto file = npy(header("|u1", false, "(3, 2)"), "abcdef");
    const auto array = parse_npy(file);
    ASSERT_TRUE(array) << array.error().message;
    EXPECT_EQ(array->type, ElementType::uint8);
    EXPECT_EQ(array->shape, (std::vector<std::uint64_t>{3, 2}));
    std::vector<std::byte> rows;
    copy_rows(*array, 1, 2, rows);
    EXPECT_EQ(text_of(rows), "cdef");
}

TEST(Npy, RowsInTheOrderOfFortran) {
    // Element (row, i, j) of shape 3 x 2 x 2 lies at row + 3 i + 6 j.
    const auto file = npy(header("|u1", true, "(3, 2, 2)"), "abcdefghijkl");
    const auto array = parse_npy(file);
    ASSERT_TRUE(array);
    std::vector<std::byte> rows;
    copy_rows(*array, 0, 3, rows);
    EXPECT_EQ(text_of(rows), "agdjbhekcifl");
    copy_rows(*array, 2, 1, rows);
    EXPECT_EQ(text_of(rows), "cifl");
}

TEST(Npy, BytesTheOtherWayRound) {
    const auto file = npy(header(">c8", false, "(1,)"), "abcdefgh");
    const auto array = parse_npy(file);
    ASSERT_TRUE(array);
    std::vector<std::byte> rows;
    copy_rows(*array, 0, 1, rows);
    EXPECT_EQ(text_of(rows), "dcbahgfe") << "each part of a complex number by itself";
}

TEST(Npy, Texts) {
    const auto file = npy(header("<U2", false, "(2,)"),
                          std::string_view("\xfc\0\0\0\0\0\0\0a\0\0\0\x01\xf6\x01\0", 16));
    const auto array = parse_npy(file);
    ASSERT_TRUE(array) << array.error().message;
    std::vector<std::string> texts;
    copy_texts(*array, 0, 2, texts);
    EXPECT_EQ(texts, (std::vector<std::string>{"\xc3\xbc", "a\xf0\x9f\x98\x81"}));
    const auto narrow = npy(header("|S3", false, "(1,)"), "abc");
    EXPECT_EQ(parse_npy(narrow)->type, ElementType::fixed_string);
}

TEST(Npy, MistakesNameTheByte) {
    const auto message = [](const std::vector<std::byte>& file) {
        const auto array = parse_npy(file);
        return array ? std::string("it was read") : array.error().message;
    };
    EXPECT_EQ(message({}), "byte 0: it does not begin as a file of NumPy");
    EXPECT_EQ(message(npy(header("<f4", false, "(2, 2)"), "short")),
              "byte 75: the file ends before the last of its values; its shape is 2 x 2");
    EXPECT_EQ(message(npy(header("<f4", false, "()"), "abcd")),
              "byte 10: it holds a single value, which has no rows");
    EXPECT_EQ(message(npy(header("|O", false, "(1,)"), "")).substr(0, 45),
              "byte 24: the values are Python objects; save ");
    EXPECT_EQ(message(npy(header("<f3", false, "(1,)"), "")).substr(0, 43),
              "byte 25: values of type '<f3' cannot be rea");
    EXPECT_EQ(
        message(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "")),
        "byte 20: records of several fields cannot be read; save each field as an array, in one "
        ".npz");
    EXPECT_EQ(message(npy("{'descr': '<f4', 'fortran_order': False}", "")),
              "byte 50: the header lacks descr, fortran_order or shape");
    EXPECT_EQ(
        message(npy(header("<f8", false, "(18446744073709551615, 18446744073709551615)"), "")),
        "byte 108: the file ends before the last of its values; its shape is "
        "18446744073709551615 x 18446744073709551615");
    auto cut = npy(header("<f4", false, "(2,)"), "");
    cut.resize(30);
    EXPECT_EQ(message(cut), "byte 8: the file ends in its header");
}

TEST(Npy, NoRowsAreFine) {
    const auto file = npy(header("<f4", true, "(0, 5)"), "");
    const auto array = parse_npy(file);
    ASSERT_TRUE(array);
    EXPECT_EQ(array->rows(), 0);
}

} // namespace
} // namespace muster::launcher::data
