#include "hdf5_fixtures.hpp"
#include "regression.hpp"

#include <muster/core/muster.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace muster::train {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Outcome = Finish::Outcome;

void loop(Worker& worker, test::Fit fit) {
    test::regress(worker, fit, [&](std::uint64_t step) {
        if (worker.attempt() == 1 && step == fit.fail_at && worker.rank() == fit.failing_rank) {
            throw std::domain_error("out of paper");
        }
    });
}

/// Rank 0 reports every step, others as they like.
void report_unequally(Worker& worker) {
    for (int step = 1; step <= 3; ++step) {
        worker.barrier();
        if (worker.rank() == 0 || (worker.rank() == 1 && step == 2)) {
            worker.report({{"loss", 10.0 * step + worker.rank()}});
        }
    }
    if (worker.rank() == 2) {
        worker.report(2, {{"loss", 25}, {"mine", 1}});
        worker.report(9, {{"mine", 1}}); // of a step that rank 0 does not report
    }
}

/// A rank's sharded state, on so many ranks: loaded on as many as there are the next time.
void share_out(Worker& worker, std::uint64_t step) {
    const auto ranks = static_cast<std::uint64_t>(worker.world_size());
    const std::uint64_t first = 10 * static_cast<std::uint64_t>(worker.rank()) / ranks;
    const std::uint64_t last = 10 * (static_cast<std::uint64_t>(worker.rank()) + 1) / ranks;
    std::vector<std::int64_t> mine(last - first);
    if (const auto& from = worker.checkpoint()) {
        from->read("counts", {{first}, {last - first}}, std::span(mine));
    }
    for (std::uint64_t i = first; i < last; ++i) {
        mine[i - first] += static_cast<std::int64_t>(i);
    }
    worker.report(
        {},
        State(step).slab(
            "counts", std::span<const std::int64_t>(mine), {10}, {{first}, {mine.size()}}));
}

int gate_of_late_rank = -1; // a pipe: the process that reads it is late until it is written

/// One rank waits for the pipe in a phase, the others in the collective that comes next.
void wait_for_pipe(Worker& worker, int late, Phase phase) {
    worker.barrier();
    worker.phase(phase);
    if (worker.rank() == late) {
        char byte = 0;
        (void)!::read(gate_of_late_rank, &byte, 1);
    }
    worker.barrier();
}

class Trainers : public testing::Test {
protected:
    Trainers() { test::write_observations(data); }

    /// Runs a driver in this process, gangs being threads.
    template <class Driver>
    static void in_run(const Driver& driver) {
        ASSERT_EQ(muster::run(0, nullptr, driver), 0);
    }

    [[nodiscard]] TrainerOptions options(WorkerRange workers, const std::string& folder) const {
        return {.workers = workers,
                .cpus_per_worker = 0,
                .max_failures = 2,
                .storage = fixtures.path(folder).string()};
    }

    static std::vector<double> weights(const Result& result) {
        const Checkpoint checkpoint(result.last.value().path);
        return checkpoint.file().read<double>("weights");
    }

    test::Hdf5Fixtures fixtures;
    std::string data = fixtures.path("observations.h5").string();
};

TEST_F(Trainers, TrainAndKeepTheLastCheckpointsAndTheBest) {
    in_run([&] {
        auto how = options(2, "run");
        how.best_by = "loss";
        const Result result = Trainer<&loop>(how).fit(test::Fit{.data = data});
        EXPECT_TRUE(result.ok()) << result.error;
        ASSERT_EQ(result.history.size(), 30U);
        EXPECT_EQ(result.last->step, 30U);
        double best = result.history.front().metrics.at("loss");
        for (const MetricRow& row : result.history) {
            best = std::min(best, row.metrics.at("loss"));
        }
        EXPECT_EQ(result.best->metrics.at("loss"), best);
        EXPECT_LE(find_checkpoints(how.storage).size(), 3U);
        EXPECT_NEAR(weights(result)[2], 3, 0.7);
    });
}

TEST_F(Trainers, GoOnAfterAFailureAtAnyStepWithTheSameBits) {
    for (const int workers : {1, 2, 3}) {
        std::vector<double> expected;
        for (const std::uint64_t fail_at : {0U, 1U, 2U, 7U, 8U, 12U}) {
            const std::uint64_t save_every = fail_at % 4 == 0 ? 1 : 4;
            in_run([&] {
                const auto how = options(workers, fmt::format("{}-{}", workers, fail_at));
                const Result result =
                    Trainer<&loop>(how).fit(test::Fit{.data = data,
                                                      .steps = 12,
                                                      .save_every = save_every,
                                                      .fail_at = fail_at,
                                                      .failing_rank = workers - 1});
                ASSERT_TRUE(result.ok()) << result.error;
                EXPECT_EQ(result.failures, fail_at == 0 ? 0U : 1U);
                if (expected.empty()) {
                    expected = weights(result);
                }
                EXPECT_EQ(weights(result), expected) << "failed at " << fail_at;
            });
        }
    }
}

TEST_F(Trainers, GoOnInAnotherRun) {
    std::vector<double> once;
    in_run([&] { once = weights(Trainer<&loop>(options(2, "a")).fit(test::Fit{.data = data})); });
    for (const std::uint64_t steps : {11U, 23U, 30U}) {
        in_run([&] {
            const Result result =
                Trainer<&loop>(options(2, "b")).fit(test::Fit{.data = data, .steps = steps});
            EXPECT_EQ(result.last->step, steps);
            if (steps == 30) {
                EXPECT_EQ(weights(result), once);
            }
        });
    }
}

