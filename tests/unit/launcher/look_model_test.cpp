#include "look/analysis.hpp"
#include "look/chrome.hpp"
#include "look/clock_map.hpp"
#include "look/html.hpp"
#include "look/model.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sstream>

namespace muster::launcher::look {
namespace {

using muster::look::Event;
using muster::look::Record;

constexpr std::int64_t ms = 1'000'000;

TEST(ClockMap, IsEvenBetweenComparisonsAndStaysBeyond) {
    const ClockMap clock({{200, 30, 4}, {100, 10, 4}}, false);
    EXPECT_EQ(clock.map(0), 10);
    EXPECT_EQ(clock.map(100), 110);
    EXPECT_EQ(clock.map(150), 170);
    EXPECT_EQ(clock.map(200), 230);
    EXPECT_EQ(clock.map(1000), 1030);
    EXPECT_EQ(ClockMap().map(5), 5);
    EXPECT_EQ(ClockMap::shifted(-7).map(5), -2);
}

TEST(ClockMap, OfOneNodeIsNoiseUnlessTheClocksDiffer) {
    EXPECT_EQ(ClockMap({{100, 40, 100}}, true).map(0), 0);
    EXPECT_EQ(ClockMap({{100, 40, 100}}, false).map(0), 40);
    EXPECT_EQ(ClockMap({{100, 4000, 100}}, true).map(0), 4000);
}

/// Traces that a test writes: times in milliseconds, tasks by number.
class Traces {
public:
    explicit Traces(std::int32_t world = 1) : world_(world) {}

    Traces& ran(std::uint64_t task, int begin, int end, unsigned what = 0, std::int32_t rank = 0) {
        lane(rank).push_back({.event = Event::ran,
                              .detail = static_cast<std::uint8_t>(what),
                              .small = 1,
                              .number = 0,
                              .id = task,
                              .begin = begin * ms,
                              .value = static_cast<std::uint64_t>((end - begin) * ms)});
        return *this;
    }

    Traces&
    submitted(std::uint64_t task, int at, std::uint64_t parent = 0, std::uint64_t count = 1) {
        lane(0).push_back(
            {.event = Event::submitted, .id = task, .begin = at * ms, .value = count});
        lane(0).push_back({.event = Event::submitted_by, .id = task, .begin = 1, .value = parent});
        return *this;
    }

    Traces& takes(std::uint64_t task, std::uint64_t object) {
        lane(0).push_back({.event = Event::depends, .id = task, .value = object});
        return *this;
    }

    Traces& waited(std::uint64_t task, std::uint64_t object, int begin, int end) {
        lane(0).push_back({.event = Event::waited,
                           .id = task,
                           .begin = begin * ms,
                           .value = static_cast<std::uint64_t>((end - begin) * ms)});
        lane(0).push_back({.event = Event::waited_for, .id = task, .value = object});
        return *this;
    }

    Traces& runs(std::uint64_t task, int begin, int until) {
        lane(0).push_back({.event = Event::runs,
                           .id = task,
                           .begin = begin * ms,
                           .value = static_cast<std::uint64_t>(until * ms)});
        return *this;
    }

    Model model(const ClockMap& clock_of_others = {}) {
        ModelBuilder builder;
        for (auto& [rank, records] : records_) {
            builder.add(
                {.run_id = 1, .rank = rank, .world_size = world_, .host = "n<1>", .cpus = 2},
                rank == 0 ? ClockMap() : clock_of_others,
                {{0, "f"}},
                {{1, records}},
                true,
                "",
                true);
        }
        return builder.finish();
    }

private:
    std::vector<Record>& lane(std::int32_t rank) { return records_[rank]; }

