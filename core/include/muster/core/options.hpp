#pragma once

#include <muster/base/amount.hpp>
#include <muster/core/resources.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace muster {

/// Resources on one rank: as a placement group reserves them, or a task demands them.
struct Bundle {
    Amount cpus = 1;
    Amount gpus = 0;
    Bytes memory{};
    std::map<std::string, Amount> resources{}; ///< Custom ones, by name.
};

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
    /// `pack`, `spread`, `on_rank(3)`, `on_node(1)`, or in a placement group: `group.bundle(0)`,
    /// `group.any()`. Default: automatic.
    Placement placement{};
    std::string name{}; ///< For errors and logs; default: the function's name.
    /// Of a function that takes a Communicator first: on how many ranks it runs at once, all or
    /// none. Each of them needs what the options above demand; they are placed on few nodes, and
    /// on a rank each, unless the run has only one. A member that waits in get() keeps its CPUs, so
    /// what it waits for must find others.
    std::int32_t ranks = 1;
    /// The gang calls MPI through mpi_communicator() of <muster/core/mpi.hpp>.
    bool raw_mpi = false;
    /// How many times it is run again after an attempt that was lost: its rank died, or its
    /// process. So a task may run more than once, even to its end; its result is delivered once.
    std::uint32_t retries = 3;
    /// Its own exceptions, and timeouts, count as such attempts, too.
    bool retry_exceptions = false;
    /// Before the second attempt that follows an exception or a timeout; twice as long before each
    /// later one, at most a minute. An attempt that was lost is made up for at once.
    std::chrono::milliseconds retry_delay{100};
    /// An attempt that takes longer has timed out (TaskError, ErrorCode::timed_out), to within 50
    /// ms: it is asked to stop by its stop_token, and what it takes stays taken until it returns.
    /// Counted from its start, also while it waits in get(). 0: it may take any time.
    std::chrono::milliseconds timeout{0};
    /// Counted from its submission: later than that it does not start, and has timed out even if it
    /// runs (then it is asked to stop, as above), and is not retried. 0: it has any time.
    std::chrono::milliseconds deadline{0};
    /// Runs in a process of its own, so that whatever ends it (a crash, `exit`, a signal) is a
    /// failed attempt and no more. `memory` is then a limit, and not only reserved. The process is
    /// kept for the next task of the same function: statics keep their values, as on a thread. What
    /// is inside may submit, put and get. Asked to stop it gets SIGTERM, which its stop token
    /// shows, and SIGKILL if it still runs some seconds later (MUSTER_STOP_GRACE). Not for gangs.
    bool isolate = false;
    /// The work's name in the journal (MUSTER_JOURNAL): when the program runs again, and the
    /// journal has a result of the function under this key, that is the task's result and it is not
    /// run. Two tasks of a function with one key are one piece of work also within a run. Of a
    /// map() each entry's arguments belong to its key. Without a journal it has no effect. Only the
    /// driver submits such tasks; the function's name must stay the same.
    std::string key{};
    /// The same by the function and its arguments: their encoding, so that a container without an
    /// order may count as changed. Refused for lambdas, and for functions that share their name
    /// with another, unless there is a `key` as well. An argument that is a future must be of a
    /// keyed task, or of put().
    bool keyed = false;
    /// Of a function that returns a Generator: how many values it makes ahead of who takes them.
    std::uint32_t ahead = 8;
    /// What it takes instead where there is no room for what is demanded above: the first of these
    /// for which some rank has room now. `{.gpus = 1, .or_else = {{.cpus = 16}}}`; inside,
    /// this_task().gpus() says what it got. Not for gangs, nor in placement groups.
    std::vector<Bundle> or_else{};
};

