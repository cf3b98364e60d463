#include "actions.hpp"
#include "owner/groups.hpp"

#include <gtest/gtest.h>

namespace muster::owner {
namespace {

using testing::sent;

constexpr ObjectId group = make_object_id(Rank{0}, 7);

class OwnerGroups : public ::testing::Test {
protected:
    OwnerGroups() {
        groups.on_term(Rank{1});
        wire::GroupSpec spec;
        spec.id = group;
        spec.bundles.resize(2);
        groups.create(std::move(spec), actions);
    }

    std::vector<std::pair<Rank, wire::GroupClosed>> asked() {
        actions.clear();
        groups.on_asked({group}, actions);
        return sent<wire::GroupClosed>(actions);
    }

    Groups groups;
    wire::Actions actions;
};

TEST_F(OwnerGroups, AreToldToTheCoordinatorAndToItsSuccessor) {
    const auto opened = sent<wire::GroupOpen>(actions);
    ASSERT_EQ(opened.size(), 1U);
    EXPECT_EQ(opened.front().first, Rank{1});
    ASSERT_EQ(groups.living().size(), 1U);
    EXPECT_FALSE(groups.living().front().placed);
    groups.on_placed(group);
    EXPECT_TRUE(groups.living().front().placed);
    EXPECT_TRUE(asked().empty()); // it lives, and the coordinator will have heard
}

TEST_F(OwnerGroups, AreRemovedOnce) {
    EXPECT_TRUE(groups.remove(group, actions));
    EXPECT_EQ(sent<wire::GroupClosed>(actions).size(), 1U);
    EXPECT_FALSE(groups.remove(group, actions));
    EXPECT_TRUE(groups.living().empty());
    ASSERT_EQ(asked().size(), 1U);
    EXPECT_TRUE(asked().front().second.removed);
    groups.forget(group);
    EXPECT_TRUE(groups.empty());
    EXPECT_TRUE(asked().front().second.removed);
}

TEST_F(OwnerGroups, RememberWhyTheyFailed) {
    EXPECT_TRUE(groups.on_failed({group, "it does not fit"}));
    EXPECT_FALSE(groups.on_failed({group, "it does not fit"}));
    EXPECT_FALSE(groups.remove(group, actions));
    ASSERT_EQ(asked().size(), 1U);
    EXPECT_FALSE(asked().front().second.removed);
    EXPECT_EQ(asked().front().second.why, "it does not fit");
}

} // namespace
} // namespace muster::owner
