#include "fake_files.hpp"
#include "resources/detect.hpp"

#include <gtest/gtest.h>

#include <set>

namespace muster::resources {
namespace {

using slurm::Environment;
using Variables = Environment::Variables;
using Ids = std::vector<std::string>;

const ProcessLimits one_cpu{{0}, {}};

LocalResources detect(const Variables& variables, const FakeFiles& files) {
    return detect_local(Environment(variables), files, one_cpu).value_or_throw();
}

LocalResources detect(const Variables& variables) {
    return detect(variables, FakeFiles({}));
}

TEST(DetectLocal, CountsGpuDeviceFilesOnly) {
    const FakeFiles files({{"/dev/nvidia0", ""},
                           {"/dev/nvidia1", ""},
                           {"/dev/nvidiactl", ""},
                           {"/dev/nvidia-uvm", ""}});
    EXPECT_EQ(detect({}, files).gpu_ids, (Ids{"0", "1"}));
    EXPECT_EQ(detect({}).gpu_ids, Ids{});
    EXPECT_EQ(detect({{"CUDA_VISIBLE_DEVICES", ""}}, files).gpu_ids, Ids{});
}

TEST(DetectLocal, ReadsVisibleDevicesAsCudaDoes) {
    const auto gpus = [](const char* text) {
        return detect({{"CUDA_VISIBLE_DEVICES", text}}).gpu_ids;
    };
    EXPECT_EQ(gpus("0,3"), (Ids{"0", "3"}));
    EXPECT_EQ(gpus("GPU-8932f937, MIG-x"), (Ids{"GPU-8932f937", "MIG-x"}));
    EXPECT_EQ(gpus("1,-1,2"), Ids{"1"});
    EXPECT_EQ(gpus("NoDevFiles"), Ids{});
}

TEST(DetectLocal, TakesGpusAsPrivateWhereSlurmGaveEachTaskItsOwn) {
    const Variables step{{"SLURM_STEP_ID", "0"},
                         {"SLURM_PROCID", "0"},
                         {"SLURM_GPUS_PER_TASK", "1"},
                         {"CUDA_VISIBLE_DEVICES", "0"}};
    EXPECT_TRUE(detect(step).gpus_private);
    EXPECT_FALSE(detect({{"SLURM_GPUS_PER_TASK", "1"}}).gpus_private);
}

TEST(DetectLocal, TakesTheLeastOfTheMemoryLimits) {
    std::map<std::string, std::string> files{
        {"/proc/meminfo",
         "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n"}};
    EXPECT_EQ(detect({}, FakeFiles(files)).memory, 8_GiB);
    const Variables job{{"SLURM_JOB_ID", "1"}, {"SLURM_MEM_PER_NODE", "4096"}};
    EXPECT_EQ(detect(job, FakeFiles(files)).memory, 4_GiB);
    files["/proc/self/cgroup"] = "0::/\n";
    files["/proc/self/mountinfo"] = "31 23 0:28 / /cg rw - cgroup2 c rw\n";
    files["/cg/memory.max"] = "1073741824\n";
    files["/cg/cpu.max"] = "150000 100000\n";
    EXPECT_EQ(detect(job, FakeFiles(files)).memory, 1_GiB);
    EXPECT_EQ(detect(job, FakeFiles(files)).cpu_quota, Amount{1.5});
}

TEST(DetectLocal, CountsTheJobsCpusWhereSlurmBindsNobody) {
    const std::map<std::string, std::string> online{{"/sys/devices/system/cpu/online", "0-3\n"}};
    const FakeFiles files(online);
    const auto quota = [&](std::vector<int> mask, const char* cpus_on_node) {
        const Environment job(
            Variables{{"SLURM_JOB_ID", "1"}, {"SLURM_CPUS_ON_NODE", cpus_on_node}});
        return detect_local(job, files, {std::move(mask), {}}).value_or_throw().cpu_quota;
    };
    EXPECT_EQ(quota({0, 1, 2, 3}, "2"), Amount{2}) << "others may have the rest";
    EXPECT_EQ(quota({0, 1, 2, 3}, "4"), std::nullopt) << "the whole node";
    EXPECT_EQ(quota({0, 1}, "1"), std::nullopt) << "bound: one core with two threads, say";
    EXPECT_EQ(detect_local(Environment{}, files, {{0, 1, 2, 3}, {}}).value_or_throw().cpu_quota,
              std::nullopt);
}

TEST(DetectLocal, CarriesOverridesAndRefusesBadOnes) {
    const LocalResources local = detect({{"MUSTER_CPUS", "3"}, {"MUSTER_RESOURCES", "license=1"}});
    EXPECT_EQ(local.cpus_wanted, 3);
    EXPECT_EQ(local.custom.size(), 1U);
    EXPECT_FALSE(
        detect_local(Environment(Variables{{"MUSTER_CPUS", "many"}}), FakeFiles({}), one_cpu));
}

TEST(DetectLocal, FindsCpusAndMemoryOfThisMachine) {
    const ProcessLimits limits = ProcessLimits::of_this_process();
    ASSERT_FALSE(limits.cpu_ids.empty());
    const LocalResources local = detect_local(Environment{}, RealFiles{}, limits).value_or_throw();
    EXPECT_EQ(std::set<int>(local.cpu_ids.begin(), local.cpu_ids.end()),
              std::set<int>(limits.cpu_ids.begin(), limits.cpu_ids.end()))
        << "ordering keeps the CPUs";
    EXPECT_GT(local.memory, Bytes{0});
}

} // namespace
} // namespace muster::resources
