#include "fixture.hpp"

#include <sched.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace muster::process {
namespace {

TEST_F(ZygoteTest, ReportsExitCodes) {
    EXPECT_TRUE(shell("exit 0").ok());
    const CommandResult result = shell("exit 3");
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.signal, 0);
}

TEST_F(ZygoteTest, ReportsSignals) {
    const CommandResult result = shell("kill -SEGV $$");
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.signal, SIGSEGV);
    EXPECT_EQ(result.exit_code, 128 + SIGSEGV);
}

TEST_F(ZygoteTest, CapturesOutputAndErrorApart) {
    const CommandResult result = shell("echo out; echo err >&2");
    EXPECT_EQ(result.out, "out\n");
    EXPECT_EQ(result.err, "err\n");
    EXPECT_EQ(result.out_dropped, Bytes{0});
}

TEST_F(ZygoteTest, KeepsTheEndOfLongOutputAndCountsTheRest) {
    CommandSpec spec = shell_spec("head -c 3000000 /dev/zero; printf end");
    spec.capture_max = Bytes{100'000};
    const CommandResult result = run(spec);
    EXPECT_EQ(result.out.size(), 100'000U);
    EXPECT_EQ(result.out.substr(result.out.size() - 3), "end");
    EXPECT_EQ(result.out_dropped, Bytes{3'000'003 - 100'000});
}

TEST_F(ZygoteTest, PassesOutputThroughWhereItIsNotCaptured) {
    CommandSpec spec = shell_spec("exit 4");
    spec.capture = false;
    const CommandResult result = run(spec);
    EXPECT_EQ(result.exit_code, 4);
    EXPECT_EQ(result.out, "");
}

TEST_F(ZygoteTest, SaysWhyAProgramCannotStart) {
    CommandSpec spec;
    spec.argv = {"./no-such-program", "--seed"};
    EXPECT_EQ(failure_of(spec).message,
              "cannot start ./no-such-program: No such file or directory");
    spec = shell_spec("true");
    spec.directory = "/no/such/directory";
    EXPECT_EQ(failure_of(spec).message,
              "cannot start sh in directory /no/such/directory: No such file or directory");
    spec = shell_spec("true");
    spec.input_file = "/no/such/file";
    EXPECT_EQ(failure_of(spec).message,
              "cannot start sh: cannot read its input /no/such/file: No such file or directory");
}

TEST_F(ZygoteTest, RefusesAMalformedSpecificationAtOnce) {
    EXPECT_EQ(zygote_->start({}).error().code, ErrorCode::usage);
}

TEST_F(ZygoteTest, SetsEnvironmentAndDirectory) {
    CommandSpec spec = shell_spec("echo $MUSTER_TEST_A $MUSTER_TEST_B; pwd");
    spec.environment = {{"MUSTER_TEST_A", "one two"}, {"MUSTER_TEST_B", "three"}};
    spec.directory = "/proc";
    EXPECT_EQ(run(spec).out, "one two three\n/proc\n");
}

TEST_F(ZygoteTest, LooksForProgramsInTheCommandsOwnPath) {
    CommandSpec spec;
    spec.argv = {"sh", "-c", "true"};
    spec.environment = {{"PATH", "/no/such/directory"}};
    EXPECT_EQ(failure_of(spec).message, "cannot start sh: No such file or directory");
}

TEST_F(ZygoteTest, GivesInputFromTextFromAFileOrNone) {
    CommandSpec spec;
    spec.argv = {"cat"};
    EXPECT_EQ(run(spec).out, "");
    spec.input = std::string(300'000, 'x');
    EXPECT_EQ(run(spec).out, spec.input);
    spec.input.clear();
    spec.input_file = "/proc/self/comm";
    EXPECT_EQ(run(spec).out, "cat\n");
}

TEST_F(ZygoteTest, BindsToTheGivenCpus) {
    cpu_set_t mask;
    ASSERT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(static_cast<std::size_t>(last), &mask)) {
        --last;
    }
    CommandSpec spec = shell_spec("grep Cpus_allowed_list /proc/self/status");
    spec.cpu_ids = {last};
    EXPECT_EQ(run(spec).out, "Cpus_allowed_list:\t" + std::to_string(last) + "\n");
}

TEST_F(ZygoteTest, StartsCommandsWithDefaultSignalsAndThreeDescriptors) {
    const CommandResult result =
        shell("grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd");
    EXPECT_NE(result.out.find("SigBlk:\t0000000000000000"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("SigIgn:\t0000000000000000"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("\n0\n1\n2\n3\n"), std::string::npos) << "3 is ls's own\n"
                                                                    << result.out;
    EXPECT_EQ(result.out.find("\n4\n"), std::string::npos) << result.out;
}

TEST_F(ZygoteTest, MeasuresTimeAndMemory) {
    const CommandResult result = shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
    EXPECT_GT(result.cpu_seconds, 0.0);
    EXPECT_GT(result.wall_seconds, 0.0);
    EXPECT_GT(result.memory_peak, 100_KiB);
}

TEST_F(ZygoteTest, SignalsTheWholeGroup) {
    Process process =
        zygote_->start(shell_spec("sleep 100 & echo $!; sleep 100 | sleep 100")).value_or_throw();
    zygote_->signal(process.id(), SIGTERM);
    const CommandResult result = zygote_->wait(process).value_or_throw();
    EXPECT_EQ(result.signal, SIGTERM);
    if (!result.out.empty()) {
        EXPECT_TRUE(ends_soon(std::stoi(result.out)));
    }
}

TEST_F(ZygoteTest, KillsWhatACommandLeavesInItsGroup) {
    const CommandResult result = shell("sleep 100 & echo $!");
    EXPECT_TRUE(result.ok());
    EXPECT_TRUE(ends_soon(std::stoi(result.out)));
}

TEST_F(ZygoteTest, DoesNotWaitForADaemonThatHoldsTheOutput) {
    // The substitution ends when the daemon has left the group and its output to descriptor 3.
    const CommandResult result =
        shell("exec 3>&1; pid=$(setsid -f sh -c 'echo $$; exec sleep 1000 >&3'); echo $pid");
    EXPECT_TRUE(result.ok());
    EXPECT_TRUE(runs(std::stoi(result.out)));
}

TEST_F(ZygoteTest, KillsACommandThatNobodyWaitsFor) {
    int pid = 0;
    {
        const Process process = zygote_->start(shell_spec("sleep 100")).value_or_throw();
        pid = process.pid();
    }
    EXPECT_TRUE(ends_soon(pid));
}

TEST_F(ZygoteTest, IgnoresSignalsToACommandThatHasEnded) {
    Process process = zygote_->start(shell_spec("true")).value_or_throw();
    EXPECT_TRUE(zygote_->wait(process).value_or_throw().ok());
    zygote_->signal(process.id(), SIGKILL);
    EXPECT_TRUE(shell("true").ok());
}

TEST_F(ZygoteTest, ServesManyThreadsAndLeaksNothing) {
    // When the zygote says that it has started another, it is done with those before.
    const auto zygote_descriptors = [&] {
        const Process last = zygote_->start(shell_spec("exec sleep 1000")).value_or_throw();
        const std::string zygote = "/proc/" + std::to_string(zygote_->pid());
        std::ifstream children(zygote + "/task/" + std::to_string(zygote_->pid()) + "/children");
        EXPECT_EQ(std::string(std::istreambuf_iterator<char>(children), {}),
                  std::to_string(last.pid()) + " "); // and no other child, dead or alive
        std::multiset<std::string> kinds;            // pipe, socket, anon_inode and so on
        for (const auto& fd : std::filesystem::directory_iterator(zygote + "/fd")) {
            const std::string target = std::filesystem::read_symlink(fd).string();
            kinds.insert(target.substr(0, target.find(":[")));
        }
        return kinds;
    };
    ASSERT_TRUE(shell("true").ok());
    const auto zygote_before = zygote_descriptors();
    const std::size_t before = open_descriptors();
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            CommandSpec spec;
            spec.argv = {"true"};
            for (int i = 0; i < 25; ++i) {
                auto process = zygote_->start(spec);
                if (process) {
                    const auto result = zygote_->wait(*process);
                    good += result && result->ok() ? 1 : 0;
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(good, 100);
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(zygote_descriptors(), zygote_before);
}

TEST_F(ZygoteTest, DoesNotPassOnWhatMakesTheRankAProcessOfItsLauncher) {
    ::setenv("PMI_RANK", "3", 1);
    ::setenv("MUSTER_TEST_KEPT", "yes", 1);
    const auto other = Zygote::fork_off().value_or_throw();
    ::unsetenv("PMI_RANK");
    ::unsetenv("MUSTER_TEST_KEPT");
    Process process =
        other->start(shell_spec("echo rank=$PMI_RANK kept=$MUSTER_TEST_KEPT")).value_or_throw();
    EXPECT_EQ(other->wait(process).value_or_throw().out, "rank= kept=yes\n");
}

} // namespace
} // namespace muster::process
