#include "body.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <optional>
#include <ranges>
#include <span>
#include <string>

/// A run as a whole: how it starts, ends and reports, in one process.
namespace muster::test {
namespace {

int pass(int value) {
    return value;
}

/// What a call writes to standard error.
template <class Call>
std::string errors_of(const Call& call) {
    ::setenv("MUSTER_LOG", "error", 0); // under ThreadSanitizer there is a warning about its thread
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK), 0);
    const int before = ::dup(STDERR_FILENO);
    ::dup2(pipe[1], STDERR_FILENO);
    call();
    ::dup2(before, STDERR_FILENO);
    std::array<char, 65536> text{};
    const auto size = ::read(pipe[0], text.data(), text.size());
    for (const int fd : {before, pipe[0], pipe[1]}) {
        ::close(fd);
    }
    return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

/// Sets an environment variable for as long as it lives.
class Variable {
public:
    Variable(std::string name, const std::string& value) : name_(std::move(name)) {
        ::setenv(name_.c_str(), value.c_str(), 1);
    }

    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

    ~Variable() { ::unsetenv(name_.c_str()); }

private:
    std::string name_;
};

template <class Driver>
int run_on(int ranks, Driver driver) {
    return run(0, nullptr, driver, {.local_ranks = ranks});
}

/// Counts how many live in this process, and calls another when it is destroyed.
class Guest {
public:
    explicit Guest(ActorHandle<Guest> neighbour) : neighbour_(std::move(neighbour)) { ++living; }

    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    ~Guest() {
        if (neighbour_.valid()) {
            neighbour_.call<&Guest::greet>();
        }
        --living;
    }

    void greet() {}

    void stay() { (void)wait_for_stop(); }

    static inline std::atomic<int> living{0};

private:
    ActorHandle<Guest> neighbour_;
};

/// A variable of a coroutine's frame.
class FrameGuest {
public:
    FrameGuest() { ++living; }

    FrameGuest(const FrameGuest&) = delete;
    FrameGuest& operator=(const FrameGuest&) = delete;

    ~FrameGuest() { --living; }

    static inline std::atomic<int> living{0};
};

Coroutine<int> wait_in_frame(Future<int> other) {
    const FrameGuest guest;
    FrameGuest::living.notify_all();
    co_return co_await other;
}

Coroutine<int> wait_in_frames(Future<int> other, int levels) {
    const FrameGuest guest;
    if (levels > 0) {
        co_return co_await wait_in_frames(other, levels - 1);
    }
    co_return co_await wait_in_frame(other);
}

class Waiter {
public:
    Coroutine<int> wait(Future<int> other) {
        const int answer = co_await wait_in_frames(other, 1);
        co_return answer;
    }
};

int fail_with_many_waiting() {
    return task<&fail_with_many_waiting>().get();
}

} // namespace

TEST(Run, ReturnsTheDriversExitCode) {
    EXPECT_EQ(run_on(1, [] {}), 0);
    EXPECT_EQ(run_on(3, [] { return 7; }), 7);
    EXPECT_EQ(run_on(2, [] { return task<&pass>(5).get(); }), 5);
}

