#include "submit/program_kind.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace muster::launcher::submit {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<char> this_program() {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ProgramKind, ReadsTheLibrariesOfThisProgram) {
    EXPECT_THAT(needed_libraries(this_program()), Contains(StartsWith("libc.so.")));
}

TEST(ProgramKind, WhatIsNoProgramHasNoLibraries) {
    const std::string script = "#!/bin/sh\nexec ./app\n";
    EXPECT_THAT(needed_libraries(script), IsEmpty());
    EXPECT_THAT(needed_libraries({}), IsEmpty());
}

TEST(ProgramKind, DamagedFilesAreReadWithinTheirBounds) {
    const auto whole = this_program();
    for (const std::size_t size : {1U, 16U, 63U, 64U, 100U, 500U, 1000U, 4096U}) {
        const std::vector<char> cut(whole.begin(),
                                    whole.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_THAT(needed_libraries(cut), IsEmpty()) << size;
    }
    // Every byte of the headers turned: whatever is read, it is inside the file.
    for (std::size_t i = 4; i < 1024; ++i) {
        std::vector<char> damaged(whole.begin(), whole.begin() + (1 << 16));
        damaged[i] = static_cast<char>(~damaged[i]);
        EXPECT_LE(needed_libraries(damaged).size(), 4096U);
    }
}

TEST(ProgramKind, KnowsMpisByTheirLibrariesNames) {
    EXPECT_EQ(kind_of({"libc.so.6", "libmpi.so.40"}), ProgramKind::open_mpi);
    EXPECT_EQ(kind_of({"libmpi_cxx.so.40", "libmpi.so.40"}), ProgramKind::open_mpi);
    EXPECT_EQ(kind_of({"libmpi_ibm.so.3"}), ProgramKind::open_mpi);
    EXPECT_EQ(kind_of({"libmpi.so.12"}), ProgramKind::mpich);
    EXPECT_EQ(kind_of({"libmpich.so.12"}), ProgramKind::mpich);
    EXPECT_EQ(kind_of({"libmpi_gnu_91.so.12"}), ProgramKind::mpich);
    EXPECT_EQ(kind_of({"libmpifake.so", "libc.so.6"}), ProgramKind::other);
    EXPECT_EQ(kind_of({}), ProgramKind::other);
}

} // namespace
} // namespace muster::launcher::submit
