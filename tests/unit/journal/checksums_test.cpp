#include <muster/base/crc32c.hpp>
#include <muster/base/random.hpp>
#include <muster/core/detail/key_digest.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <span>
#include <string_view>
#include <vector>

namespace muster::journal {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::vector<std::byte> some_bytes(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>(mix64(i));
    }
    return bytes;
}

// RFC 3720, appendix B.4.
TEST(Crc32c, IsThatOfTheStandard) {
    EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283U);
    EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0x00})), 0x8a9136aaU);
    EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0xff})), 0x62a8ab43U);
    EXPECT_EQ(crc32c({}), 0U);
}

TEST(Crc32c, IsTheSameByInstructionAndByTable) {
    const auto bytes = some_bytes(200);
    for (std::size_t begin = 0; begin < 9; ++begin) {
        for (std::size_t size = 0; size + begin <= bytes.size(); size += 7) {
            const auto part = std::span(bytes).subspan(begin, size);
            EXPECT_EQ(crc32c(part), crc32c_by_table(part));
        }
    }
}

TEST(Crc32c, ContinuesWhereItStopped) {
    const auto bytes = some_bytes(100);
    const auto whole = std::span<const std::byte>(bytes);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        EXPECT_EQ(crc32c(whole.subspan(cut), crc32c(whole.first(cut))), crc32c(whole));
    }
}

// What lies in journals depends on it: the values must never change. The first is that of the
// algorithm's author, for a start of zero.
TEST(KeyDigest, StaysWhatItIs) {
    using detail::digest;
    using detail::KeyDigest;
    EXPECT_EQ(digest(std::string_view()), (KeyDigest{0, 0}));
    EXPECT_EQ(digest("The quick brown fox jumps over the lazy dog"),
              (KeyDigest{0xe34bbc7bbc071b6cULL, 0x7a433ca9c49a9347ULL}));
}

TEST(KeyDigest, DiffersForEveryPieceAndForTheOrderOfPieces) {
    using detail::digest;
    std::set<detail::KeyDigest> seen;
    const auto bytes = some_bytes(64);
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        EXPECT_TRUE(seen.insert(digest(std::span(bytes).first(size), {1, 2})).second) << size;
    }
    EXPECT_NE(digest("a", digest("b")), digest("b", digest("a")));
    EXPECT_NE(digest("ab", digest("c")), digest("b", digest("ca")));
    auto changed = bytes;
    for (std::size_t i = 0; i < changed.size(); ++i) {
        changed[i] ^= std::byte{1};
        EXPECT_TRUE(seen.insert(digest(changed)).second) << i;
        changed[i] ^= std::byte{1};
    }
}

} // namespace
} // namespace muster::journal
