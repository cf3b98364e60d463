#include "fixture.hpp"

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <string>

namespace muster::process {
namespace {

std::string read_line(int fd) {
    std::string line;
    for (char c = 0; ::read(fd, &c, 1) == 1 && c != '\n';) {
        line.push_back(c);
    }
    return line;
}

/// A command that leaves a daemon outside its group and says its process id; then runs on or ends.
CommandSpec with_daemon(const std::string& then) {
    CommandSpec spec;
    spec.argv = {
        "sh", "-c", "echo $(setsid -f sh -c 'echo $$; exec sleep 1000 >/dev/null'); " + then};
    return spec;
}

/// A rank in a process of its own, which says on `out` whom it started and then waits to be killed.
[[noreturn]] void be_rank(int out) {
    try {
        CommandSpec spec = with_daemon("exec sleep 1000 >/dev/null");
        spec.capture = false; // the daemon's number goes to the test, as standard output
        ::dup2(out, STDOUT_FILENO);
        const auto zygote = Zygote::fork_off().value_or_throw();
        const Process process = zygote->start(spec).value_or_throw();
        const std::string text =
            std::to_string(zygote->pid()) + "\n" + std::to_string(process.pid()) + "\n";
        [[maybe_unused]] const auto written = ::write(out, text.data(), text.size());
        ::pause();
    } catch (const std::exception&) {
        // The test sees what is missing.
    }
    ::_exit(1);
}

TEST(ZygoteEnd, LeavesNothingOfARankThatIsKilled) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const pid_t rank = ::fork();
    ASSERT_GE(rank, 0);
    if (rank == 0) {
        be_rank(writer.get());
    }
    writer.reset();
    // The zygote, the command and its daemon, in any order.
    std::array<int, 3> pids{};
    for (int& pid : pids) {
        pid = std::stoi(read_line(reader.get()));
        EXPECT_TRUE(runs(pid));
    }
    ::kill(rank, SIGKILL);
    ::waitpid(rank, nullptr, 0);
    for (const int pid : pids) {
        EXPECT_TRUE(ends_soon(pid));
    }
}

TEST(ZygoteEnd, TakesAlongWhatLeftItsGroup) {
    auto zygote = Zygote::fork_off().value_or_throw();
    Process process = zygote->start(with_daemon("exit 0")).value_or_throw();
    const std::string out = zygote->wait(process).value_or_throw().out;
    const int daemon = std::stoi(out);
    EXPECT_TRUE(runs(daemon)) << "a daemon outlives its command";
    zygote.reset();
    EXPECT_FALSE(runs(daemon)) << "but not the zygote";
}

TEST(ZygoteEnd, LetsPassSignalsMeantForTheProcessGroup) {
    const auto zygote = Zygote::fork_off().value_or_throw();
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM}) {
        ::kill(zygote->pid(), number);
    }
    CommandSpec spec;
    spec.argv = {"true"};
    Process process = zygote->start(spec).value_or_throw();
    EXPECT_TRUE(zygote->wait(process).value_or_throw().ok());
}

TEST(ZygoteEnd, IsAFailureForWhoWaitsOrStarts) {
    const auto zygote = Zygote::fork_off().value_or_throw();
    CommandSpec spec;
    spec.argv = {"sleep", "1000"};
    Process process = zygote->start(spec).value_or_throw();
    const int command = process.pid();
    ::kill(zygote->pid(), SIGKILL);
    const auto result = zygote->wait(process);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find("command 'sleep 1000'"), std::string::npos);
    EXPECT_FALSE(zygote->start(spec));
    EXPECT_TRUE(ends_soon(command)) << "a command dies with the zygote that started it";
}

TEST(ZygoteStart, WorksInARankWithoutStandardDescriptors) {
    const pid_t rank = ::fork();
    ASSERT_GE(rank, 0);
    if (rank == 0) {
        try {
            for (const int fd : {0, 1, 2}) {
                ::close(fd);
            }
            const auto zygote = Zygote::fork_off().value_or_throw();
            CommandSpec spec;
            spec.argv = {"sh", "-c", "cat; echo out; echo err >&2"};
            spec.input = "in ";
            Process process = zygote->start(spec).value_or_throw();
            const CommandResult result = zygote->wait(process).value_or_throw();
            ::_exit(result.out == "in out\n" && result.err == "err\n" ? 0 : 1);
        } catch (const std::exception&) {
            ::_exit(2);
        }
    }
    int status = 0;
    ::waitpid(rank, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST(ZygoteEnd, LeavesNoZombieAtItsRank) {
    { const auto zygote = Zygote::fork_off().value_or_throw(); }
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
}

TEST(Threads, AreCounted) {
    EXPECT_GE(count_threads(), 1U);
}

} // namespace
} // namespace muster::process
