#include "gang/segment.hpp"
#include "gang/slices.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace muster::gang {
namespace {

constexpr std::uint64_t huge = (std::uint64_t{1} << 63) + 12345;

TEST(Slices, AreContiguousCompleteAndOfOneSizeWithinOne) {
    for (const std::uint64_t count : {std::uint64_t{0},
                                      std::uint64_t{1},
                                      std::uint64_t{6},
                                      std::uint64_t{7},
                                      std::uint64_t{1000},
                                      (std::uint64_t{1} << 31) + 5,
                                      huge}) {
        for (const std::uint64_t n : {1U, 2U, 3U, 7U, 1U << 20}) {
            std::uint64_t end = 0;
            for (std::uint64_t i = 0; i < n; ++i) {
                const Slice slice = slice_of(count, n, i);
                ASSERT_EQ(slice.begin, end);
                ASSERT_TRUE(slice.size == count / n || slice.size == count / n + 1);
                end += slice.size;
            }
            ASSERT_EQ(end, count);
        }
    }
}

TEST(Slices, PiecesOfAHugeCountStayWithinIt) {
    for (const std::uint64_t each :
         {std::uint64_t{1} << 18, std::uint64_t{3} << 40, huge, huge - 1}) {
        const std::uint64_t pieces = piece_count(huge, each);
        EXPECT_EQ(piece_of(huge, each, 0), (Slice{0, std::min(each, huge)}));
        const Slice last = piece_of(huge, each, pieces - 1);
        EXPECT_GT(last.size, 0U);
        EXPECT_EQ(last.begin + last.size, huge);
        EXPECT_EQ(piece_of(huge, each, pieces).size, 0U);
        EXPECT_EQ(piece_of(huge, each, pieces + 7).size, 0U);
    }
}

TEST(Slices, OfASegmentFitTheirRoom) {
    for (const int members : {2, 3, 7, 64, 300}) {
        for (const std::uint64_t chunk :
             {std::uint64_t{64}, std::uint64_t{4096}, std::uint64_t{1} << 18}) {
            const SegmentLayout layout(members, chunk);
            for (const std::uint64_t element : {1U, 2U, 4U, 8U}) {
                const std::uint64_t each = layout.chunk_room / element;
                EXPECT_LE(slice_of(each, layout.members, 0).size * element, layout.piece_room);
            }
            EXPECT_EQ(layout.piece_room % 64, 0U);
        }
    }
}

} // namespace
} // namespace muster::gang