/// What an actor lives as long as.
enum class Lifetime : std::uint8_t {
    /// Its handles: it ends when no rank has one any more.
    handles,
    /// The run: it is found by its name though nobody has a handle, and ends with the run, or when
    /// it is killed. Ray calls such actors detached; there they outlive the job, because the
    /// cluster does, and here the run is the cluster. It is lost with the rank that spawned it,
    /// which the driver's never is.
    job,
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
    /// How many times it is made again, elsewhere, when its rank is lost, or in a new process when
    /// its own (`isolate`) ends: constructed from the same arguments and, if its class has `S
    /// save() const` and `void load(S)` with an S that travels, given by load() what save() gave
    /// last. Calls that were under way then fail (ErrorCode::restarted), or are replayed; later
    /// ones go to the new one.
    std::uint32_t max_restarts = 0;
    /// Lives in a process of its own, from its constructor to its destructor: if that crashes, the
    /// call under way fails with the reason, as do all later ones unless it may be restarted, on
    /// the same rank. `memory` is then a limit. A call
    /// that is cancelled is asked to stop, and not killed: that would end the actor.
    bool isolate = false;
    /// Calls from one save to the next, if the class has save() and the actor may be restarted;
    /// 0: it is never saved. save() runs behind a call and before its result is sent, alone like a
    /// call; what it gives goes to the rank that spawned the actor, and may have 128 MiB.
    std::uint32_t save_every = 1;
    /// Calls that are not in the state the actor is restarted with are sent to it again, in each
    /// caller's order: so its state has every call once, and none fails because of the restart. Who
    /// has the result of a call already keeps it. Calls and their arguments are kept by their
    /// callers until a save has them. Needs save(), and is refused without.
    bool replay = false;
    /// Calls that may be under way at once: that have started and not ended. They start in each
    /// caller's order; with more than one they may end in any. All share what the actor has: `cpus`
    /// are not multiplied. Not for actors that are saved, since save() needs a state that no call
    /// is in the middle of, nor with `isolate`.
    std::uint32_t max_concurrency = 1;
    /// Of those calls, how many may run at once, each on a thread, at most 1024; 0: all. Then the
    /// class needs locks of its own. With 1, and methods that are coroutines, it needs none: a
    /// call goes on until it ends or waits in `co_await`, and only there another goes on. What
    /// waits otherwise, in get() or for a lock, keeps its thread and its turn.
    std::uint32_t threads = 0;
    Lifetime lifetime = Lifetime::handles;
};

/// How a call is to be made: `handle.with({.urgent = true}).call<&Server::stop>()`.
///
/// Fields keep this order, and new ones are appended.
struct CallOptions {
    /// Goes before all calls, of all callers, that have not started and are not urgent: starts when
    /// the next one may. It waits for no earlier call of its caller but urgent ones, and counts
    /// neither against ActorOptions::pending_calls_max nor against what may be on its way to an
    /// actor. For a few calls that control the actor. Refused by actors with ActorOptions::replay,
    /// where it would overtake calls that are sent again.
    bool urgent = false;
};

/// How a placement group is to be placed. Written with designated initialisers:
///
///     muster::placement_group({{.cpus = 2}, {.cpus = 2}}, {.strategy = muster::Strategy::spread})
///
/// Fields keep this order, and new ones are appended.
struct PlacementGroupOptions {
    Strategy strategy = Strategy::pack;
    std::string name{};        ///< For errors and logs.
    std::int32_t priority = 0; ///< Of being placed, among tasks and other groups.
};

/// How a run is set up. Environment variables (MUSTER_*) win over these, so that a program can be
/// set up differently from outside.
struct RunOptions {
    /// Ranks of a run in one process (threads instead of processes): for tests and debugging.
    /// Ignored under an MPI launcher. MUSTER_LOCAL_RANKS.
    std::int32_t local_ranks = 1;
    /// From the call of run(): when it is near, the run begins to end, and exits with code 75. 0:
    /// no limit but that of the Slurm job. MUSTER_TIME_LIMIT.
    std::chrono::nanoseconds time_limit{0};
    /// How long before the limit it begins to end; 0: a minute, but no more than a tenth of the
    /// time. MUSTER_TIME_LEAD.
    std::chrono::nanoseconds time_lead{0};
    /// Directory of the journal, in which keyed tasks' results outlive the run; made if it is not
    /// there. Empty: none. MUSTER_JOURNAL.
    std::string journal{};
    /// Which results a journal may hold: one that another version wrote is refused. Change it when
    /// results of before are not right any more. MUSTER_PROGRAM_VERSION.
    std::string program_version{};
    /// Directory into which every rank writes what happens on it, for `muster trace` and `muster
    /// report`; made if it is not there. Empty: nothing is written. MUSTER_TRACE.
    std::string trace{};
};

} // namespace muster
