#include "process/zygote_loop.hpp"

#include "process/launch.hpp"
#include "process/memory_group.hpp"
#include "process/memory_watch.hpp"
#include "process/protocol.hpp"

#include <muster/slurm/launch.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::process {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds group_look_interval{100};

struct Running {
    CommandId id{};
    UniqueFd report;
    Clock::time_point started;
    std::optional<MemoryGroup> memory_group;
    std::uint64_t memory_exceeded_bytes = 0; ///< Seen by the watch, which then ended it.
};

/// The rank's environment but for what makes it a process of its MPI launcher.
std::vector<std::string> inheritable_environment() {
    std::vector<std::string> result;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        if (!slurm::ties_to_launcher(text.substr(0, text.find('=')))) {
            result.emplace_back(text);
        }
    }
    return result;
}

void send_report(int fd, const Report& report) {
    // Nobody may be listening any more: the waiter has given up, or the rank is gone.
    [[maybe_unused]] const auto written = ::write(fd, &report, sizeof report);
}

std::optional<std::string> read_all(int file) {
    struct stat info {};

    if (::fstat(file, &info) != 0) {
        return std::nullopt;
    }
    std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n =
            ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return std::nullopt;
        }
        done += static_cast<std::size_t>(n);
    }
    return bytes;
}

