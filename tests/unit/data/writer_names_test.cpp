#include "write/names.hpp"

#include <gtest/gtest.h>

namespace muster::data::write {
namespace {

TEST(ShardNames, ComeBackFromTheirText) {
    const ShardName name{12, 345, "00c0ffee"};
    EXPECT_EQ(to_text(name), "g12-00345-00c0ffee.h5");
    EXPECT_EQ(parse_shard_name(to_text(name)), name);
    EXPECT_EQ(parse_shard_name("g1-1234567-00c0ffee.h5")->shard, 1'234'567);
}

TEST(ShardNames, NoOtherNameIsTakenForOne) {
    for (const char* text : {"",
                             "g",
                             ".h5",
                             "g.h5",
                             "g-.h5",
                             "g--.h5",
                             "g1-2.h5",
                             "g1-2-3.h5",
                             "g-1-2-00c0ffee.h5",
                             "gx-2-00c0ffee.h5",
                             "g1-2-00C0FFEE.h5",
                             "g1-99999999999-00c0ffee.h5",
                             "g1-2-00c0ffee.h5.part-00c0ffee",
                             "photo.h5"}) {
        EXPECT_FALSE(parse_shard_name(text)) << text;
    }
}

TEST(ShardNames, PartsNameWhatTheyWillBe) {
    EXPECT_EQ(file_of_part(part_name("x.h5", "00c0ffee")), "x.h5");
    for (const char* text : {"x.h5", ".part-00c0ffee", "x.h5.part-", "x.h5.part-00c0ffe"}) {
        EXPECT_FALSE(file_of_part(text)) << text;
    }
}

TEST(ShardNames, OnlyOursAreEverRemoved) {
    EXPECT_EQ(standing_of("notes.txt", 3, false), Standing::foreign);
    EXPECT_EQ(standing_of("notes.txt.part-00c0ffee", 3, false), Standing::foreign);
    EXPECT_EQ(standing_of("g3-00000-00c0ffee.h5", 3, true), Standing::needed);
    EXPECT_EQ(standing_of("g3-00000-00c0ffee.h5", 3, false), Standing::stray);
    EXPECT_EQ(standing_of("g2-00000-00c0ffee.h5", 3, false), Standing::needed)
        << "for readers of it";
    EXPECT_EQ(standing_of("g1-00000-00c0ffee.h5", 3, false), Standing::outdated);
    EXPECT_EQ(standing_of("g4-00000-00c0ffee.h5", 3, false), Standing::needed) << "being written";
    EXPECT_EQ(standing_of("g3-00000-00c0ffee.h5.part-00c0ffee", 3, false), Standing::part);
}

} // namespace
} // namespace muster::data::write
