#include "fake_files.hpp"
#include "resources/gpu_cpus.hpp"

#include <gtest/gtest.h>

namespace muster::resources {
namespace {

using Cpus = std::vector<int>;

TEST(GpuCpus, ListsAreReadAsTheKernelWritesThem) {
    EXPECT_EQ(parse_cpu_list("0-2,8,10-11\n"), (Cpus{0, 1, 2, 8, 10, 11}));
    EXPECT_EQ(parse_cpu_list("5\n"), Cpus{5});
    EXPECT_EQ(parse_cpu_list("\n"), Cpus{});
    EXPECT_EQ(parse_cpu_list("a-b,3"), Cpus{3});
}

TEST(GpuCpus, AreFoundByIndexAndByUuid) {
    const FakeFiles files({
        {"/proc/driver/nvidia/gpus/0000:3b:00.0", ""},
        {"/proc/driver/nvidia/gpus/0000:3b:00.0/information", "GPU UUID: \t GPU-aaaa\n"},
        {"/proc/driver/nvidia/gpus/0000:af:00.0", ""},
        {"/proc/driver/nvidia/gpus/0000:af:00.0/information", "GPU UUID: \t GPU-bbbb\n"},
        {"/sys/bus/pci/devices/0000:3b:00.0/local_cpulist", "0-1\n"},
        {"/sys/bus/pci/devices/0000:af:00.0/local_cpulist", "2-3\n"},
    });
    const std::vector<Cpus> expected{{2, 3}, {0, 1}, {2, 3}, {}, {}, {}};
    EXPECT_EQ(cpus_near({"1", "GPU-aaaa", "GPU-bbbb", "2", "GPU-cccc", "MIG-1"}, files), expected);
    EXPECT_EQ(cpus_near({"0"}, FakeFiles({})), std::vector<Cpus>(1));
}

} // namespace
} // namespace muster::resources
