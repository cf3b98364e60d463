#include <muster/base/random.hpp>
#include <muster/slurm/hostlist.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace muster::slurm {
namespace {

using Names = std::vector<std::string>;

Names expand(std::string_view list) {
    return expand_hostlist(list).value_or_throw();
}

std::string compress(const Names& names) {
    return compress_hostlist(names).value_or_throw();
}

TEST(Hostlist, ExpandsRangesListsAndSeveralBrackets) {
    EXPECT_EQ(expand(""), Names{});
    EXPECT_EQ(expand("login"), Names{"login"});
    EXPECT_EQ(expand("n[001-003,7]"), (Names{"n001", "n002", "n003", "n7"}));
    EXPECT_EQ(expand("n[9-11],x"), (Names{"n9", "n10", "n11", "x"}));
    EXPECT_EQ(expand("gpu-[1-2]-[08-10]"),
              (Names{"gpu-1-08", "gpu-1-09", "gpu-1-10", "gpu-2-08", "gpu-2-09", "gpu-2-10"}));
    EXPECT_EQ(expand("r[1,3]i[0-1]-ib"), (Names{"r1i0-ib", "r1i1-ib", "r3i0-ib", "r3i1-ib"}));
}

TEST(Hostlist, SaysWhatIsWrongAndWhere) {
    const auto message = [](std::string_view list) {
        return expand_hostlist(list).error().message;
    };
    EXPECT_EQ(message("n[1-3"), "hostlist 'n[1-3', character 6: ']' is missing");
    EXPECT_EQ(message("n1]"), "hostlist 'n1]', character 3: ']' without '['");
    EXPECT_EQ(message("n[]"), "hostlist 'n[]', character 3: expected a number");
    EXPECT_EQ(message("n[1-]"), "hostlist 'n[1-]', character 5: expected a number");
    EXPECT_EQ(message("n[3-1]"), "hostlist 'n[3-1]', character 5: the range ends before it begins");
    EXPECT_EQ(message("n[1x]"),
              "hostlist 'n[1x]', character 4: expected ',', '-' or ']' after a number");
    EXPECT_EQ(message("a,,b"), "hostlist 'a,,b', character 3: a name is missing before the comma");
    EXPECT_EQ(message("a,"), "hostlist 'a,', character 3: a name is missing after the comma");
    EXPECT_EQ(message("a b"), "hostlist 'a b', character 2: white space in a name");
    EXPECT_EQ(message("n[1234567890123456789]"),
              "hostlist 'n[1234567890123456789]', character 3: the number is too long");
}

TEST(Hostlist, RefusesMoreNamesThanItsBoundBeforeMakingThem) {
    EXPECT_TRUE(expand_hostlist("n[1-4]", 4));
    EXPECT_EQ(expand_hostlist("n[1-5]", 4).error().message,
              "hostlist 'n[1-5]' has more than 4 names");
    EXPECT_FALSE(expand_hostlist("a,b,c,d,e", 4));
    EXPECT_FALSE(expand_hostlist("n[1-2],m[1-3]", 4));
    EXPECT_FALSE(expand_hostlist("n[1-2][1-3]", 4));
    EXPECT_FALSE(expand_hostlist("n[0-999999999999999999]"));
    EXPECT_FALSE(expand_hostlist("n[0-99999][0-99999][0-99999]"));
}

TEST(Hostlist, CompressesNeighboursAndKeepsOrder) {
    EXPECT_EQ(compress({}), "");
    EXPECT_EQ(compress({"n1"}), "n1");
    EXPECT_EQ(compress({"n001", "n002", "n003", "n7"}), "n[001-003,7]");
    EXPECT_EQ(compress({"n9", "n10", "n11"}), "n[9-11]");
    EXPECT_EQ(compress({"n09", "n010"}), "n[09,010]");
    EXPECT_EQ(compress({"n2", "n1"}), "n[2,1]");
    EXPECT_EQ(compress({"a1", "b1", "b2", "login", "login", "c"}), "a1,b[1-2],login,login,c");
    EXPECT_EQ(compress({"n", "n1"}), "n,n1");
    EXPECT_EQ(compress({"n1", "n", "n2"}), "n1,n,n2");
}

TEST(Hostlist, RefusesToCompressWhatWouldNotExpandBack) {
    EXPECT_FALSE(compress_hostlist(Names{"a,b"}));
    EXPECT_FALSE(compress_hostlist(Names{"a1", "a[1]"}));
    EXPECT_FALSE(compress_hostlist(Names{""}));
}

TEST(Hostlist, RoundTripsAnyNames) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        Random random(seed);
        Names names;
        const auto count = random.below(20);
        for (std::uint64_t i = 0; i < count; ++i) {
            std::string name = random.chance(0.8) ? "n" : "gpu-3-";
            const auto number = std::to_string(random.below(12));
            name += std::string(random.below(3), '0') + number;
            names.push_back(random.chance(0.1) ? "login" : name);
        }
        const std::string list = compress(names);
        EXPECT_EQ(expand(list), names) << "seed " << seed << ": " << list;
    }
}

} // namespace
} // namespace muster::slurm
