#include "actions.hpp"
#include "actor/names.hpp"

#include <gtest/gtest.h>

namespace muster::actor {
namespace {

constexpr ObjectId one = make_object_id(Rank{0}, 1);
constexpr ObjectId two = make_object_id(Rank{1}, 1);

wire::NameAnswer claim(Names& names, const std::string& name, ObjectId actor) {
    wire::Actions actions;
    names.on_claim(Rank{0}, {1, name, {actor, "Counter", 10}}, actions);
    return testing::sent<wire::NameAnswer>(actions).at(0).second;
}

wire::NameAnswer want(const Names& names, const std::string& name) {
    wire::Actions actions;
    names.on_wanted(Rank{5}, {2, name}, actions);
    EXPECT_EQ(testing::sent<wire::NameAnswer>(actions).at(0).first, Rank{5});
    return testing::sent<wire::NameAnswer>(actions).at(0).second;
}

TEST(Names, BelongToWhoClaimedThemFirst) {
    Names names;
    EXPECT_EQ(claim(names, "hits", one).actor->actor, one);
    EXPECT_EQ(claim(names, "hits", two).actor->actor, one);
    EXPECT_EQ(want(names, "hits").actor->actor, one);
    EXPECT_EQ(want(names, "hits").actor->class_name, "Counter");
}

TEST(Names, SayWhichThereAre) {
    Names names;
    claim(names, "b", one);
    claim(names, "a", two);
    const auto answer = want(names, "c");
    EXPECT_FALSE(answer.actor);
    EXPECT_EQ(answer.names, (std::vector<std::string>{"a", "b"}));
}

TEST(Names, AreFreedByTheirActorOnly) {
    Names names;
    claim(names, "hits", one);
    names.on_freed({"hits", two});
    EXPECT_TRUE(want(names, "hits").actor);
    names.on_freed({"hits", one});
    EXPECT_TRUE(names.empty());
    EXPECT_EQ(claim(names, "hits", two).actor->actor, two);
}

} // namespace
} // namespace muster::actor
