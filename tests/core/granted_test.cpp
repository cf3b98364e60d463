#include <muster/core/muster.hpp>

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

thread_local int openmp_threads = 0;

} // namespace

/// In place of OpenMP's.
extern "C" void omp_set_num_threads(int threads);

extern "C" void omp_set_num_threads(int threads) {
    openmp_threads = threads;
}

/// What tasks were granted is what they see: read back by the tasks themselves. A run here has one
/// rank, with the CPUs that there are, and two GPUs of which only the names are true.
namespace muster::test {
namespace {

using Cpus = std::vector<int>;
using Gpus = std::vector<std::string>;

Cpus mask() {
    cpu_set_t set;
    CPU_ZERO(&set);
    EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    Cpus cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) {
            cpus.push_back(cpu);
        }
    }
    return cpus;
}

std::string variable(const char* name) {
    const char* const text = std::getenv(name);
    return text != nullptr ? text : "(not set)";
}

/// What a task sees.
struct Seen {
    Gpus gpus;
    Cpus cpus;
    Cpus mask;
    int openmp = 0;
    std::string visible;
    std::string threads;
};

Seen look() {
    return {this_task().gpus(),
            this_task().cpus(),
            mask(),
            openmp_threads,
            variable("CUDA_VISIBLE_DEVICES"),
            variable("OMP_NUM_THREADS")};
}

std::barrier<> two(2);
std::barrier<> three(3);

Seen look_as_two() {
    two.arrive_and_wait();
    auto seen = look();
    two.arrive_and_wait();
    return seen;
}

Seen look_as_three() {
    three.arrive_and_wait();
    auto seen = look();
    three.arrive_and_wait();
    return seen;
}

int nothing() {
    return 0;
}

std::pair<Seen, Seen> look_around_a_wait() {
    auto before = look();
    (void)task<&nothing>().get();
    return {std::move(before), look()};
}

Coroutine<Seen> look_after_a_suspension() {
    (void)co_await task<&nothing>();
    co_return look();
}

Seen look_as_member(Communicator& /*comm*/) {
    return look();
}

class Looker {
public:
    Seen look() { return test::look(); }
};

class GrantedTest : public ::testing::Test {
protected:
    void SetUp() override {
        ::setenv("CUDA_VISIBLE_DEVICES", "3,5", 1);
        ::unsetenv("OMP_NUM_THREADS");
        ::unsetenv("MUSTER_BIND");
    }

    static void in_run(const std::function<void()>& driver) {
        EXPECT_EQ(run(0, nullptr, driver), 0);
    }

    /// Tasks can have CPUs for themselves: no quota is in the way.
    static bool has_own_cpus() { return cluster().capacity.cpus == Amount{mask().size()}; }
};

TEST_F(GrantedTest, HalvesShareAGpuAndOthersHaveTheOther) {
    in_run([] {
        const auto half = task<&look_as_three>.with({.cpus = 0, .gpus = 0.5});
        const std::vector<Future<Seen>> futures{half(), half(), half()};
        std::multiset<std::string> gpus;
        for (const auto& future : futures) {
            const auto seen = future.get();
            EXPECT_EQ(seen.gpus.size(), 1U);
            gpus.insert(seen.gpus.begin(), seen.gpus.end());
        }
        EXPECT_EQ(gpus, (std::multiset<std::string>{"3", "3", "5"}));
        EXPECT_EQ(task<&look>.with({.gpus = 2})().get().gpus, (Gpus{"3", "5"}));
        EXPECT_EQ(task<&look>().get().gpus, Gpus{});
        EXPECT_EQ(task<&look>().get().visible, "3,5"); // a thread sees its process's
    });
}

TEST_F(GrantedTest, PartsBeyondOneGpuAreRefused) {
    in_run([] {
        EXPECT_THROW((void)task<&look>.with({.gpus = 1.5})(), Error);
        EXPECT_THROW((void)placement_group({{.gpus = 1.5}}), Error);
        EXPECT_THROW((void)task<&look>.with({.gpus = 3})(), Error);
        EXPECT_THROW((void)this_task().gpus(), Error);
        EXPECT_THROW((void)this_task().cpus(), Error);
    });
}

