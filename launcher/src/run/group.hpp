#pragma once

#include <muster/base/clock.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace muster::launcher::run {

/// One supervisor: the one of a node, or one of several on a node where srun started more. Ranks
/// are given in their order.
enum class NodeId : int {};

/// How a process ended.
struct Ending {
    int exit_code = 0;
    int signal = 0;    ///< That ended it; 0: it exited.
    std::string start; ///< Why it could not be started; empty: it was.

    [[nodiscard]] bool ok() const { return exit_code == 0 && signal == 0 && start.empty(); }

    /// As shells have it: 128 + signal.
    [[nodiscard]] int code() const { return signal != 0 ? 128 + signal : exit_code; }

    bool operator==(const Ending&) const = default;
};

/// A node's part of one generation: of the group as it runs between two restarts.
struct Placement {
    int generation = 0;
    int first_rank = 0;
    int world_size = 1;
    int first_local_rank = 0;
    int local_world_size = 1;
    int host_index = 0;
    int hosts = 1;
    int max_restarts = 0;
    std::string master_address;
    int master_port = 0;

    bool operator==(const Placement&) const = default;
};

/// What happened, reported by supervisors, the sockets to them, and muster's own signals.
struct Joined {
    NodeId node{};
    std::string host;    ///< Its name; supervisors that agree on it share LOCAL_RANKs.
    std::string address; ///< Where others reach it.
    int processes = 1;   ///< How many it starts.
    int port = 0;        ///< Free there, just now.
};

struct Exited {
    NodeId node{};
    int generation = 0;
    int index = 0; ///< Of the node's processes.
    Ending ending;
    std::int64_t pid = 0;
    std::string error_tail; ///< The last lines of its standard error.
    std::string error_file; ///< What a program of torch left in TORCHELASTIC_ERROR_FILE.
};

/// Nothing of this generation is left on the node.
struct Stopped {
    NodeId node{};
    int generation = 0;
    int port = 0; ///< Free there, just now.
};

struct Lost {
    NodeId node{};
    std::string why;
};

/// What starts the supervisors has ended; those that have not joined will not.
struct LauncherEnded {
    std::string how;
};

struct Signalled {
    int number = 0;
    bool by_node = false; ///< A supervisor got it. Slurm signals all of them at once.
};

struct Ticked {};

using Event = std::variant<Joined, Exited, Stopped, Lost, LauncherEnded, Signalled, Ticked>;

/// Orders.
struct Start {
    NodeId node{};
    Placement placement;
    bool operator==(const Start&) const = default;
};

/// SIGTERM, and after the grace SIGKILL; `at_once`: SIGKILL now. Answered by Stopped.
struct Stop {
    NodeId node{};
    int generation = 0;
    bool at_once = false;
    bool operator==(const Stop&) const = default;
};

struct Forward {
    NodeId node{};
    int signal = 0;
    bool operator==(const Forward&) const = default;
};

/// To be shown to the user, as one or several lines without the last line's end.
struct Say {
    std::string text;
    bool operator==(const Say&) const = default;
};

struct Finish {
    int code = 0;
    bool operator==(const Finish&) const = default;
};

using Action = std::variant<Start, Stop, Forward, Say, Finish>;

struct GroupOptions {
    int nodes_min = 1;
    int nodes_max = 1;
    int max_restarts = 0;
    Duration join_patience = std::chrono::minutes(5);  ///< Until `nodes_min` have joined.
    Duration last_call = std::chrono::seconds(10);     ///< From then on, for the others.
    Duration grace = std::chrono::seconds(10);         ///< From SIGTERM to SIGKILL.
    Duration stop_patience = std::chrono::seconds(20); ///< Beyond the grace: then a node is lost.
    std::optional<Duration> timeout;                   ///< Of everything.
    std::string subject; ///< What the one process is called; empty: by its rank.
};

/// With which code a run ends whose time was up, as timeout(1) has it.
inline constexpr int timed_out_code = 124;

/// Decides when the processes of all nodes start, stop, start anew, and how the run ends.
///
/// Pure: no processes, sockets or clock. The caller feeds one event at a time and carries out the
/// returned actions; after Finish it feeds no more.
///
/// The life of a group: it gathers nodes; it runs generation 0; when a process fails or a node is
/// lost, all others are stopped, and once nothing is left anywhere, the next generation starts with
/// the nodes that are there, or the run ends with the first failure's code. A failure costs one of
/// `max_restarts`. A lost node costs none: there are only so many nodes to lose.
///
/// Invariants: at most one generation runs; a generation starts only when nothing of the one before
/// is left on any node that is not lost; Finish comes once, and last.
class Group {
public:
    Group(GroupOptions options, TimePoint now);

    void on_event(TimePoint now, const Event& event, std::vector<Action>& actions);

    /// When to feed Ticked at the latest, if nothing happens.
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    [[nodiscard]] bool finished() const { return phase_ == Phase::finished; }

    /// The generation that runs, or ran last.
    [[nodiscard]] int generation() const { return generation_; }

private:
    enum class Phase { gathering, running, stopping, finished };

    struct Member {
        Joined joined;
        Placement placement;
        int running = 0;            ///< Processes of its that have not ended.
        bool in_generation = false; ///< Until it says that nothing is left.
    };

    struct Failure {
        std::string text; ///< With details, in several lines.
        std::string brief;
        int code = 1;
    };

    void handle(const Joined& event);
    void handle(const Exited& event);
    void handle(const Stopped& event);
    void handle(const Lost& event);
    void handle(const LauncherEnded& event);
    void handle(const Signalled& event);
    void handle(const Ticked& event);

    void consider_start();
    void start_generation();
    void stop_all(bool at_once);
    void consider_end();
    void after_generation();
    void finish(int code);
    void say(std::string text);
    [[nodiscard]] int nodes_possible() const;
    [[nodiscard]] int running() const;
    [[nodiscard]] std::string rank_of(const Exited& event, const Member& member) const;

    GroupOptions options_;
    TimePoint now_;
    std::vector<Action>* actions_ = nullptr;

    Phase phase_ = Phase::gathering;
    int generation_ = -1;
    int restarts_used_ = 0;
    std::map<NodeId, Member> members_;
    int gone_ = 0; ///< Nodes that were expected and will not come, or not again.
    bool launcher_ended_ = false;
    std::string launcher_how_;

    std::optional<Failure> failure_; ///< The generation's first.
    int failures_more_ = 0;
    bool lost_in_generation_ = false;
    bool timed_out_ = false;
    int ending_signal_ = 0; ///< Came from outside: no more restarts.
    bool killed_after_signal_ = false;
    std::map<int, TimePoint> signalled_at_;

    TimePoint gather_until_;
    std::optional<TimePoint> last_call_until_;
    std::optional<TimePoint> kill_at_;    ///< After a signal from outside.
    std::optional<TimePoint> stop_until_; ///< Nodes that have not stopped by then are lost.
    std::optional<TimePoint> timeout_at_;
};

/// "exit code 3", "signal 9 (Killed)", "could not be started: …".
[[nodiscard]] std::string describe(const Ending& ending);

} // namespace muster::launcher::run
