#include "process/zygote.hpp"

#include "process/command.hpp"
#include "process/pipes.hpp"
#include "process/tail.hpp"

#include <muster/base/log.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace muster::process {
namespace {

UniqueFd memory_file(std::string_view bytes) {
    UniqueFd file(::memfd_create("muster-command", MFD_CLOEXEC));
    while (file && !bytes.empty()) {
        const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return {};
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return file;
}

/// False with errno if the zygote is gone. One packet, so threads need not take turns.
bool send_request(int socket,
                  const Request& request,
                  std::span<const int> fds,
                  std::string_view specification = {}) {
    Request copy = request;
    copy.inline_bytes = specification.size();
    std::array<iovec, 2> bytes{
        {{&copy, sizeof copy}, {const_cast<char*>(specification.data()), specification.size()}}};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(request_fds_max * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = bytes.data();
    message.msg_iovlen = bytes.size();
    if (!fds.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/// Appends what can be read without blocking, up to what the largest pipe holds: a process that
/// writes without end must not keep its reader. False at the stream's end.
bool drain(int fd, Tail& tail, CommandStream stream, const CommandOutput& on_output) {
    std::array<char, 65536> buffer; // left uninitialised: read() fills what is used
    for (int reads = 0; reads < 16; ++reads) {
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n > 0) {
            const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
            tail.append(bytes);
            if (on_output) {
                on_output(stream, bytes);
            }
        } else if (n == 0 || errno != EINTR) {
            return n < 0 && errno == EAGAIN;
        }
    }
    return true;
}

bool readable(const pollfd& event) {
    return (event.revents & (POLLIN | POLLHUP | POLLERR)) != 0;
}

CommandResult to_result(const Report& report) {
    CommandResult result;
    result.signal = WIFSIGNALED(report.value) ? WTERMSIG(report.value) : 0;
    result.exit_code = result.signal != 0 ? 128 + result.signal : WEXITSTATUS(report.value);
    result.wall_seconds = static_cast<double>(report.wall_ns) * 1e-9;
    result.cpu_seconds = static_cast<double>(report.cpu_ns) * 1e-9;
    result.memory_peak = Bytes{report.memory_peak_bytes};
    return result;
}

Failure zygote_is_gone(std::string_view command) {
    return {
        ErrorCode::failed,
        fmt::format("command '{}': the process that starts commands for this rank was killed, or "
                    "has no file descriptor left (see ulimit -n)",
                    command)};
}

} // namespace

std::size_t count_threads() {
    std::error_code error;
    std::size_t count = 0;
    for (std::filesystem::directory_iterator at("/proc/self/task", error), end; !error && at != end;
         at.increment(error)) {
        ++count;
    }
    return count;
}

Process::Process(Process&& other) noexcept
    : zygote_(std::exchange(other.zygote_, nullptr)), id_(other.id_), pid_(other.pid_),
      name_(std::move(other.name_)), program_(std::move(other.program_)),
      directory_(std::move(other.directory_)), input_file_(std::move(other.input_file_)),
      capture_max_(other.capture_max_), memory_limit_(other.memory_limit_),
      report_(std::move(other.report_)), out_(std::move(other.out_)), err_(std::move(other.err_)) {
}

Process::~Process() {
    if (zygote_ != nullptr) {
        zygote_->signal(id_, SIGKILL);
    }
}

Result<std::unique_ptr<Zygote>> Zygote::fork_off(std::function<void(UniqueFd)> serve,
                                                 MemoryControl memory_control) {
    if (const std::size_t threads = count_threads(); threads > 1) {
        log::warn(
            "process",
            "several_threads_before_start threads={} why=\"a library starts threads when it is "
            "loaded; starting commands may hang\" try=\"OPENBLAS_NUM_THREADS=1\"",
            threads);
    }
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return system_failure("cannot make a socket to start commands through", errno);
    }
    UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    const pid_t rank = ::getpid();
    std::fflush(nullptr); // what is buffered must not be written twice
    // The zygote must not die of a signal to the process group before it has blocked them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::fork();
    if (pid != 0) {
        const int error = errno;
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        errno = error;
    }
    if (pid < 0) {
        return system_failure("cannot fork the process that starts commands", errno);
    }
    if (pid == 0) {
        ours.reset();
        run_zygote(std::move(theirs), rank, {std::move(serve), memory_control});
    }
    return std::unique_ptr<Zygote>(new Zygote(std::move(ours), pid));
}

Zygote::~Zygote() {
    socket_.reset();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

Result<Process> Zygote::start(const CommandSpec& spec, Bytes memory_limit) {
    if (auto wrong = check(spec)) {
        return *wrong;
    }
    const auto cannot = [&](std::string_view what) {
        return system_failure(fmt::format("command '{}': {}", describe(spec), what), errno);
    };
    const std::string encoded = encode(spec);
    const bool inlined = encoded.size() <= inline_bytes_max;
    const UniqueFd file = inlined ? UniqueFd() : memory_file(encoded);
    if (!inlined && !file) {
        return cannot("cannot hand it over");
    }
    auto report = make_pipe();
    auto out = report && spec.capture ? make_pipe() : std::optional<Pipe>(Pipe{});
    auto err = out && spec.capture ? make_pipe() : std::optional<Pipe>(Pipe{});
    if (!report || !out || !err) {
        return cannot("cannot make a pipe");
    }
    Process process;
    process.id_ = CommandId{next_id_.fetch_add(1, std::memory_order_relaxed)};
    const std::array fds{file.get(), report->write.get(), out->write.get(), err->write.get()};
    const Request request{Request::Kind::start, 0, process.id_, memory_limit.count};
    const std::string_view behind = inlined ? std::string_view(encoded) : std::string_view();
    if (!send_request(socket_.get(),
                      request,
                      std::span(fds).first(spec.capture ? 4 : 2).subspan(inlined ? 1 : 0),
                      behind)) {
        return zygote_is_gone(describe(spec));
    }
    // Only the zygote's ends count from here on, so that their end is seen.
    report->write.reset();
    out->write.reset();
    err->write.reset();
    process.name_ = describe(spec);
    process.program_ = spec.argv.front();
    process.directory_ = spec.directory;
    process.input_file_ = spec.input_file;
    process.capture_max_ = spec.capture_max;
    process.memory_limit_ = memory_limit;
    process.report_ = std::move(report->read);
    process.out_ = std::move(out->read);
    process.err_ = std::move(err->read);

    const auto first = next_report(process.report_.get());
    if (!first) {
        return zygote_is_gone(process.name_);
    }
    if (first->kind == Report::Kind::failed) {
        return process.explain(*first);
    }
    process.pid_ = first->pid;
    process.zygote_ = this;
    return process;
}

Result<HostedProcess> Zygote::host(Bytes memory_limit) {
    const auto cannot = [](std::string_view what) {
        return system_failure(fmt::format("no process can be made: {}", what), errno);
    };
    auto report = make_pipe();
    auto error = report ? make_pipe() : std::nullopt;
    std::array<int, 2> ends{};
    if (!error || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return cannot("no file descriptor is left for it (see ulimit -n)");
    }
    HostedProcess process;
    process.channel_ = UniqueFd(ends[0]);
    UniqueFd theirs(ends[1]);
    process.id_ = CommandId{next_id_.fetch_add(1, std::memory_order_relaxed)};
    process.memory_limit_ = memory_limit;
    const Request request{Request::Kind::host, 0, process.id_, memory_limit.count};
    const std::array fds{report->write.get(), theirs.get(), error->write.get()};
    const bool sent = send_request(socket_.get(), request, fds);
    // Only the zygote's ends count from here on, so that their end is seen.
    report->write.reset();
    error->write.reset();
    theirs.reset();
    const auto first = sent ? next_report(report->read.get()) : std::nullopt;
    if (!first) {
        return Failure{ErrorCode::failed,
                       "no process can be made: the one that makes them for this rank was killed, "
                       "or has no file descriptor left (see ulimit -n)"};
    }
    if (first->kind == Report::Kind::failed) {
        errno = first->value;
        return cannot("fork() failed");
    }
    process.report_ = std::move(report->read);
    process.error_ = std::move(error->read);
    process.pid_ = first->pid;
    process.zygote_ = this;
    return process;
}

Result<CommandResult>
Zygote::wait(Process& process, const CommandOutput& on_output, std::chrono::milliseconds timeout) {
    using Clock = std::chrono::steady_clock;
    MUSTER_ASSERT(process.zygote_ == this);
    Tail out(process.capture_max_.count);
    Tail err(process.capture_max_.count);
    std::optional<Report> failed;
    std::optional<Report> ended;
    std::array<pollfd, 3> events{{{process.report_.get(), POLLIN, 0},
                                  {process.out_.get(), POLLIN, 0},
                                  {process.err_.get(), POLLIN, 0}}}; // -1 (not captured) is ignored
    // What comes next if it does not end before: SIGTERM, SIGKILL, nothing.
    std::array<int, 2> signals{SIGTERM, SIGKILL};
    std::size_t signalled = timeout.count() > 0 ? 0 : signals.size();
    Clock::time_point deadline = Clock::now() + timeout;
    while (!ended) {
        int wait_ms = -1;
        if (signalled < signals.size()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
            if (left.count() <= 0) {
                signal(process.id_, signals[signalled++]);
                deadline = Clock::now() + kill_grace;
                continue;
            }
            wait_ms = static_cast<int>(std::min<std::int64_t>(left.count(), 1'000'000'000));
        }
        ::poll(events.data(), events.size(), wait_ms);
        if (readable(events[1]) && !drain(events[1].fd, out, CommandStream::out, on_output)) {
            events[1].fd = -1;
        }
        if (readable(events[2]) && !drain(events[2].fd, err, CommandStream::err, on_output)) {
            events[2].fd = -1;
        }
        if (readable(events[0])) {
            const auto report = next_report(events[0].fd);
            if (!report) {
                process.zygote_ = nullptr;
                return zygote_is_gone(process.name_);
            }
            (report->kind == Report::Kind::ended ? ended : failed) = report;
        }
    }
    process.zygote_ = nullptr;
    if (failed) {
        return process.explain(*failed);
    }
    if (ended->memory_exceeded_bytes > 0) {
        ProcessEnd end;
        end.memory_exceeded = Bytes{ended->memory_exceeded_bytes};
        return Failure{
            ErrorCode::failed,
            fmt::format("command '{}' {}", process.name_, describe(end, process.memory_limit_))};
    }
    CommandResult result = to_result(*ended);
    // Written before the end, and not read yet.
    if (events[1].fd >= 0) {
        drain(events[1].fd, out, CommandStream::out, on_output);
    }
    if (events[2].fd >= 0) {
        drain(events[2].fd, err, CommandStream::err, on_output);
    }
    result.timed_out = timeout.count() > 0 && signalled > 0;
    result.out_dropped = Bytes{out.dropped()};
    result.err_dropped = Bytes{err.dropped()};
    result.out = out.take();
    result.err = err.take();
    return result;
}

void Zygote::signal(CommandId id, int number) {
    // If the zygote is gone, so is the command.
    send_request(socket_.get(), {Request::Kind::signal, number, id, 0}, {});
}

Failure Process::explain(const Report& report) const {
    const auto sentence = [&](std::string_view text) { return system_failure(text, report.value); };
    switch (report.stage) {
    case Report::Stage::directory:
        return sentence(fmt::format("cannot start {} in directory {}", program_, directory_));
    case Report::Stage::input:
        return sentence(fmt::format("cannot start {}: cannot read its input {}",
                                    program_,
                                    input_file_.empty() ? "/dev/null" : input_file_));
    case Report::Stage::affinity:
        return sentence(fmt::format("cannot start {}: cannot bind it to its CPUs", program_));
    case Report::Stage::fork:
        return sentence(fmt::format("cannot start {}: no process can be made", program_));
    case Report::Stage::none:
    case Report::Stage::request:
    case Report::Stage::program:
        break;
    }
    const std::string where = directory_.empty() ? "" : fmt::format(" in directory {}", directory_);
    return sentence(fmt::format("cannot start {}{}", program_, where));
}

} // namespace muster::process
