#include "launch/elf.hpp"
#include "launch/plan_launch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace muster::launcher::launch {
namespace {

using slurm::Environment;

Tools tools() {
    Tools tools;
    tools.mpirun = MpiLauncher{"/opt/bin/mpirun", MpiLibrary::open_mpi, 4};
    tools.rank_helper = "/opt/bin/muster-rank";
    tools.own_library = MpiLibrary::open_mpi;
    return tools;
}

Tools tools_of_slurm() {
    Tools found = tools();
    found.srun = "/usr/bin/srun";
    found.srun_mpi_types = {"none", "pmi2", "pmix", "pmix_v4"};
    return found;
}

Environment allocation(int nodes, Environment::Variables more = {}) {
    more["SLURM_JOB_ID"] = "17";
    more["SLURM_JOB_NUM_NODES"] = std::to_string(nodes);
    return Environment(std::move(more));
}

Request mpi_program(MpiLibrary library = MpiLibrary::open_mpi) {
    Request request;
    request.argv = {"./app", "x"};
    request.library = library;
    return request;
}

bool has(const std::vector<std::string>& argv, const std::string& word) {
    return std::ranges::find(argv, word) != argv.end();
}

bool has(const std::vector<std::string>& argv, const std::string& word, const std::string& next) {
    const auto place = std::ranges::find(argv, word);
    return place != argv.end() && place + 1 != argv.end() && *(place + 1) == next;
}

TEST(PlanLaunch, AnMpiProgramOnOneMachineIsStartedByItsMpirunAsItIs) {
    Request request = mpi_program();
    request.ranks = 8;
    const auto plan = plan_launch(request, Environment(), tools());
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->way, Way::mpirun);
    EXPECT_EQ(
        plan->argv,
        (std::vector<std::string>{"/opt/bin/mpirun", "-n", "8", "--oversubscribe", "./app", "x"}));
    EXPECT_FALSE(plan->rank_helper_tells_code);
}

TEST(PlanLaunch, AMusterProgramSurvivesLostRanksAndItsCodeComesFromTheRank) {
    Request request = mpi_program();
    request.survives_lost_ranks = true;
    request.places_its_threads = true;
    const auto plan = plan_launch(request, Environment(), tools());
    ASSERT_TRUE(plan);
    EXPECT_TRUE(has(plan->argv, "--enable-recovery"));
    EXPECT_TRUE(has(plan->argv, "--bind-to", "none"));
    EXPECT_TRUE(has(plan->argv, "/opt/bin/muster-rank", "./app"));
    EXPECT_TRUE(plan->rank_helper_tells_code);
    Tools five = tools();
    five.mpirun->major_version = 5;
    EXPECT_TRUE(has(plan_launch(request, Environment(), five)->argv, "--runtime-options"));
}

TEST(PlanLaunch, RootIsAllowedWhereMpirunWouldRefuseIt) {
    Tools root = tools();
    root.is_root = true;
    EXPECT_TRUE(has(plan_launch(mpi_program(), Environment(), root)->argv, "--allow-run-as-root"));
}

TEST(PlanLaunch, InAnAllocationSrunSpeaksWhatTheLibraryDoes) {
    Request request = mpi_program();
    request.ranks_per_node = 2;
    const auto open_mpi = plan_launch(request, allocation(3), tools_of_slurm());
    ASSERT_TRUE(open_mpi);
    EXPECT_EQ(open_mpi->way, Way::srun);
    EXPECT_TRUE(has(open_mpi->argv, "--mpi=pmix"));
    EXPECT_TRUE(has(open_mpi->argv, "--ntasks=6"));
    EXPECT_TRUE(has(open_mpi->argv, "--kill-on-bad-exit=1"));
    EXPECT_EQ(open_mpi->environment.front().first, "SLURM_PMIX_FENCE");
    request.library = MpiLibrary::mpich;
    request.survives_lost_ranks = true;
    const auto mpich = plan_launch(request, allocation(3), tools_of_slurm());
    EXPECT_TRUE(has(mpich->argv, "--mpi=pmi2"));
    EXPECT_TRUE(has(mpich->argv, "--no-kill"));
    EXPECT_TRUE(has(mpich->argv, "--kill-on-bad-exit=0"));
}

