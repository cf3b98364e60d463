#include "jobs/queue.hpp"
#include "jobs/records.hpp"

#include <muster/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace muster::launcher::jobs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

KnownJob
known(const std::string& id, std::string_view events = "", const std::string& name = "study") {
    KnownJob job;
    job.id = id;
    job.record = JobRecord{id, name, 1000, "/w", "/w/%x-%j.out", "", "./app"};
    job.events = parse_events(events);
    return job;
}

QueueRow row(const std::string& id, const std::string& state) {
    QueueRow one;
    one.id = id;
    one.name = "study";
    one.state = state;
    one.reason = "None";
    return one;
}

TEST(JobRecords, ReturnAsTheyWere) {
    const JobRecord record{
        "12", "two\nlines = \\n", 1700000000, "/a b", "/a b/x-%j.out", "1-3", "./app 'a=b'"};
    const auto again = parse_record(record_text(record));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->id, "12");
    EXPECT_EQ(again->name, "two\nlines = \\n");
    EXPECT_EQ(again->submitted, 1700000000);
    EXPECT_EQ(again->directory, "/a b");
    EXPECT_EQ(again->log, "/a b/x-%j.out");
    EXPECT_EQ(again->array, "1-3");
    EXPECT_EQ(again->command, "./app 'a=b'");
    EXPECT_FALSE(parse_record("name=x\n"));
    EXPECT_FALSE(parse_record(""));
    EXPECT_TRUE(parse_record("job=1\nsomething new=2\nsubmitted=never"));
}

TEST(JobRecords, EventsThatCannotBeReadAreLeftOut) {
    const auto events = parse_events("10 started 0 n[1-3]\nnonsense\n20 requeued 75\n\n"
                                     "x ended 0\n30 ended\n40 continued 13\n50 ended 75\n60 star");
    ASSERT_THAT(events, SizeIs(4));
    EXPECT_EQ(events[0].text, "n[1-3]");
    EXPECT_EQ(events[1].number, 75);
    EXPECT_EQ(events[2].text, "13");
    EXPECT_EQ(events[3].time, 50);
}

TEST(JobRecords, LogsAreNamedAsSlurmNamesThem) {
    EXPECT_EQ(log_path("/w/%x-%j.out", "12", "study"), "/w/study-12.out");
    EXPECT_EQ(log_path("%A_%a.%%", "12_3", "study"), "12_3.%");
    EXPECT_EQ(log_path("%A_%a", "12_[4-9]", "study"), "12_%a");
    EXPECT_EQ(log_path("%N%", "12", "study"), "%N%");
}

TEST(JobQueue, ReadsWhatSqueuePrints) {
    const auto rows = parse_queue("12|RUNNING|1:02|10:00|None|0|2|n[1-3]|/w/%x-%j.out|a|b\n"
                                  "slurm_load_jobs error: something\n"
                                  "13_[4-10%2]|PENDING|0:00|10:00|Resources|0|0||/w/x|c\n"
                                  "14|FAILED|0:01|10:00|NonZeroExitCode|19200|0|n1|/w/y|d\n"
                                  "15|CANCELLED|0:01|10:00|None|9|0|n1|/w/y|d\n12|cut");
    ASSERT_THAT(rows, SizeIs(4));
    EXPECT_EQ(rows[0].name, "a|b");
    EXPECT_EQ(rows[0].restarts, 2);
    EXPECT_EQ(rows[1].id, "13_[4-10%2]");
    EXPECT_EQ(rows[1].reason, "Resources");
    EXPECT_EQ(rows[2].exit_code, 75);
    EXPECT_EQ(rows[3].signal, 9);
    EXPECT_THAT(parse_queue(""), IsEmpty());
}

TEST(JobQueue, ReadsWhatSacctPrints) {
    const auto rows = parse_accounting("12|CANCELLED by 1000|00:01:02|00:10:00|0:15|n1|study\n");
    ASSERT_THAT(rows, SizeIs(1));
    EXPECT_EQ(rows[0].state, "CANCELLED");
    EXPECT_EQ(rows[0].signal, 15);
}

