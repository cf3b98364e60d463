#include "digits_sweep/options.hpp"

#include <muster/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace digits {
namespace {

using testing::AllOf;
using testing::HasSubstr;

SweepOptions parse(std::initializer_list<const char*> arguments) {
    std::vector<const char*> argv{"digits_sweep"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return parse_options(static_cast<int>(argv.size()), argv.data());
}

std::string refusal_of(std::initializer_list<const char*> arguments) {
    try {
        static_cast<void>(parse(arguments));
    } catch (const muster::UsageError& error) {
        return error.what();
    }
    return "nothing was thrown";
}

TEST(Options, HaveDefaults) {
    const SweepOptions options = parse({});
    EXPECT_THAT(options.data, HasSubstr("mnist-5k.h5"));
    EXPECT_EQ(options.trials, 24);
    EXPECT_EQ(options.epochs, 16);
    EXPECT_EQ(options.ranks_per_trial, 1);
    EXPECT_EQ(options.seed, 1U);
    EXPECT_FALSE(options.wants_help);
}

TEST(Options, AreRead) {
    const SweepOptions options = parse({"--data",
                                        "my.h5",
                                        "--trials=48",
                                        "--epochs",
                                        "3",
                                        "--seed",
                                        "0",
                                        "--ranks-per-trial",
                                        "2"});
    EXPECT_EQ(options.data, "my.h5");
    EXPECT_EQ(options.trials, 48);
    EXPECT_EQ(options.epochs, 3);
    EXPECT_EQ(options.seed, 0U);
    EXPECT_EQ(options.ranks_per_trial, 2);
    EXPECT_TRUE(parse({"--help"}).wants_help);
}

TEST(Options, RefuseNumbersOutOfRange) {
    EXPECT_THAT(refusal_of({"--trials", "0"}),
                AllOf(HasSubstr("--trials 0"), HasSubstr("from 1 to"), HasSubstr("--help")));
    EXPECT_THAT(refusal_of({"--trials=-3"}), HasSubstr("--trials -3"));
    EXPECT_THAT(refusal_of({"--epochs", "0"}), HasSubstr("--epochs 0"));
    EXPECT_THAT(refusal_of({"--ranks-per-trial", "0"}), HasSubstr("--ranks-per-trial 0"));
    EXPECT_THAT(refusal_of({"--seed=-1"}), HasSubstr("--seed -1"));
    EXPECT_THAT(refusal_of({"--trials", "3000000"}), HasSubstr("--trials 3000000"));
}

TEST(Options, RefuseWhatIsNoNumber) {
    EXPECT_THAT(refusal_of({"--trials", "many"}),
                AllOf(HasSubstr("'many'"), HasSubstr("--trials")));
    EXPECT_THAT(refusal_of({"--epochs", "2.5"}), AllOf(HasSubstr("'2.5'"), HasSubstr("--epochs")));
    EXPECT_THAT(refusal_of({"--seed", "99999999999999999999"}), HasSubstr("--seed"));
    EXPECT_THAT(refusal_of({"--trials"}), HasSubstr("--trials"));
}

TEST(Options, NameTheUnknownOption) {
    EXPECT_THAT(refusal_of({"--trails", "3"}), AllOf(HasSubstr("--trails"), HasSubstr("--help")));
    EXPECT_THAT(refusal_of({"--tri", "3"}), HasSubstr("--tri"));
    EXPECT_THAT(refusal_of({"my.h5"}), AllOf(HasSubstr("'my.h5'"), HasSubstr("--data")));
    EXPECT_THAT(refusal_of({"--trials", "3", "--trials", "4"}), HasSubstr("--trials"));
}

TEST(Options, HelpStartsWithAnExampleAndNamesEveryOption) {
    const std::string help = help_text();
    EXPECT_EQ(help.rfind("Example:", 0), 0U);
    for (const char* option :
         {"--data", "--trials", "--epochs", "--ranks-per-trial", "--seed", "--help"}) {
        EXPECT_THAT(help, HasSubstr(option));
    }
}

} // namespace
} // namespace digits
