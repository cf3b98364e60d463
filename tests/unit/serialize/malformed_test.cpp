#include "sample.hpp"

#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <initializer_list>

namespace {

using namespace sample;

template <class T>
void expect_malformed(std::span<const std::byte> bytes) {
    try {
        (void)muster::from_buffer<T>(bytes);
        ADD_FAILURE() << "decoded";
    } catch (const muster::Error& error) {
        EXPECT_EQ(error.code(), muster::ErrorCode::malformed) << error.what();
    }
}

std::vector<std::byte> bytes_of(std::initializer_list<int> numbers) {
    std::vector<std::byte> bytes;
    for (const int number : numbers) {
        bytes.push_back(static_cast<std::byte>(number));
    }
    return bytes;
}

/// 2^62 as a count.
const std::vector<std::byte> huge_count =
    bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40});

TEST(Malformed, TruncationAtEveryByteIsNoticed) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const auto whole = muster::to_buffer(random_everything(seed));
        for (std::size_t size = 0; size < whole.size(); ++size) {
            // A copy of just this size, so that a sanitizer sees a read past its end.
            const std::vector<std::byte> part(
                whole.bytes().begin(), whole.bytes().begin() + static_cast<std::ptrdiff_t>(size));
            expect_malformed<Everything>(part);
        }
    }
}

TEST(Malformed, BytesLeftOverAreNoticed) {
    expect_malformed<int>(bytes_of({1, 0, 0, 0, 0}));
}

TEST(Malformed, AnyChangeDecodesOrThrows) {
    muster::Random random(7);
    for (int round = 0; round < 5000; ++round) {
        const auto whole = muster::to_buffer(random_everything(random.below(20)));
        std::vector<std::byte> bytes(whole.bytes().begin(), whole.bytes().end());
        for (auto changes = 1 + random.below(4); changes > 0; --changes) {
            bytes[random.below(bytes.size())] = static_cast<std::byte>(random.next());
        }
        try {
            (void)muster::from_buffer<Everything>(bytes);
        } catch (const muster::Error& error) {
            EXPECT_EQ(error.code(), muster::ErrorCode::malformed) << "round " << round;
        }
    }
}

TEST(Malformed, HugeCountsAllocateNothing) {
    expect_malformed<std::vector<double>>(huge_count);
    expect_malformed<std::vector<Padded>>(huge_count);
    expect_malformed<std::vector<Empty>>(huge_count);
    expect_malformed<std::vector<bool>>(huge_count);
    expect_malformed<std::string>(huge_count);
    expect_malformed<std::list<int>>(huge_count);
    expect_malformed<std::map<int, int>>(huge_count);
    expect_malformed<std::set<Empty>>(huge_count);
    expect_malformed<muster::Buffer>(huge_count);
    expect_malformed<std::variant<int, bool>>(huge_count);
}

TEST(Malformed, CountsOfMoreThan64BitsAreNoticed) {
    expect_malformed<std::string>(std::vector<std::byte>(12, std::byte{0xff}));
    expect_malformed<std::string>(
        bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02}));
}

TEST(Malformed, ABoolIsZeroOrOne) {
    expect_malformed<bool>(bytes_of({2}));
    expect_malformed<std::vector<std::array<bool, 2>>>(bytes_of({1, 0, 17}));
    expect_malformed<std::optional<int>>(bytes_of({3, 1, 0, 0, 0}));
}

TEST(Malformed, AVariantHasNoOtherAlternatives) {
    expect_malformed<std::variant<bool, char>>(bytes_of({2, 0}));
}

TEST(Malformed, AKeyAppearsOnce) {
    expect_malformed<std::set<char>>(bytes_of({2, 7, 7}));
    expect_malformed<std::unordered_map<char, char>>(bytes_of({2, 7, 1, 7, 2}));
}

TEST(Malformed, NestingIsBounded) {
    // Each level: a label of 4 bytes and "one child".
    std::vector<std::byte> bytes;
    for (int depth = 0; depth < 100'000; ++depth) {
        bytes.insert(bytes.end(), {{}, {}, {}, {}, std::byte{1}});
    }
    expect_malformed<Tree>(bytes);
}

TEST(Malformed, TheMessageSaysWhereAndWhat) {
    try {
        (void)muster::from_buffer<std::pair<int, double>>(bytes_of({1, 2, 3, 4, 5}));
        FAIL() << "decoded";
    } catch (const muster::Error& error) {
        EXPECT_STREQ(error.what(), "malformed bytes: needs 8 more at offset 4, has 1");
    }
}

} // namespace
