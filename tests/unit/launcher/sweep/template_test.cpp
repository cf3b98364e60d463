#include "cli/words.hpp"
#include "sweep/template.hpp"

#include <muster/base/error.hpp>
#include <muster/slurm/batch_script.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::launcher::sweep {
namespace {

using ::testing::HasSubstr;

std::string fill(std::string_view text, const Row& row, std::vector<std::string> columns = {}) {
    columns.resize(row.size());
    return Template(text, columns).fill(row, 42);
}

TEST(Template, PutsValuesWhereTheyBelong) {
    EXPECT_EQ(fill("x={}", {"a"}), "x=a");
    EXPECT_EQ(fill("{2}-{1}-{}", {"a", "b"}), "b-a-a b");
    EXPECT_EQ(fill("{lr}/{1}", {"0.1"}, {"lr"}), "0.1/0.1");
    EXPECT_EQ(fill("{#}", {"a"}), "42");
    EXPECT_EQ(fill("{%}", {"a"}), std::string(slot_mark));
}

TEST(Template, TakesPathsApart) {
    const Row row{"dir.d/sub/file.tar.gz"};
    EXPECT_EQ(fill("{.}", row), "dir.d/sub/file.tar");
    EXPECT_EQ(fill("{/}", row), "file.tar.gz");
    EXPECT_EQ(fill("{//}", row), "dir.d/sub");
    EXPECT_EQ(fill("{/.}", row), "file.tar");
    EXPECT_EQ(fill("{1.} {1/} {1//} {1/.}", row),
              "dir.d/sub/file.tar file.tar.gz dir.d/sub file.tar");
    EXPECT_EQ(fill("{path/.}", row, {"path"}), "file.tar");
    EXPECT_EQ(fill("{.} {//}", {"plain"}), "plain .");
    EXPECT_EQ(fill("{.}", {"dir.d/plain"}), "dir.d/plain") << "a folder's dot is no extension";
    EXPECT_EQ(fill("{.}", {".hidden"}), ".hidden");
    EXPECT_EQ(fill("{//}", {"/root"}), "/");
}

TEST(Template, LeavesOtherBracesAlone) {
    EXPECT_EQ(fill("{\"a\": {1}}", {"5"}), "{\"a\": 5}");
    EXPECT_EQ(fill("{ print $1 } {x} {", {"5"}), "{ print $1 } {x} {");
    EXPECT_EQ(fill("${HOME}", {"5"}), "${HOME}");
}

TEST(Template, AWordThatIsNoColumnIsRefusedIfColumnsHaveNames) {
    const auto refused = [](std::string_view text) -> std::string {
        try {
            (void)fill(text, {"0.1", "2"}, {"lr", "layers"});
        } catch (const UsageError& error) {
            return error.what();
        }
        return "it was taken";
    };
    EXPECT_THAT(refused("{layer}"), HasSubstr("{lr} {layers}"));
    EXPECT_THAT(refused("{3}"), HasSubstr("2 values"));
    EXPECT_THAT(refused("{0}"), HasSubstr("2 values"));
    EXPECT_EQ(fill("{{layer}} {lr}", {"0.1"}, {"lr"}), "{layer} 0.1");
    EXPECT_EQ(fill("{ print } {\"a\":1}", {"0.1"}, {"lr"}), "{ print } {\"a\":1}");
    EXPECT_EQ(fill("{{x}}", {"0.1"}), "{{x}}") << "without names there is nothing to escape";
}

TEST(Template, QuotesValuesAndNothingElse) {
    const Template text("echo {} > '{#}'", {""});
    EXPECT_EQ(text.fill({"a; rm -rf *"}, 1, &slurm::shell_quoted), "echo 'a; rm -rf *' > '1'");
    EXPECT_TRUE(text.has_values());
    EXPECT_FALSE(Template("{#} {%} x", {""}).has_values());
}

} // namespace
} // namespace muster::launcher::sweep
