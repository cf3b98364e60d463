#include "body.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace muster::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true; // its own memory counts as the process's
#else
constexpr bool is_sanitized = false;
#endif

int process() {
    return ::getpid();
}

int process_after_counting(int /*unused*/) {
    return ::getpid();
}

int add(int a, int b) {
    return a + b;
}

int pass(int value) {
    return value;
}

TaskOptions isolated(Placement placement = {}) {
    return {.placement = placement, .isolate = true};
}

enum class Crash : std::uint8_t { none, segfault, abort, exit, exit_well, thread, kill, closed };

/// As it is without a sanitizer, which would report it and exit.
[[gnu::no_sanitize("address", "undefined", "thread")]] void write_nowhere() {
    (void)std::signal(SIGSEGV, SIG_DFL);
    volatile int* const nowhere = nullptr;
    *nowhere = 1; // NOLINT: what is tested
}

void crash(Crash kind) {
    switch (kind) {
    case Crash::none:
        break;
    case Crash::segfault:
        write_nowhere();
        break;
    case Crash::abort:
        std::abort();
    case Crash::exit:
        std::exit(3);
    case Crash::exit_well:
        std::exit(0);
    case Crash::thread:
        std::thread([] { throw std::runtime_error("nobody catches this"); }).join();
        break;
    case Crash::kill:
        ::kill(::getpid(), SIGKILL);
        break;
    case Crash::closed:
        // Behind the sanitizers' backs: other threads of the process use them.
        for (int fd = 3; fd < 100; ++fd) {
            ::syscall(SYS_close, fd);
        }
        ::pause();
        break;
    }
}

int process_or_crash(Crash kind) {
    std::cerr << "about to do " << static_cast<int>(kind) << std::endl;
    crash(kind);
    return ::getpid();
}

/// Waits to be ended if that is more than it may use.
std::size_t use_memory(std::size_t bytes, bool too_much) {
    std::vector<char> memory(bytes);
    std::memset(memory.data(), 1, bytes);
    if (too_much) {
        ::pause();
    }
    return static_cast<std::size_t>(std::count(memory.begin(), memory.end(), 1));
}

std::vector<int> reversed(std::vector<int> numbers) {
    std::reverse(numbers.begin(), numbers.end());
    return numbers;
}

