#pragma once

#include <muster/base/amount.hpp>
#include <muster/core/resources.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace muster {

/// How a task is to be run. Written with designated initialisers:
///
///     muster::task<&train>.with({.cpus = 2, .gpus = 0.5, .priority = 10})(config)
///
/// Fields keep this order, and new ones are appended.
struct TaskOptions {
    Amount cpus = 1;
    Amount gpus = 0;
    Bytes memory{}; ///< Reserved, so that tasks that need much are not put on one rank.
    /// Custom resources by name, as MUSTER_RESOURCES declares them: `{{"license", 1}}`.
    std::map<std::string, Amount> resources{};
    std::int32_t priority = 0; ///< Higher runs first.
    Placement placement{};     ///< `pack`, `spread`, `on_rank(3)`, `on_node(1)`; default automatic.
    std::string name{};        ///< For errors and logs; default: the function's name.
    /// Of a function that takes a Communicator first: on how many ranks it runs at once, all or
    /// none. Each of them needs what the options above demand; they are placed on few nodes, and
    /// on a rank each, unless the run has only one. A member that waits in get() keeps its CPUs, so
    /// what it waits for must find others.
    std::int32_t ranks = 1;
    /// The gang calls MPI through mpi_communicator() of <muster/core/mpi.hpp>.
    bool raw_mpi = false;
};

/// How an actor is to be made and where. Written with designated initialisers:
///
///     muster::spawn<Counter>({.name = "hits"}, 10)
///
/// Fields keep this order, and new ones are appended.
struct ActorOptions {
    /// Taken from its rank for as long as the actor lives. The default is none: an idle actor costs
    /// no CPU, and its calls share its rank's cores with the tasks there. An actor with CPUs of its
    /// own keeps them also while a call of it waits for a future.
    Amount cpus = 0;
    Amount gpus = 0;
    Bytes memory{};
    std::map<std::string, Amount> resources{};
    std::int32_t priority = 0; ///< Of being made, among tasks; calls have none.
    Placement placement{};
    std::string name{}; ///< For find_actor(), errors and logs; unique among living actors.
    /// Calls of one caller (the driver, a task, an actor) that are not done: with more, call()
    /// waits. An actor's calls to itself are not counted.
    std::uint32_t pending_calls_max = 100'000;
};

/// How a run is set up. Environment variables (MUSTER_*) win over these, so that a program can be
/// set up differently from outside.
struct RunOptions {
    /// Ranks of a run in one process (threads instead of processes): for tests and debugging.
    /// Ignored under an MPI launcher. MUSTER_LOCAL_RANKS.
    std::int32_t local_ranks = 1;
};

} // namespace muster
