#include <muster/slurm/allocation.hpp>

#include <gtest/gtest.h>

#include <cstdlib>

namespace muster::slurm {
namespace {

Allocation read(Environment::Variables variables) {
    variables.emplace("SLURM_JOB_ID", "12");
    return read_allocation(Environment(std::move(variables))).value_or_throw();
}

TEST(Allocation, IsEmptyOutsideAJob) {
    const Allocation allocation = read_allocation(Environment{}).value_or_throw();
    EXPECT_EQ(allocation.job_id, "");
    EXPECT_TRUE(allocation.nodes.empty());
    EXPECT_FALSE(allocation.ends_at);
}

TEST(Allocation, ReadsWhatTheJobsVariablesSay) {
    const Allocation allocation = read({{"SLURM_JOB_NODELIST", "n[1-2]"},
                                        {"SLURM_CPUS_PER_TASK", "4"},
                                        {"SLURM_CPUS_ON_NODE", "8"},
                                        {"SLURM_GPUS_ON_NODE", "2"},
                                        {"SLURM_MEM_PER_NODE", "2048"},
                                        {"SLURM_JOB_END_TIME", "1764043200"},
                                        {"SLURM_RESTART_COUNT", "3"}});
    EXPECT_EQ(allocation.job_id, "12");
    EXPECT_EQ(allocation.nodes, (std::vector<std::string>{"n1", "n2"}));
    EXPECT_EQ(allocation.cpus_per_task, 4);
    EXPECT_EQ(allocation.cpus_on_node, 8);
    EXPECT_EQ(allocation.gpus_on_node, 2);
    EXPECT_EQ(allocation.memory_on_node, 2_GiB);
    EXPECT_EQ(allocation.ends_at->time_since_epoch().count(), 1764043200);
    EXPECT_EQ(allocation.restart_count, 3);
}

TEST(Allocation, MultipliesMemoryPerCpuByTheCpusOfTheNode) {
    EXPECT_EQ(read({{"SLURM_MEM_PER_CPU", "512"}, {"SLURM_CPUS_ON_NODE", "4"}}).memory_on_node,
              2_GiB);
    EXPECT_FALSE(read({{"SLURM_MEM_PER_CPU", "512"}}).memory_on_node);
    EXPECT_FALSE(read({{"SLURM_MEM_PER_NODE", "0"}}).memory_on_node) << "0 means all of the node";
}

TEST(Allocation, TakesVariablesThatDoNotParseAsNotSet) {
    const Allocation allocation =
        read({{"SLURM_CPUS_ON_NODE", "8(x2)"}, {"SLURM_JOB_END_TIME", "soon"}});
    EXPECT_FALSE(allocation.cpus_on_node);
    EXPECT_FALSE(allocation.ends_at);
}

TEST(Allocation, RefusesANodeListThatDoesNotParse) {
    const Environment environment({{"SLURM_JOB_ID", "12"}, {"SLURM_JOB_NODELIST", "n[1-"}});
    const auto result = read_allocation(environment);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message,
              "SLURM_JOB_NODELIST: hostlist 'n[1-', character 5: expected a number");
}

TEST(Environment, OfProcessHasWhatGetenvFinds) {
    const char* path = std::getenv("PATH");
    ASSERT_NE(path, nullptr);
    EXPECT_EQ(Environment::of_process().find("PATH"), path);
    EXPECT_FALSE(Environment::of_process().has("MUSTER_NO_SUCH_VARIABLE"));
}

TEST(Environment, NumberIsStrict) {
    const Environment environment(
        {{"good", "-3"}, {"tail", "3x"}, {"empty", ""}, {"large", "99999999999"}});
    EXPECT_EQ(environment.number<int>("good"), -3);
    EXPECT_FALSE(environment.number<int>("tail"));
    EXPECT_FALSE(environment.number<int>("empty"));
    EXPECT_FALSE(environment.number<int>("large"));
    EXPECT_FALSE(environment.number<int>("missing"));
}

} // namespace
} // namespace muster::slurm