TEST(PlanLaunch, WithoutTheFittingPluginMpirunStartsItInTheAllocationAndSaysWhy) {
    Tools found = tools_of_slurm();
    found.srun_mpi_types = {"none", "pmi2"};
    const auto plan = plan_launch(mpi_program(), allocation(2), found);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->way, Way::mpirun);
    EXPECT_TRUE(has(plan->argv, "--map-by", "ppr:1:node"));
    EXPECT_FALSE(has(plan->argv, "--oversubscribe"));
    EXPECT_NE(plan->why.find("pmix"), std::string::npos);
}

TEST(PlanLaunch, MoreRanksThanTheJobHasTasksAreOvercommittedSinceTheyWereAskedFor) {
    Request request = mpi_program();
    request.ranks_per_node = 2;
    const auto few = allocation(2, {{"SLURM_NTASKS", "2"}});
    EXPECT_TRUE(has(plan_launch(request, few, tools_of_slurm())->argv, "--overcommit"));
    EXPECT_TRUE(has(plan_launch(request, few, tools())->argv, "--oversubscribe"));
    const auto enough = allocation(2, {{"SLURM_NTASKS", "4"}});
    EXPECT_FALSE(has(plan_launch(request, enough, tools_of_slurm())->argv, "--overcommit"));
    EXPECT_FALSE(has(plan_launch(request, enough, tools())->argv, "--oversubscribe"));
}