/// Everything that code in a task may ask of its run; the sum of what it got.
int use_the_run(const Future<int>& seven, int here) {
    int sum = seven.get();                                    // 7
    sum += task<&add>(1, 2).get();                            // 3
    sum += task<&add>.with(isolated())(put(4), put(5)).get(); // 9
    auto futures = map<&pass>(std::vector<int>{10, 20, 30});
    for (auto& future : as_completed(futures)) {
        sum += future.get(); // 60
    }
    const auto again = wait(futures, {.count = 2});
    sum += again.done.size() == 2 && again.pending.size() == 1 ? 100 : 0; // 100
    const auto ready = task<&pass>(1'000);
    while (!ready.ready()) {
        std::this_thread::yield();
    }
    sum += ready.get(); // 1000
    const auto large = task<&reversed>(std::vector<int>(100'000, 1)).get();
    sum += static_cast<int>(large.size()); // 100000
    auto never = task<&wait_for_stop>.with({.cpus = 0})();
    sum += wait(std::vector{never}, {.timeout = std::chrono::milliseconds(1)}).done.empty()
               ? 1'000'000
               : 0; // 1000000
    cancel(never);
    (void)wait(std::vector{never});
    // With all CPUs of this rank, which the caller must lend for it.
    sum += task<&pass>.with({.cpus = 2, .placement = on_rank(here)})(10'000'000).get();
    return sum;
}

int throws(const std::string& message) {
    throw std::domain_error(message);
}

int get_failing() {
    return task<&throws>("deep").get();
}

/// `begun` is cancelled as a sign that it runs.
int ignore_stop(const Future<int>& begun) {
    cancel(begun);
    while (true) {
        ::pause();
    }
}

std::string finish_after_stop(const Future<int>& begun) {
    cancel(begun);
    (void)wait_for_stop();
    return "finished";
}

class Tally {
public:
    int add(int by) {
        value_ += by;
        return value_;
    }

private:
    int value_ = 0;
};

class Isolated {
public:
    explicit Isolated(ActorHandle<Tally> tally, Crash kind = Crash::none)
        : tally_(std::move(tally)) {
        crash(kind);
        if (tally_.call<&Tally::add>(1).get() > 1'000) {
            throw std::length_error("tally is full");
        }
    }

    ~Isolated() { tally_.call<&Tally::add>(1'000'000); }

    int count(int by) {
        value_ += by;
        return value_;
    }

    int process_or_crash(Crash kind) {
        value_ += 0; // a call, and so no static function
        return test::process_or_crash(kind);
    }

    int tally() { return tally_.call<&Tally::add>(10).get(); }

    std::string stop(const Future<int>& begun) { return finish_after_stop(begun); }

private:
    ActorHandle<Tally> tally_;
    int value_ = 0;
};

/// Can be saved, and dies as asked.
class Durable {
public:
    explicit Durable(ActorHandle<Tally> tally) : tally_(std::move(tally)) {
        made_ = tally_.call<&Tally::add>(1).get();
        if (made_ % 100 == 99) {
            throw std::length_error("made too often");
        }
    }

    [[nodiscard]] int save() const { return value_; }

    void load(int value) { value_ = value; }

    int add(int by) {
        value_ += by;
        return value_;
    }

    int add_and_die(int by) {
        crash(Crash::kill);
        return add(by);
    }

    /// Dies in the constructor's first object, as the tally counts them.
    int add_or_die_in_the_first(int by) { return made_ == 1 ? add_and_die(by) : add(by); }

    int process() {
        value_ += 0;
        return ::getpid();
    }

private:
    ActorHandle<Tally> tally_;
    int made_ = 0;
    int value_ = 0;
};

template <class T>
std::string failure_of(const Future<T>& future) {
    return thrown_by<TaskError>([&] { (void)future.get(); });
}

} // namespace

MUSTER_BODY(AnIsolatedTaskHasAProcessWhichTheNextOneOfItsFunctionReuses) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto here = on_rank(rank);
        const int own = task<&process>.with({.placement = here})().get();
        const int first = task<&process>.with(isolated(here))().get();
        const int second = task<&process>.with(isolated(here))().get();
        const int other = task<&process_after_counting>.with(isolated(here))(1).get();
        EXPECT_NE(own, first);
        EXPECT_EQ(first, second);
        EXPECT_NE(first, other);
        EXPECT_EQ(task<&where>.with(isolated(here))().get(), rank);
    }
}

MUSTER_BODY(ManyIsolatedTasksRunAtOnceInAsManyProcessesAsThereAreSlots) {
    auto futures = map<&process_after_counting>(std::vector<int>(500), isolated());
    std::set<int> processes;
    for (auto& future : futures) {
        processes.insert(future.get());
    }
    EXPECT_LE(processes.size(), 2U * static_cast<unsigned>(rank_count()));
}

MUSTER_BODY(AProcessThatEndsIsAFailureThatSaysHow) {
    const std::vector<std::pair<Crash, std::string>> cases{
        {Crash::segfault, "was ended by signal 11 (SIGSEGV)"},
        {Crash::abort, "was ended by signal 6 (SIGABRT)"},
        {Crash::exit, "called exit(3)"},
        {Crash::exit_well, "called exit(0)"},
        {Crash::thread, "was ended by signal 6 (SIGABRT)"},
        {Crash::kill, "was ended by signal 9 (SIGKILL) from outside"}};
    for (const auto& [kind, expected] : cases) {
        const auto future = task<&process_or_crash>.with(isolated(rank_at(1)))(kind);
        const auto text = failure_of(future);
        EXPECT_TRUE(contains(text, expected)) << text;
        EXPECT_TRUE(contains(text, "its process ")) << text;
        EXPECT_TRUE(contains(text, "peak memory ")) << text;
        EXPECT_TRUE(contains(text,
                             "last lines of its standard error:\nabout to do " +
                                 std::to_string(static_cast<int>(kind))))
            << text;
        EXPECT_EQ(contains(text, "nobody catches this"), kind == Crash::thread) << text;
    }
}

MUSTER_BODY(AProcessThatClosesItsDescriptorsIsEnded) {
    const auto text = failure_of(task<&process_or_crash>.with(isolated(rank_at(1)))(Crash::closed));
    EXPECT_TRUE(contains(text, "closed the socket to its rank, and was ended")) << text;
}