TEST_F(GrantedTest, ActorsMembersAndBundlesHaveTheirOwn) {
    in_run([] {
        const auto first = spawn<Looker>({.gpus = 1});
        EXPECT_EQ(first.call<&Looker::look>().get().gpus, Gpus{"3"});
        {
            const auto second = spawn<Looker>({.gpus = 0.5});
            EXPECT_EQ(second.call<&Looker::look>().get().gpus, Gpus{"5"});
            EXPECT_EQ(task<&look>.with({.gpus = 0.5})().get().gpus, Gpus{"5"});
        }
        const auto members =
            task<&look_as_member>.with({.cpus = 0, .gpus = 0.5, .ranks = 2})().get();
        ASSERT_EQ(members.size(), 2U);
        EXPECT_EQ(members[0].gpus, Gpus{"5"});
        EXPECT_EQ(members[1].gpus, Gpus{"5"});
        const auto group = placement_group({{.cpus = 0, .gpus = 1}});
        group.ready().get();
        EXPECT_EQ(
            task<&look>.with({.cpus = 0, .gpus = 0.25, .placement = group.bundle(0)})().get().gpus,
            Gpus{"5"});
    });
}

TEST_F(GrantedTest, OfSeveralDemandsTheFirstThatHasRoomIsMet) {
    in_run([] {
        const auto holder = spawn<Looker>({.gpus = 2});
        EXPECT_EQ(holder.call<&Looker::look>().get().gpus.size(), 2U);
        const auto either = task<&look>.with({.gpus = 1, .or_else = {{.cpus = 0.5}}});
        EXPECT_EQ(either().get().gpus, Gpus{});
        const auto never = task<&look>.with({.gpus = 100, .or_else = {{.gpus = 50}, {.cpus = 1}}});
        EXPECT_EQ(never().get().gpus, Gpus{});
        EXPECT_THROW((void)task<&look>.with({.gpus = 100, .or_else = {{.gpus = 50}}})(), Error);
        EXPECT_THROW((void)task<&look_as_member>.with({.or_else = {{.cpus = 2}}})(), Error);
        kill(holder);
        while (either().get().gpus.empty()) { // until it has ended
        }
    });
}

TEST_F(GrantedTest, ThreadsRunOnTheCpusOfTheirTasks) {
    const auto everything = mask();
    in_run([&] {
        if (!has_own_cpus()) {
            GTEST_SKIP() << "a quota is smaller than the mask";
        }
        const auto one = task<&look>().get();
        EXPECT_EQ(one.cpus.size(), 1U);
        EXPECT_EQ(one.cpus, one.mask);
        EXPECT_EQ(one.openmp, 1);
        const auto part = task<&look>.with({.cpus = 0.5})().get();
        EXPECT_EQ(part.cpus, everything);
        EXPECT_EQ(part.mask, everything);
        const auto all = task<&look>.with({.cpus = everything.size()})().get();
        EXPECT_EQ(all.cpus, everything);
        EXPECT_EQ(all.mask, everything);
        EXPECT_EQ(all.openmp, static_cast<int>(everything.size()));
    });
    EXPECT_EQ(mask(), everything);
}

TEST_F(GrantedTest, TasksSideBySideHaveDifferentCpus) {
    in_run([] {
        if (!has_own_cpus() || mask().size() < 2) {
            GTEST_SKIP() << "there are no two CPUs to have";
        }
        const std::vector<Future<Seen>> futures{task<&look_as_two>(), task<&look_as_two>()};
        const auto first = futures[0].get();
        const auto second = futures[1].get();
        EXPECT_EQ(first.cpus, first.mask);
        EXPECT_EQ(second.cpus, second.mask);
        EXPECT_NE(first.cpus, second.cpus);
    });
}

TEST_F(GrantedTest, CpusAreLentWhileATaskWaitsAndHadAgainAfterwards) {
    in_run([] {
        if (!has_own_cpus()) {
            GTEST_SKIP() << "a quota is smaller than the mask";
        }
        const Amount all = cluster().capacity.cpus;
        const auto [before, after] = task<&look_around_a_wait>.with({.cpus = all})().get();
        EXPECT_EQ(before.cpus, before.mask);
        EXPECT_EQ(after.cpus, before.cpus);
        EXPECT_EQ(after.mask, before.mask);
        const auto suspended = task<&look_after_a_suspension>().get();
        EXPECT_EQ(suspended.cpus.size(), 1U);
        EXPECT_EQ(suspended.cpus, suspended.mask);
    });
}

