#pragma once

#include "process/tail.hpp"
#include "process/unique_fd.hpp"
#include "run/contract.hpp"
#include "run/cpu_binding.hpp"
#include "run/group.hpp"
#include "run/loop.hpp"
#include "run/output.hpp"

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace muster::launcher::run {

struct SupervisorOptions {
    NodeId node{};
    std::string host;
    std::vector<std::string> argv;
    int processes = 1;
    std::vector<std::string> inherited; ///< Variables of the processes, "NAME=value".
    bool gives_contract = true;         ///< torchrun's variables; not to a launcher of MPI ranks.
    ContractOptions contract;
    Bind bind = Bind::none;
    bool show_binding = false;
    std::vector<Cpu> cpus;
    Duration grace = std::chrono::seconds(10);
    /// The processes have muster's own standard output and error: one alone needs no one to sort
    /// them, and sees a terminal where there is one.
    bool passes_through = false;
    bool gives_input = true; ///< Rank 0 has muster's standard input, unless that is a terminal.
};

/// The processes of one node: starts them, hands on their output, sees how they end, stops them.
///
/// It must be the subreaper of all that it starts, and have no other children: whatever is left
/// when a generation has ended is killed, also what has left its process group.
class Supervisor {
public:
    using Report = std::function<void(const Event&)>;

    Supervisor(Loop& loop, SupervisorOptions options, Output& output, Report report);

    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    void carry_out(const Start& order);
    void carry_out(const Stop& order);
    void carry_out(const Forward& order);

    /// After SIGCHLD.
    void reap();

    [[nodiscard]] std::optional<TimePoint> deadline() const;
    void tick();

    /// All that was started, and what that has started, at once.
    void kill_all();

    /// Of the running generation.
    [[nodiscard]] const Placement& placement() const { return placement_; }

private:
    struct Pipe {
        process::UniqueFd fd;
        Stream stream = Stream::out;
        LineSplitter lines;
        TimePoint rest_since{}; ///< When a line began that has no end.
    };

    struct Process {
        int index = 0;
        pid_t pid = -1;
        process::UniqueFd report;
        std::vector<std::unique_ptr<Pipe>> pipes;
        process::Tail error_tail{8192};
        bool ended = false;
    };

    void start_process(int index);
    void say_binding(const std::vector<std::vector<int>>& cpus);
    void read_pipe(Process& process, Pipe& pipe);
    void pass_on(Process& process, Pipe& pipe, std::string text);
    void close_pipe(Process& process, Pipe& pipe);
    void process_ended(Process& process, int status);
    void report_failed_start(int index, const std::string& why);
    void signal_all(int number);
    void consider_stopped();
    [[nodiscard]] int running() const;
    [[nodiscard]] std::vector<int> cpus_of(int index) const;

    Loop& loop_;
    SupervisorOptions options_;
    Output& output_;
    Report report_;
    Placement placement_;
    std::vector<std::unique_ptr<Process>> processes_;
    bool stopping_ = false;
    bool paused_ = false; ///< Nobody takes the output.
    std::optional<TimePoint> kill_at_;
};

/// A port of this machine that nobody listens at, just now; 0 if there is none.
[[nodiscard]] int find_free_port();

/// Kills all descendants of this process, a subreaper, and waits for them; gives up after two
/// seconds on what the kernel cannot end.
void kill_descendants();

} // namespace muster::launcher::run
