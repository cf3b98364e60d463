#include "sample.hpp"

#include <gtest/gtest.h>

#include <set>

namespace {

using muster::type_hash;

struct IntThenDouble {
    int number;
    double fraction;
};

struct DoubleThenInt {
    double fraction;
    int number;
};

struct TwoInts {
    int first;
    int second;
};

struct ThreeInts {
    int first;
    int second;
    int third;
};

struct RenamedIntThenDouble {
    int count;
    double share;
};

struct OtherTree {
    double label;
    std::vector<OtherTree> children;
};

struct Nested {
    TwoInts first;
    int second;
};

TEST(TypeHash, DiffersWithEveryChangeOfShape) {
    const std::vector<std::uint64_t> hashes{
        type_hash<IntThenDouble>(),
        type_hash<DoubleThenInt>(),
        type_hash<TwoInts>(),
        type_hash<ThreeInts>(),
        type_hash<Nested>(),
        type_hash<sample::Tree>(),
        type_hash<OtherTree>(),
        type_hash<sample::Member>(),
        type_hash<sample::Free>(),
        type_hash<sample::Hooked>(),
        type_hash<sample::Opaque>(),
        type_hash<int>(),
        type_hash<unsigned>(),
        type_hash<float>(),
        type_hash<std::int64_t>(),
        type_hash<sample::Colour>(),
        type_hash<bool>(),
        type_hash<std::vector<int>>(),
        type_hash<std::vector<bool>>(),
        type_hash<std::set<int>>(),
        type_hash<std::map<int, int>>(),
        type_hash<std::array<int, 2>>(),
        type_hash<std::array<int, 3>>(),
        type_hash<std::optional<int>>(),
        type_hash<std::variant<int>>(),
        type_hash<std::variant<int, double>>(),
        type_hash<std::chrono::seconds>(),
        type_hash<std::chrono::milliseconds>(),
        type_hash<sample::Everything>(),
    };
    EXPECT_EQ(std::set<std::uint64_t>(hashes.begin(), hashes.end()).size(), hashes.size());
}

TEST(TypeHash, IsTheSameForOneEncoding) {
    EXPECT_EQ(type_hash<IntThenDouble>(), type_hash<RenamedIntThenDouble>());
    EXPECT_EQ(type_hash<IntThenDouble>(), (type_hash<std::tuple<int, double>>()));
    EXPECT_EQ(type_hash<std::vector<int>>(), type_hash<std::list<int>>());
    EXPECT_EQ((type_hash<std::map<int, bool>>()), (type_hash<std::unordered_map<int, bool>>()));
}

TEST(TypeHash, StaysWhatItWasInEarlierVersions) {
    // Stored in files: a change here makes what people have written unreadable.
    EXPECT_EQ(type_hash<IntThenDouble>(), 8089744195661363019U);
    EXPECT_EQ(type_hash<sample::Tree>(), 18263688978642872865U);
}

} // namespace