TEST_F(GrantedTest, AnActorKeepsItsCpus) {
    in_run([] {
        if (!has_own_cpus() || mask().size() < 2) {
            GTEST_SKIP() << "there are no two CPUs to have";
        }
        const auto actor = spawn<Looker>({.cpus = 1});
        const auto seen = actor.call<&Looker::look>().get();
        EXPECT_EQ(seen.cpus.size(), 1U);
        EXPECT_EQ(seen.cpus, seen.mask);
        for (int i = 0; i < 10; ++i) {
            const auto other = task<&look>().get();
            EXPECT_EQ(other.cpus, other.mask);
            EXPECT_NE(other.cpus, seen.cpus);
        }
        EXPECT_EQ(actor.call<&Looker::look>().get().mask, seen.cpus);
    });
}

TEST_F(GrantedTest, IsolatedTasksFindItInTheirEnvironment) {
    in_run([] {
        const auto none = task<&look>.with({.isolate = true})().get();
        EXPECT_EQ(none.visible, "");
        EXPECT_EQ(none.gpus, Gpus{});
        EXPECT_EQ(none.threads, "1");
        EXPECT_EQ(none.openmp, 1);
        EXPECT_EQ(none.cpus, none.mask);
        const auto both = task<&look>.with({.gpus = 2, .isolate = true})().get();
        EXPECT_EQ(both.visible, "3,5");
        EXPECT_EQ(both.gpus, (Gpus{"3", "5"}));
        const auto held = spawn<Looker>({.gpus = 0.75, .isolate = true});
        EXPECT_EQ(held.call<&Looker::look>().get().visible, "3");
        const auto other = task<&look>.with({.gpus = 0.5, .isolate = true})().get();
        EXPECT_EQ(other.visible, "5");
        EXPECT_EQ(other.gpus, Gpus{"5"});
        if (has_own_cpus()) {
            EXPECT_EQ(none.cpus.size(), 1U);
            const auto all =
                task<&look>.with({.cpus = cluster().capacity.cpus, .isolate = true})().get();
            EXPECT_EQ(all.cpus, mask());
            EXPECT_EQ(all.mask, mask());
            EXPECT_EQ(all.threads, std::to_string(mask().size()));
        }
    });
}

TEST_F(GrantedTest, CommandsFindItInTheirEnvironment) {
    in_run([] {
        const std::vector<std::string> argv{"sh",
                                            "-c",
                                            "echo $CUDA_VISIBLE_DEVICES,$OMP_NUM_THREADS; grep "
                                            "Cpus_allowed_list /proc/self/status"};
        const auto seen = command(argv).with({.gpus = 1})().get().out;
        EXPECT_EQ(seen.substr(0, 4), "3,1\n");
        EXPECT_EQ(seen.find_first_of("-,", 4) == std::string::npos,
                  has_own_cpus() || mask().size() == 1)
            << seen;
        EXPECT_EQ(command(argv)().get().out.substr(0, 3), ",1\n");
        const CommandSpec own{
            .argv = argv, .environment = {{"CUDA_VISIBLE_DEVICES", "7"}, {"OMP_NUM_THREADS", "4"}}};
        EXPECT_EQ(command(own).with({.gpus = 1})().get().out.substr(0, 4), "7,4\n");
    });
}

TEST_F(GrantedTest, NothingIsBoundIfTheUserSaysSo) {
    const auto everything = mask();
    ::setenv("MUSTER_BIND", "0", 1);
    ::setenv("OMP_NUM_THREADS", "6", 1);
    in_run([&] {
        const auto thread = task<&look>().get();
        EXPECT_EQ(thread.mask, everything);
        EXPECT_EQ(thread.cpus, everything);
        EXPECT_EQ(thread.openmp, 0);
        const auto process = task<&look>.with({.isolate = true})().get();
        EXPECT_EQ(process.mask, everything);
        EXPECT_EQ(process.threads, "6");
    });
}

} // namespace
} // namespace muster::test
