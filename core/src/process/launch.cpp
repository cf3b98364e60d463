#include "process/launch.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>

namespace muster::process {
namespace {

constexpr std::chrono::milliseconds slow_start{20};
constexpr int forks_after_slow_start = 64;

/// Where close_range(2) is not there.
std::vector<int> open_descriptors_above_2() {
    std::vector<int> fds;

    struct CloseDirectory {
        void operator()(DIR* directory) const { ::closedir(directory); }
    };

    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir("/proc/self/fd"));
    if (directory == nullptr) {
        return fds;
    }
    const int own = ::dirfd(directory.get());
    while (const dirent* entry = ::readdir(directory.get())) {
        const int fd = std::atoi(entry->d_name);
        if (fd > STDERR_FILENO && fd != own) {
            fds.push_back(fd);
        }
    }
    return fds;
}

std::vector<std::string> merged(const std::vector<std::string>& inherited,
                                const std::vector<std::pair<std::string, std::string>>& own) {
    std::vector<std::string> result = inherited;
    for (const auto& [name, value] : own) {
        const std::string start = name + "=";
        const auto same = std::ranges::find_if(
            result, [&](const std::string& entry) { return entry.starts_with(start); });
        if (same != result.end()) {
            *same = start + value;
        } else {
            result.push_back(start + value);
        }
    }
    return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (std::string& text : texts) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

/// A memory file that holds `text` and is read from its start.
UniqueFd memory_file(const std::string& text) {
    UniqueFd file(::memfd_create("muster-input", MFD_CLOEXEC));
    std::size_t done = 0;
    while (file && done < text.size()) {
        const ssize_t n = ::write(file.get(), text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return {};
        }
        done += static_cast<std::size_t>(n);
    }
    if (file && ::lseek(file.get(), 0, SEEK_SET) != 0) {
        return {};
    }
    return file;
}

UniqueFd open_input(const CommandSpec& spec) {
    if (!spec.input.empty()) {
        return memory_file(spec.input);
    }
    const char* path = spec.input_file.empty() ? "/dev/null" : spec.input_file.c_str();
    return UniqueFd(::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
}

bool bind_to(const std::vector<int>& cpu_ids) {
    if (cpu_ids.empty()) {
        return true;
    }
    const auto count =
        static_cast<std::size_t>(std::max(0, *std::ranges::max_element(cpu_ids))) + 1;
    const std::size_t size = CPU_ALLOC_SIZE(count);
    cpu_set_t* const set = CPU_ALLOC(count);
    if (set == nullptr) {
        return false;
    }
    CPU_ZERO_S(size, set);
    for (const int id : cpu_ids) {
        if (id >= 0) {
            CPU_SET_S(static_cast<std::size_t>(id), size, set);
        }
    }
    const bool bound = ::sched_setaffinity(0, size, set) == 0;
    CPU_FREE(set);
    return bound;
}

/// Signals that are not handled as at login.
std::vector<int> changed_signals() {
    std::vector<int> changed;
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction action {};

        if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_DFL) {
            changed.push_back(number);
        }
    }
    return changed;
}

/// Whoever runs a program expects these as they are at login, not as the zygote has them. A signal
/// that came meanwhile takes effect here.
void reset_signals(const std::vector<int>& changed) {
    for (const int number : changed) {
        ::signal(number, SIG_DFL); // refused for the C library's own
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// What exec needs, made before the fork: a child that shares memory must not leave anything in it.
struct Prepared {
    std::vector<std::string> words;
    std::vector<char*> arguments;
    std::vector<std::string> entries;
    std::vector<char*> variables;

    Prepared(const CommandSpec& spec, const std::vector<std::string>& inherited)
        : words(spec.argv), arguments(pointers(words)),
          entries(merged(inherited, spec.environment)), variables(pointers(entries)) {}
};

/// In the child; ends in exec or in a report. After vfork() its memory is the parent's: it takes
/// and gives back what it needs, and changes nothing.
[[noreturn]] void become(const LaunchPlan& plan,
                         const Prepared& prepared,
                         const std::vector<int>& changed_signals,
                         pid_t zygote) {
    const auto fail = [&](Report::Stage stage) {
        Report report;
        report.kind = Report::Kind::failed;
        report.stage = stage;
        report.value = errno;
        [[maybe_unused]] const auto written = ::write(plan.report.get(), &report, sizeof report);
        ::_exit(127);
    };
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != zygote) {
        ::_exit(127); // it died before prctl
    }
    const CommandSpec& spec = plan.spec;
    {
        const UniqueFd input = open_input(spec);
        if (!input || ::dup2(input.get(), STDIN_FILENO) < 0) {
            fail(Report::Stage::input);
        }
    }
    if ((plan.out && ::dup2(plan.out.get(), STDOUT_FILENO) < 0) ||
        (plan.err && ::dup2(plan.err.get(), STDERR_FILENO) < 0)) {
        fail(Report::Stage::request);
    }
    if (!spec.directory.empty() && ::chdir(spec.directory.c_str()) != 0) {
        fail(Report::Stage::directory);
    }
    if (!bind_to(spec.cpu_ids)) {
        fail(Report::Stage::affinity);
    }
    close_on_exec_above_2();
    ::environ = const_cast<char**>(prepared.variables.data()); // execvp looks in this PATH
    reset_signals(changed_signals);
    ::execvp(prepared.arguments.front(), prepared.arguments.data());
    fail(Report::Stage::program);
    ::_exit(127);
}

/// In the child of launch_hosted().
[[noreturn]] void host(HostPlan& plan,
                       const std::vector<std::string>& inherited,
                       const std::function<void(UniqueFd)>& serve,
                       pid_t zygote) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, "muster-task");
    if (::getppid() != zygote || ::dup2(plan.error.get(), STDERR_FILENO) < 0) {
        ::_exit(127);
    }
    close_above_2(plan.channel.get());
    std::vector<std::string> variables = inherited;
    std::vector<char*> environment = pointers(variables);
    ::environ = environment.data(); // both live as long as the process
    reset_signals(changed_signals());
    serve(std::move(plan.channel));
    ::_exit(0);
}

} // namespace

