#include "cli/words.hpp"

#include <muster/slurm/batch_script.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::launcher {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> split(std::string_view line) {
    return split_words(line).value_or_throw();
}

TEST(Words, AreSplitAsAShellDoes) {
    EXPECT_THAT(split("a  b\tc"), ElementsAre("a", "b", "c"));
    EXPECT_THAT(split("  'a b' \"c d\" e\\ f "), ElementsAre("a b", "c d", "e f"));
    EXPECT_THAT(split("a'b'\"c\"d"), ElementsAre("abcd"));
    EXPECT_THAT(split("'' \"\""), ElementsAre("", ""));
    EXPECT_THAT(split("\"a\\\"b\\n\" 'a\\b'"), ElementsAre("a\"b\\n", "a\\b"));
    EXPECT_THAT(split("$HOME *.c `id`"), ElementsAre("$HOME", "*.c", "`id`"))
        << "nothing is expanded";
    EXPECT_THAT(split("a # b"), ElementsAre("a"));
    EXPECT_THAT(split("a#b"), ElementsAre("a#b"));
    EXPECT_THAT(split(""), ElementsAre());
}

TEST(Words, AQuoteThatDoesNotEndIsRefused) {
    EXPECT_FALSE(split_words("a 'b"));
    EXPECT_FALSE(split_words("a \"b\\"));
}

TEST(Words, AreQuotedSoThatTheyAreReadBack) {
    const std::vector<std::string> words{
        "plain", "", "two words", "it's", "$x", "a\"b", "\\", "*", "#", "\n"};
    EXPECT_EQ(split(shell_line(words)), words);
    EXPECT_EQ(slurm::shell_quoted("./a-b_c:d=e@f%1,2+3"), "./a-b_c:d=e@f%1,2+3");
}

} // namespace
} // namespace muster::launcher
