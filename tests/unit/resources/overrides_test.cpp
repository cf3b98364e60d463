#include "resources/overrides.hpp"

#include <gtest/gtest.h>

namespace muster::resources {
namespace {

using slurm::Environment;

Result<Overrides> read(const char* name, const char* value) {
    return read_overrides(Environment(Environment::Variables{{name, value}}));
}

std::string message(const char* name, const char* value) {
    const auto result = read(name, value);
    return result ? "(accepted)" : result.error().message;
}

TEST(Overrides, AreEmptyWhereNothingIsSet) {
    const Overrides overrides = read_overrides(Environment{}).value_or_throw();
    EXPECT_FALSE(overrides.cpus);
    EXPECT_FALSE(overrides.gpus);
    EXPECT_FALSE(overrides.memory);
    EXPECT_TRUE(overrides.custom.empty());
}

TEST(Overrides, ReadCountsSizesAndCustomResources) {
    EXPECT_EQ(read("MUSTER_CPUS", "4").value_or_throw().cpus, 4);
    EXPECT_EQ(read("MUSTER_CPUS", "0").value_or_throw().cpus, 0);
    EXPECT_EQ(read("MUSTER_GPUS", "2").value_or_throw().gpus, 2);
    EXPECT_EQ(read("MUSTER_MEMORY", "16GiB").value_or_throw().memory, 16_GiB);
    const auto custom = read("MUSTER_RESOURCES", " license=2, disk=0.5 ").value_or_throw().custom;
    EXPECT_EQ(custom,
              (std::vector<std::pair<std::string, Amount>>{{"disk", Amount{0.5}},
                                                           {"license", Amount{2}}}));
}

TEST(Overrides, FailWithTheVariableAndWhatItMayHold) {
    EXPECT_EQ(message("MUSTER_CPUS", "-1"),
              "MUSTER_CPUS is '-1'; use a whole number from 0 to 1000000: how many each rank has");
    EXPECT_EQ(message("MUSTER_GPUS", "0.5"),
              "MUSTER_GPUS is '0.5'; use a whole number from 0 to 1000: how many each rank has");
    EXPECT_EQ(message("MUSTER_MEMORY", "lots"),
              "MUSTER_MEMORY: 'lots' is not a size; use a number and B, KiB, MiB, GiB, TiB, K, M, "
              "G or T");
    EXPECT_EQ(
        message("MUSTER_RESOURCES", "license"),
        "MUSTER_RESOURCES is 'license': 'license' has no '='; write name=amount,name=amount, as in "
        "license=2,disk=0.5");
    EXPECT_NE(message("MUSTER_RESOURCES", "2x=1").find("'2x' is not a name"), std::string::npos);
    EXPECT_NE(message("MUSTER_RESOURCES", "a=1,a=2").find("'a' is there twice"), std::string::npos);
    EXPECT_NE(message("MUSTER_RESOURCES", "a=-1").find("'-1' is not an amount"), std::string::npos);
    EXPECT_NE(message("MUSTER_RESOURCES", "cpus=1").find("MUSTER_CPUS"), std::string::npos);
    EXPECT_EQ(read("MUSTER_RESOURCES", "a").error().code, ErrorCode::usage);
}

} // namespace
} // namespace muster::resources