    std::int32_t world_;
    std::map<std::int32_t, std::vector<Record>> records_;
};

std::string show(const std::vector<Step>& path) {
    std::string text;
    for (const Step& step : path) {
        text +=
            fmt::format("{}{}{} {}-{}",
                        text.empty() ? "" : ", ",
                        step.kind == Step::Kind::driver ? "driver"
                        : step.kind == Step::Kind::run  ? "run "
                                                        : "queued ",
                        step.kind == Step::Kind::driver ? std::string() : std::to_string(step.task),
                        (step.begin + ms / 2) / ms,
                        (step.end + ms / 2) / ms);
    }
    return text;
}

TEST(CriticalPath, GoesThroughTheArgumentThatCameLast) {
    Traces traces;
    traces.submitted(1, 1).submitted(2, 2).submitted(3, 3).takes(3, 1).takes(3, 2);
    traces.ran(1, 2, 9).ran(2, 4, 5).ran(3, 10, 12);
    EXPECT_EQ(show(critical_path(traces.model())),
              "driver 0-1, queued 1 1-2, run 1 2-9, queued 3 9-10, run 3 10-12");
}

TEST(CriticalPath, GoesThroughTheDriversWaits) {
    Traces traces;
    traces.submitted(1, 1).ran(1, 2, 5).waited(0, 1, 1, 6).submitted(2, 8).ran(2, 8, 9);
    EXPECT_EQ(show(critical_path(traces.model())),
              "driver 0-1, queued 1 1-2, run 1 2-5, driver 5-8, run 2 8-9");
}

TEST(CriticalPath, GoesThroughNestedTasks) {
    Traces traces;
    traces.submitted(1, 0).ran(1, 1, 10).submitted(2, 3, 1).ran(2, 4, 7).waited(1, 2, 3, 8);
    EXPECT_EQ(show(critical_path(traces.model())),
              "queued 1 0-1, run 1 1-3, queued 2 3-4, run 2 4-7, run 1 7-10");
}

TEST(CriticalPath, ComesToAnEndWhateverTheTracesSay) {
    Traces traces; // each takes the other, and itself; all at one time
    traces.submitted(1, 5, 2).submitted(2, 5, 1).takes(1, 2).takes(2, 1).takes(1, 1);
    traces.ran(1, 5, 5).ran(2, 5, 5).waited(1, 2, 5, 5).waited(2, 1, 5, 5).waited(0, 1, 5, 5);
    EXPECT_LE(critical_path(traces.model()).size(), 4U);
    EXPECT_TRUE(critical_path(Traces().model()).empty());
}

TEST(Utilisation, CountsWhatRunsAndNotWhatWaits) {
    Traces traces;
    traces.ran(1, 0, 100).ran(2, 50, 100).waited(1, 2, 50, 100);
    const auto use = utilisation_of(traces.model(), 10);
    double total = 0;
    for (const double value : use.busy.at(0)) {
        EXPECT_LE(value, 1.0 + 1e-9);
        total += value * static_cast<double>(use.bin);
    }
    EXPECT_NEAR(total, 100.0 * ms, 1.0);
}

TEST(Model, LaysRanksOnOneClock) {
    Traces traces(2);
    traces.ran(1, 10, 20).ran(2, 1010, 1030, 0, 1);
    const Model model = traces.model(ClockMap::shifted(-1000 * ms));
    ASSERT_EQ(model.slices.size(), 2U);
    EXPECT_EQ(model.slices[0].begin, model.slices[1].begin);
}

TEST(Model, ATaskThatEndedAfterItWasSaidToRunIsNotCutOff) {
    Traces traces;
    traces.runs(1, 0, 5000).ran(1, 0, 6000).runs(2, 0, 5000).runs(2, 0, 9000);
    const Model model = traces.model();
    ASSERT_EQ(model.slices.size(), 2U);
    EXPECT_EQ(std::count_if(model.slices.begin(),
                            model.slices.end(),
                            [](const auto& one) { return one.cut_off; }),
              1);
    EXPECT_EQ(model.end, 9000 * ms);
}

TEST(Model, FindsTheSubmissionOfEachTaskOfAMap) {
    Traces traces;
    traces.submitted(10, 1, 0, 5).submitted(20, 2);
    const Model model = traces.model();
    EXPECT_EQ(model.submission_of(9), nullptr);
    EXPECT_EQ(model.submission_of(10)->first, 10U);
    EXPECT_EQ(model.submission_of(14)->first, 10U);
    EXPECT_EQ(model.submission_of(15), nullptr);
    EXPECT_EQ(model.submission_of(20)->first, 20U);
}

TEST(Model, SaysWhichRanksAreMissing) {
    Traces traces(9);
    traces.ran(1, 0, 1, 0, 4);
    const auto sentences = shortcomings(traces.model());
    ASSERT_EQ(sentences.size(), 1U);
    EXPECT_EQ(sentences[0],
              "there is no trace of ranks 0 to 3, 5 to 8: nothing that ran there is seen");
}

TEST(Chrome, IsJsonWhateverHappened) {
    Traces traces(2);
    traces.submitted(1, 0)
        .ran(1, 1, 2, muster::look::ran_failed)
        .ran(2, 3, 4, muster::look::ran_call, 1);
    traces.takes(2, 1).takes(3, 1).runs(5, 1, 3).waited(0, 1, 0, 3);
    std::ostringstream out;
    write_chrome(traces.model(), out);
    const auto json = nlohmann::json::parse(out.str());
    EXPECT_EQ(std::count_if(json["traceEvents"].begin(),
                            json["traceEvents"].end(),
                            [](const auto& event) { return event["ph"] == "s"; }),
              1); // 3 never ran
    std::ostringstream empty;
    write_chrome(Traces().model(), empty);
    EXPECT_TRUE(nlohmann::json::parse(empty.str())["traceEvents"].empty());
}

TEST(Html, EscapesNames) {
    Traces traces;
    traces.submitted(1, 0).ran(1, 1, 2, muster::look::ran_failed);
    const std::string page = render_html(traces.model());
    EXPECT_NE(page.find("n&lt;1&gt;"), std::string::npos);
    EXPECT_EQ(page.find("n<1>"), std::string::npos);
}

} // namespace
} // namespace muster::launcher::look
