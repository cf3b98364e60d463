#include "status/sentence.hpp"

#include <gtest/gtest.h>

#include <string>

namespace muster::status {
namespace {

using Stage = wire::TaskStatus::Stage;

wire::TaskStatus at(Stage stage) {
    wire::TaskStatus status;
    status.task = make_object_id(Rank{0}, 17);
    status.stage = stage;
    status.at = Rank{3};
    return status;
}

std::string said(const wire::TaskStatus& status) {
    return explain(
        status,
        [](FunctionId) { return std::string("train"); },
        [](Rank rank) { return "node" + std::to_string(index(rank)); });
}

TEST(Sentence, SaysHowFarATaskIs) {
    EXPECT_EQ(said(at(Stage::unknown)),
              "task 0:17 is not known: its futures are all gone, or its owner's rank was lost");
    EXPECT_EQ(said(at(Stage::done)), "train (0:17) is done");
    EXPECT_EQ(said(at(Stage::failed)), "train (0:17) has failed: get() says why");
    EXPECT_EQ(said(at(Stage::sent)), "train (0:17) is on its way to rank 3 (node3)");
    EXPECT_EQ(
        said(at(Stage::fetching)),
        "train (0:17) is on rank 3 (node3), and waits for its arguments' values to come there");
    EXPECT_EQ(said(at(Stage::held)),
              "train (0:17) is on rank 3 (node3), behind tasks that run there");
    EXPECT_EQ(said(at(Stage::withheld)),
              "train (0:17) waits for the journal to say whether another job computes it");
    auto status = at(Stage::running);
    status.age = std::chrono::seconds{90};
    status.name = "big one";
    EXPECT_EQ(said(status), "big one (0:17) has run on rank 3 (node3) for 90 s");
    status.stage = Stage::blocked;
    EXPECT_EQ(said(status),
              "big one (0:17) has run on rank 3 (node3) for 90 s, and waits for a future");
    status = at(Stage::delayed);
    status.attempts = 2;
    EXPECT_EQ(said(status),
              "train (0:17) waits a moment before its next attempt; 2 attempts failed");
}

TEST(Sentence, SaysWhatAWaitingTaskWaitsFor) {
    auto status = at(Stage::waiting);
    status.waiting.emplace();
    status.waiting->missing = 4;
    status.waiting->first_missing = {
        {make_object_id(Rank{0}, 3),
         wire::MissingStatus::State::granted,
         FunctionId{0},
         "",
         Rank{2}},
        {make_object_id(Rank{1}, 4), wire::MissingStatus::State::elsewhere, {}, "", Rank{1}}};
    EXPECT_EQ(said(status),
              "train (0:17) waits for 4 arguments: train (0:3), which is on rank 2; task 1:4, of "
              "rank 1; and 2 more");
}

TEST(Sentence, SaysWhatAReadyTaskWantsAndWhoGoesFirst) {
    auto status = at(Stage::queued);
    EXPECT_EQ(said(status), "train (0:17) is ready, and on its way to the coordinator");
    status.queued.emplace();
    status.queued->demand.gpus = Amount{2};
    status.queued->ranks_eligible = 4;
    status.queued->most_free = Rank{1};
    status.queued->free.gpus = Amount{1};
    status.queued->tasks = 5;
    EXPECT_EQ(
        said(status),
        "train (0:17) is ready, and waits for 2 gpus; the most that is free is 1 gpus on rank "
        "1; it is the next");
    status.before = 1'200;
    EXPECT_EQ(
        said(status),
        "train (0:17) is ready, and waits for 2 gpus; the most that is free is 1 gpus on rank "
        "1; 1,200 tasks go before it");
    status.draining = true;
    EXPECT_EQ(said(status),
              "train (0:17) is ready, but the run is ending: nothing starts any more");
    auto call = at(Stage::queued);
    call.is_call = true;
    EXPECT_EQ(
        said(call),
        "train (0:17) waits for its actor, which has not been made yet, or is being made again");
}

} // namespace
} // namespace muster::status
