#include "cli/command_line.hpp"
#include "sample.hpp"
#include "submit/plan.hpp"

#include <muster/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::launcher::submit {
namespace {

using launch::MpiLibrary;

using slurm::Again;
using slurm::BatchScript;
using slurm::StepLauncher;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

const Subcommand& submit_options() {
    static const Subcommand subcommand = options_only("submit", &add_options);
    return subcommand;
}

BatchScript script(const std::vector<std::string>& tokens) {
    return script_of(read_command_line(submit_options(), tokens, slurm::Environment(), {}));
}

std::string refused(const std::vector<std::string>& tokens) {
    try {
        (void)script(tokens);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "it was taken";
}

TEST(SubmitPlan, OptionsBecomeTheScriptsFields) {
    const BatchScript all = script({"-N",
                                    "2-4",
                                    "--tasks-per-node",
                                    "2",
                                    "-c",
                                    "8",
                                    "-G",
                                    "a100:2",
                                    "--mem",
                                    "16G",
                                    "-t",
                                    "2:00:00",
                                    "--array",
                                    "1-9",
                                    "--after",
                                    "12",
                                    "-A",
                                    "physics",
                                    "-p",
                                    "main",
                                    "--option=--exclusive",
                                    "--setup",
                                    "module load x",
                                    "--env",
                                    "A=b=c",
                                    "--requeue",
                                    "--again-max",
                                    "3",
                                    "--",
                                    "bin/app",
                                    "-x"});
    EXPECT_EQ(all.nodes, "2-4");
    EXPECT_EQ(all.tasks_per_node, 2);
    EXPECT_EQ(all.cpus_per_task, 8);
    EXPECT_EQ(all.gpus_per_node, "a100:2");
    EXPECT_EQ(all.memory_per_node, "16G");
    EXPECT_EQ(all.time_limit, "2:00:00");
    EXPECT_EQ(all.dependency, "afterok:12");
    EXPECT_EQ(all.account, "physics");
    EXPECT_EQ(all.output, "%x-%A_%a.out") << "an array";
    EXPECT_EQ(all.name, "app");
    EXPECT_THAT(all.options, ElementsAre("--exclusive"));
    EXPECT_THAT(all.setup, ElementsAre("module load x"));
    EXPECT_THAT(all.environment, ElementsAre(Pair("A", "b=c")));
    EXPECT_EQ(all.again, Again::requeue);
    EXPECT_EQ(all.again_max, 3);
    EXPECT_THAT(all.command, ElementsAre("bin/app", "-x"));
    EXPECT_EQ(script({"./app"}).output, "%x-%j.out");
}

TEST(SubmitPlan, MistakesAreNamed) {
    EXPECT_THAT(refused({"-N", "2"}), HasSubstr("no command"));
    EXPECT_THAT(refused({"-n", "few", "./app"}), HasSubstr("--tasks is 'few'"));
    EXPECT_THAT(refused({"-n", "0", "./app"}), HasSubstr("--tasks is '0'"));
    EXPECT_THAT(refused({"--env", "A", "./app"}), HasSubstr("--env is 'A'"));
    EXPECT_THAT(refused({"--requeue", "--chain", "./app"}), HasSubstr("not both"));
    EXPECT_THAT(refused({"--after", "job", "./app"}), HasSubstr("--after is 'job'"));
    EXPECT_THAT(refused({"--after", "maybe:12", "./app"}), HasSubstr("--after is 'maybe:12'"));
    for (const char* signal : {"USR2@x", "@90", "USR2@-1", "USR2@70000", "US R2@1", "USR2@"}) {
        EXPECT_THAT(refused({"--signal", signal, "./app"}), HasSubstr("--signal is")) << signal;
    }
}

TEST(SubmitPlan, ASignalHasAMinuteUnlessItSaysMore) {
    EXPECT_EQ(script({"--signal", "SIGUSR2@90", "./app"}).signal, "USR2");
    EXPECT_EQ(script({"--signal", "SIGUSR2@90", "./app"}).signal_seconds, 90);
    EXPECT_EQ(script({"--signal", "TERM", "./app"}).signal_seconds, 60);
}

TEST(SubmitPlan, DependenciesAreSlurms) {
    EXPECT_EQ(dependency_of({"12", "notok:13", "any:14_2", "start:15"}),
              "afterok:12,afternotok:13,afterany:14_2,after:15");
    EXPECT_EQ(dependency_of({}), "");
}

TEST(SubmitPlan, ReadsWhatSrunOffers) {
    EXPECT_THAT(
        launch::parse_mpi_types("MPI plugin types are...\n\tpmix\n\tnone\n\tcray_shasta\n\tpmi2\n"
                                "specific pmix plugin versions available: pmix_v4"),
        ElementsAre("pmix", "none", "cray_shasta", "pmi2"));
    EXPECT_THAT(launch::parse_mpi_types(""), IsEmpty());
}

TEST(SubmitPlan, TheMpiThatAProgramIsLinkedWithSaysHowItStarts) {
    const auto choice = [](MpiLibrary kind, bool several, std::vector<std::string> types) {
        return choose_launch({kind, several, std::move(types)});
    };
    EXPECT_EQ(choice(MpiLibrary::open_mpi, true, {"none", "pmix", "pmi2"}).mpi, "pmix");
    EXPECT_EQ(choice(MpiLibrary::mpich, true, {"none", "pmix", "pmi2"}).mpi, "pmi2");
    EXPECT_EQ(choice(MpiLibrary::open_mpi, true, {"none", "pmi2"}).launcher, StepLauncher::mpirun);
    EXPECT_EQ(choice(MpiLibrary::open_mpi, true, {}).launcher, StepLauncher::mpirun);
    EXPECT_EQ(choice(MpiLibrary::none, true, {"pmix"}).launcher, StepLauncher::muster);
    EXPECT_EQ(choice(MpiLibrary::none, true, {"pmix"}).mpi, "");
    EXPECT_EQ(choice(MpiLibrary::open_mpi, false, {"pmix"}).launcher, StepLauncher::none);
}

TEST(SubmitPlan, SeveralTasksAreThoseOfNodesAndOfTheJob) {
    EXPECT_FALSE(has_several_tasks(script({"./app"})));
    EXPECT_FALSE(has_several_tasks(script({"-N", "1", "-n", "1", "-c", "8", "./app"})));
    EXPECT_TRUE(has_several_tasks(script({"-N", "2", "./app"})));
    EXPECT_TRUE(has_several_tasks(script({"-n", "2", "./app"})));
    EXPECT_TRUE(has_several_tasks(script({"--tasks-per-node", "2", "./app"})));
}

TEST(SubmitPlan, WhatStartsItGetsWhatItNeeds) {
    BatchScript one = script({"-n", "4", "-c", "2", "--requeue", "./app"});
    one.launcher_options = {"--exact"};
    BatchScript foreign = one;
    start_with(one, {StepLauncher::srun, "pmix", "", true}, false);
    EXPECT_THAT(one.launcher_options,
                ElementsAre("--mpi=pmix", "--cpus-per-task=2", "--kill-on-bad-exit=0", "--exact"));
    start_with(foreign, {StepLauncher::srun, "pmix", "", false}, false);
    EXPECT_THAT(foreign.launcher_options, ElementsAre("--mpi=pmix", "--cpus-per-task=2", "--exact"))
        << "ranks of other programs would wait for a dead one";
    BatchScript other = script({"-n", "4", "--survive", "./app"});
    EXPECT_THAT(other.options, ElementsAre("--no-kill"));
    start_with(other, {StepLauncher::mpirun, "", ""}, true);
    EXPECT_THAT(other.launcher_options, ElementsAre("--bind-to", "none"));
    EXPECT_THAT(other.environment, ElementsAre(Pair("OMPI_MCA_orte_enable_recovery", "1")));
}

} // namespace
} // namespace muster::launcher::submit
