// Actors whose calls run side by side, urgent calls, and actors that last or are killed.

#include "suspending.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace muster::test {
namespace {

constexpr std::ptrdiff_t party = 4;

/// Its calls wait for one another, each on a thread.
class Meeting {
public:
    int meet() {
        const int inside = ++inside_;
        for (int most = most_; inside > most && !most_.compare_exchange_weak(most, inside);) {
        }
        barrier_.arrive_and_wait();
        --inside_;
        barrier_.arrive_and_wait(); // or the next one would be counted with those that leave
        return inside;
    }

    [[nodiscard]] int most() const { return most_; }

private:
    std::atomic<int> inside_{0};
    std::atomic<int> most_{0};
    std::barrier<> barrier_{party};
};

int square(int x) {
    return x * x;
}

/// Its methods are coroutines, and it has no locks.
class Desk {
public:
    /// Waits for the gate, after it has counted itself.
    Coroutine<int> wait_for(Future<int> gate, ActorHandle<Count> waiting) {
        started_.push_back(static_cast<int>(started_.size()));
        ++inside_;
        waiting.call<&Count::add>(1);
        int value = -1;
        try {
            value = co_await gate;
        } catch (...) {
            --inside_;
            throw;
        }
        --inside_;
        co_return value;
    }

    /// Changes what others change too, up to each of its waits.
    Coroutine<int> work(int number, int rounds) {
        order_.push_back(number);
        int sum = 0;
        for (int i = 0; i < rounds; ++i) {
            const bool met = busy_.exchange(true);
            std::this_thread::yield();
            meetings_ += met || !busy_.exchange(false) ? 1 : 0;
            const auto elsewhere = task<&square>.with({.cpus = 0, .placement = rank_at(i)})(i);
            sum += co_await elsewhere;
        }
        co_return sum;
    }

    [[nodiscard]] int inside() const { return inside_; }

    [[nodiscard]] int meetings() const { return meetings_; }

    [[nodiscard]] std::vector<int> order() const { return order_; }

private:
    std::vector<int> started_;
    std::vector<int> order_;
    int inside_ = 0;
    int meetings_ = 0;
    std::atomic<bool> busy_{false};
};

/// Notes what it is told to, unless it is held up; and tells a count of its end.
class Clerk {
public:
    explicit Clerk(ActorHandle<Count> ended) : ended_(std::move(ended)) {}

    Clerk(const Clerk&) = delete;
    Clerk& operator=(const Clerk&) = delete;

    ~Clerk() { ended_.call<&Count::add>(1); }

    int hold(ActorHandle<Count> started) {
        started.call<&Count::add>(1);
        (void)wait_for_stop();
        return 5;
    }

    void note(int entry) { entries_.push_back(entry); }

    [[nodiscard]] std::vector<int> entries() const { return entries_; }

    int size() { return static_cast<int>(entries_.size()); }

private:
    ActorHandle<Count> ended_;
    std::vector<int> entries_;
};

/// Its methods are coroutines that may run side by side.
class Pool {
public:
    Coroutine<int> work(int rounds) {
        int sum = 0;
        for (int i = 0; i < rounds; ++i) {
            const auto elsewhere = task<&square>.with({.cpus = 0, .placement = rank_at(i)})(i);
            sum += co_await elsewhere;
            steps_ += 1;
        }
        co_return sum;
    }

    int steps() { return steps_; }

private:
    std::atomic<int> steps_{0};
};

/// Takes long to be made.
class Slow {
public:
    explicit Slow(const ActorHandle<Count>& making) {
        making.call<&Count::add>(1);
        (void)wait_for_stop();
    }

    int use() { return 1; }
};

class Saved {
public:
    int use() { return ++used_; }

    [[nodiscard]] int save() const { return used_; }

    void load(int used) { used_ = used; }

private:
    int used_ = 0;
};

int use_by_name(const std::string& name, int entry) {
    const auto clerk = find_actor<Clerk>(name);
    clerk.call<&Clerk::note>(entry);
    return clerk.call<&Clerk::size>().get();
}

/// What a call of it throws; empty if it returns.
std::string why_not(const ActorHandle<Clerk>& clerk) {
    try {
        (void)clerk.call<&Clerk::size>().get();
    } catch (const TaskError& error) {
        return error.what();
    }
    return {};
}

} // namespace