TEST_F(Trainers, GiveUpAndSayWhy) {
    in_run([&] {
        auto how = options(2, "run");
        how.max_failures = 0;
        const Result result =
            Trainer<&loop>(how).fit(test::Fit{.data = data, .fail_at = 5, .failing_rank = 1});
        EXPECT_EQ(result.outcome, Outcome::gave_up);
        EXPECT_THAT(result.error, HasSubstr("out of paper"));
        EXPECT_THAT(result.error, HasSubstr("member 1"));
        EXPECT_GE(result.last->step, 3U);
        EXPECT_THROW((void)Trainer<&loop>({.workers = 1}).fit(test::Fit{}), UsageError);
        EXPECT_THROW((void)Trainer<&loop>(options({3, 2}, "x")).fit(test::Fit{}), UsageError);
    });
}

TEST_F(Trainers, PassOverADamagedCheckpoint) {
    std::vector<double> once;
    in_run([&] { once = weights(Trainer<&loop>(options(2, "a")).fit(test::Fit{.data = data})); });
    in_run([&] {
        const auto how = options(2, "b");
        Result result = Trainer<&loop>(how).fit(test::Fit{.data = data, .steps = 20});
        const double damaged = weights(result).at(1);
        std::fstream file(result.last->path, std::ios::in | std::ios::out | std::ios::binary);
        const std::string all((std::istreambuf_iterator<char>(file)), {});
        const auto at =
            all.find(std::string(reinterpret_cast<const char*>(&damaged), sizeof damaged));
        ASSERT_NE(at, std::string::npos);
        file.clear();
        file.seekp(static_cast<std::streamoff>(at));
        file.put('\x55');
        file.close();
        testing::internal::CaptureStderr();
        result = Trainer<&loop>(how).fit(test::Fit{.data = data});
        EXPECT_THAT(testing::internal::GetCapturedStderr(),
                    HasSubstr("array 'weights' of '" + how.storage));
        EXPECT_EQ(weights(result), once);
    });
}

TEST_F(Trainers, TakeReportsThatDoNotComeFromAllWorkers) {
    in_run([&] {
        const auto how = options(3, "run");
        const Result result = Trainer<&report_unequally>(how).fit();
        ASSERT_TRUE(result.ok()) << result.error;
        ASSERT_EQ(result.history.size(), 3U);
        EXPECT_EQ(result.history[0].metrics, (Metrics{{"loss", 10}}));
        EXPECT_EQ(result.history[0].workers, 1 + 1) << "rank 1's only report is its first";
        EXPECT_EQ(result.history[1].metrics, (Metrics{{"loss", 20}}));
        EXPECT_EQ(result.history[1].mean, (Metrics{{"loss", 22.5}, {"mine", 1}}));
        EXPECT_EQ(result.history[2].workers, 1);
        std::ifstream csv(fs::path(how.storage) / "metrics.csv");
        std::string line;
        std::getline(csv, line);
        EXPECT_EQ(line, "step,attempt,wall_time,loss");
        std::getline(csv, line);
        EXPECT_THAT(line, testing::MatchesRegex("1,1,[0-9.]+,10"));
    });
}

TEST_F(Trainers, LoadSharedOutStateOnOtherNumbersOfWorkers) {
    in_run([&] {
        std::uint64_t step = 0;
        for (const int workers : {2, 3, 1, 4}) {
            const Result result = Trainer<&share_out>(options(workers, "run")).fit(++step);
            ASSERT_TRUE(result.ok()) << result.error;
            const auto counts =
                Checkpoint(result.last.value().path).file().read<std::int64_t>("counts");
            for (std::size_t i = 0; i < 10; ++i) {
                EXPECT_EQ(counts.at(i), static_cast<std::int64_t>(step * i));
            }
        }
    });
}

TEST_F(Trainers, SayWhoIsLateAndGoOn) {
    for (const int workers : {2, 3}) {
        for (const Phase phase : {Phase::data, Phase::compute, Phase::checkpoint}) {
            std::array<int, 2> ends{};
            ASSERT_EQ(::pipe(ends.data()), 0);
            gate_of_late_rank = ends[0];
            const int late = workers - 1;
            std::vector<std::string> said;
            in_run([&] {
                auto how = options(workers, fmt::format("{}-{}", workers, to_string(phase)));
                how.late_after = std::chrono::milliseconds(40);
                how.on_late = [&](const std::string& sentence) {
                    said.push_back(sentence);
                    if (sentence.find(fmt::format("in {} for", to_string(phase))) !=
                        std::string::npos) {
                        (void)!::write(ends[1], "x", 1);
                    }
                };
                const Result result = Trainer<&wait_for_pipe>(how).fit(late, phase);
                EXPECT_TRUE(result.ok()) << result.error;
            });
            EXPECT_THAT(said,
                        testing::Contains(testing::ContainsRegex(fmt::format(
                            "^rank {} \\(node .*\\) is late: 1 collective behind, in {} "
                            "for .*; rank [0-9] .* has waited .* in barrier 2 \\(0 B\\)",
                            late,
                            to_string(phase)))));
            ::close(ends[0]);
            ::close(ends[1]);
        }
    }
}

} // namespace
} // namespace muster::train
