#include "functions.hpp"
#include "registry/registry.hpp"

#include <muster/base/error.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

using muster::FunctionId;
using muster::FunctionTable;
using muster::detail::FunctionEntry;
using muster::detail::Registered;

namespace {

int three() {
    return 3;
}

const FunctionEntry& lambda_entry() {
    return Registered<[] { return 4; }>::entry;
}

/// Never called, which is the point: naming the entry is enough.
[[maybe_unused]] const FunctionEntry& never_reached() {
    return Registered<&three>::entry;
}

/// One line of all that ranks must agree on.
std::string summary_of(const FunctionTable& table) {
    std::string text = std::to_string(table.hash()) + " " + table.describe();
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        text += std::string(" ") + table.at(FunctionId{i}).name;
    }
    return text;
}

/// As above, by another run of this program, plus the address of something in it.
std::string output_of_another_run() {
    const std::string command = "MUSTER_TEST_PRINT_TABLE=1 '" +
                                std::filesystem::read_symlink("/proc/self/exe").string() + "'";
    std::FILE* const pipe = popen(command.c_str(), "r");
    std::string output;
    std::array<char, 512> chunk{};
    while (pipe != nullptr && std::fgets(chunk.data(), chunk.size(), pipe) != nullptr) {
        output += chunk.data();
    }
    EXPECT_EQ(pclose(pipe), 0);
    return output;
}

/// Makes this program print and leave before any test starts, when asked to.
class PrintTable : public testing::Environment {
public:
    void SetUp() override {
        if (std::getenv("MUSTER_TEST_PRINT_TABLE") != nullptr) {
            std::printf("table %s\nat %p\n",
                        summary_of(FunctionTable::build()).c_str(),
                        static_cast<const void*>(&same_name_one()));
            std::fflush(stdout);
            std::_Exit(0);
        }
    }
};

[[maybe_unused]] const auto* const print_table =
    testing::AddGlobalTestEnvironment(new PrintTable); // Owned by GoogleTest.

std::string line_starting_with(std::string_view start, const std::string& output) {
    const auto begin = output.find(start);
    return begin == output.npos ? "" : output.substr(begin, output.find('\n', begin) - begin);
}

TEST(FunctionTable, TellsApartFunctionsOfOneNameInTwoFiles) {
    const auto table = FunctionTable::build();
    EXPECT_STREQ(same_name_one().name, same_name_two().name);
    EXPECT_NE(table.id_of(same_name_one()), table.id_of(same_name_two()));

    muster::detail::Invocation one;
    table.at(table.id_of(same_name_one())).invoke(one);
    muster::detail::Invocation two;
    table.at(table.id_of(same_name_two())).invoke(two);
    EXPECT_EQ(one.answer, 1);
    EXPECT_EQ(two.answer, 2);
}

TEST(FunctionTable, KnowsFunctionsOfCallsThatAreNeverReached) {
    const auto table = FunctionTable::build();
    EXPECT_EQ(table.size(), 4U);
    std::set<std::string> names;
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        names.insert(table.at(FunctionId{i}).name);
    }
    EXPECT_TRUE(names.contains("three"));
}

TEST(FunctionTable, NumbersFunctionsFromZeroWithoutGaps) {
    const auto table = FunctionTable::build();
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        EXPECT_EQ(table.id_of(table.at(FunctionId{i})), FunctionId{i});
    }
}

TEST(FunctionTable, IsTheSameWhenBuiltAgain) {
    EXPECT_EQ(summary_of(FunctionTable::build()), summary_of(FunctionTable::build()));
    EXPECT_NE(FunctionTable::build().hash(), 0U);
}

TEST(FunctionTable, IsTheSameInAnotherRunAtOtherAddresses) {
    const std::string first = output_of_another_run();
    const std::string second = output_of_another_run();
    const std::string table = line_starting_with("table ", first);
    EXPECT_EQ(table, "table " + summary_of(FunctionTable::build()));
    EXPECT_EQ(table, line_starting_with("table ", second));
    if (line_starting_with("at ", first) == line_starting_with("at ", second)) {
        GTEST_SKIP() << "address space layout randomisation is off";
    }
}

TEST(FunctionTable, RefusesNumbersThatItDoesNotHave) {
    const auto table = FunctionTable::build();
    try {
        (void)table.at(FunctionId{17});
        FAIL() << "no exception";
    } catch (const muster::Error& error) {
        EXPECT_EQ(error.code(), muster::ErrorCode::malformed);
        EXPECT_TRUE(std::string_view(error.what())
                        .starts_with("function 17 is not in this rank's table, which has 4 task "
                                     "functions (program "))
            << error.what();
    }
}

TEST(FunctionTable, RefusesFunctionsLoadedAfterItWasBuilt) {
    const auto table = FunctionTable::build();
    // As a library opened later would; here the object is in this program's own data.
    alignas(FunctionEntry) static std::byte memory[sizeof(FunctionEntry)];
    const auto* late = new (memory) FunctionEntry(nullptr, "late");
    EXPECT_THROW((void)table.id_of(*late), muster::Error);
    EXPECT_EQ(FunctionTable::build().size(), table.size() + 1);
}

TEST(FunctionTable, DescribesWhereItsFunctionsAre) {
    const auto text = FunctionTable::build().describe();
    EXPECT_NE(text.find(" task functions (program "), text.npos) << text;
    EXPECT_STRNE(lambda_entry().name, "");
}

} // namespace