TEST(Run, TheDriverMayReturnWhileGangsAreUnderWay) {
    static std::atomic<int> started;
    enum class Way { barrier, receive, send, compute };
    for (const int ranks : {1, 3}) {
        for (const Way way : {Way::barrier, Way::receive, Way::send, Way::compute}) {
            started = 0;
            const int members = ranks == 1 ? 2 : ranks;
            const auto driver = [&] {
                (void)task<[](Communicator& gang, Way how) {
                    ++started;
                    started.notify_all();
                    std::vector<double> data(100'000);
                    if (gang.rank() == 0) {
                        (void)wait_for_stop();
                    } else if (how == Way::barrier) {
                        gang.barrier();
                    } else if (how == Way::receive) {
                        gang.receive(std::span(data), 0);
                    } else if (how == Way::send) {
                        gang.send(std::span<const double>(data), 0);
                    } else {
                        (void)wait_for_stop();
                    }
                }>.with({.cpus = 0, .ranks = members})(way);
                // And one that waits for its ranks.
                (void)task<[](Communicator&) {}>.with({.cpus = 0, .ranks = members})();
                for (int seen = started; seen < members; seen = started) {
                    started.wait(seen);
                }
                return 3;
            };
            EXPECT_EQ(run_on(ranks, driver), 3);
        }
    }
}

TEST(Run, DestroysActorsThatAreLeftAtItsEnd) {
    std::vector<ActorHandle<Guest>> kept; // longer than the run
    for (int ranks = 1; ranks <= 3; ++ranks) {
        EXPECT_EQ(run_on(ranks,
                         [&] {
                             ActorHandle<Guest> last;
                             for (int i = 0; i < 10; ++i) {
                                 last = spawn<Guest>({.placement = rank_at(i)}, last);
                                 kept.push_back(last);
                             }
                             kept.front().call<&Guest::greet>().get();
                             last.call<&Guest::stay>(); // is asked to stop
                             EXPECT_GT(Guest::living, 0);
                         }),
                  0);
        EXPECT_EQ(Guest::living, 0);
        const auto text = thrown_by<Error>([&] { kept.back().call<&Guest::greet>(); });
        EXPECT_TRUE(contains(text, "belongs to another run")) << text;
        kept.clear();
    }
}

TEST(Run, PrintsWhatTheDriverThrowsAndReturnsOne) {
    int code = 0;
    EXPECT_EQ(
        errors_of([&] { code = run_on(2, [] { throw std::runtime_error("no more coffee"); }); }),
        "error: no more coffee\n");
    EXPECT_EQ(code, 1);
    EXPECT_EQ(errors_of([&] { code = run_on(1, [] { throw 3; }); }),
              "error: the driver threw something that is not a std::exception\n");
    EXPECT_EQ(code, 1);
    const auto failed = errors_of([&] {
        code = run_on(2, [] {
            task<[] { throw std::out_of_range("row 9"); }>.with({.name = "reader"})().get();
        });
    });
    EXPECT_TRUE(contains(failed, "error: task reader (")) << failed;
    EXPECT_TRUE(contains(failed, "std::out_of_range: row 9")) << failed;
    EXPECT_EQ(code, 1);
}

TEST(Run, ReturnsTwoForAUsageError) {
    int code = 0;
    EXPECT_EQ(errors_of([&] {
                  code = run_on(1, [] { throw UsageError("--trials is 0; use 1 or more"); });
              }),
              "error: --trials is 0; use 1 or more\n");
    EXPECT_EQ(code, 2);
}

TEST(Run, RefusesSettingsThatDoNotParse) {
    const std::array<std::pair<const char*, const char*>, 12> wrong{
        {{"MUSTER_LOG", "loud"},
         {"MUSTER_LOCAL_RANKS", "0"},
         {"MUSTER_LOCAL_RANKS", "2x"},
         {"MUSTER_COORDINATOR", "-1"},
         {"MUSTER_DRIVER_CPUS", "many"},
         {"MUSTER_PARKED_MAX", "0"},
         {"MUSTER_TIME_LIMIT", "60"},
         {"MUSTER_TIME_LEAD", "soon"},
         {"MUSTER_TERM_GRACE", "-1s"},
         {"MUSTER_CPUS", "-3"},
         {"MUSTER_RESOURCES", "gold"},
         {"MUSTER_TRANSPORT", "pigeon"}}};
    for (const auto& [name, value] : wrong) {
        const Variable variable(name, value);
        int code = 0;
        bool started = false;
        const auto text = errors_of([&] { code = run_on(1, [&] { started = true; }); });
        EXPECT_EQ(code, 2) << name;
        EXPECT_FALSE(started) << name;
        EXPECT_TRUE(text.starts_with("error: ")) << text;
        EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
        EXPECT_TRUE(contains(text, name)) << text;
        EXPECT_TRUE(contains(text, value)) << text;
    }
}

TEST(Run, TakesSettingsFromTheEnvironment) {
    const Variable ranks("MUSTER_LOCAL_RANKS", "3");
    const Variable coordinator("MUSTER_COORDINATOR", "1");
    const Variable cpus("MUSTER_CPUS", "2");
    const Variable driver_cpus("MUSTER_DRIVER_CPUS", "0");
    EXPECT_EQ(run_on(1,
                     [] {
                         const auto info = cluster();
                         EXPECT_EQ(info.ranks, 3);
                         EXPECT_EQ(index(info.coordinator), 1);
                         EXPECT_EQ(info.capacity.cpus, Amount{4});
                         auto places = map<[](int) { return where(); }>(std::views::iota(0, 50));
                         for (auto& place : places) {
                             EXPECT_NE(place.get(), 0);
                         }
                         EXPECT_EQ(task<&where>.with({.cpus = 0, .placement = on_rank(0)})().get(),
                                   0);
                     }),
              0);
}

TEST(Run, OfADriverWithoutCpusAloneRefusesTasks) {
    const Variable driver_cpus("MUSTER_DRIVER_CPUS", "0");
    const auto text = errors_of([] { EXPECT_EQ(run_on(1, [] { (void)task<&pass>(1); }), 1); });
    EXPECT_TRUE(contains(text, "needs 1 cpu: the most any rank has is 0 of cpus")) << text;
}

TEST(Run, EveryRankMayBeTheCoordinator) {
    for (int rank = 0; rank < 4; ++rank) {
        const Variable coordinator("MUSTER_COORDINATOR", std::to_string(rank));
        EXPECT_EQ(run_on(4,
                         [&] {
                             EXPECT_EQ(index(cluster().coordinator), rank);
                             auto squares = map<&pass>(std::views::iota(0, 200));
                             for (int i = 0; i < 200; ++i) {
                                 EXPECT_EQ(squares[static_cast<std::size_t>(i)].get(), i);
                             }
                         }),
                  0);
    }
}

TEST(Run, TooManyWaitingTasksAreAnErrorThatSaysWhatToDo) {
    const Variable parked("MUSTER_PARKED_MAX", "5");
    const auto text = errors_of(
        [] { EXPECT_EQ(run_on(1, [] { (void)task<&fail_with_many_waiting>().get(); }), 1); });
    EXPECT_TRUE(contains(text, "5 tasks of rank 0 wait in get() already")) << text;
    EXPECT_TRUE(contains(text, "MUSTER_PARKED_MAX")) << text;
    EXPECT_TRUE(contains(text, "co_await the future in a muster::Coroutine")) << text;
}

TEST(Run, OutsideOneTheCallsSaySo) {
    EXPECT_TRUE(
        contains(thrown_by<Error>([] { (void)task<&pass>(1); }), "this thread belongs to no run"));
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)map<&pass>(std::vector{1}); }),
                         "this thread belongs to no run"));
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)put(1); }), "this thread belongs to no run"));
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)cluster(); }), "belongs to no run"));
}

