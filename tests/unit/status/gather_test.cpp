#include "actions.hpp"
#include "status/gather.hpp"

#include <gtest/gtest.h>

namespace muster::status {
namespace {

using testing::orders;
using testing::sent;
using namespace std::chrono_literals;

class Asked : public ::testing::Test {
protected:
    void to(Duration time) { gather.advance(TimePoint{} + time, Rank{1}, Term{2}, actions); }

    void answer(int rank, std::uint64_t request = 1) {
        wire::Status status;
        status.request = request;
        gather.on_status(Rank{rank}, std::move(status), Rank{1}, Term{2}, actions);
    }

    std::vector<wire::PrintStatus> pages() { return orders<wire::PrintStatus>(actions); }

    Gather gather{{.world_size = 3}};
    wire::Actions actions;
};

TEST_F(Asked, AllRanksAreAskedAndThePageComesWithTheLastAnswer) {
    to(10s);
    gather.ask(actions);
    ASSERT_EQ(sent<wire::StatusWanted>(actions).size(), 3U);
    answer(2);
    answer(0);
    answer(0);
    EXPECT_TRUE(pages().empty());
    answer(1);
    ASSERT_EQ(pages().size(), 1U);
    EXPECT_TRUE(pages()[0].ranks[0] && pages()[0].ranks[1] && pages()[0].ranks[2]);
    EXPECT_EQ(pages()[0].coordinator, Rank{1});
    to(20s);
    EXPECT_EQ(pages().size(), 1U);
}

TEST_F(Asked, ASilentRankIsLeftOutAfterASecond) {
    to(10s);
    gather.ask(actions);
    answer(0);
    answer(2);
    EXPECT_EQ(gather.next_timer(), TimePoint{} + 11s);
    to(10s + 999ms);
    EXPECT_TRUE(pages().empty());
    to(11s);
    ASSERT_EQ(pages().size(), 1U);
    EXPECT_FALSE(pages()[0].ranks[1]);
    answer(1);
    EXPECT_EQ(pages().size(), 1U);
    EXPECT_FALSE(gather.next_timer());
}

TEST_F(Asked, OneSignalToAllRanksIsOnePage) {
    to(10s);
    gather.ask(actions);
    gather.ask(actions);
    for (int rank = 0; rank < 3; ++rank) {
        answer(rank);
    }
    to(10s + 500ms);
    gather.ask(actions);
    EXPECT_EQ(sent<wire::StatusWanted>(actions).size(), 3U);
    to(11s);
    gather.ask(actions);
    EXPECT_EQ(sent<wire::StatusWanted>(actions).size(), 6U);
    answer(0, 1); // of the first
    answer(1, 2);
    answer(2, 2);
    EXPECT_EQ(pages().size(), 1U);
    answer(0, 2);
    EXPECT_EQ(pages().size(), 2U);
}

TEST_F(Asked, AReportIsGatheredAfterItWasAskedFor) {
    to(10s);
    gather.ask(7, false, actions);
    gather.ask(8, false, actions); // what is known of the first may be older
    gather.ask(9, false, actions);
    EXPECT_EQ(sent<wire::StatusWanted>(actions).size(), 3U);
    for (int rank = 0; rank < 3; ++rank) {
        answer(rank, 1);
    }
    ASSERT_EQ(orders<wire::AnswerStatus>(actions).size(), 1U);
    EXPECT_EQ(orders<wire::AnswerStatus>(actions).front().request, 7U);
    EXPECT_EQ(sent<wire::StatusWanted>(actions).size(), 6U);
    answer(0, 2);
    gather.ask(actions); // a page may be of the same answers
    to(11s);             // and the second rank is silent
    const auto reports = orders<wire::AnswerStatus>(actions);
    ASSERT_EQ(reports.size(), 3U);
    EXPECT_EQ(reports[1].request, 8U);
    EXPECT_EQ(reports[2].request, 9U);
    EXPECT_TRUE(reports[2].ranks[0]);
    EXPECT_FALSE(reports[2].ranks[1]);
    EXPECT_EQ(pages().size(), 1U);
    EXPECT_EQ(sent<wire::StatusWanted>(actions).size(), 6U);
    EXPECT_FALSE(gather.next_timer());
}

TEST_F(Asked, APageIsNotMadeOfBriefAnswers) {
    to(10s);
    gather.ask(7, true, actions);
    ASSERT_EQ(sent<wire::StatusWanted>(actions).size(), 3U);
    EXPECT_TRUE(sent<wire::StatusWanted>(actions)[0].second.brief);
    answer(0);
    gather.ask(actions);
    ASSERT_EQ(sent<wire::StatusWanted>(actions).size(), 6U);
    EXPECT_FALSE(sent<wire::StatusWanted>(actions)[3].second.brief);
    for (int rank = 0; rank < 3; ++rank) {
        answer(rank, 1); // of the brief one: too late
    }
    EXPECT_TRUE(pages().empty());
    for (int rank = 0; rank < 3; ++rank) {
        answer(rank, 2);
    }
    EXPECT_EQ(pages().size(), 1U);
    EXPECT_EQ(orders<wire::AnswerStatus>(actions).size(), 1U);
}

TEST_F(Asked, ABriefReportWaitsBehindAnotherAndIsFullIfOneOfThoseMustBe) {
    to(10s);
    gather.ask(7, true, actions);
    gather.ask(8, true, actions);
    gather.ask(9, false, actions);
    for (int rank = 0; rank < 3; ++rank) {
        answer(rank, 1);
    }
    ASSERT_EQ(sent<wire::StatusWanted>(actions).size(), 6U);
    EXPECT_TRUE(sent<wire::StatusWanted>(actions)[0].second.brief);
    EXPECT_FALSE(sent<wire::StatusWanted>(actions)[3].second.brief);
}

} // namespace
} // namespace muster::status
