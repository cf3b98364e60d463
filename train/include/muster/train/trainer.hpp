#pragma once

#include <muster/core/task.hpp>
#include <muster/train/run_ledger.hpp>
#include <muster/train/worker.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::train {

/// How a Trainer trains. Written with designated initialisers:
///
///     {.workers = 8, .gpus_per_worker = 1, .max_failures = 3, .storage = "runs/digits"}
///
/// Fields keep this order, and new ones are appended.
struct TrainerOptions {
    /// `8`, or `{4, 8}`: as many as there is room for.
    WorkerRange workers{};
    Amount cpus_per_worker = 1;
    Amount gpus_per_worker = 0;
    Bytes memory_per_worker{};
    /// How often the gang is started again after a failure, without a new checkpoint in between.
    std::uint32_t max_failures = 0;
    /// Folder for checkpoints and metrics, that all ranks see; made if it is not there. What is in
    /// it is gone on with.
    std::string storage = {};
    std::uint32_t keep = 2; ///< Newest checkpoints that are kept; at least 1.
    /// The best checkpoint by this metric is kept as well; empty: none.
    std::string best_by = {};
    Mode mode = Mode::min;
    /// Whoever waits so long in a collective wants to know for whom: see who_is_late(). 0: nobody
    /// asks. Nothing is sent but a sign of life from each worker to this rank, four times as often.
    std::chrono::milliseconds late_after{0};
    WhenLate when_late = WhenLate::report;
    /// Called with the sentence instead of its being printed on standard error; on fit()'s thread.
    std::function<void(const std::string&)> on_late = {};
    std::string name = {}; ///< Of the gang, for errors and logs.
};

/// What has come of training.
struct Result {
    Finish::Outcome outcome = Finish::Outcome::done;
    std::string error; ///< Why it gave up; empty otherwise.
    /// What was reported in this run, by step: of those that were done again, what came last.
    std::vector<MetricRow> history;
    std::optional<SavedCheckpoint> best; ///< By TrainerOptions::best_by.
    std::optional<SavedCheckpoint> last;
    std::uint32_t failures = 0;

    [[nodiscard]] bool ok() const { return outcome == Finish::Outcome::done; }
};

namespace detail {

/// Starts a gang of so many workers.
using Launch = std::function<Future<void>(const TaskOptions&, const Assignment&)>;

Result fit(const TrainerOptions& options, const Launch& launch);

template <auto Loop, class... Config>
void run_worker(Communicator& ranks, Assignment assignment, Config... config) {
    Worker worker(ranks, std::move(assignment));
    Loop(worker, std::move(config)...);
    worker.finish();
}

template <auto Loop, class F>
struct LoopCall {
    static_assert(sizeof(F) == 0,
                  "muster: a training loop is a function void(train::Worker&, Config...)");
};

template <auto Loop, class... Config>
struct LoopCall<Loop, void (*)(Worker&, Config...)> {
    template <class... A>
    static Result fit(const TrainerOptions& options, const A&... config) {
        return detail::fit(options, [&](const TaskOptions& how, const Assignment& assignment) {
            return task<&run_worker<Loop, std::remove_cvref_t<Config>...>>.with(how)(assignment,
                                                                                     config...);
        });
    }
};

} // namespace detail

/// Trains with a gang of workers, each of which runs `Loop`, and sees it through failures:
///
///     void loop(train::Worker& worker, Config config);
///     auto result = train::Trainer<&loop>({.workers = 8, .storage = "runs/digits"}).fit(config);
///
/// If a worker throws, crashes, or is lost with its rank, all are released and a new gang begins
/// from the newest checkpoint, with fewer workers where there is no room for as many and the range
/// allows it. If the run ends before training (SIGTERM, SIGUSR2, a time limit),
/// Worker::should_stop() says so, the loop saves and returns, fit() returns with `interrupted`, and
/// the program exits with code 75; started again it goes on where it was. Ended with less than 3 s
/// to spare (as by plain mpirun), workers in the middle of a step cannot save: the checkpoint
/// before is what there is.
///
/// Loop is a function `void(Worker&, Config...)`; Config travels by value, as a task's arguments
/// do.
template <auto Loop>
class Trainer {
public:
    explicit Trainer(TrainerOptions options) : options_(std::move(options)) {}

    /// In the driver, or in a task: waits for the end of training.
    /// @throws UsageError for options that cannot be used; Error for a storage that cannot.
    template <class... A>
    Result fit(const A&... config) const {
        return detail::LoopCall<Loop, decltype(Loop)>::fit(options_, config...);
    }

private:
    TrainerOptions options_;
};

} // namespace muster::train