MUSTER_BODY(AsManyCallsOfAnActorRunAtOnceAsItAllows) {
    const auto meeting = spawn<Meeting>({.placement = rank_at(1), .max_concurrency = party});
    std::vector<Future<int>> all;
    for (int i = 0; i < 5 * party; ++i) {
        all.push_back(meeting.call<&Meeting::meet>());
    }
    for (auto& one : all) {
        EXPECT_LE(one.get(), party);
    }
    EXPECT_EQ(meeting.call<&Meeting::most>().get(), party);
}

MUSTER_BODY(SuspendedCallsOfAnActorLetOthersRunAndHoldNoThread) {
    constexpr std::uint32_t count = threads_max + 50;
    const ThreadCounts counts;
    const Gate gate;
    const auto waiting = spawn<Count>({});
    const auto desk =
        spawn<Desk>({.placement = rank_at(1), .max_concurrency = count + 1, .threads = 1});
    std::vector<Future<int>> all;
    for (std::uint32_t i = 0; i < count; ++i) {
        all.push_back(desk.call<&Desk::wait_for>(gate.future(), waiting));
    }
    wait_until(waiting, static_cast<int>(count));
    EXPECT_EQ(desk.call<&Desk::inside>().get(), static_cast<int>(count));
    counts.expect_few_more();
    cancel(all[7]);
    EXPECT_THROW((void)all[7].get(), TaskError);
    EXPECT_EQ(desk.call<&Desk::inside>().get(), static_cast<int>(count) - 1);
    gate.open();
    for (std::uint32_t i = 0; i < count; ++i) {
        if (i != 7) {
            EXPECT_EQ(all[i].get(), 7);
        }
    }
    EXPECT_EQ(desk.call<&Desk::inside>().get(), 0);
}

MUSTER_BODY(OnOneThreadCallsMeetAtTheirWaitsOnly) {
    for (int rank = 0; rank < std::min(rank_count(), 3); ++rank) {
        const auto desk =
            spawn<Desk>({.placement = on_rank(rank), .max_concurrency = 8, .threads = 1});
        std::vector<Future<int>> all;
        std::vector<int> numbers(40);
        std::iota(numbers.begin(), numbers.end(), 0);
        for (const int number : numbers) {
            all.push_back(desk.call<&Desk::work>(number, 6));
        }
        for (auto& one : all) {
            EXPECT_EQ(one.get(), 0 + 1 + 4 + 9 + 16 + 25);
        }
        EXPECT_EQ(desk.call<&Desk::meetings>().get(), 0);
        EXPECT_EQ(desk.call<&Desk::order>().get(), numbers); // they start in the order made
    }
}

MUSTER_BODY(CoroutinesOfAnActorMayHaveAThreadEach) {
    const auto pool = spawn<Pool>({.placement = rank_at(1), .max_concurrency = 6, .threads = 3});
    std::vector<Future<int>> all;
    for (int i = 0; i < 60; ++i) {
        all.push_back(pool.call<&Pool::work>(5));
    }
    for (auto& one : all) {
        EXPECT_EQ(one.get(), 30);
    }
    EXPECT_EQ(pool.call<&Pool::steps>().get(), 300);
}

MUSTER_BODY(CallsThatRunSideBySideAreCancelledEachByItself) {
    const auto ended = spawn<Count>({});
    const auto started = spawn<Count>({});
    const auto clerk = spawn<Clerk>({.placement = rank_at(1), .max_concurrency = 2}, ended);
    auto first = clerk.call<&Clerk::hold>(started);
    auto second = clerk.call<&Clerk::hold>(started);
    auto third = clerk.call<&Clerk::hold>(started);
    wait_until(started, 2);
    cancel(third); // has not started
    const auto text = thrown_by<TaskError>([&] { (void)third.get(); });
    EXPECT_TRUE(contains(text, "cancelled before it ran")) << text;
    cancel(second);
    EXPECT_EQ(second.get(), 5); // as it ends when it is asked to
    EXPECT_EQ(clerk.call<&Clerk::size>().get(), 0);
    EXPECT_FALSE(first.ready());
    cancel(first);
    EXPECT_EQ(first.get(), 5);
}

