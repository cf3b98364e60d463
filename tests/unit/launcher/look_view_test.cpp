#include "look/runs.hpp"
#include "look/view.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace muster::launcher::look {
namespace {

using nlohmann::json;

json hello() {
    return json::parse(
        R"({"program":"app","pid":12,"host":"n1","job":"815","ranks":3,"run":"ab"})");
}

json status(int done, double seconds) {
    json made = json::parse(R"({
        "seconds":0,"coordinator":1,"term":2,"ending":false,
        "ranks":[{"rank":0,"host":"n1","lost":false,"answered":true,"cpus":2,"cpus_free":1,"running":1,
                  "attempts":100,"busy_seconds":1.0,"resident_bytes":1048576},
                 {"rank":1,"host":"n2","lost":false,"answered":false},
                 {"rank":2,"host":"n3","lost":true,"answered":false}],
        "functions":[{"name":"train","waiting":1,"ready":2,"placed":3,"done":0,"failed":4,"retried":5}],
        "running":[{"task":"0:7","function":"train","rank":0,"seconds":75,"call":false,"blocked":true}],
        "queued":[{"function":"train","tasks":1234,"why":"no rank has 3 GPUs"}]})");
    made["seconds"] = seconds;
    made["functions"][0]["done"] = done;
    return made;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
        text += line + '\n';
    }
    return text;
}

TEST(LookView, SaysNumbersAsPeopleReadThem) {
    EXPECT_EQ(counted(0), "0");
    EXPECT_EQ(counted(999), "999");
    EXPECT_EQ(counted(1000), "1,000");
    EXPECT_EQ(counted(1234567), "1,234,567");
    EXPECT_EQ(bytes(0), "0 B");
    EXPECT_EQ(bytes(1536), "1.5 KiB");
    EXPECT_EQ(bytes(200.0 * 1024 * 1024), "200 MiB");
    EXPECT_EQ(duration(0.0000015), "2 µs");
    EXPECT_EQ(duration(0.25), "250 ms");
    EXPECT_EQ(duration(75), "1:15");
    EXPECT_EQ(duration(3725), "1:02:05");
}

TEST(LookView, FitsTextByCharactersAndShowsNoControls) {
    EXPECT_EQ(fit("größe", 5), "größe");
    EXPECT_EQ(fit("größer", 5), "größ…");
    EXPECT_EQ(fit("a\x1b[2J\nb", 0), "a?[2J?b");
}

TEST(LookView, ShowsAllThereIsWithoutLimits) {
    const json now = status(50, 10);
    const std::string page = joined(render({hello(), now}, nullptr, {}));
    EXPECT_NE(
        page.find("app (process 12, job 815) on n1: 3 ranks, running for 10.0 s, coordinated by "
                  "rank 1 (term 2)"),
        std::string::npos)
        << page;
    EXPECT_NE(page.find("1 waiting, 2 ready, 3 placed, 1 running, 50 done, 4 failed, 5 retried"),
              std::string::npos);
    EXPECT_NE(page.find("1:15  rank 0     train (0:7), in get()"), std::string::npos);
    EXPECT_NE(page.find("1,234 × train: no rank has 3 GPUs"), std::string::npos);
    // What is wrong stands first.
    EXPECT_LT(page.find("lost: the run goes on"), page.find("     0  n1"));
    EXPECT_LT(page.find("has not answered"), page.find("     0  n1"));
}

TEST(LookView, RatesAreBetweenTwoLooks) {
    const json before = status(50, 10);
    const json now = status(150, 12);
    const Sample earlier{hello(), before};
    EXPECT_NE(joined(render({hello(), now}, &earlier, {})).find("150 done (50/s)"),
              std::string::npos);
    EXPECT_NE(summarize({hello(), now}, &earlier).find("done_per_second=50.0 silent=1 lost=1"),
              std::string::npos);
}

TEST(LookView, NeverTakesMoreLinesThanThereAreAndCountsTheRest) {
    json now = status(1, 1);
    for (int i = 0; i < 40; ++i) {
        now["ranks"].push_back(now["ranks"][0]);
        now["functions"].push_back(now["functions"][0]);
    }
    for (std::size_t height = 3; height < 60; ++height) {
        const auto lines = render({hello(), now}, nullptr, {40, height, true});
        EXPECT_LE(lines.size(), height);
        const std::string page = joined(lines);
        EXPECT_TRUE(height < 9 || page.find("more ranks") != std::string::npos) << height << page;
    }
}

TEST(LookView, AnswersWithoutFieldsHarmNobody) {
    const json nothing = json::object();
    const json wrong =
        json::parse(R"({"ranks":[{}],"functions":[{"name":7}],"running":7,"queued":[{}]})");
    for (const json& one : {nothing, wrong}) {
        EXPECT_FALSE(render({nothing, one}, nullptr, {80, 24, false}).empty());
        EXPECT_FALSE(summarize({nothing, one}, nullptr).empty());
    }
}

TEST(LookChoice, AJobsIdCountsBeforeAProcesss) {
    const std::vector<muster::look::Place> runs{{"a", 12, ""}, {"b", 13, "12"}, {"c", 14, "15"}};
    EXPECT_EQ(choose(runs, "").fitting.size(), 3U);
    ASSERT_EQ(choose(runs, "12").fitting.size(), 1U);
    EXPECT_EQ(choose(runs, "12").fitting[0].pid, 13);
    EXPECT_EQ(choose(runs, "14").fitting[0].pid, 14);
    EXPECT_TRUE(choose(runs, "1").fitting.empty());
}

TEST(LookChoice, OverSrunTheSameCommandRunsOnANodeOfTheJob) {
    EXPECT_EQ(over_srun("815", "", false, {"/bin/muster", "status", "--job", "815"}),
              (std::vector<std::string>{"srun",
                                        "--jobid=815",
                                        "--overlap",
                                        "--nodes=1",
                                        "--ntasks=1",
                                        "--quiet",
                                        "/bin/muster",
                                        "status",
                                        "--job",
                                        "815"}));
    const auto words = over_srun("815", "n2", true, {"muster", "top"});
    EXPECT_NE(std::find(words.begin(), words.end(), "--nodelist=n2"), words.end());
    EXPECT_NE(std::find(words.begin(), words.end(), "--pty"), words.end());
}

} // namespace
} // namespace muster::launcher::look
