#include "fake_files.hpp"
#include "resources/cgroup.hpp"

#include <gtest/gtest.h>

namespace muster::resources {
namespace {

constexpr const char* v2_mount =
    "25 1 0:22 / /proc rw - proc proc rw\n"
    "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";

TEST(Cgroup, HasNoLimitsWhereNothingIsMounted) {
    const CgroupLimits limits = read_cgroup_limits(FakeFiles({}));
    EXPECT_FALSE(limits.cpu_quota);
    EXPECT_FALSE(limits.memory);
}

TEST(Cgroup, TakesTheTightestOfVersion2AncestorLimits) {
    const FakeFiles files({{"/proc/self/cgroup", "0::/job_7/step_0/task_1\n"},
                           {"/proc/self/mountinfo", v2_mount},
                           {"/sys/fs/cgroup/job_7/cpu.max", "250000 100000\n"},
                           {"/sys/fs/cgroup/job_7/memory.max", "4294967296\n"},
                           {"/sys/fs/cgroup/job_7/step_0/cpu.max", "max 100000\n"},
                           {"/sys/fs/cgroup/job_7/step_0/memory.max", "1073741824\n"},
                           {"/sys/fs/cgroup/job_7/step_0/task_1/cpu.max", "800000 100000\n"},
                           {"/sys/fs/cgroup/job_7/step_0/task_1/memory.max", "max\n"}});
    const CgroupLimits limits = read_cgroup_limits(files);
    EXPECT_EQ(limits.cpu_quota, Amount{2.5});
    EXPECT_EQ(limits.memory, 1_GiB);
}

TEST(Cgroup, ReadsVersion1ControllersEachAtItsMount) {
    const FakeFiles files(
        {{"/proc/self/cgroup", "4:memory:/slurm/job_7\n2:cpu,cpuacct:/slurm/job_7\n0::/\n"},
         {"/proc/self/mountinfo",
          "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
          "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
          "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_quota_us", "-1\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_period_us", "100000\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us", "150000\n"},
         {"/sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us", "100000\n"},
         {"/sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes", "9223372036854771712\n"},
         {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n"}});
    const CgroupLimits limits = read_cgroup_limits(files);
    EXPECT_EQ(limits.cpu_quota, Amount{1.5});
    EXPECT_EQ(limits.memory, 2_GiB);
}

TEST(Cgroup, FindsItsCgroupInAContainerThatMountsOnlyThat) {
    // The path is the host's, the mount's root is the container's cgroup.
    const FakeFiles inside(
        {{"/proc/self/cgroup", "0::/docker/abc/sub\n"},
         {"/proc/self/mountinfo", "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro\n"},
         {"/sys/fs/cgroup/sub/memory.max", "1073741824\n"}});
    EXPECT_EQ(read_cgroup_limits(inside).memory, 1_GiB);

    const FakeFiles elsewhere({{"/proc/self/cgroup", "0::/../other\n"},
                               {"/proc/self/mountinfo", v2_mount},
                               {"/sys/fs/cgroup/memory.max", "1073741824\n"}});
    EXPECT_EQ(read_cgroup_limits(elsewhere).memory, 1_GiB);
}

TEST(Cgroup, DecodesBlanksInMountPoints) {
    const FakeFiles files(
        {{"/proc/self/cgroup", "0::/\n"},
         {"/proc/self/mountinfo", "31 23 0:28 / /my\\040cgroup rw - cgroup2 c rw\n"},
         {"/my cgroup/memory.max", "1073741824\n"}});
    EXPECT_EQ(read_cgroup_limits(files).memory, 1_GiB);
}

TEST(Cgroup, IgnoresFilesThatDoNotParse) {
    std::string mounts = "short\nx - y\n";
    mounts += v2_mount;
    const FakeFiles files({{"/proc/self/cgroup", "nonsense\n0::/\n"},
                           {"/proc/self/mountinfo", mounts},
                           {"/sys/fs/cgroup/cpu.max", "lots\n"},
                           {"/sys/fs/cgroup/memory.max", "\n"}});
    EXPECT_FALSE(read_cgroup_limits(files).cpu_quota);
    EXPECT_FALSE(read_cgroup_limits(files).memory);
}

} // namespace
} // namespace muster::resources
