#include <muster/slurm/launch.hpp>

#include <gtest/gtest.h>

namespace muster::slurm {
namespace {

constexpr std::string_view open_mpi_library =
    "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev: v4.1.4, May 26, 2022";
constexpr std::string_view mpich_library =
    "MPICH Version:      4.0.2\nMPICH Release date: Thu Apr  7";

using Variables = Environment::Variables;

const Variables step_of_eight{{"SLURM_JOB_ID", "12"},
                              {"SLURM_STEP_ID", "0"},
                              {"SLURM_STEP_NUM_TASKS", "8"},
                              {"SLURM_PROCID", "5"},
                              {"SLURM_LOCALID", "1"}};

LaunchInfo detect(const Variables& variables) {
    return detect_launch(Environment(variables)).value_or_throw();
}

Variables operator+(Variables a, const Variables& b) {
    for (const auto& [name, value] : b) {
        a.insert_or_assign(name, value);
    }
    return a;
}

TEST(DetectLaunch, IsAloneWithoutLauncher) {
    const LaunchInfo info = detect({});
    EXPECT_EQ(info.launcher, Launcher::none);
    EXPECT_EQ(info.world_size, 1);
    EXPECT_FALSE(info.use_mpi);
}

TEST(DetectLaunch, KnowsOpenMpi) {
    const LaunchInfo info = detect({{"OMPI_COMM_WORLD_SIZE", "4"},
                                    {"OMPI_COMM_WORLD_RANK", "2"},
                                    {"OMPI_COMM_WORLD_LOCAL_RANK", "0"},
                                    {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                                    {"PMIX_RANK", "2"},
                                    {"PMIX_NAMESPACE", "666763265"}});
    EXPECT_EQ(info.launcher, Launcher::open_mpi);
    EXPECT_EQ(info.world_size, 4);
    EXPECT_EQ(info.rank, 2);
    EXPECT_EQ(info.local_rank, 0);
    EXPECT_EQ(info.local_size, 2);
    EXPECT_TRUE(info.use_mpi);
    EXPECT_EQ(info.reason, "started by Open MPI's mpirun as process 2 of 4");
}

TEST(DetectLaunch, KnowsHydraAndPals) {
    const LaunchInfo hydra = detect(
        {{"PMI_SIZE", "4"}, {"PMI_RANK", "3"}, {"MPI_LOCALNRANKS", "4"}, {"MPI_LOCALRANKID", "3"}});
    EXPECT_EQ(hydra.launcher, Launcher::hydra);
    EXPECT_EQ(hydra.world_size, 4);
    EXPECT_EQ(hydra.rank, 3);
    EXPECT_EQ(hydra.local_size, 4);
    EXPECT_EQ(hydra.local_rank, 3);
    EXPECT_TRUE(hydra.use_mpi);

    const LaunchInfo pals = detect({{"PALS_APID", "x"}, {"PALS_RANKID", "1"}, {"PMI_SIZE", "2"}});
    EXPECT_EQ(pals.launcher, Launcher::pals);
    EXPECT_EQ(pals.world_size, 2);
    EXPECT_EQ(pals.rank, 1);
}

TEST(DetectLaunch, KnowsAPmixServerWithoutWorldSize) {
    const LaunchInfo info = detect({{"PMIX_RANK", "1"}, {"PMIX_NAMESPACE", "prterun-n1-7@1"}});
    EXPECT_EQ(info.launcher, Launcher::pmix);
    EXPECT_EQ(info.rank, 1);
    EXPECT_FALSE(info.world_size);
    EXPECT_TRUE(info.use_mpi);
}

TEST(DetectLaunch, KnowsSrunWithEveryMpiPlugin) {
    const auto check = [](const Variables& more) {
        const LaunchInfo info = detect(step_of_eight + more);
        EXPECT_EQ(info.launcher, Launcher::srun);
        EXPECT_EQ(info.world_size, 8);
        EXPECT_EQ(info.rank, 5);
        EXPECT_EQ(info.local_rank, 1);
        EXPECT_TRUE(info.use_mpi);
    };
    check({});
    check({{"SLURM_MPI_TYPE", "pmi2"}, {"PMI_SIZE", "8"}, {"PMI_RANK", "5"}});
    check({{"SLURM_MPI_TYPE", "pmix"}, {"PMIX_RANK", "5"}, {"PMIX_NAMESPACE", "slurm.pmix.12.0"}});
}

TEST(DetectLaunch, TakesTheInnermostOfSrunAndMpirun) {
    // mpirun starts its daemons by srun, so their children have Slurm's step variables too.
    EXPECT_EQ(detect(step_of_eight + Variables{{"OMPI_COMM_WORLD_SIZE", "4"}}).launcher,
              Launcher::open_mpi);
    EXPECT_EQ(
        detect(step_of_eight + Variables{{"PMI_SIZE", "4"}, {"MPI_LOCALNRANKS", "2"}}).launcher,
        Launcher::hydra);
}

TEST(DetectLaunch, NeedsNoMpiForOneTaskUnderSrun) {
    const LaunchInfo info = detect(step_of_eight + Variables{{"SLURM_STEP_NUM_TASKS", "1"}});
    EXPECT_EQ(info.launcher, Launcher::srun);
    EXPECT_FALSE(info.use_mpi);
}

TEST(DetectLaunch, IsAloneInABatchScriptAndInAnInteractiveShell) {
    const Variables job{{"SLURM_JOB_ID", "12"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}};
    const LaunchInfo info = detect(job);
    EXPECT_EQ(info.launcher, Launcher::none);
    EXPECT_FALSE(info.use_mpi);
    EXPECT_EQ(info.reason,
              "in Slurm job 12, but not started by srun or mpirun; the job has 8 tasks, 'srun' "
              "starts a rank in each");
    EXPECT_EQ(detect(job + Variables{{"SLURM_STEP_ID", "4294967291"}}).launcher, Launcher::none);
    EXPECT_EQ(detect(job + Variables{{"SLURM_STEP_ID", "4294967290"}}).launcher, Launcher::none);
}

TEST(DetectLaunch, ObeysMusterTransport) {
    EXPECT_TRUE(detect({{"MUSTER_TRANSPORT", "mpi"}}).use_mpi);
    EXPECT_FALSE(detect({{"MUSTER_TRANSPORT", "auto"}}).use_mpi);
    EXPECT_FALSE(detect(step_of_eight + Variables{{"MUSTER_TRANSPORT", "local"}}).use_mpi);
    const auto wrong = detect_launch(Environment(Variables{{"MUSTER_TRANSPORT", "tcp"}}));
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, ErrorCode::usage);
    EXPECT_EQ(
        wrong.error().message,
        "MUSTER_TRANSPORT is 'tcp'; use auto (MPI when an MPI launcher started this process), "
        "local or mpi");
}

TEST(CheckWorld, AcceptsTheWorldTheLauncherMeant) {
    EXPECT_FALSE(check_world(detect(step_of_eight), 5, 8, open_mpi_library));
    EXPECT_FALSE(check_world(detect({}), 0, 1, open_mpi_library));
    EXPECT_FALSE(check_world(detect({{"MUSTER_TRANSPORT", "mpi"}}), 0, 1, open_mpi_library));
    EXPECT_FALSE(check_world(detect({{"PMIX_RANK", "1"}, {"PMIX_NAMESPACE", "x"}}), 1, 2, ""));
}

TEST(CheckWorld, NamesTheFlagThatSrunNeeds) {
    const LaunchInfo launch = detect(step_of_eight + Variables{{"SLURM_MPI_TYPE", "none"}});
    EXPECT_EQ(
        check_world(launch, 0, 1, open_mpi_library)->message,
        "srun started 8 processes, and process 5 finds itself as rank 0 of 1: this program was "
        "built with Open MPI v4.1.4, which did not connect to that launcher; start it with "
        "'srun --mpi=pmix' (srun used --mpi=none)");
    EXPECT_EQ(
        check_world(launch, 0, 1, mpich_library)->message,
        "srun started 8 processes, and process 5 finds itself as rank 0 of 1: this program was "
        "built with MPICH Version: 4.0.2, which did not connect to that launcher; start it with "
        "'srun --mpi=pmi2' (srun used --mpi=none)");
}

TEST(CheckWorld, DoesNotAdviseTheFlagThatWasUsed) {
    const LaunchInfo launch = detect(step_of_eight + Variables{{"SLURM_MPI_TYPE", "pmix_v4"}});
    const auto failure = check_world(launch, 0, 1, open_mpi_library);
    EXPECT_NE(failure->message.find("srun already used --mpi=pmix_v4"), std::string::npos);
}

TEST(CheckWorld, SendsToTheMpirunOfTheProgramsOwnMpi) {
    const LaunchInfo launch =
        detect({{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "2"}});
    EXPECT_EQ(
        check_world(launch, 0, 1, mpich_library)->message,
        "Open MPI's mpirun started 4 processes, and process 2 finds itself as rank 0 of 1: this "
        "program was built with MPICH Version: 4.0.2, which did not connect to that launcher; "
        "start it with that MPI's own mpirun, or build it with the MPI of this one");
}

TEST(StartDoubt, IsAboutSrunWithoutPmi) {
    EXPECT_EQ(start_doubt(detect(step_of_eight)),
              "srun gave its 8 tasks nothing to find each other by (--mpi=none?): if MPI fails to "
              "start, use 'srun --mpi=pmix' for Open MPI, 'srun --mpi=pmi2' for MPICH");
    EXPECT_EQ(start_doubt(detect(step_of_eight + Variables{{"PMIX_RANK", "5"}})), "");
    EXPECT_EQ(start_doubt(detect(step_of_eight + Variables{{"PMI_RANK", "5"}})), "");
    EXPECT_EQ(start_doubt(detect(step_of_eight + Variables{{"MUSTER_TRANSPORT", "local"}})), "");
    EXPECT_EQ(start_doubt(detect({})), "");
}

TEST(TiesToLauncher, SeparatesIdentityFromConfiguration) {
    for (const auto* name : {"OMPI_COMM_WORLD_RANK",
                             "PMI_FD",
                             "PMIX_RANK",
                             "SLURM_PROCID",
                             "SLURM_STEP_ID",
                             "OMPI_MCA_ess",
                             "OMPI_MCA_orte_hnp_uri"}) {
        EXPECT_TRUE(ties_to_launcher(name)) << name;
    }
    for (const auto* name : {"PATH",
                             "OMPI_MCA_btl",
                             "PMIX_MCA_gds",
                             "SLURM_JOB_ID",
                             "OMPI_MCA_orte_enable_recovery",
                             "SLURM_CPUS_ON_NODE"}) {
        EXPECT_FALSE(ties_to_launcher(name)) << name;
    }
}

} // namespace
} // namespace muster::slurm
