#include <muster/slurm/loss_outlook.hpp>

#include <gtest/gtest.h>

namespace muster::slurm {
namespace {

LossOutlook outlook(const Environment::Variables& variables) {
    const Environment environment(variables);
    return loss_outlook(environment, detect_launch(environment).value_or_throw());
}

// As mpirun of Open MPI 4.1.4 sets them.
const Environment::Variables open_mpi_4{{"OMPI_COMM_WORLD_SIZE", "4"},
                                        {"OMPI_COMM_WORLD_RANK", "2"},
                                        {"OMPI_MCA_orte_ess_num_procs", "4"}};

TEST(LossOutlook, OneProcessDoesNotSurviveItself) {
    EXPECT_EQ(outlook({}).survives, false);
    EXPECT_EQ(outlook({{"OMPI_COMM_WORLD_SIZE", "4"}, {"MUSTER_TRANSPORT", "local"}}).survives,
              false);
}

TEST(LossOutlook, OpenMpi4ShowsItsOption) {
    EXPECT_EQ(outlook(open_mpi_4).survives, false);
    EXPECT_NE(outlook(open_mpi_4).why.find("--enable-recovery"), std::string::npos);
    for (const auto& [value, survives] : std::map<std::string, bool>{
             {"1", true}, {"true", true}, {"yes", true}, {"0", false}, {"false", false}}) {
        Environment::Variables variables = open_mpi_4;
        variables["OMPI_MCA_orte_enable_recovery"] = value;
        EXPECT_EQ(outlook(variables).survives, survives) << value;
    }
}

TEST(LossOutlook, OpenMpi5AndOthersDoNotShowIt) {
    const LossOutlook of_5 =
        outlook({{"OMPI_COMM_WORLD_SIZE", "4"},
                 {"OMPI_COMM_WORLD_RANK", "2"},
                 {"OMPI_VERSION", "5.0.11"},
                 {"PRTE_LAUNCHED", "1"},
                 {"OMPI_MCA_orte_enable_recovery", "1"}}); // means nothing to 5
    EXPECT_EQ(of_5.survives, std::nullopt);
    EXPECT_NE(of_5.why.find("recoverable=1"), std::string::npos);
    EXPECT_EQ(outlook({{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "2"}}).survives,
              std::nullopt); // jsrun
    EXPECT_EQ(outlook({{"PALS_RANKID", "1"}}).survives, std::nullopt);
    EXPECT_EQ(outlook({{"PMIX_NAMESPACE", "prte"}, {"PMIX_RANK", "1"}}).survives, std::nullopt);
}

TEST(LossOutlook, MpichEndsTheJob) {
    EXPECT_EQ(outlook({{"PMI_SIZE", "4"}, {"PMI_RANK", "3"}, {"MPI_LOCALNRANKS", "4"}}).survives,
              false);
}

TEST(LossOutlook, SrunShowsItsVariable) {
    Environment::Variables step{
        {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_PROCID", "5"}};
    EXPECT_EQ(outlook(step).survives, std::nullopt);
    EXPECT_NE(outlook(step).why.find("--kill-on-bad-exit=0"), std::string::npos);
    step["SLURM_KILL_BAD_EXIT"] = "0";
    EXPECT_EQ(outlook(step).survives, true);
    step["PMIX_RANK"] = "5";
    step["PMIX_NAMESPACE"] = "slurm.pmix.12.0";
    EXPECT_EQ(outlook(step).survives, std::nullopt) << "a node, but not a process";
    EXPECT_NE(outlook(step).why.find("pmix plugin"), std::string::npos);
    step["SLURM_KILL_BAD_EXIT"] = "1";
    EXPECT_EQ(outlook(step).survives, false);
    step["SLURM_KILL_BAD_EXIT"] = "maybe"; // not a number: as if it were not set
    EXPECT_EQ(outlook(step).survives, std::nullopt);
}

} // namespace
} // namespace muster::slurm