MUSTER_BODY(ConcurrencyThatCannotBeIsRefused) {
    const auto refused = [](const ActorOptions& options) {
        return thrown_by<Error>([&] { (void)spawn<Saved>(options); });
    };
    EXPECT_TRUE(contains(refused({.max_concurrency = 0}), "none of its calls could ever start"));
    EXPECT_TRUE(contains(refused({.max_concurrency = 2, .threads = 3}), ".threads is 3"));
    EXPECT_TRUE(contains(refused({.max_concurrency = 5000}), "at most 1024 may"));
    EXPECT_TRUE(contains(refused({.isolate = true, .max_concurrency = 2}), "an isolated one"));
    EXPECT_TRUE(contains(refused({.max_restarts = 1, .max_concurrency = 2}), ".save_every to 0"));
    const auto kept =
        spawn<Saved>({.max_restarts = 1, .save_every = 0, .max_concurrency = 5000, .threads = 2});
    EXPECT_EQ(kept.call<&Saved::use>().get(), 1);
}

MUSTER_BODY(UrgentCallsGoAheadOfAllThatHaveNotStarted) {
    const auto ended = spawn<Count>({});
    const auto started = spawn<Count>({});
    const auto clerk = spawn<Clerk>({.placement = rank_at(1)}, ended);
    auto running = clerk.call<&Clerk::hold>(started);
    wait_until(started, 1);
    for (int i = 0; i < 600; ++i) { // more than may be on their way
        clerk.call<&Clerk::note>(i);
    }
    const auto urgent = clerk.with({.urgent = true});
    urgent.call<&Clerk::note>(1000);
    auto seen = urgent.call<&Clerk::entries>();
    urgent.call<&Clerk::note>(1001);
    const auto argument = task<&square>(40);
    clerk.with({.urgent = true}).call<&Clerk::note>(argument);
    (void)argument.get();
    (void)task<&square>.with({.placement = rank_at(1)})(1).get();
    cancel(running);
    EXPECT_EQ(running.get(), 5);
    EXPECT_EQ(seen.get(), std::vector{1000}); // after the urgent one before it, and no other
    auto entries = clerk.call<&Clerk::entries>().get();
    ASSERT_EQ(entries.size(), 603U);
    EXPECT_EQ(entries[1], 1001);
    std::erase_if(entries, [](int entry) { return entry >= 1000; });
    EXPECT_TRUE(std::is_sorted(entries.begin(), entries.end()));
}

MUSTER_BODY(AnUrgentCallIsNotHeldBackByTheCallsUnderWay) {
    const auto ended = spawn<Count>({});
    const auto started = spawn<Count>({});
    const auto clerk = spawn<Clerk>({.placement = rank_at(1), .pending_calls_max = 3}, ended);
    auto running = clerk.call<&Clerk::hold>(started);
    clerk.call<&Clerk::note>(1);
    clerk.call<&Clerk::note>(2); // a further one would wait
    std::vector<Future<void>> urgent;
    for (int i = 0; i < 5; ++i) {
        urgent.push_back(clerk.with({.urgent = true}).call<&Clerk::note>(10 + i));
    }
    wait_until(started, 1);
    cancel(running);
    for (auto& one : urgent) {
        one.get();
    }
    EXPECT_EQ(clerk.call<&Clerk::entries>().get().size(), 7U);

    const auto replayed = spawn<Saved>({.max_restarts = 1, .replay = true});
    const auto why =
        thrown_by<Error>([&] { (void)replayed.with({.urgent = true}).call<&Saved::use>(); });
    EXPECT_TRUE(contains(why, "urgent calls are not for actors with .replay")) << why;
}

MUSTER_BODY(AnActorForTheJobIsFoundThoughNobodyHasAHandle) {
    const auto ended = spawn<Count>({});
    for (int i = 0; i < 2; ++i) {
        (void)spawn<Clerk>({.placement = rank_at(i), .name = "clerk", .lifetime = Lifetime::job},
                           ended);
        for (int n = 0; n < 6; ++n) {
            EXPECT_EQ(task<&use_by_name>.with({.placement = rank_at(n)})("clerk", n).get(), n + 1);
        }
        EXPECT_EQ(ended.call<&Count::value>().get(), i);
        const auto found = find_actor<Clerk>("clerk");
        kill(found);
        wait_until(ended, i + 1);
        const auto why = why_not(found);
        EXPECT_TRUE(contains(why, "the actor was killed")) << why;
    }
    const auto gone = thrown_by<Error>([] { (void)find_actor<Clerk>("clerk"); });
    EXPECT_TRUE(contains(gone, "no living actor is named \"clerk\"")) << gone;
    // Spawned by a task, which ends before it is used.
    task<[](const ActorHandle<Count>& told) {
        (void)spawn<Clerk>({.name = "lasting", .lifetime = Lifetime::job}, told);
    }>.with({.placement = rank_at(1)})(ended)
        .get();
    EXPECT_EQ(use_by_name("lasting", 1), 1); // and lives when the run ends
}

