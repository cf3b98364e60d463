#include "cli/pages.hpp"
#include "sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace muster::launcher {
namespace {

using ::testing::HasSubstr;

TEST(Pages, HelpShowsAnExampleFirstAndEveryOption) {
    const std::string page = help_page(sample());
    EXPECT_LT(page.find("muster sample -n 2 ./a.out"), page.find("Usage:"));
    EXPECT_THAT(page, HasSubstr("One paragraph of two lines."));
    EXPECT_THAT(page, HasSubstr("\n    verbatim\n"));
    EXPECT_THAT(page, HasSubstr("  -n, --number N              a number (default: 1)\n"));
    EXPECT_THAT(page, HasSubstr("      --mode fast|slow        how [really]\n"));
    EXPECT_THAT(page, HasSubstr("  -h, --help"));
    EXPECT_THAT(page, HasSubstr("MUSTER_SAMPLE_"));
    EXPECT_EQ(page.find("\t"), std::string::npos);
}

TEST(Pages, TheManualPageSaysTheSame) {
    const std::string page = manual_page(sample(), "1.2.3");
    EXPECT_THAT(page, HasSubstr(".TH MUSTER\\-sample 1"));
    EXPECT_THAT(page, HasSubstr(".B \\-n, \\-\\-number N\na number (default: 1)\n"));
    EXPECT_THAT(page, HasSubstr("One paragraph of two lines."));
}

TEST(Pages, CompletionsKnowWhatAValueMayBe) {
    const std::array all{&sample()};
    const std::string bash = bash_completions(all);
    EXPECT_THAT(bash, HasSubstr("--mode) COMPREPLY=($(compgen -W 'fast slow'"));
    EXPECT_THAT(bash, HasSubstr("--file) COMPREPLY=($(compgen -f"));
    const std::string zsh = zsh_completions(all);
    EXPECT_THAT(zsh, HasSubstr("'--mode[how  really ]:value:(fast slow)'"));
}

TEST(Pages, CommandsMayStandInGroups) {
    Subcommand verify = sample();
    verify.name = "data verify";
    Subcommand inspect = sample();
    inspect.name = "data inspect";
    const std::array<const Subcommand*, 3> all{&sample(), &inspect, &verify};
    EXPECT_TRUE(is_group(all, "data"));
    EXPECT_FALSE(is_group(all, "sample"));
    EXPECT_FALSE(is_group(all, "verify"));
    EXPECT_THAT(overview(all), HasSubstr("\n    data verify   "));
    EXPECT_THAT(group_overview(all, "data"), HasSubstr("muster data COMMAND"));
    EXPECT_EQ(group_overview(all, "data").find("sample"), std::string::npos);
    EXPECT_THAT(manual_page(verify, "1.2.3"), HasSubstr(".TH MUSTER\\-data\\-verify 1"));
    EXPECT_THAT(help_page(verify), HasSubstr("MUSTER_DATA_VERIFY_"));
    const std::string bash = bash_completions(all);
    EXPECT_THAT(bash, HasSubstr("'sample data completions"));
    EXPECT_THAT(bash, HasSubstr("compgen -W 'inspect verify'"));
    EXPECT_THAT(bash, HasSubstr("'data verify')"));
    EXPECT_THAT(zsh_completions(all), HasSubstr("_values 'command' inspect verify"));
}

} // namespace
} // namespace muster::launcher
