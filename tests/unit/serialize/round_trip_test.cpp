#include "sample.hpp"

#include <muster/base/ids.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace {

using namespace sample;

template <class T>
T round_trip(const T& value) {
    return muster::from_buffer<T>(muster::to_buffer(value));
}

template <class T>
std::size_t encoded_size(const T& value) {
    return muster::to_buffer(value).size();
}

TEST(Serialize, CarriesOneOfEverything) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const Everything value = random_everything(seed);
        EXPECT_EQ(round_trip(value), value) << "seed " << seed;
    }
}

TEST(Serialize, ReplacesWhatTheTargetHeld) {
    Everything target = random_everything(1);
    for (std::uint64_t seed = 2; seed < 50; ++seed) {
        const Everything value = random_everything(seed);
        const auto bytes = muster::to_buffer(value);
        muster::Reader reader(bytes.bytes());
        muster::decode(reader, target);
        EXPECT_EQ(target, value) << "seed " << seed;
    }
}

TEST(Serialize, CarriesExtremeNumbers) {
    EXPECT_EQ(round_trip(std::numeric_limits<std::int64_t>::min()),
              std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(round_trip(std::numeric_limits<double>::infinity()),
              std::numeric_limits<double>::infinity());
    EXPECT_TRUE(std::signbit(round_trip(-0.0)));
    EXPECT_EQ(round_trip(muster::Rank{-1}), muster::Rank{-1});
    EXPECT_EQ(round_trip(u'\u20ac'), u'\u20ac');
    EXPECT_EQ(round_trip(true), true);
}

TEST(Serialize, WritesNumbersAtTheirFixedWidth) {
    EXPECT_EQ(encoded_size(std::int32_t{7}), 4U);
    EXPECT_EQ(encoded_size(Colour::blue), 1U);
    EXPECT_EQ(encoded_size(true), 1U);
    EXPECT_EQ(encoded_size(Point{}), 16U);
    EXPECT_EQ(encoded_size(Empty{}), 0U);
}

TEST(Serialize, LeavesPaddingOut) {
    EXPECT_EQ(encoded_size(Padded{}), 9U);
    EXPECT_EQ(encoded_size(std::vector<Padded>(10)), 1U + 90U);
}

TEST(Serialize, WritesSmallCountsInOneByteAndBitsInEights) {
    EXPECT_EQ(encoded_size(std::string(127, 'x')), 1U + 127U);
    EXPECT_EQ(encoded_size(std::string(128, 'x')), 2U + 128U);
    EXPECT_EQ(encoded_size(std::vector<bool>(17)), 1U + 3U);
}

TEST(Serialize, GivesElementsWithoutBytesOneEach) {
    EXPECT_EQ(encoded_size(std::vector<Empty>(5)), 1U + 5U);
    EXPECT_EQ(round_trip(std::vector<Empty>(5)).size(), 5U);
    EXPECT_EQ(round_trip(std::vector<std::array<int, 0>>(3)).size(), 3U);
}

TEST(Serialize, CarriesLargeVectorsFromAnyOffset) {
    std::vector<double> numbers(100'000);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = static_cast<double>(i);
    }
    EXPECT_EQ(round_trip(numbers), numbers);
    EXPECT_EQ(round_trip(std::tuple(true, numbers, 'x')), std::tuple(true, numbers, 'x'));
    const std::vector<std::array<std::int64_t, 20'000>> blocks(3, {{1, 2, 3}});
    EXPECT_EQ(round_trip(blocks), blocks);
}

TEST(Serialize, CarriesMapsOfStructs) {
    const std::map<Point, std::optional<Tree>> value{{{1, 2}, Tree{1, {Tree{2, {}}}}},
                                                     {{3, 4}, {}}};
    EXPECT_EQ(round_trip(value), value);
}

TEST(Serialize, CarriesMultisetsWithEqualKeys) {
    const std::multiset<int> value{1, 1, 2};
    EXPECT_EQ(round_trip(value), value);
}

TEST(Serialize, CopiesTypesThatOptedIn) {
    EXPECT_EQ(round_trip(Opaque(17)), Opaque(17));
    EXPECT_EQ(encoded_size(std::vector<Opaque>(3)), 1U + 24U);
}

TEST(Serialize, LetsHooksSeeTheContext) {
    int count = 0;
    muster::Writer writer;
    writer.set_context(&count);
    const std::vector<Hooked> value{Hooked(1), Hooked(2)};
    muster::encode(writer, value);
    EXPECT_EQ(count, 2);

    muster::Reader reader(writer.bytes());
    reader.set_context(&count);
    EXPECT_EQ(muster::decode<std::vector<Hooked>>(reader), value);
    EXPECT_EQ(count, 0);
}

TEST(Serialize, RefusesAValueNestedTooDeep) {
    Tree tree;
    for (int depth = 0; depth < 2000; ++depth) {
        Tree parent;
        parent.children.push_back(std::move(tree));
        tree = std::move(parent);
    }
    muster::Writer writer;
    EXPECT_THROW(muster::encode(writer, tree), muster::Error);
    writer.clear();
    EXPECT_NO_THROW(muster::encode(writer, Tree{}));
}

TEST(Serialize, KnowsWhatCanTravel) {
    static_assert(muster::Serializable<Everything>);
    static_assert(muster::Serializable<Hooked>);
    static_assert(!muster::Serializable<int*>);
    static_assert(!muster::Serializable<int&>);
    static_assert(!muster::Serializable<void>);
    static_assert(!muster::Serializable<int (*)(int)>);
    static_assert(!muster::Serializable<std::nullptr_t>);
    static_assert(!muster::Serializable<std::string_view>);
    static_assert(!muster::Serializable<std::span<int>>);
    static_assert(!muster::Serializable<std::reference_wrapper<int>>);
    static_assert(!muster::Serializable<std::vector<std::unique_ptr<int>>>);
    static_assert(!muster::Serializable<std::map<int, std::vector<std::string_view>>>);
    static_assert(!muster::Serializable<std::variant<int, const char*>>);
}

} // namespace
