#pragma once

#include <muster/train/event_file.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace muster::train {

/// How many workers a gang may have: `.workers = 8`, or `.workers = {4, 8}` for as many as there is
/// room for.
struct WorkerRange {
    int min = 1;
    int max = 1;

    constexpr WorkerRange() = default;

    constexpr WorkerRange(int exactly) : min(exactly), max(exactly) {} // NOLINT: as it is written

    constexpr WorkerRange(int at_least, int at_most) : min(at_least), max(at_most) {}

    template <class Archive>
    void serialize(Archive& archive) {
        archive(min, max);
    }

    bool operator==(const WorkerRange&) const = default;
};

/// Which value of a metric is better.
enum class Mode : std::uint8_t { min, max };

/// Which checkpoints are kept.
struct Retention {
    std::uint32_t last = 2;  ///< So many of the newest; at least 1.
    std::string metric = {}; ///< The best by this one is kept as well; empty: no best.
    Mode mode = Mode::min;
};

/// A checkpoint that is complete on disk.
struct SavedCheckpoint {
    std::uint64_t step = 0;
    std::string path;
    Metrics metrics = {}; ///< Reported with it.

    bool operator==(const SavedCheckpoint&) const = default;
};

/// What became of a gang.
enum class GangEnd : std::uint8_t {
    finished,    ///< The loop returned on all workers.
    failed,      ///< A worker threw, crashed or was lost with its rank.
    infeasible,  ///< There are not ranks enough for so many workers.
    interrupted, ///< The run is ending: SIGTERM, or its time limit.
};

struct StartGang {
    int workers = 1;
    std::uint32_t attempt = 1;                ///< Counts from 1.
    std::optional<SavedCheckpoint> from = {}; ///< What it begins with; nothing: at the beginning.

    bool operator==(const StartGang&) const = default;
};

/// Training is over.
struct Finish {
    enum class Outcome : std::uint8_t { done, gave_up, interrupted };

    Outcome outcome = Outcome::done;
    std::string reason = {}; ///< Why it gave up; a sentence.

    bool operator==(const Finish&) const = default;
};

using FitOrder = std::variant<StartGang, Finish>;

/// Decides what a Trainer does: how many workers, from which checkpoint, whether once more after a
/// failure, and which checkpoints to remove.
///
/// Pure: no files, threads or clock. The Trainer feeds it what has happened and carries out what it
/// says. Threading: one thread at a time.
///
/// Rules:
///   1. A gang starts with as many workers as allowed, or as ran last; one fewer after each
///      `infeasible`, down to the range's minimum, and then it gives up.
///   2. It begins with the newest checkpoint that was saved and not found unreadable.
///   3. A failure is followed by another start, `max_failures` times in a row without a new
///      checkpoint in between: a run that makes progress does not use them up.
///   4. An interruption is no failure, and ends it.
///   5. Kept are the newest `last` checkpoints and the best, and always the one a gang began with.
class FitPlan {
public:
    struct Options {
        WorkerRange workers{};
        std::uint32_t max_failures = 0;
        Retention retention{};
    };

    /// @param found  What an earlier run has left, in any order.
    /// @throws UsageError for a range without workers or a retention of none.
    FitPlan(Options options, std::vector<SavedCheckpoint> found);

    /// What to do first.
    [[nodiscard]] FitOrder begin();

    /// The checkpoint of the last StartGang cannot be read.
    [[nodiscard]] FitOrder on_unreadable();

    /// @param why  Of a failure: a sentence.
    [[nodiscard]] FitOrder on_ended(GangEnd end, const std::string& why);

    /// A checkpoint is complete on disk. One of the same step takes the place of the one before.
    /// @return those that are to be removed.
    [[nodiscard]] std::vector<SavedCheckpoint> on_saved(SavedCheckpoint checkpoint);

    /// Kept ones, oldest step first.
    [[nodiscard]] const std::vector<SavedCheckpoint>& checkpoints() const { return kept_; }

    [[nodiscard]] std::optional<SavedCheckpoint> last() const;
    /// By the metric; of equal ones the newest. Nothing without a metric, or where none has it.
    [[nodiscard]] std::optional<SavedCheckpoint> best() const;

    [[nodiscard]] std::uint32_t failures() const { return failures_; } ///< In all.

private:
    [[nodiscard]] FitOrder start();
    [[nodiscard]] FitOrder give_up(std::string reason) const;

    Options options_;
    std::vector<SavedCheckpoint> kept_; ///< By step.
    std::optional<std::uint64_t> begun_from_;
    int workers_ = 1;
    std::uint32_t attempt_ = 0;
    std::uint32_t failures_ = 0;
    std::uint32_t failures_in_a_row_ = 0;
};

} // namespace muster::train
