#include <muster/base/ids.hpp>

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(Ids, AnObjectNamesItsOwnerAndSequence) {
    const ObjectId id = make_object_id(Rank{world_size_max - 1}, sequence_mask);
    EXPECT_EQ(owner_of(id), Rank{world_size_max - 1});
    EXPECT_EQ(sequence_of(id), sequence_mask);
    EXPECT_EQ(to_string(make_object_id(Rank{3}, 17)), "task 3:17");
}

TEST(Ids, TheTasksOfAMapAreConsecutive) {
    const ObjectId first = make_object_id(Rank{2}, 100);
    EXPECT_EQ(sequence_of(advance(first, 41)), 141u);
    EXPECT_EQ(owner_of(advance(first, 41)), Rank{2});
    EXPECT_EQ(distance(first, advance(first, 41)), 41u);
}

TEST(Ids, ALeaseNamesItsTerm) {
    const LeaseId lease = make_lease_id(Term{7}, 5);
    EXPECT_EQ(term_of(lease), Term{7});
    EXPECT_EQ(to_string(lease), "lease 7:5");
    EXPECT_LT(lease, make_lease_id(Term{8}, 1));
}

} // namespace
} // namespace muster