MUSTER_BODY(ACrashedProcessIsReplaced) {
    const auto run = [](Crash kind) {
        return task<&process_or_crash>.with(isolated(rank_at(1)))(kind);
    };
    const int first = run(Crash::none).get();
    EXPECT_EQ(run(Crash::none).get(), first);
    EXPECT_THROW((void)run(Crash::abort).get(), TaskError);
    const int second = run(Crash::none).get();
    EXPECT_NE(second, first);
    // One that is killed while it is idle is nobody's failure.
    task<[](int process) {
        while (::kill(process, SIGKILL) == 0) { // until it is gone, and not only killed
        }
    }>.with({.placement = rank_at(1)})(second)
        .get();
    EXPECT_NE(run(Crash::none).get(), second);
}

MUSTER_BODY(MemoryIsALimitOfIsolatedTasks) {
    if (is_sanitized) {
        return;
    }
    const TaskOptions options{.memory = 64_MiB, .placement = rank_at(1), .isolate = true};
    EXPECT_EQ(task<&use_memory>.with(options)(std::size_t{20} << 20, false).get(), 20U << 20);
    const auto text = failure_of(task<&use_memory>.with(options)(std::size_t{500} << 20, true));
    EXPECT_TRUE(contains(text, "exceeded its memory limit of 64 MiB")) << text;
    EXPECT_EQ(task<&use_memory>.with(options)(std::size_t{20} << 20, false).get(), 20U << 20);
    const auto run =
        command({"sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"}).with(options)();
    const auto why = failure_of(run);
    EXPECT_TRUE(contains(why, "exceeded its memory limit of 64 MiB")) << why;
    EXPECT_TRUE(command({"true"}).with(options)().get().ok());
}

MUSTER_BODY(CodeInAnIsolatedTaskMaySubmitPutAndGet) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto future = task<&use_the_run>.with(isolated(on_rank(rank)))(
            task<&pass>.with({.placement = rank_at(rank + 1)})(7), rank);
        EXPECT_EQ(future.get(), 11'101'179);
    }
}

MUSTER_BODY(IsolatedTasksNest) {
    const auto future = task<[](int a) {
                            return task<[](int b) {
            return task<&add>.with(isolated())(b, task<&pass>(b)).get();
        }>.with(isolated())(a + 1)
            .get();
                        }>.with(isolated())(20);
    EXPECT_EQ(future.get(), 42);
}

MUSTER_BODY(AFutureMayLeaveAnIsolatedTask) {
    const auto future = task<[] {
                            return task<&reversed>(std::vector<int>{1, 2, 3});
                        }>.with(isolated(rank_at(1)))();
    EXPECT_EQ(future.get().get(), (std::vector<int>{3, 2, 1}));
}

