#pragma once

#include <muster/train/checkpoint_writer.hpp>
#include <muster/train/collective_log.hpp>
#include <muster/train/event_file.hpp>
#include <muster/train/fit_plan.hpp>
#include <muster/train/lateness.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace muster::train {

/// What was reported of one step.
struct MetricRow {
    std::uint64_t step = 0;
    std::uint32_t attempt = 1; ///< Which start of the gang it was.
    double wall_time = 0;      ///< Seconds since 1970.
    Metrics metrics = {};      ///< Rank 0's.
    Metrics mean = {};         ///< Over the workers that reported this step, by metric.
    std::int32_t workers = 0;  ///< How many did.

    bool operator==(const MetricRow&) const = default;
};

/// What becomes of a gang of which a rank is late.
enum class WhenLate : std::uint8_t {
    report, ///< One sentence on standard error, and it goes on waiting.
    abort,  ///< Also, the late rank's process is ended. The gang has failed then.
};

struct LedgerOptions {
    std::string storage;
    WorkerRange workers{};
    std::uint32_t max_failures = 0;
    Retention retention{};
    std::chrono::milliseconds late_after{0};
    WhenLate when_late = WhenLate::report;
};

/// A worker's sign of life.
struct Beat {
    std::uint32_t attempt = 1;
    std::int32_t rank = 0;
    std::string node;
    Standing standing;
};

/// How it stands with a run.
struct LedgerSummary {
    std::vector<MetricRow> history;
    std::optional<SavedCheckpoint> best;
    std::optional<SavedCheckpoint> last;
    std::uint32_t failures = 0;
    bool was_stopped = false; ///< A worker has returned because the run is ending.
};

/// Keeps what is known of a training run on the rank that called Trainer::fit(), as an actor: what
/// workers report reaches it without any of them waiting for another, and outlives them.
///
/// Calls of an attempt before the present one are ignored: a worker of a failed gang may be slow to
/// end. Private to the library, but for its being visible.
class RunLedger {
public:
    explicit RunLedger(LedgerOptions options);
    ~RunLedger();

    // The Trainer's.
    FitOrder begin();
    FitOrder unreadable();
    FitOrder ended(GangEnd end, std::string why);
    /// What to print of somebody who is late; the same is said once.
    std::vector<std::string> take_late();
    LedgerSummary summary();

    // The workers'.
    void report(std::uint32_t attempt, std::int32_t rank, std::uint64_t step, Metrics metrics);
    void written(std::uint32_t attempt,
                 std::int32_t rank,
                 std::int32_t world,
                 WrittenCheckpoint checkpoint);
    void stopped(std::uint32_t attempt);
    /// @return whether the worker is to end its process.
    bool beat(Beat beat);

    /// Everything of this caller before it has arrived.
    void sync() {}

private:
    struct Files;
    using Clock = std::chrono::steady_clock;

    struct Heard {
        Beat beat;
        Clock::time_point at;
    };

    struct Pieces {
        WrittenCheckpoint rank_0;
        std::map<std::int32_t, data::ArrayShard> shards; ///< By rank.
    };

    FitOrder follow(FitOrder order);
    void saved(SavedCheckpoint checkpoint);
    void watch();

    LedgerOptions options_;
    FitPlan plan_;
    std::unique_ptr<Files> files_;
    std::uint32_t attempt_ = 0;
    std::map<std::uint64_t, MetricRow> history_;                          ///< By step.
    std::map<std::uint64_t, std::map<std::string, std::int32_t>> counts_; ///< Of mean's metrics.
    std::map<std::uint64_t, Pieces> pieces_; ///< Of checkpoints that are not complete, by step.
    std::map<std::int32_t, Heard> heard_;    ///< Of this attempt, by rank.
    std::set<std::int32_t> doomed_;
    /// Of whom it was said, by what it had begun and where it was.
    std::set<std::tuple<std::optional<int>, std::uint64_t, Phase>> said_;
    std::vector<std::string> late_;
    bool was_stopped_ = false;
};

} // namespace muster::train