TEST(PlanLaunch, AProcessThatIsARankAlreadyBecomesTheProgram) {
    const Environment rank({{"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "1"}});
    const auto plan = plan_launch(mpi_program(), rank, tools());
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->way, Way::direct);
    EXPECT_EQ(plan->argv, (std::vector<std::string>{"./app", "x"}));
    const auto task = allocation(
        2, {{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}});
    EXPECT_EQ(plan_launch(mpi_program(), task, tools_of_slurm())->way, Way::direct);
}

TEST(PlanLaunch, AnMpirunOfAnotherMpiIsRefusedByName) {
    const auto plan = plan_launch(mpi_program(MpiLibrary::mpich), Environment(), tools());
    ASSERT_FALSE(plan);
    EXPECT_NE(plan.error().message.find("Open MPI's"), std::string::npos);
    EXPECT_NE(plan.error().message.find("MPICH"), std::string::npos);
}

TEST(PlanLaunch, WhatIsAskedForAndNotThereIsRefused) {
    Request request = mpi_program();
    request.way = Way::srun;
    EXPECT_NE(plan_launch(request, Environment(), tools()).error().message.find("allocation"),
              std::string::npos);
    request.way = Way::mpirun;
    EXPECT_NE(plan_launch(request, Environment(), Tools()).error().message.find("no mpirun"),
              std::string::npos);
    request.way = Way::automatic;
    EXPECT_FALSE(plan_launch(request, Environment(), Tools()));
    request.nodes = 2;
    EXPECT_NE(
        plan_launch(request, Environment(), tools()).error().message.find("only this machine"),
        std::string::npos);
}

TEST(PlanLaunch, CpusAndGpusOfTheJobReachTheStep) {
    Request request = mpi_program();
    request.gpus_per_rank = 1;
    const auto plan =
        plan_launch(request, allocation(1, {{"SLURM_CPUS_PER_TASK", "4"}}), tools_of_slurm());
    EXPECT_TRUE(has(plan->argv, "--cpus-per-task=4"));
    EXPECT_TRUE(has(plan->argv, "--gpus-per-task=1"));
}

TEST(PlanLaunch, OneRankOfMusterItselfOnEachNode) {
    const auto plan = plan_own_launch({"muster", "sweep"}, allocation(4), tools_of_slurm());
    ASSERT_TRUE(plan && *plan);
    EXPECT_TRUE(has((*plan)->argv, "--ntasks=4"));
    EXPECT_TRUE(has((*plan)->argv, "--cpu-bind=none"));
    EXPECT_TRUE(has((*plan)->argv, "muster", "sweep"));
    EXPECT_FALSE(*plan_own_launch({"muster"}, allocation(1), tools_of_slurm()));
    EXPECT_FALSE(*plan_own_launch({"muster"}, Environment(), tools()));
    const auto task = allocation(
        2, {{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}});
    EXPECT_FALSE(*plan_own_launch({"muster"}, task, tools_of_slurm()));
}

TEST(IsOnNodeOfJob, AShellOfSallocOnALoginNodeIsNot) {
    const auto job = allocation(1, {{"SLURM_JOB_NODELIST", "n[1-2].site"}});
    EXPECT_TRUE(is_on_node_of_job(job, "n1"));
    EXPECT_TRUE(is_on_node_of_job(job, "n2.site.org"));
    EXPECT_FALSE(is_on_node_of_job(job, "login"));
    const auto batch = allocation(1, {{"SLURM_JOB_NODELIST", "n1"}, {"SLURMD_NODENAME", "n1"}});
    EXPECT_TRUE(is_on_node_of_job(batch, "another-name-of-n1"));
    Tools login = tools_of_slurm();
    login.host = "login";
    EXPECT_TRUE(*plan_own_launch({"muster"}, job, login));
}

TEST(PlanShape, ComesFromTheCommandLineThenFromTheJob) {
    Request request;
    EXPECT_EQ(plan_shape(request, Environment())->ranks, 1);
    EXPECT_EQ(plan_shape(request, allocation(3))->ranks, 3);
    EXPECT_EQ(plan_shape(request, allocation(3, {{"SLURM_NTASKS", "7"}}))->ranks, 7);
    EXPECT_EQ(plan_shape(request, allocation(3, {{"SLURM_NTASKS_PER_NODE", "2"}}))->ranks, 6);
    request.ranks_per_node = 4;
    EXPECT_EQ(plan_shape(request, allocation(3, {{"SLURM_NTASKS", "7"}}))->ranks, 12);
    request.nodes = 2;
    EXPECT_EQ(plan_shape(request, allocation(3))->ranks, 8);
    request.ranks = 7;
    EXPECT_NE(plan_shape(request, allocation(3)).error().message.find("do not agree"),
              std::string::npos);
    request = {};
    request.nodes = 4;
    EXPECT_NE(plan_shape(request, allocation(3)).error().message.find("job 17 has 3"),
              std::string::npos);
    request = {};
    request.ranks = 2;
    EXPECT_EQ(plan_shape(request, allocation(3))->nodes, 2);
}

TEST(Elf, ReadsWhatThisProgramNeeds) {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto facts = read_elf(bytes);
    ASSERT_TRUE(facts);
    EXPECT_TRUE(has(facts->needed, "libc.so.6"));
    EXPECT_FALSE(facts->is_muster);
}

TEST(Elf, DamagedFilesAreNoneOrSayLessAndNeverMore) {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_FALSE(read_elf(""));
    EXPECT_FALSE(read_elf("#!/bin/sh\n"));
    for (std::size_t size = 0; size < 2048; size += 7) {
        static_cast<void>(read_elf(std::string_view(bytes).substr(0, size)));
    }
    for (std::size_t at = 4; at < 1024; ++at) { // headers that point anywhere
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(0xff);
        static_cast<void>(read_elf(damaged));
    }
}

TEST(Elf, NamesOfLibrariesTellTheMpi) {
    EXPECT_EQ(mpi_library_of("libmpi.so.40"), MpiLibrary::open_mpi);
    EXPECT_EQ(mpi_library_of("libmpi.so.12"), MpiLibrary::mpich);
    EXPECT_EQ(mpi_library_of("libmpich.so.12"), MpiLibrary::mpich);
    EXPECT_EQ(mpi_library_of("libmpi_gnu_91.so.12"), MpiLibrary::mpich);
    EXPECT_EQ(mpi_library_of("libmpi_cxx.so.40"), MpiLibrary::open_mpi);
    EXPECT_EQ(mpi_library_of("libmpi_ibm.so.3"), MpiLibrary::open_mpi);
    EXPECT_EQ(mpi_library_of("libmpifake.so"), MpiLibrary::none);
    EXPECT_EQ(mpi_library_of("libm.so.6"), MpiLibrary::none);
}

} // namespace
} // namespace muster::launcher::launch