MUSTER_BODY(ExceptionsOfIsolatedTasksKeepTheirType) {
    const auto future = task<&throws>.with(isolated(rank_at(1)))("on fire");
    try {
        (void)future.get();
        ADD_FAILURE() << "no exception";
    } catch (const TaskError& error) {
        EXPECT_EQ(error.root_cause().message, "on fire");
        EXPECT_EQ(error.root_cause().id, future.id());
        EXPECT_FALSE(error.root_cause().host.empty());
        EXPECT_THROW(error.rethrow_cause(), std::domain_error);
    }
    try {
        (void)task<&get_failing>.with(isolated())().get();
        ADD_FAILURE() << "no exception";
    } catch (const TaskError& error) {
        ASSERT_EQ(error.chain().size(), 2U);
        EXPECT_TRUE(contains(error.chain()[0].task, "get_failing"));
        EXPECT_EQ(error.root_cause().message, "deep");
        EXPECT_THROW(error.rethrow_cause(), std::domain_error);
    }
    const auto infeasible =
        task<[] { return task<&pass>.with({.gpus = 1'000})(1).get(); }>.with(isolated())();
    EXPECT_TRUE(contains(failure_of(infeasible), "1000 gpus"));
}

MUSTER_BODY(LargeValuesGoToAProcessAndBack) {
    std::vector<int> numbers(3'000'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto result = task<&reversed>.with(isolated(rank_at(1)))(numbers);
    std::reverse(numbers.begin(), numbers.end());
    EXPECT_EQ(result.get(), numbers);
    const auto again = task<&reversed>.with(isolated(rank_at(2)))(result);
    std::reverse(numbers.begin(), numbers.end());
    EXPECT_EQ(again.get(), numbers);
}

MUSTER_BODY(AnIsolatedTaskThatIgnoresBeingStoppedIsKilled) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        auto begun = task<&wait_for_stop>.with({.cpus = 0})();
        auto deaf = task<&ignore_stop>.with(isolated(on_rank(rank)))(begun);
        (void)wait(std::vector{begun});
        cancel(deaf);
        try {
            (void)deaf.get();
            ADD_FAILURE() << "no exception";
        } catch (const TaskError& error) {
            EXPECT_EQ(error.code(), ErrorCode::cancelled) << error.what();
            EXPECT_TRUE(contains(error.what(),
                                 "was asked to stop by SIGTERM, ran on, and was "
                                 "ended by SIGKILL after "))
                << error.what();
        }
    }
}

MUSTER_BODY(AnIsolatedTaskSeesItsStopToken) {
    auto begun = task<&wait_for_stop>.with({.cpus = 0})();
    auto willing = task<&finish_after_stop>.with(isolated(rank_at(1)))(begun);
    (void)wait(std::vector{begun});
    cancel(willing);
    EXPECT_EQ(willing.get(), "finished");
    // The signal was for that one only.
    for (int i = 0; i < 10; ++i) {
        EXPECT_FALSE(task<[] {
                         return this_task().stop_token.stop_requested();
                     }>.with(isolated(rank_at(1)))()
                         .get());
    }
}

MUSTER_BODY(AnActorMayLiveInAProcessOfItsOwn) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto here = on_rank(rank);
        const auto tally = spawn<Tally>({});
        {
            const auto actor = spawn<Isolated>({.placement = here, .isolate = true}, tally);
            const int first = actor.call<&Isolated::process_or_crash>(Crash::none).get();
            EXPECT_EQ(actor.call<&Isolated::process_or_crash>(Crash::none).get(), first);
            EXPECT_NE(task<&process>.with({.placement = here})().get(), first);
            for (int i = 0; i < 100; ++i) {
                actor.call<&Isolated::count>(1);
            }
            EXPECT_EQ(actor.call<&Isolated::count>(0).get(), 100);
            EXPECT_EQ(actor.call<&Isolated::tally>().get(), 11);
            auto begun = task<&wait_for_stop>.with({.cpus = 0})();
            auto stopped = actor.call<&Isolated::stop>(begun);
            (void)wait(std::vector{begun});
            cancel(stopped);
            EXPECT_EQ(stopped.get(), "finished");
            EXPECT_EQ(actor.call<&Isolated::count>(1).get(), 101) << "it goes on";
        }
        while (tally.call<&Tally::add>(0).get() < 1'000'000) { // its destructor runs there
        }
    }
}

MUSTER_BODY(AnIsolatedActorThatCrashesSaysWhyFromThenOn) {
    const auto tally = spawn<Tally>({});
    const auto actor =
        spawn<Isolated>({.placement = rank_at(1), .name = "fragile", .isolate = true}, tally);
    EXPECT_EQ(actor.call<&Isolated::count>(2).get(), 2);
    const auto during = failure_of(actor.call<&Isolated::process_or_crash>(Crash::segfault));
    EXPECT_TRUE(contains(during, "was ended by signal 11 (SIGSEGV)")) << during;
    EXPECT_TRUE(contains(during, "about to do 1")) << during;
    const auto after = failure_of(actor.call<&Isolated::count>(1));
    EXPECT_TRUE(contains(after, "its actor is gone: its process ")) << after;
    EXPECT_TRUE(contains(after, "was ended by signal 11 (SIGSEGV)")) << after;
}

MUSTER_BODY(AnIsolatedActorThatDiesIsMadeAgainAsOftenAsItMayBe) {
    const auto tally = spawn<Tally>({});
    const auto actor = spawn<Durable>(
        {.placement = rank_at(1), .max_restarts = 2, .isolate = true, .save_every = 2}, tally);
    for (int i = 1; i <= 5; ++i) {
        EXPECT_EQ(actor.call<&Durable::add>(1).get(), i);
    }
    const auto dying = actor.call<&Durable::add_and_die>(1);
    const auto next = actor.call<&Durable::add>(1);
    try {
        (void)dying.get();
        ADD_FAILURE() << "it did not die";
    } catch (const TaskError& error) {
        EXPECT_EQ(error.code(), ErrorCode::restarted);
        EXPECT_TRUE(contains(error.what(), "was ended by signal 9 (SIGKILL)")) << error.what();
        EXPECT_TRUE(contains(error.what(), "made again")) << error.what();
    }
    EXPECT_EQ(next.get(), 5) << "four were saved";

    const int before = actor.call<&Durable::process>().get();
    ASSERT_EQ(::kill(before, SIGKILL), 0); // while it does nothing
    while (::kill(before, 0) == 0) {       // until it is gone
        std::this_thread::yield();
    }
    const int after = actor.call<&Durable::process>().get();
    EXPECT_NE(after, before);
    EXPECT_EQ(actor.call<&Durable::add>(1).get(), 6);
    EXPECT_EQ(tally.call<&Tally::add>(0).get(), 3) << "constructors";

    EXPECT_TRUE(contains(failure_of(actor.call<&Durable::add_and_die>(1)), "SIGKILL"));
    EXPECT_TRUE(contains(failure_of(actor.call<&Durable::add>(1)), "its actor is gone"));
}

