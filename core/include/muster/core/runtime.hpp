#pragma once

#include <muster/core/coroutine.hpp>
#include <muster/core/options.hpp>
#include <muster/core/resources.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>

namespace muster {

namespace detail {

int run(int argc, char** argv, const std::function<int()>& driver, const RunOptions& options);

} // namespace detail

/// Runs a program on a cluster made of the processes that started it.
///
/// Started by an MPI launcher (mpirun, srun), every process calls run() and is one rank; started
/// alone, the process is the whole cluster and MPI is not touched. The ranks elect a coordinator;
/// `driver` (callable without arguments, returning nothing or an exit code, or a Coroutine of
/// either) runs once, on world rank 0, and submits tasks; the other ranks serve it. When it
/// returns, unfinished tasks are asked to stop and every rank's run() returns.
///
/// A run may have to end before that: at SIGTERM, SIGUSR2 (as a batch system sends it ahead of the
/// end), or when its time limit is near. Then no task starts any more, what runs may finish, hooks
/// run (<muster/core/ending.hpp>), and when the time is short or nothing gets on any more, what has
/// not started fails with ErrorCode::ending, and what runs is asked to stop; the driver may save
/// and return. When the time is over, processes end as they are. Ctrl-C (SIGINT) asks to stop at
/// once, and leaves a second; a second Ctrl-C leaves none. SIGUSR1 prints a page that says what
/// waits on whom. Unless the program has handlers of its own for SIGUSR1 and SIGUSR2.
///
/// @return The same on every rank: 0, or what `driver` returned; 2 if it threw UsageError, 1 if it
///         threw anything else (the message is printed on standard error once, by its rank); 75
///         (try again) if the run was ended before, whatever the driver returned, and 130 if it was
///         interrupted.
///
/// Once a rank was lost (and survived), MPI cannot be finalized: run() then does not return, but
/// ends the process with that code, standard output flushed. See docs/lost-ranks.md.
///
/// Call it from main(), before starting threads; under an MPI launcher only once per process.
///
/// Environment: docs/environment.md lists the MUSTER_* variables.
template <class Driver>
requires std::is_invocable_v<Driver&>

int run(int argc, char** argv, Driver&& driver, const RunOptions& options = {}) {
    return detail::run(
        argc,
        argv,
        [&driver]() -> int {
            using Returned = std::invoke_result_t<Driver&>;
            using Result = typename detail::CoroutineResult<Returned>::type;
            const auto call = [&]() -> Result {
                if constexpr (detail::is_coroutine<Returned>) {
                    return driver().get();
                } else {
                    return driver();
                }
            };
            if constexpr (std::is_void_v<Result>) {
                call();
                return 0;
            } else {
                static_assert(std::is_convertible_v<Result, int>,
                              "muster: a driver returns nothing, or its exit code");
                return static_cast<int>(call());
            }
        },
        options);
}

/// What the running cluster looks like from here.
struct ClusterInfo {
    std::int32_t ranks = 1;
    std::int32_t nodes = 1;
    Rank rank{}; ///< The calling thread's.
    Rank coordinator{};
    std::string coordinator_reason; ///< Why that rank was elected.
    Resources capacity;             ///< Of all ranks together.
    /// Whether a rank that dies leaves the others running, as far as the launcher shows it; nothing
    /// if it does not show. docs/lost-ranks.md tells how each launcher is told to.
    std::optional<bool> survives_lost_ranks;
};

/// @throws Error (usage) outside a run.
ClusterInfo cluster();

/// Waits until the journal has the results of all keyed tasks that are done by now on stable
/// storage.
///
/// It gets there by itself: at the end of the run, when a signal ends it, and otherwise within a
/// second, so that a crash of the machine costs what was done in the last second and no more. No
/// effect without a journal.
/// @throws Error (usage) outside the driver; Error (failed) if the journal cannot be written.
void sync_journal();

/// What becomes of the keyed tasks that were submitted and have no result yet.
struct JournalStatus {
    std::uint64_t running = 0;   ///< Keys that this run computes, or is about to.
    std::uint64_t elsewhere = 0; ///< Keys that other jobs compute, whose results are waited for.
};

/// Nothing of either without a journal. @throws Error (usage) outside the driver.
[[nodiscard]] JournalStatus journal_status();

} // namespace muster
