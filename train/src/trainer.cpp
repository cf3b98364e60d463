#include <muster/base/error.hpp>
#include <muster/core/actor.hpp>
#include <muster/core/ending.hpp>
#include <muster/core/error.hpp>
#include <muster/core/future_set.hpp>
#include <muster/core/runtime.hpp>
#include <muster/train/trainer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace muster::train::detail {
namespace {

/// What became of a gang, and why.
struct End {
    GangEnd end = GangEnd::finished;
    std::string why = {};
};

class Fit {
public:
    Fit(const TrainerOptions& options, const Launch& launch)
        : options_(options), launch_(launch),
          ledger_(spawn<RunLedger>({.placement = on_rank(static_cast<int>(index(cluster().rank))),
                                    .name = {},
                                    .pending_calls_max = 1'000'000},
                                   LedgerOptions{options.storage,
                                                 options.workers,
                                                 options.max_failures,
                                                 {options.keep, options.best_by, options.mode},
                                                 options.late_after,
                                                 options.when_late})) {}

    Result run() {
        FitOrder order = first_order();
        while (const auto* const start = std::get_if<StartGang>(&order)) {
            if (!is_readable(start->from)) {
                order = ledger_.call<&RunLedger::unreadable>().get();
                continue;
            }
            const End end = run_gang(*start);
            order = ledger_.call<&RunLedger::ended>(end.end, end.why).get();
            if (end.end == GangEnd::failed && std::holds_alternative<StartGang>(order)) {
                std::cerr << fmt::format("warning: training failed, and goes on from {}: {}\n",
                                         place_of(std::get<StartGang>(order).from),
                                         end.why);
            }
        }
        const auto finish = std::get<Finish>(order);
        LedgerSummary summary = ledger_.call<&RunLedger::summary>().get();
        return {finish.outcome,
                finish.reason,
                std::move(summary.history),
                std::move(summary.best),
                std::move(summary.last),
                summary.failures};
    }

private:
    /// The ledger's constructor may have thrown: options that cannot be used, for one.
    FitOrder first_order() {
        try {
            return ledger_.call<&RunLedger::begin>().get();
        } catch (const TaskError& error) {
            error.rethrow_cause();
        }
    }

    static std::string place_of(const std::optional<SavedCheckpoint>& from) {
        return from ? fmt::format("step {}", from->step) : "the beginning";
    }

    /// Compares all of it once, here, rather than let every worker fail.
    static bool is_readable(const std::optional<SavedCheckpoint>& from) {
        if (!from) {
            return true;
        }
        try {
            Checkpoint(from->path).verify();
            return true;
        } catch (const Error& error) {
            std::cerr << "warning: a checkpoint is left out: " << error.what() << '\n';
            return false;
        }
    }

    End run_gang(const StartGang& start) {
        const TaskOptions how{.cpus = options_.cpus_per_worker,
                              .gpus = options_.gpus_per_worker,
                              .memory = options_.memory_per_worker,
                              .name = options_.name,
                              .ranks = start.workers,
                              .retries = 0};
        try {
            const auto gang = launch_(
                how, {start.attempt, start.from, options_.storage, options_.late_after, ledger_});
            wait(gang);
            gang.get();
        } catch (const Error& error) {
            if (error.code() == ErrorCode::infeasible) {
                return {GangEnd::infeasible, error.what()};
            }
            if (error.code() == ErrorCode::usage && !is_from_worker(error)) {
                throw;
            }
            return {stopping() ? GangEnd::interrupted : GangEnd::failed, error.what()};
        }
        const bool was_stopped = ledger_.call<&RunLedger::summary>().get().was_stopped;
        return {was_stopped ? GangEnd::interrupted : GangEnd::finished, {}};
    }

    static bool is_from_worker(const Error& error) {
        return dynamic_cast<const TaskError*>(&error) != nullptr;
    }

    /// Until the gang has ended; says meanwhile who is late.
    void wait(const Future<void>& gang) {
        if (options_.late_after.count() == 0) {
            return; // get() waits
        }
        FutureSet<void> set;
        set.add(gang, 0);
        while (!set.next(std::max<std::chrono::nanoseconds>(options_.late_after / 4,
                                                            std::chrono::milliseconds(1)))) {
            if (gang.ready()) {
                return;
            }
            for (const std::string& sentence : ledger_.call<&RunLedger::take_late>().get()) {
                if (options_.on_late) {
                    options_.on_late(sentence);
                } else {
                    std::cerr << "warning: " << sentence << '\n';
                }
            }
        }
    }

    const TrainerOptions& options_;
    const Launch& launch_;
    ActorHandle<RunLedger> ledger_;
};

} // namespace

Result fit(const TrainerOptions& options, const Launch& launch) {
    if (options.storage.empty()) {
        throw UsageError("a Trainer needs a folder for checkpoints and metrics that all ranks see; "
                         "name one in TrainerOptions::storage");
    }
    return Fit(options, launch).run();
}

} // namespace muster::train::detail