pid_t launch_hosted(HostPlan& plan,
                    const std::vector<std::string>& inherited,
                    const std::function<void(UniqueFd)>& serve) {
    const pid_t zygote = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        host(plan, inherited, serve, zygote);
    }
    if (child > 0) {
        ::setpgid(child, child); // here too: a signal may be sent before the child gets to it
    }
    return child;
}

void close_on_exec_above_2() {
#ifdef SYS_close_range
    constexpr unsigned cloexec = 1U << 2U; // CLOSE_RANGE_CLOEXEC, of Linux 5.11
    if (::syscall(SYS_close_range, 3U, ~0U, cloexec) == 0) {
        return;
    }
#endif
    for (const int fd : open_descriptors_above_2()) {
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

void close_above_2(int keep) {
    for (const int fd : open_descriptors_above_2()) {
        if (fd != keep) {
            ::close(fd);
        }
    }
}

CommandLauncher::CommandLauncher(std::vector<std::string> inherited)
    : inherited_(std::move(inherited)), changed_signals_(changed_signals()) {
}

pid_t CommandLauncher::launch(const LaunchPlan& plan) {
    using Clock = std::chrono::steady_clock;
    const pid_t zygote = ::getpid();
    const Prepared prepared(plan.spec, inherited_);
    const bool forks = forks_left_ > 0;
    char** const environment = ::environ;
    const auto begin = Clock::now();
    const pid_t child = forks ? ::fork() : ::vfork();
    if (child == 0) {
        become(plan, prepared, changed_signals_, zygote);
    }
    const int error = errno;
    ::environ = environment; // the child set it, perhaps in this memory
    if (forks) {
        --forks_left_;
    } else if (Clock::now() - begin > slow_start) {
        forks_left_ = forks_after_slow_start;
    }
    if (child > 0) {
        ::setpgid(child, child); // here too: a signal may be sent before the child gets to it
    }
    errno = error;
    return child;
}

} // namespace muster::process
