#pragma once

#include "look/model.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// What a run's traces say about where its time went. [pure]
namespace muster::launcher::look {

/// What was on the way from the start to what ended last.
struct Step {
    enum class Kind : std::uint8_t {
        driver, ///< The driver, from one wait to its next submission.
        run,    ///< A task, or the part of it that counts.
        queued, ///< A task had all that it takes, and had not started.
    };

    Kind kind = Kind::run;
    std::uint64_t task = 0; ///< None of the driver's.
    std::uint32_t function = 0;
    std::int32_t rank = -1; ///< None while it is queued.
    std::int64_t begin = 0;
    std::int64_t end = 0;
};

/// From the task that ended last back: what it waited for longest, at each step. Earliest first;
/// steps do not overlap. Where nothing is known of a task, the path begins.
[[nodiscard]] std::vector<Step> critical_path(const Model& model);

struct FunctionUse {
    std::uint32_t function = 0;
    std::uint64_t tasks = 0; ///< Attempts that ended.
    std::uint64_t failed = 0;
    std::int64_t total = 0; ///< Nanoseconds, as all here.
    std::int64_t longest = 0;
    std::int64_t queued = 0; ///< From when they could have started until they did, together.
    std::int64_t on_path = 0;
};

/// By what they took together, most first.
[[nodiscard]] std::vector<FunctionUse> functions_of(const Model& model,
                                                    const std::vector<Step>& path);

/// How busy ranks were over time.
struct Utilisation {
    std::int64_t bin = 1; ///< How long each is.
    std::size_t bins = 0;
    /// By rank of the model, then by bin: how many tasks ran there on average, without the time
    /// that they waited for others.
    std::vector<std::vector<double>> busy;
    std::vector<double> cpus; ///< By rank.
};

[[nodiscard]] Utilisation utilisation_of(const Model& model, std::size_t bins);

/// Those that took longest, first; no more than `count`.
[[nodiscard]] std::vector<Slice> slowest(const Model& model, std::size_t count);

/// All that failed, in time's order.
[[nodiscard]] std::vector<Slice> failures(const Model& model);

/// When a task could have started: it was submitted, and what it takes was there. Nothing: it is
/// not known.
[[nodiscard]] std::optional<std::int64_t>
ready_at(const Model& model,
         const std::unordered_map<std::uint64_t, std::int64_t>& ends,
         std::uint64_t task);

/// When each task was done: the end of its last slice.
[[nodiscard]] std::unordered_map<std::uint64_t, std::int64_t> ends_of(const Model& model);

} // namespace muster::launcher::look