TEST(Run, AFutureDoesNotOutliveItsRun) {
    Future<int> done;
    Future<int> pending;
    Future<std::vector<int>> elsewhere;
    EXPECT_EQ(run_on(2,
                     [&] {
                         done = task<&pass>(5);
                         EXPECT_EQ(done.get(), 5);
                         pending = task<&wait_for_stop>();
                         elsewhere = task<[] { return std::vector<int>(10'000); }>.with(
                             {.placement = on_rank(1)})();
                         (void)wait(std::vector{elsewhere});
                     }),
              0);
    EXPECT_EQ(done.get(), 5); // its bytes were here
    EXPECT_THROW((void)pending.get(), Error);
    EXPECT_THROW((void)elsewhere.get(), Error);
    cancel(pending);
    EXPECT_THROW((void)wait(std::vector{pending}), Error);
    const std::string belongs = "belongs to another run";
    EXPECT_EQ(run_on(2,
                     [&] {
                         EXPECT_TRUE(
                             contains(thrown_by<Error>([&] { (void)task<&pass>(done); }), belongs));
                         EXPECT_TRUE(contains(thrown_by<Error>([&] {
                                                  (void)task<[](Future<int> f) { return f; }>(done);
                                              }),
                                              belongs));
                         EXPECT_TRUE(contains(thrown_by<Error>([&] {
                                                  (void)task<[](std::vector<int> v) { return v; }>(
                                                      std::vector{pending});
                                              }),
                                              belongs));
                         EXPECT_EQ(done.get(), 5);
                         EXPECT_EQ(task<&pass>(6).get(), 6);
                     }),
              0);
}

TEST(Run, EndsWhileThousandsOfCoroutinesAreSuspended) {
    for (const int ranks : {1, 3}) {
        constexpr int tasks = 3000;
        constexpr int actors = 50;
        constexpr int frames = (tasks + actors) * 3;
        EXPECT_EQ(run_on(ranks,
                         [&] {
                             auto never = task<&wait_for_stop>.with({.cpus = 0})();
                             for (int i = 0; i < tasks; ++i) {
                                 (void)task<&wait_in_frames>.with(
                                     {.cpus = i % 2, .placement = rank_at(i)})(never, 1);
                             }
                             std::vector<ActorHandle<Waiter>> waiters;
                             for (int i = 0; i < actors; ++i) {
                                 waiters.push_back(spawn<Waiter>({.placement = rank_at(i)}));
                                 (void)waiters.back().call<&Waiter::wait>(never);
                                 (void)waiters.back().call<&Waiter::wait>(never); // not started
                             }
                             for (int seen = FrameGuest::living; seen < frames;
                                  seen = FrameGuest::living) {
                                 FrameGuest::living.wait(seen);
                             }
                         }),
                  0);
        EXPECT_EQ(FrameGuest::living, 0);
    }
}

TEST(Run, TheDriverMayBeACoroutine) {
    for (const int ranks : {1, 3}) {
        int sum = 0;
        EXPECT_EQ(run_on(ranks,
                         [&]() -> Coroutine<void> {
                             for (int i = 0; i < 10; ++i) {
                                 sum += co_await task<&pass>(i);
                             }
                         }),
                  0);
        EXPECT_EQ(sum, 45);
        EXPECT_EQ(run_on(ranks,
                         []() -> Coroutine<int> {
                             auto all = map<&pass>(std::views::iota(0, 100));
                             int total = 0;
                             for (const int value : co_await when_all(all)) {
                                 total += value;
                             }
                             co_return total % 256;
                         }),
                  4950 % 256);
    }
    int code = 0;
    EXPECT_EQ(errors_of([&] {
                  code = run_on(2, []() -> Coroutine<void> {
                      (void)co_await task<&pass>(1);
                      throw std::runtime_error("no more tea");
                  });
              }),
              "error: no more tea\n");
    EXPECT_EQ(code, 1);
}

TEST(Run, SuspendedTasksDoNotCountAsParked) {
    const Variable parked("MUSTER_PARKED_MAX", "1");
    EXPECT_EQ(run_on(2,
                     [] {
                         auto gate = task<[] {
                                         (void)wait_for_stop();
                                         return 1;
                                     }>.with({.cpus = 0})();
                         std::vector<Future<int>> all;
                         for (int i = 0; i < 100; ++i) {
                             all.push_back(task<&wait_in_frames>(gate, 1));
                         }
                         for (int seen = FrameGuest::living; seen < 300;
                              seen = FrameGuest::living) {
                             FrameGuest::living.wait(seen);
                         }
                         cancel(gate);
                         for (auto& one : all) {
                             EXPECT_EQ(one.get(), 1);
                         }
                     }),
              0);
}

TEST(Run, TasksThatOutliveTheDriverAreAskedToStop) {
    for (const int ranks : {1, 3}) {
        EXPECT_EQ(run_on(ranks,
                         [&] {
                             for (int i = 0; i < ranks; ++i) {
                                 (void)task<&wait_for_stop>.with({.placement = on_rank(i)})();
                                 (void)command({"sleep", "1000"}).with({.placement = on_rank(i)})();
                             }
                         }),
                  0);
    }
}

TEST(Run, EndsWhileATaskWaitsForAnother) {
    EXPECT_EQ(run_on(3,
                     [] {
                         auto never = task<&wait_for_stop>.with({.cpus = 0})();
                         for (int i = 0; i < 6; ++i) {
                             (void)task<[](const Future<int>& other) { return other.get(); }>.with(
                                 {.placement = rank_at(i)})(never);
                             (void)task<[](std::vector<Future<int>> others) {
                                 return wait(others).done.size();
                             }>.with({.placement = rank_at(i)})(std::vector{never});
                         }
                     }),
              0);
}

TEST(Run, EndsWhileTenThousandTasksAreQueued) {
    for (const int ranks : {1, 2, 7}) {
        EXPECT_EQ(run_on(ranks,
                         [] {
                             for (int i = 0; i < 10'000; ++i) {
                                 (void)task<&pass>(i);
                             }
                             (void)map<&pass>(std::views::iota(0, 10'000));
                             return 3;
                         }),
                  3);
    }
}

TEST(Run, EndsWhileTasksSubmitTasks) {
    EXPECT_EQ(run_on(3,
                     [] {
                         for (int i = 0; i < 9; ++i) {
                             (void)task<[] {
                                 while (!this_task().stop_token.stop_requested()) {
                                     (void)task<&pass>(1).get();
                                 }
                             }>.with({.placement = rank_at(i)})();
                         }
                         for (int i = 0; i < 50; ++i) {
                             (void)task<&pass>.with({.priority = 1})(i).get();
                         }
                     }),
              0);
}

TEST(Run, HappensManyTimesInOneProcess) {
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(run_on(1 + i % 4, [&] { return task<&pass>(i).get() == i ? 0 : 1; }), 0);
    }
}

} // namespace muster::test