TEST(JobQueue, ShowsOnlyWhatWasSubmittedHere) {
    const auto views =
        join(std::vector{known("12")}, std::vector{row("12", "RUNNING"), row("13", "RUNNING")});
    ASSERT_THAT(views, SizeIs(1));
    EXPECT_EQ(views[0].log, "/w/study-12.out");
    EXPECT_FALSE(views[0].exit_code);
    EXPECT_FALSE(views[0].has_ended());
}

TEST(JobQueue, WhatSlurmHasForgottenTheScriptHasNoted) {
    const auto ended =
        join(std::vector{known("12",
                               "100 started 0 n1\n200 requeued 75\n300 started 1 n2\n"
                               "90400 ended 3\n")},
             std::vector<QueueRow>{});
    ASSERT_THAT(ended, SizeIs(1));
    EXPECT_EQ(ended[0].state, "FAILED");
    EXPECT_EQ(ended[0].exit_code, 3);
    EXPECT_EQ(ended[0].restarts, 1);
    EXPECT_EQ(ended[0].nodes, "n2");
    EXPECT_EQ(ended[0].elapsed, "1-01:01:40");
    EXPECT_TRUE(ended[0].has_failed());
    const auto gone =
        join(std::vector{known("12", "100 started 0 n1\n"), known("9")}, std::vector<QueueRow>{});
    EXPECT_THAT(forgotten(gone), ElementsAre("9", "12"));
}

TEST(JobQueue, AJobThatGoesOnAsAnotherHasNotFailed) {
    const auto views =
        join(std::vector{known("12", "100 started 0 n1\n200 continued 13\n201 ended 75\n")},
             std::vector{row("13", "RUNNING")});
    ASSERT_THAT(views, SizeIs(2));
    EXPECT_EQ(views[0].goes_on_as, "13");
    EXPECT_FALSE(views[0].has_failed());
    EXPECT_EQ(views[1].id, "13");
    EXPECT_EQ(views[1].state, "RUNNING");
    EXPECT_THAT(table(views), HasSubstr("goes on as 13"));
}

TEST(JobQueue, ElementsOfAnArrayAreJobsOfTheirOwn) {
    KnownJob array = known("12");
    array.record->log = "/w/%A_%a";
    KnownJob element;
    element.id = "12_1";
    element.events = parse_events("100 started 0 n1\n160 ended 0\n");
    const auto views = join(
        std::vector{array, element},
        std::vector{row("12_[10-11]", "PENDING"), row("12_9", "RUNNING"), row("12_2", "FAILED")});
    ASSERT_THAT(views, SizeIs(4));
    EXPECT_EQ(views[0].id, "12_1");
    EXPECT_EQ(views[0].state, "COMPLETED");
    EXPECT_EQ(views[1].id, "12_2");
    EXPECT_EQ(views[1].log, "/w/12_2");
    EXPECT_EQ(views[2].id, "12_9");
    EXPECT_EQ(views[3].id, "12_[10-11]");
    EXPECT_THAT(select(views, std::vector<std::string>{"12_9"}), SizeIs(1));
    EXPECT_THAT(select(views, std::vector<std::string>{"12"}), SizeIs(4));
    EXPECT_THROW((void)select(views, std::vector<std::string>{"1"}), UsageError);
}

TEST(JobQueue, PrintsATableAndJson) {
    QueueRow waiting = row("12", "PENDING");
    waiting.reason = "Resources";
    waiting.limit = "10:00";
    const auto views = join(std::vector{known("12", "", "na\xffme")}, std::vector{waiting});
    EXPECT_EQ(table(std::vector<JobView>{}),
              "job  name  state  time  limit  exit  runs  why, or log\n");
    EXPECT_THAT(table(views), HasSubstr("Resources\n"));
    const auto parsed = nlohmann::json::parse(json(views));
    EXPECT_EQ(parsed[0]["job"], "12");
    EXPECT_EQ(parsed[0]["reason"], "Resources");
    EXPECT_TRUE(parsed[0]["exit_code"].is_null());
    EXPECT_EQ(json(std::vector<JobView>{}), "[]\n");
}

} // namespace
} // namespace muster::launcher::jobs
