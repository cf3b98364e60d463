#include "ending/limits.hpp"

#include <gtest/gtest.h>

namespace muster::ending {
namespace {

using slurm::Environment;
using slurm::Launcher;
using namespace std::chrono_literals;

constexpr std::chrono::system_clock::time_point now{std::chrono::seconds{1'000'000}};

Limits read(Environment::Variables variables,
            Launcher launcher = Launcher::none,
            const RunOptions& options = {}) {
    return *read_limits(Environment(std::move(variables)), launcher, options, now);
}

TEST(Limits, WithoutAnyThereIsNone) {
    const auto limits = read({});
    EXPECT_FALSE(limits.left);
    EXPECT_EQ(limits.why, "");
    EXPECT_EQ(limits.notice_grace, 60s);
}

TEST(Limits, TheVariableWinsOverTheProgram) {
    EXPECT_EQ(read({}, Launcher::none, {.time_limit = 2h}).left, 2h);
    const auto limits = read({{"MUSTER_TIME_LIMIT", "30min"}}, Launcher::none, {.time_limit = 2h});
    EXPECT_EQ(limits.left, 30min);
    EXPECT_EQ(limits.why, "MUSTER_TIME_LIMIT");
}

TEST(Limits, TheEarlierOfJobAndLimitCounts) {
    const Environment::Variables job{{"SLURM_JOB_END_TIME", "1003600"}};
    EXPECT_EQ(read(job).left, 1h);
    EXPECT_EQ(read(job).why, "SLURM_JOB_END_TIME");
    auto both = job;
    both["MUSTER_TIME_LIMIT"] = "2h";
    EXPECT_EQ(read(both).left, 1h);
    both["MUSTER_TIME_LIMIT"] = "10min";
    EXPECT_EQ(read(both).left, 10min);
    both["MUSTER_TIME_LIMIT"] = "none";
    EXPECT_FALSE(read(both).left);
}

TEST(Limits, AJobThatIsOverIsDoubted) {
    const auto limits = read({{"SLURM_JOB_END_TIME", "999999"}});
    EXPECT_FALSE(limits.left);
    EXPECT_NE(limits.doubt.find("SLURM_JOB_END_TIME=999999"), std::string::npos);
    EXPECT_FALSE(read({{"SLURM_JOB_END_TIME", "Unknown"}}).left);
    EXPECT_EQ(read({{"SLURM_JOB_END_TIME", "NONE"}}).doubt, "");
}

TEST(Limits, TheLeadIsAMinuteOrATenth) {
    EXPECT_EQ(read({{"MUSTER_TIME_LIMIT", "1h"}}).lead, 60s);
    EXPECT_EQ(read({{"MUSTER_TIME_LIMIT", "1min"}}).lead, 6s);
    EXPECT_EQ(read({{"MUSTER_TIME_LIMIT", "1min"}, {"MUSTER_TIME_LEAD", "30s"}}).lead, 30s);
    EXPECT_EQ(read({{"MUSTER_TIME_LIMIT", "1min"}}, Launcher::none, {.time_lead = 20s}).lead, 20s);
    EXPECT_EQ(read({{"MUSTER_TIME_LEAD", "0s"}}, Launcher::none, {.time_lead = 20s}).lead, 0s);
    EXPECT_EQ(read({{"MUSTER_TIME_LEAD", "5min"}}).notice_grace, 5min);
}

TEST(Limits, SigtermLeavesWhatTheLauncherLeaves) {
    EXPECT_EQ(read({}).terminate_grace, 1s);
    EXPECT_EQ(read({}, Launcher::srun).terminate_grace, 20s);
    EXPECT_EQ(read({}, Launcher::open_mpi).terminate_grace, 800ms);
    EXPECT_EQ(
        read({{"OMPI_MCA_odls_base_sigkill_timeout", "10"}}, Launcher::open_mpi).terminate_grace,
        9800ms);
    EXPECT_EQ(read({{"MUSTER_TERM_GRACE", "5s"}}, Launcher::open_mpi).terminate_grace, 5s);
}

TEST(Limits, WhatDoesNotParseIsRefusedByName) {
    for (const char* name : {"MUSTER_TIME_LIMIT", "MUSTER_TIME_LEAD", "MUSTER_TERM_GRACE"}) {
        const auto limits = read_limits(
            Environment(Environment::Variables{{name, "60"}}), Launcher::none, RunOptions{}, now);
        ASSERT_FALSE(limits.has_value()) << name;
        EXPECT_EQ(limits.error().message.find(std::string(name) + ": \"60\""), 0U);
    }
    EXPECT_FALSE(read_limits(Environment(Environment::Variables{{"MUSTER_TIME_LIMIT", "0s"}}),
                             Launcher::none,
                             {},
                             now)
                     .has_value());
}

} // namespace
} // namespace muster::ending
