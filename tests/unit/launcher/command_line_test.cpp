#include "cli/command_line.hpp"
#include "sample.hpp"

#include <muster/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::launcher {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Arguments read(const std::vector<std::string>& tokens,
               slurm::Environment::Variables variables = {},
               const std::vector<SettingsFile>& files = {}) {
    return read_command_line(sample(), tokens, slurm::Environment(std::move(variables)), files);
}

std::string refused(const std::vector<std::string>& tokens,
                    slurm::Environment::Variables variables = {},
                    const std::vector<SettingsFile>& files = {}) {
    try {
        (void)read(tokens, std::move(variables), files);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "it was taken";
}

TEST(CommandLine, OptionsEndWhereTheCommandBegins) {
    const auto arguments = read({"-n", "3", "--verbose", "./sim", "--number", "7", "-v"});
    EXPECT_EQ(arguments.get<int>("number"), 3);
    EXPECT_TRUE(arguments.is_set("verbose"));
    EXPECT_THAT(arguments.words, ElementsAre("./sim", "--number", "7", "-v"));
}

TEST(CommandLine, TwoDashesEndOptionsAndAreNotPassedOn) {
    EXPECT_THAT(read({"--number=3", "--", "-x", "--", "y"}).words, ElementsAre("-x", "--", "y"));
    EXPECT_THAT(read({"-n3", "x", "--", "y"}).words, ElementsAre("x", "--", "y"));
    EXPECT_TRUE(read({"--"}).words.empty());
    EXPECT_TRUE(read({}).words.empty());
    EXPECT_THAT(read({"-"}).words, ElementsAre("-"));
}

TEST(CommandLine, WhatIsNoOptionIsRefusedByName) {
    EXPECT_THAT(refused({"--nubmer", "3", "x"}), HasSubstr("--nubmer"));
    EXPECT_THAT(refused({"--number", "many", "x"}), HasSubstr("many"));
    EXPECT_THAT(refused({"--number"}), HasSubstr("number"));
    EXPECT_THAT(refused({"--verb"}), HasSubstr("--verb")) << "no guessing";
}

TEST(CommandLine, TheCommandLineCountsBeforeTheVariableBeforeTheFilesInOrder) {
    const std::vector<SettingsFile> files{
        {"a.conf", {{"sample.number", "4"}, {"other.number", "9"}}},
        {"b.conf", {{"sample.number", "5"}, {"sample.mode", "slow"}}}};
    EXPECT_EQ(read({"-n", "2"}, {{"MUSTER_SAMPLE_NUMBER", "3"}}, files).get<int>("number"), 2);
    EXPECT_EQ(read({}, {{"MUSTER_SAMPLE_NUMBER", "3"}}, files).get<int>("number"), 3);
    EXPECT_EQ(read({}, {}, files).get<int>("number"), 4);
    EXPECT_EQ(read({}, {}, files).get<std::string>("mode"), "slow");
    EXPECT_EQ(read({}).get<int>("number"), 1);
    EXPECT_FALSE(read({}).has("max-fails"));
}

TEST(CommandLine, ASwitchInAFileIsSetByItsWord) {
    EXPECT_TRUE(read({}, {}, {{"a.conf", {{"sample.verbose", "true"}}}}).is_set("verbose"));
    EXPECT_FALSE(read({}, {}, {{"a.conf", {{"sample.verbose", "no"}}}}).is_set("verbose"));
}

TEST(CommandLine, AnOptionThatMayBeRepeatedTakesAllLinesOfOneFile) {
    const std::vector<SettingsFile> files{{"a.conf", {{"sample.line", "x"}, {"sample.line", "y"}}},
                                          {"b.conf", {{"sample.line", "z"}}}};
    EXPECT_THAT(read({}, {}, files).get<std::vector<std::string>>("line"), ElementsAre("x", "y"));
}

TEST(CommandLine, AMistakeElsewhereIsRefusedWithItsPlace) {
    EXPECT_THAT(refused({}, {{"MUSTER_SAMPLE_MAX_FAILS", "x"}}),
                HasSubstr("MUSTER_SAMPLE_MAX_FAILS"));
    EXPECT_THAT(refused({}, {}, {{"a.conf", {{"sample.nubmer", "4"}}}}),
                HasSubstr("a.conf, [sample] nubmer"));
    EXPECT_THAT(refused({}, {}, {{"a.conf", {{"sample.number", "x"}}}}),
                HasSubstr("a.conf, [sample] number"));
}

} // namespace
} // namespace muster::launcher
