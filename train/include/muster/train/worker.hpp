#pragma once

#include <muster/core/actor.hpp>
#include <muster/core/communicator.hpp>
#include <muster/data/batch_plan.hpp>
#include <muster/train/checkpoint.hpp>
#include <muster/train/collective_log.hpp>
#include <muster/train/run_ledger.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace muster::train {

/// What a Trainer hands to each worker of a gang. Private to the library.
struct Assignment {
    std::uint32_t attempt = 1;
    std::optional<SavedCheckpoint> from{};
    std::string storage;
    std::chrono::milliseconds late_after{0};
    ActorHandle<RunLedger> ledger{};
};

/// One member of a gang that trains: what a training loop knows of itself, and whom it tells how it
/// gets on.
///
///     void loop(train::Worker& worker, Config config) {
///         Model model(config);
///         std::uint64_t step = 0;
///         if (const auto& checkpoint = worker.checkpoint()) {
///             step = checkpoint->step();
///             model.load(*checkpoint);
///         }
///         while (step < config.steps && !worker.should_stop()) {
///             const double loss = model.train_step();
///             ++step;
///             if (step % 100 == 0) {
///                 worker.report({{"loss", loss}}, model.state(step));
///             }
///         }
///         worker.report({{"loss", model.loss()}}, model.state(step));
///     }
///
/// Threads: that of the loop, but for collective_log(). Collective calls are so named.
class Worker {
public:
    [[nodiscard]] int rank() const;
    [[nodiscard]] int world_size() const;
    [[nodiscard]] int local_rank() const; ///< Among the workers of this node, from 0 on.
    [[nodiscard]] const std::string& node() const;
    /// GPUs of its own, as CUDA_VISIBLE_DEVICES names them.
    [[nodiscard]] const std::vector<std::string>& gpus() const;
    /// "cuda:<the first of them>", or "cpu".
    [[nodiscard]] std::string device() const;
    /// The gang's. Its collectives are not watched for who is late; those below are.
    [[nodiscard]] Communicator& communicator() const;
    /// Which of the readers of a dataset this one is: data::BatchOptions::shard.
    [[nodiscard]] data::Shard shard() const;
    /// Which start of the gang this is, from 1 on.
    [[nodiscard]] std::uint32_t attempt() const;

    /// Where to begin; nothing: at the beginning.
    [[nodiscard]] const std::optional<Checkpoint>& checkpoint() const;

    /// Tells what was measured after a step, without waiting for anybody. Rank 0's reports are the
    /// run's: they go to the files in its storage and into Result::history. What other ranks report
    /// of the same step is averaged with them (MetricRow::mean); they may do so as often as they
    /// like, or never.
    void report(std::uint64_t step, const Metrics& metrics);

    /// The same of the step after the last that was reported, or after the checkpoint's.
    void report(const Metrics& metrics);

    /// Reports, of the state's step, and saves the state: copies it, and returns while it is
    /// written. All ranks call it at the same steps, but do not wait for one another. A checkpoint
    /// exists once all ranks' parts are on disk.
    /// @throws Error of the save before, if that failed.
    void report(const Metrics& metrics, const State& state);

    /// Whether to save and return, because the run is ending (SIGTERM, a time limit that is near).
    /// Collective: the same answer on all ranks; call it once a step. It sends one byte.
    [[nodiscard]] bool should_stop();

    /// Asked to stop when the gang has failed or the run has no time left. For waits inside a step.
    [[nodiscard]] std::stop_token stop_token() const;

    /// What this rank does from now on; repeated if it is late.
    void phase(Phase phase);

    /// Collective.
    void barrier();

    /// Collective: as Communicator::all_reduce().
    template <Arithmetic T>
    void all_reduce(std::span<T> data, ReduceOp op = ReduceOp::sum) {
        const LoggedCollective logged(collective_log(), Collective::all_reduce, data.size_bytes());
        communicator().all_reduce(data, op);
    }

    /// Where others report their collectives on this gang, so that it is known who is late. Lives
    /// as long as the worker; any thread.
    [[nodiscard]] CollectiveLog& collective_log() const;

    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    /// Waits for the save under way.
    ~Worker();

    /// Private to the library. Collective.
    Worker(Communicator& ranks, Assignment assignment);
    /// Waits until all is saved and reported.
    void finish();

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace muster::train