MUSTER_BODY(AnIsolatedActorThatIsReplayedHasEveryCallOnce) {
    const auto tally = spawn<Tally>({});
    const auto actor = spawn<Durable>({.placement = rank_at(1),
                                       .max_restarts = 2,
                                       .isolate = true,
                                       .save_every = 7,
                                       .replay = true},
                                      tally);
    std::vector<Future<int>> sums;
    for (int i = 0; i < 10; ++i) {
        sums.push_back(actor.call<&Durable::add>(1));
    }
    sums.push_back(actor.call<&Durable::add_or_die_in_the_first>(1));
    for (int i = 0; i < 9; ++i) {
        sums.push_back(actor.call<&Durable::add>(1));
    }
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(sums[static_cast<std::size_t>(i)].get(), i + 1);
    }
    EXPECT_EQ(tally.call<&Tally::add>(0).get(), 2) << "constructors";
}

MUSTER_BODY(AConstructorThatFailsTheSecondTimeFailsTheCallsThatFollow) {
    const auto tally = spawn<Tally>({});
    const auto actor =
        spawn<Durable>({.placement = rank_at(1), .max_restarts = 1, .isolate = true}, tally);
    EXPECT_EQ(actor.call<&Durable::add>(1).get(), 1);
    (void)tally.call<&Tally::add>(97).get();
    EXPECT_TRUE(contains(failure_of(actor.call<&Durable::add_and_die>(1)), "made again"));
    EXPECT_TRUE(contains(failure_of(actor.call<&Durable::add>(1)), "made too often"));
    EXPECT_TRUE(contains(failure_of(actor.call<&Durable::add>(1)), "made too often"));
}

MUSTER_BODY(AConstructorThatCrashesFailsAllCalls) {
    const auto tally = spawn<Tally>({});
    const auto crashing =
        spawn<Isolated>({.placement = rank_at(1), .isolate = true}, tally, Crash::exit);
    EXPECT_TRUE(contains(failure_of(crashing.call<&Isolated::count>(1)), "called exit(3)"));
    (void)tally.call<&Tally::add>(5'000).get();
    const auto throwing = spawn<Isolated>({.placement = rank_at(1), .isolate = true}, tally);
    EXPECT_TRUE(contains(failure_of(throwing.call<&Isolated::count>(1)), "tally is full"));
}

MUSTER_BODY(ActorsAreUsedFromIsolatedTasks) {
    const auto tally = spawn<Tally>({.name = "from inside"});
    const auto sum = task<[](ActorHandle<Tally> given) {
                         const auto found = find_actor<Tally>("from inside");
                         const auto own = spawn<Tally>({.cpus = 0});
                         own.call<&Tally::add>(500);
                         given.call<&Tally::add>(3);
                         return found.call<&Tally::add>(4).get() + own.call<&Tally::add>(1).get();
                     }>.with(isolated(rank_at(1)))(tally);
    EXPECT_EQ(sum.get(), 508);
    EXPECT_EQ(tally.call<&Tally::add>(0).get(), 7);
    const auto missing =
        task<[] { return find_actor<Tally>("nobody").id(); }>.with(isolated(rank_at(1)))();
    EXPECT_TRUE(contains(failure_of(missing), "no living actor is named \"nobody\""));
}

MUSTER_BODY(CommandsAreRunFromIsolatedTasks) {
    const auto out = task<[] {
                         return command({"echo", "hello"})().get().out;
                     }>.with(isolated(rank_at(1)))();
    EXPECT_EQ(out.get(), "hello\n");
}

MUSTER_BODY(GangsAreNotIsolated) {
    const auto text = thrown_by<Error>([] {
        (void)task<[](Communicator& ranks) { return ranks.rank(); }>.with(
            {.ranks = 1, .isolate = true})();
    });
    EXPECT_TRUE(contains(text, "`.isolate` is not for gangs")) << text;
}

} // namespace muster::test