UniqueFd above_2(UniqueFd fd) {
    return fd.get() > STDERR_FILENO
               ? std::move(fd)
               : UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

class Loop {
public:
    Loop(UniqueFd socket, pid_t rank_pid, ZygoteOptions options)
        : socket_(std::move(socket)), rank_pid_(rank_pid), options_(std::move(options)),
          inherited_(inheritable_environment()), launcher_(inherited_) {}

    [[noreturn]] void run() {
        prepare();
        while (serve()) {
        }
        end_all();
        ::_exit(0);
    }

private:
    void prepare() {
        ::prctl(PR_SET_NAME, "muster-zygote");
        // Launchers end a job by killing the process group of each rank, without a moment's warning
        // (Open MPI's mpirun: SIGTERM and SIGKILL at once). The zygote must live to end commands.
        ::setpgid(0, 0);
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);
        // A second sign that the rank is gone, should something hold its end of the socket open.
        ::prctl(PR_SET_PDEATHSIG, SIGHUP);
        socket_ = above_2(std::move(socket_));
        close_above_2(socket_.get());
        // Commands expect 0 to 2 to be open, and the rank may have been started without.
        const UniqueFd null = above_2(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
        ::dup2(null.get(), STDIN_FILENO);
        for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
            if (::fcntl(fd, F_GETFD) < 0) {
                ::dup2(null.get(), fd);
            }
        }
        // All signals stay blocked, as they came, rather than ignored: a signal to a command that
        // has not got as far as exec then waits for it instead of being lost.
        ::signal(SIGCHLD, SIG_DFL); // ignored, it would reap our children for us
        sigset_t awaited;
        sigemptyset(&awaited);
        sigaddset(&awaited, SIGCHLD);
        sigaddset(&awaited, SIGHUP);
        signals_ = UniqueFd(::signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK));
    }

    /// Waits for one round of events; false when the rank is gone.
    bool serve() {
        if (::getppid() != rank_pid_) {
            return false;
        }
        std::array<pollfd, 2> events{{{socket_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}}};
        if (::poll(events.data(), events.size(), milliseconds_to_look()) < 0) {
            return errno == EINTR;
        }
        watch_memory();
        if (events[1].revents != 0) {
            signalfd_siginfo info{};
            while (::read(signals_.get(), &info, sizeof info) > 0) {
            }
            reap();
        }
        return events[0].revents == 0 || receive();
    }

    /// One request; false at the socket's end.
    bool receive() {
        Request request;
        std::array<iovec, 2> bytes{
            {{&request, sizeof request}, {specification_.data(), specification_.size()}}};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(request_fds_max * sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = bytes.data();
        message.msg_iovlen = bytes.size();
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t n = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
        if (n < 0) {
            return errno == EINTR || errno == EAGAIN;
        }
        std::vector<UniqueFd> fds;
        const cmsghdr* const header = CMSG_FIRSTHDR(&message);
        if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
            const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
                fds.emplace_back(fd);
            }
        }
        if (n < static_cast<ssize_t>(sizeof request) ||
            request.inline_bytes != static_cast<std::size_t>(n) - sizeof request) {
            return n != 0;
        }
        if (request.kind == Request::Kind::signal) {
            signal_group(request.id, request.signal);
        } else if (request.kind == Request::Kind::host && fds.size() == 3) {
            host(request, std::move(fds));
        } else if (request.kind == Request::Kind::start && !fds.empty()) {
            start(request, std::move(fds));
        } // fewer: out of descriptors; the closed pipe tells the rank
        return true;
    }

    void host(const Request& request, std::vector<UniqueFd> fds) {
        HostPlan plan{std::move(fds[1]), std::move(fds[2])};
        UniqueFd report = std::move(fds[0]);
        const auto now = Clock::now();
        register_child(
            launch_hosted(plan, inherited_, options_.serve), request, std::move(report), now);
    }

    /// What was forked, or not (-1, errno), is told to the rank.
    void
    register_child(pid_t pid, const Request& request, UniqueFd report_pipe, Clock::time_point now) {
        Report report;
        if (pid < 0) {
            report.kind = Report::Kind::failed;
            report.stage = Report::Stage::fork;
            report.value = errno;
            send_report(report_pipe.get(), report);
            return;
        }
        Running running{request.id, std::move(report_pipe), now, {}, 0};
        if (request.memory_limit_bytes > 0) {
            limit_memory(pid, request.memory_limit_bytes, running);
        }
        report.pid = pid;
        send_report(running.report.get(), report);
        running_.emplace(pid, std::move(running));
        pids_.emplace(request.id, pid);
    }

    void limit_memory(pid_t pid, std::uint64_t limit_bytes, Running& running) {
        if (options_.memory_control == MemoryControl::kernel_or_watch) {
            auto group = MemoryGroup::make(
                limit_bytes, "muster-" + std::to_string(::getpid()) + "-" + std::to_string(pid));
            if (group && group->take_in(pid)) {
                running.memory_group.emplace(std::move(*group));
                return;
            }
        }
        memory_watch_.add(pid, limit_bytes, Clock::now());
    }

    /// For poll(2).
    [[nodiscard]] int milliseconds_to_look() const {
        auto next = memory_watch_.next_look();
        if (std::ranges::any_of(running_, [](const auto& entry) {
                return entry.second.memory_group.has_value();
            })) {
            next = next ? std::min(*next, next_group_look_) : next_group_look_;
        }
        if (!next) {
            return -1;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now());
        return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }

    void watch_memory() {
        for (const auto& [pid, used_bytes] : memory_watch_.look(Clock::now())) {
            running_.at(pid).memory_exceeded_bytes = used_bytes;
            ::kill(-pid, SIGKILL);
        }
        if (Clock::now() < next_group_look_) {
            return;
        }
        // The kernel may have ended a process that the leader started, and not the leader.
        for (const auto& [pid, running] : running_) {
            if (running.memory_group && running.memory_group->exceeded_bytes() > 0) {
                ::kill(-pid, SIGKILL);
            }
        }
        next_group_look_ = Clock::now() + group_look_interval;
    }

    void start(const Request& request, std::vector<UniqueFd> fds) {
        std::optional<CommandSpec> spec;
        if (request.inline_bytes > 0) {
            spec = decode(std::string_view(specification_).substr(0, request.inline_bytes));
        } else {
            const auto bytes = read_all(fds[0].get());
            spec = bytes ? decode(*bytes) : std::nullopt;
            fds.erase(fds.begin());
        }
        if (fds.empty()) {
            return;
        }
        LaunchPlan plan;
        plan.report = std::move(fds[0]);
        if (!spec || fds.size() < (spec->capture ? 3U : 1U)) {
            Report report;
            report.kind = Report::Kind::failed;
            report.stage = Report::Stage::request;
            report.value = EMFILE;
            send_report(plan.report.get(), report);
            return;
        }
        plan.spec = std::move(*spec);
        if (plan.spec.capture) {
            plan.out = std::move(fds[1]);
            plan.err = std::move(fds[2]);
        }
        fds.clear();
        const auto now = Clock::now();
        const pid_t pid = launcher_.launch(plan);
        plan.out = {}; // the command's alone, before anybody hears of it
        plan.err = {};
        register_child(pid, request, std::move(plan.report), now);
    }

    void signal_group(CommandId id, int number) {
        if (const auto place = pids_.find(id); place != pids_.end()) {
            ::kill(-place->second, number);
        }
    }

    /// Every child that has ended, and what had been left to us by commands.
    void reap() {
        while (true) {
            // Look before reaping: as long as the leader is a zombie, its group's number is taken,
            // so that the rest of the group can be killed without hitting a stranger.
            siginfo_t info{};
            if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
                break;
            }
            const auto place = running_.find(info.si_pid);
            if (place != running_.end()) {
                ::kill(-info.si_pid, SIGKILL);
            }
            int status = 0;
            rusage usage{};
            if (::wait4(info.si_pid, &status, 0, &usage) == info.si_pid &&
                place != running_.end()) {
                report_end(place->second, status, usage);
                memory_watch_.remove(place->first);
                if (place->second.memory_group) {
                    leaving_.push_back(std::move(*place->second.memory_group));
                }
                pids_.erase(place->second.id);
                running_.erase(place);
            }
        }
        // Their last processes may have been among those just reaped.
        std::erase_if(leaving_, [](MemoryGroup& group) { return group.remove(); });
    }

    static void report_end(const Running& running, int status, const rusage& usage) {
        const auto nanoseconds = [](const timeval& time) {
            return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_usec} * 1'000;
        };
        Report report;
        report.kind = Report::Kind::ended;
        report.value = status;
        report.wall_ns = std::chrono::nanoseconds(Clock::now() - running.started).count();
        report.cpu_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
        report.memory_peak_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) << 10;
        report.memory_exceeded_bytes = running.memory_group ? running.memory_group->exceeded_bytes()
                                                            : running.memory_exceeded_bytes;
        send_report(running.report.get(), report);
    }

    /// Kills and reaps until no child is left. Grandchildren become our children when their parents
    /// die, so each round may bring new ones. Bounded, for a process that the kernel cannot end
    /// (waiting for a dead file server) would hold the job's exit up for ever.
    void end_all() {
        const auto deadline = Clock::now() + std::chrono::seconds(2);
        for (const auto& [pid, running] : running_) {
            ::kill(-pid, SIGKILL);
        }
        while (Clock::now() < deadline) {
            for (const pid_t pid : children()) {
                ::kill(pid, SIGKILL);
            }
            const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
            if (pid < 0 && errno == ECHILD) {
                running_.clear(); // with the cgroups, which are empty now, as the others
                leaving_.clear();
                return;
            }
            if (pid <= 0) {
                pollfd event{signals_.get(), POLLIN, 0};
                ::poll(&event, 1, 10);
                signalfd_siginfo info{};
                while (::read(signals_.get(), &info, sizeof info) > 0) {
                }
            }
        }
    }

    static std::vector<pid_t> children() {
        const std::string self = std::to_string(::getpid());
        std::ifstream file("/proc/self/task/" + self + "/children");
        std::vector<pid_t> pids;
        for (pid_t pid = 0; file >> pid;) {
            pids.push_back(pid);
        }
        return pids;
    }

    UniqueFd socket_;
    pid_t rank_pid_;
    ZygoteOptions options_;
    UniqueFd signals_;
    std::string specification_ = std::string(inline_bytes_max, '\0'); ///< Of the last request.
    std::vector<std::string> inherited_;
    CommandLauncher launcher_;
    MemoryWatch memory_watch_;
    Clock::time_point next_group_look_{};
    std::vector<MemoryGroup> leaving_; ///< Of what has ended, but for some that it started.
    std::map<pid_t, Running> running_; ///< Leaders that have not been reaped.
    std::map<CommandId, pid_t> pids_;  ///< The same, by name.
};

} // namespace

void run_zygote(UniqueFd socket, pid_t rank_pid, ZygoteOptions options) {
    Loop(std::move(socket), rank_pid, std::move(options)).run();
}

} // namespace muster::process
