#include "metrics_files.hpp"

#include <muster/base/error.hpp>
#include <muster/train/run_ledger.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <utility>

namespace muster::train {
namespace {

namespace fs = std::filesystem;

double now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// Makes the folder, removes what interrupted saves have left, and tells what is there.
std::vector<SavedCheckpoint> prepare(const std::string& storage) {
    std::error_code error;
    fs::create_directories(storage, error);
    if (error) {
        throw Error(fmt::format(
            "cannot make the folder '{}' for a training run: {}", storage, error.message()));
    }
    std::vector<fs::path> left;
    for (fs::directory_iterator at(storage, error), end; !error && at != end; at.increment(error)) {
        const std::string name = at->path().filename().string();
        const bool is_part =
            name.starts_with("step-") && name.find(".h5.part-") != std::string::npos;
        const bool is_orphan = name.starts_with("step-") && name.ends_with(".h5.shards") &&
                               !fs::exists(fs::path(storage) / name.substr(0, name.size() - 7));
        if (is_part || is_orphan) {
            left.push_back(at->path());
        }
    }
    for (const fs::path& path : left) {
        fs::remove_all(path, error);
    }
    return find_checkpoints(storage);
}

} // namespace

struct RunLedger::Files {
    MetricsFiles metrics;
};

RunLedger::RunLedger(LedgerOptions options)
    : options_(std::move(options)),
      plan_({options_.workers, options_.max_failures, options_.retention},
            prepare(options_.storage)),
      files_(new Files{MetricsFiles(options_.storage)}) {
}

RunLedger::~RunLedger() = default;

FitOrder RunLedger::begin() {
    return follow(plan_.begin());
}

FitOrder RunLedger::unreadable() {
    return follow(plan_.on_unreadable());
}

FitOrder RunLedger::ended(GangEnd end, std::string why) {
    return follow(plan_.on_ended(end, why));
}

FitOrder RunLedger::follow(FitOrder order) {
    if (const auto* const start = std::get_if<StartGang>(&order)) {
        attempt_ = start->attempt;
        const std::uint64_t done = start->from ? start->from->step : 0;
        history_.erase(start->from ? history_.upper_bound(done) : history_.begin(), history_.end());
        counts_.erase(start->from ? counts_.upper_bound(done) : counts_.begin(), counts_.end());
        pieces_.clear();
        heard_.clear();
        doomed_.clear();
        said_.clear();
    }
    return order;
}

void RunLedger::report(std::uint32_t attempt,
                       std::int32_t rank,
                       std::uint64_t step,
                       Metrics metrics) {
    if (attempt != attempt_) {
        return;
    }
    MetricRow& row = history_[step];
    row.step = step;
    row.attempt = attempt;
    ++row.workers;
    for (const auto& [name, value] : metrics) {
        const auto count = static_cast<double>(++counts_[step][name]);
        double& mean = row.mean[name];
        mean += (value - mean) / count;
    }
    if (rank == 0) {
        row.wall_time = now();
        row.metrics = std::move(metrics);
        files_->metrics.add(row);
    }
}

void RunLedger::written(std::uint32_t attempt,
                        std::int32_t rank,
                        std::int32_t world,
                        WrittenCheckpoint checkpoint) {
    if (attempt != attempt_) {
        return;
    }
    if (!checkpoint.shard) {
        saved(std::move(checkpoint.saved));
        return;
    }
    const std::uint64_t step = checkpoint.saved.step;
    Pieces& pieces = pieces_[step];
    pieces.shards[rank] = *checkpoint.shard;
    if (rank == 0) {
        pieces.rank_0 = std::move(checkpoint);
    }
    if (std::cmp_less(pieces.shards.size(), world)) {
        return;
    }
    const Pieces complete = std::move(pieces);
    pieces_.erase(step);
    std::vector<data::ArrayShard> shards;
    for (const auto& [each, shard] : complete.shards) {
        shards.push_back(shard);
    }
    commit_checkpoint(complete.rank_0, shards);
    saved(complete.rank_0.saved);
}

void RunLedger::saved(SavedCheckpoint checkpoint) {
    for (const SavedCheckpoint& removed : plan_.on_saved(std::move(checkpoint))) {
        try {
            data::remove_array_file(removed.path);
        } catch (const Error& error) { // it takes room, and does no other harm
            std::cerr << "warning: an old checkpoint is left: " << error.what() << '\n';
        }
    }
}

void RunLedger::stopped(std::uint32_t attempt) {
    was_stopped_ = was_stopped_ || attempt == attempt_;
}

bool RunLedger::beat(Beat beat) {
    if (beat.attempt != attempt_) {
        return false;
    }
    const std::int32_t rank = beat.rank;
    heard_[rank] = {std::move(beat), Clock::now()};
    return doomed_.contains(rank);
}

void RunLedger::watch() {
    std::vector<RankStanding> ranks;
    for (const auto& [rank, heard] : heard_) {
        const auto silent = Clock::now() - heard.at;
        ranks.push_back({rank,
                         heard.beat.node,
                         heard.beat.standing,
                         silent,
                         // Beats come four times as often as somebody may be late.
                         silent > 2 * options_.late_after});
    }
    const auto lateness = who_is_late(ranks, options_.late_after);
    if (!lateness) {
        return;
    }
    const Standing where = lateness->late ? heard_.at(*lateness->late).beat.standing : Standing{};
    if (!said_.emplace(lateness->late, where.begun, where.phase).second) {
        return;
    }
    late_.push_back(lateness->sentence);
    if (options_.when_late == WhenLate::abort && lateness->late) {
        doomed_.insert(*lateness->late);
    }
}

std::vector<std::string> RunLedger::take_late() {
    watch();
    return std::exchange(late_, {});
}

LedgerSummary RunLedger::summary() {
    LedgerSummary summary{{}, plan_.best(), plan_.last(), plan_.failures(), was_stopped_};
    for (const auto& [step, row] : history_) {
        if (row.wall_time > 0) { // rank 0 has reported it
            summary.history.push_back(row);
        }
    }
    return summary;
}

} // namespace muster::train
