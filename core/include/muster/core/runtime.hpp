#pragma once

#include <muster/core/options.hpp>
#include <muster/core/resources.hpp>

#include <cstdint>
#include <functional>
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
/// `driver` (callable without arguments, returning nothing or an exit code) runs once, on world
/// rank 0, and submits tasks; the other ranks serve it. When it returns, unfinished tasks are asked
/// to stop and every rank's run() returns.
///
/// @return The same on every rank: 0, or what `driver` returned; 2 if it threw UsageError, 1 if it
///         threw anything else (the message is printed on standard error once, by its rank).
///
/// Call it from main(), before starting threads; under an MPI launcher only once per process.
/// A signal (SIGINT, SIGTERM) ends the process within a second, with exit status 128 + its number.
///
/// Environment: docs/environment.md lists the MUSTER_* variables.
template <class Driver>
requires std::is_invocable_v<Driver&>

int run(int argc, char** argv, Driver&& driver, const RunOptions& options = {}) {
    return detail::run(
        argc,
        argv,
        [&driver]() -> int {
            if constexpr (std::is_void_v<std::invoke_result_t<Driver&>>) {
                driver();
                return 0;
            } else {
                static_assert(std::is_convertible_v<std::invoke_result_t<Driver&>, int>,
                              "muster: a driver returns nothing, or its exit code");
                return static_cast<int>(driver());
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
};

/// @throws Error (usage) outside a run.
ClusterInfo cluster();

} // namespace muster