MUSTER_BODY(AKilledActorEndsForEverybody) {
    const auto ended = spawn<Count>({});
    const auto started = spawn<Count>({});
    for (int i = 0; i < 3; ++i) {
        const auto clerk = spawn<Clerk>({.placement = rank_at(i), .name = "victim"}, ended);
        auto running = clerk.call<&Clerk::hold>(started);
        wait_until(started, i + 1);
        std::vector<Future<void>> pending;
        for (int n = 0; n < 700; ++n) { // at its rank, and still here
            pending.push_back(clerk.call<&Clerk::note>(n));
        }
        const auto killer = task<[](const ActorHandle<Clerk>& victim) { kill(victim); }>;
        if (i == 2) {
            kill(clerk);
        } else {
            killer.with({.placement = rank_at(i + 1)})(clerk).get();
        }
        EXPECT_EQ(running.get(), 5); // it was asked to stop
        for (auto& one : pending) {
            const auto why = thrown_by<TaskError>([&] { one.get(); });
            EXPECT_TRUE(contains(why, "killed")) << why;
        }
        wait_until(ended, i + 1);
        EXPECT_TRUE(contains(why_not(clerk), "killed"));
        EXPECT_TRUE(
            contains(task<&why_not>.with({.placement = rank_at(i + 1)})(clerk).get(), "killed"));
        kill(clerk); // it has ended
    }
}

MUSTER_BODY(AnActorIsKilledBeforeItIsMade) {
    const auto ended = spawn<Count>({});
    const auto never = spawn<Count>({.resources = {{"license", 1}}, .placement = on_rank(0)});
    (void)never.call<&Count::value>().get();
    const auto unmade =
        spawn<Clerk>({.resources = {{"license", 1}}, .placement = on_rank(0)}, ended);
    auto call = unmade.call<&Clerk::size>();
    kill(unmade);
    const auto why = thrown_by<TaskError>([&] { (void)call.get(); });
    EXPECT_TRUE(contains(why, "could not be made, or was lost or killed")) << why;
    // While its constructor runs.
    const auto making = spawn<Count>({});
    const auto slow = spawn<Slow>({.placement = rank_at(1)}, making);
    auto use = slow.call<&Slow::use>();
    wait_until(making, 1);
    kill(slow);
    const auto text = thrown_by<TaskError>([&] { (void)use.get(); });
    EXPECT_TRUE(contains(text, "killed")) << text;
}

MUSTER_BODY(SuspendedCallsOfAKilledActorGoOnWithAnError) {
    const Gate gate;
    const auto waiting = spawn<Count>({});
    const auto desk = spawn<Desk>({.placement = rank_at(1), .max_concurrency = 20, .threads = 1});
    std::vector<Future<int>> all;
    for (int i = 0; i < 40; ++i) {
        all.push_back(desk.call<&Desk::wait_for>(gate.future(), waiting));
    }
    wait_until(waiting, 20);
    kill(desk);
    for (auto& one : all) {
        EXPECT_THROW((void)one.get(), TaskError);
    }
    EXPECT_EQ(waiting.call<&Count::value>().get(), 20);
    gate.open();
}

MUSTER_BODY(IsolatedTasksMakeUrgentCallsAndKill) {
    const auto ended = spawn<Count>({});
    const auto started = spawn<Count>({});
    const auto clerk = spawn<Clerk>({.placement = rank_at(1)}, ended);
    auto running = clerk.call<&Clerk::hold>(started);
    wait_until(started, 1);
    clerk.call<&Clerk::note>(1);
    auto noted = task<[](ActorHandle<Clerk> actor) {
                     actor.with({.urgent = true}).call<&Clerk::note>(2);
                     (void)spawn<Count>({.name = "isolated count", .lifetime = Lifetime::job});
                     return true;
                 }>.with({.isolate = true})(clerk);
    EXPECT_TRUE(noted.get());
    cancel(running);
    EXPECT_EQ(clerk.call<&Clerk::entries>().get(), (std::vector{2, 1}));
    EXPECT_EQ(find_actor<Count>("isolated count").call<&Count::value>().get(), 0);
    task<[](ActorHandle<Clerk> actor) { kill(actor); }>.with({.isolate = true})(clerk).get();
    wait_until(ended, 1);
    EXPECT_TRUE(contains(why_not(clerk), "killed"));
}

} // namespace muster::test
