#include "suspending.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <thread>

namespace muster::test {
namespace {

Coroutine<int> fibonacci(int n) {
    if (n < 2) {
        co_return n;
    }
    auto a = task<&fibonacci>(n - 1);
    auto b = task<&fibonacci>(n - 2);
    const int first = co_await a;
    co_return first + co_await b;
}

int divide(int a, int b) {
    if (b == 0) {
        throw std::domain_error("divided by zero");
    }
    return a / b;
}

Coroutine<int> divide_elsewhere(int a, int b) {
    const auto quotient = task<&divide>.with({.placement = rank_at(1), .name = "divider"})(a, b);
    co_return co_await quotient;
}

Coroutine<std::string> divide_and_tell(int a, int b) {
    try {
        const int quotient = co_await divide_elsewhere(a, b);
        co_return std::to_string(quotient);
    } catch (const TaskError& error) {
        co_return error.root_cause().message;
    }
}

std::vector<int> numbers(int count) {
    std::vector<int> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 0);
    return values;
}

Coroutine<long> sum_of(Future<std::vector<int>> values) {
    const auto here = co_await values;
    const auto again = co_await values;
    co_return here == again ? std::accumulate(here.begin(), here.end(), 0L) : -1;
}

/// Makes large values on every rank, and adds them up here.
Coroutine<long> sum_of_all(int count) {
    std::vector<Future<std::vector<int>>> made;
    for (int rank = 0; rank < rank_count(); ++rank) {
        made.push_back(task<&numbers>.with({.placement = on_rank(rank)})(count));
    }
    long sum = 0;
    for (const auto& values : co_await when_all(made)) {
        sum += std::accumulate(values.begin(), values.end(), 0L);
    }
    co_return sum;
}

int square(int x) {
    return x * x;
}

/// Squares of 0 to count - 1, added up as they come.
Coroutine<int> sum_of_squares(int count) {
    auto squares = map<&square>(numbers(count));
    auto completed = as_completed(squares);
    int sum = 0;
    int given = 0;
    while (auto* next = co_await completed.next()) {
        ++given;
        sum += co_await *next;
        if (next->id() != squares[completed.index()].id()) {
            co_return -1;
        }
    }
    co_return given == count&& co_await completed.next() == nullptr ? sum : -2;
}

/// Waits in get(), in co_await, and in get() again.
Coroutine<int> mix(int x) {
    const int a = task<&square>(x).get();
    const int b = co_await task<&square>(a);
    const int c = task<&square>.with({.placement = rank_at(1)})(b).get();
    co_return c;
}

struct Seen {
    TaskId id{};
    std::uint32_t attempt = 0;
    int rank = -1;
    bool stop_requested = true;

    bool operator==(const Seen&) const = default;
};

Seen see() {
    const auto self = this_task();
    return {self.id, self.attempt, where(), self.stop_token.stop_requested()};
}

/// What a task sees of itself, before and after each of its waits.
Coroutine<std::vector<Seen>> look_round(Future<int> gate) {
    std::vector<Seen> seen{see()};
    (void)co_await gate;
    seen.push_back(see());
    for (int i = 0; i < 5; ++i) {
        const auto elsewhere = task<&square>.with({.placement = rank_at(where() + 1)})(i);
        (void)co_await elsewhere;
        seen.push_back(see());
    }
    co_return seen;
}

Coroutine<bool> stay_on_thread(Future<int> stored) {
    const auto before = std::this_thread::get_id();
    const int value = co_await stored;
    co_return value == 5 && std::this_thread::get_id() == before;
}

/// Counts when it is destroyed, as a frame's variable.
class Destroyed {
public:
    explicit Destroyed(ActorHandle<Count> count) : count_(std::move(count)) {}

    Destroyed(const Destroyed&) = delete;
    Destroyed& operator=(const Destroyed&) = delete;

    ~Destroyed() { count_.call<&Count::add>(1); }

private:
    ActorHandle<Count> count_;
};

Coroutine<int> wait_in(Future<int> gate, ActorHandle<Count> waiting, ActorHandle<Count> destroyed) {
    const Destroyed guard(destroyed);
    waiting.call<&Count::add>(1);
    co_return co_await gate;
}

Coroutine<int>
wait_deep(Future<int> gate, ActorHandle<Count> waiting, ActorHandle<Count> destroyed) {
    const Destroyed guard(destroyed);
    co_return co_await wait_in(gate, waiting, destroyed);
}

Coroutine<std::string> finish_when_stopped(Future<int> gate, ActorHandle<Count> waiting) {
    waiting.call<&Count::add>(1);
    std::string text;
    try {
        (void)co_await gate;
    } catch (const Error& error) {
        text = error.code() == ErrorCode::cancelled ? "cancelled" : error.what();
    }
    // It would wait again, which it may not any more; what is there can be had.
    const std::vector<Future<int>> gates{gate};
    try {
        (void)co_await when_all(gates);
    } catch (const Error& error) {
        text += error.code() == ErrorCode::cancelled ? " again" : error.what();
    }
    co_return text + (this_task().stop_token.stop_requested() ? ", stopped" : "") +
        std::to_string(co_await put(1));
}

Coroutine<std::string> join(const std::string& a, std::string b, const Future<std::string>& c) {
    const auto last = co_await c;
    co_return a + b + last;
}

/// An actor whose calls wait without a thread.
class Relay {
public:
    explicit Relay(int step) : step_(step) {}

    Coroutine<int> pass_on(int x) {
        const int before = ++calls_;
        const int squared = co_await task<&square>(x);
        // Of one actor one call runs at a time, also while it waits.
        co_return calls_ == before ? squared + step_ : -1;
    }

    Coroutine<void> wait_for(Future<int> gate, ActorHandle<Count> waiting) {
        waiting.call<&Count::add>(1);
        (void)co_await gate;
    }

    Coroutine<int> ask(const ActorHandle<Relay>& other, int x) const {
        const int answer = co_await other.call<&Relay::pass_on>(x);
        co_return answer + step_;
    }

    int calls() const { return calls_; }

private:
    int step_;
    int calls_ = 0;
};

} // namespace

// Many more than a class may have slots for tasks that hold threads.
MUSTER_BODY(SuspendedTasksHoldNoThread) {
    expect_no_thread_for_each_of(1500);
}

MUSTER_BODY(SuspendedTasksThatTakeNoCpuAreResumedByFewThreads) {
    const Gate gate;
    const auto waiting = spawn<Count>({});
    std::vector<Future<int>> all;
    for (int i = 0; i < 2000; ++i) {
        all.push_back(
            task<&add_to>.with({.cpus = 0, .placement = rank_at(1)})(gate.future(), waiting, i));
    }
    wait_until(waiting, 2000);
    gate.open();
    for (int i = 0; i < 2000; ++i) {
        ASSERT_EQ(all[static_cast<std::size_t>(i)].get(), i + 7);
    }
    // As many slots as a class may have, resumed ones, and the rest.
    EXPECT_LT(task<&threads>.with({.placement = rank_at(1)})().get(), 256 + 64 + threads_max);
}

MUSTER_BODY(ASuspendedTaskKeepsWhatIsNoCpu) {
    const Gate gate;
    const auto waiting = spawn<Count>({});
    const TaskOptions licensed{.resources = {{"license", 1}}, .placement = rank_at(1)};
    auto holder = task<&add_to>.with(licensed)(gate.future(), waiting, 1);
    wait_until(waiting, 1);
    auto next = task<&square>.with(licensed)(3);
    auto big = task<&square>.with({.cpus = 2, .placement = rank_at(1)})(4); // its CPU is lent
    EXPECT_EQ(big.get(), 16);
    EXPECT_FALSE(next.ready());
    gate.open();
    EXPECT_EQ(holder.get(), 8);
    EXPECT_EQ(next.get(), 9);
}

MUSTER_BODY(CoroutinesSubmitCoroutinesAndAwaitThem) {
    EXPECT_EQ(task<&fibonacci>(13).get(), 233);
    EXPECT_EQ(fibonacci(8).get(), 21); // in the driver
}

MUSTER_BODY(ManyCoroutinesAreOneSubmission) {
    auto values = map<&fibonacci>(std::vector<int>(300, 2));
    for (auto& value : values) {
        EXPECT_EQ(value.get(), 1);
    }
}

MUSTER_BODY(WhatAnAwaitedTaskThrowsComesOutOfCoAwait) {
    EXPECT_EQ(task<&divide_elsewhere>(12, 4).get(), 3);
    EXPECT_EQ(task<&divide_and_tell>(12, 4).get(), "3");
    EXPECT_EQ(task<&divide_and_tell>(1, 0).get(), "divided by zero");
    try {
        (void)task<&divide_elsewhere>.with({.name = "outer"})(1, 0).get();
        ADD_FAILURE() << "no exception";
    } catch (const TaskError& error) {
        ASSERT_EQ(error.chain().size(), 2U) << error.what();
        EXPECT_EQ(error.chain()[0].task, "outer");
        EXPECT_EQ(error.chain()[1].task, "divider");
        EXPECT_EQ(index(error.chain()[1].rank), 1 % rank_count());
        EXPECT_THROW(error.rethrow_cause(), std::domain_error);
    }
    const auto thrown = task<[]() -> Coroutine<void> {
        (void)co_await put(1);
        throw std::out_of_range("after a wait");
    }>();
    EXPECT_TRUE(contains(thrown_by<TaskError>([&] { thrown.get(); }), "after a wait"));
    const auto empty = task<[]() -> Coroutine<int> { co_return co_await Future<int>(); }>();
    EXPECT_TRUE(contains(thrown_by<TaskError>([&] { (void)empty.get(); }), "this future is empty"));
}

MUSTER_BODY(LargeValuesComeBeforeTheTaskGoesOn) {
    constexpr long sum = 50'000L * 49'999 / 2;
    for (int i = 0; i < rank_count(); ++i) {
        const auto values = task<&numbers>.with({.placement = rank_at(i)})(50'000);
        EXPECT_EQ(
            task<&sum_of>.with({.placement = rank_at(i + 1)})(Future<std::vector<int>>(values)).get(),
            sum);
        EXPECT_EQ(task<&sum_of_all>.with({.placement = rank_at(i)})(50'000).get(),
                  rank_count() * sum);
    }
    // Several on one rank want the same one, before it is there and after.
    const auto values = task<&numbers>.with({.placement = rank_at(1)})(50'000);
    std::vector<Future<long>> sums;
    for (int i = 0; i < 20; ++i) {
        sums.push_back(task<&sum_of>.with({.placement = rank_at(2)})(values));
    }
    for (auto& one : sums) {
        EXPECT_EQ(one.get(), sum);
    }
}

MUSTER_BODY(CoroutinesTakeWhatIsDoneFirst) {
    EXPECT_EQ(task<&sum_of_squares>(100).get(), 99 * 100 * 199 / 6);
    EXPECT_EQ(task<&sum_of_squares>(0).get(), 0);
    EXPECT_EQ(sum_of_squares(20).get(), 19 * 20 * 39 / 6);
}

MUSTER_BODY(WhenAllWaitsForAllAndThrowsTheFirstFailure) {
    const auto divided = task<[](std::vector<int> by) -> Coroutine<std::string> {
        std::vector<Future<int>> parts;
        for (const int b : by) {
            parts.push_back(task<&divide>(60, b));
        }
        try {
            std::string text;
            for (const int part : co_await when_all(parts)) {
                text += std::to_string(part) + " ";
            }
            co_return text;
        } catch (const TaskError& error) {
            // None is under way any more.
            const bool all = std::all_of(
                parts.begin(), parts.end(), [](const auto& part) { return part.ready(); });
            co_return error.root_cause().message + (all ? ", all done" : ", some not done");
        }
    }>;
    EXPECT_EQ(divided(std::vector{1, 2, 3}).get(), "60 30 20 ");
    EXPECT_EQ(divided(std::vector{1, 0, 3}).get(), "divided by zero, all done");
    EXPECT_EQ(divided(std::vector<int>{}).get(), "");
    const auto nothing = task<[]() -> Coroutine<int> {
        std::vector<Future<void>> parts;
        for (int i = 0; i < 4; ++i) {
            parts.push_back(task<[] {}>());
        }
        co_await when_all(parts);
        co_return 4;
    }>();
    EXPECT_EQ(nothing.get(), 4);
}

MUSTER_BODY(ACoroutineMayAlsoCallGet) {
    std::vector<Future<int>> all;
    for (int i = 0; i < 20; ++i) {
        all.push_back(task<&mix>.with({.placement = rank_at(i)})(i % 3));
    }
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(all[static_cast<std::size_t>(i)].get(), i % 3 == 2 ? 256 : i % 3);
    }
}

MUSTER_BODY(ATaskIsItselfOnWhateverThreadItGoesOn) {
    const Gate gate;
    std::vector<Future<std::vector<Seen>>> all;
    for (int i = 0; i < 30; ++i) {
        all.push_back(task<&look_round>.with({.placement = rank_at(i)})(gate.future()));
    }
    gate.open();
    for (int i = 0; i < 30; ++i) {
        const auto& future = all[static_cast<std::size_t>(i)];
        const auto seen = future.get();
        ASSERT_EQ(seen.size(), 7U);
        for (const auto& moment : seen) {
            EXPECT_EQ(moment, (Seen{future.id(), 1, i % rank_count(), false}));
        }
    }
}

MUSTER_BODY(WhatIsThereIsAwaitedWithoutAPause) {
    EXPECT_TRUE(task<[]() -> Coroutine<bool> {
                    const auto stored = put(5);
                    co_return co_await stay_on_thread(stored);
                }>()
                    .get());
}

MUSTER_BODY(ASuspendedTaskThatIsCancelledGoesOnWithAnError) {
    const Gate gate;
    const auto waiting = spawn<Count>({});
    const auto destroyed = spawn<Count>({});
    std::vector<Future<int>> victims;
    std::vector<Future<std::string>> survivors;
    for (int i = 0; i < 10; ++i) {
        victims.push_back(
            task<&wait_deep>.with({.placement = rank_at(i)})(gate.future(), waiting, destroyed));
        survivors.push_back(
            task<&finish_when_stopped>.with({.placement = rank_at(i)})(gate.future(), waiting));
    }
    wait_until(waiting, 20);
    for (int i = 0; i < 10; ++i) {
        cancel(victims[static_cast<std::size_t>(i)]);
        cancel(survivors[static_cast<std::size_t>(i)]);
    }
    for (auto& victim : victims) {
        try {
            (void)victim.get();
            ADD_FAILURE() << "no exception";
        } catch (const TaskError& error) {
            EXPECT_EQ(error.code(), ErrorCode::cancelled) << error.what();
            EXPECT_TRUE(contains(error.what(), "asked to stop, while it waited for"))
                << error.what();
        }
    }
    for (auto& survivor : survivors) {
        EXPECT_EQ(survivor.get(), "cancelled again, stopped1");
    }
    wait_until(destroyed, 20); // calls from other ranks may still be on their way
    EXPECT_FALSE(gate.future().ready());
    gate.open();
    EXPECT_EQ(gate.future().get(), 7);
}

MUSTER_BODY(ArgumentsLiveUntilTheCoroutineIsDone) {
    const auto last = task<[]() -> Coroutine<std::string> { co_return std::string(3000, 'c'); }>;
    for (int i = 0; i < 10; ++i) {
        const auto text = task<&join>.with({.placement = rank_at(i)})(
            std::string(5000, 'a'), std::string(100, 'b'), last());
        EXPECT_EQ(text.get(),
                  std::string(5000, 'a') + std::string(100, 'b') + std::string(3000, 'c'));
    }
}

MUSTER_BODY(CallsOfActorsMayBeCoroutines) {
    std::vector<ActorHandle<Relay>> relays;
    for (int i = 0; i < 6; ++i) {
        relays.push_back(spawn<Relay>({.placement = rank_at(i)}, i));
    }
    std::vector<Future<int>> answers;
    for (int x = 0; x < 40; ++x) {
        for (const auto& relay : relays) {
            answers.push_back(relay.call<&Relay::pass_on>(x));
        }
    }
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const int x = static_cast<int>(i / relays.size());
        EXPECT_EQ(answers[i].get(), x * x + static_cast<int>(i % relays.size()));
    }
    for (const auto& relay : relays) {
        EXPECT_EQ(relay.call<&Relay::calls>().get(), 40);
    }
    for (std::size_t i = 0; i < relays.size(); ++i) {
        const auto& next = relays[(i + 1) % relays.size()];
        EXPECT_EQ(relays[i].call<&Relay::ask>(next, 3).get(),
                  9 + static_cast<int>(i + (i + 1) % relays.size()));
    }
}

MUSTER_BODY(SuspendedCallsHoldNoThread) {
    constexpr int count = threads_max + 50;
    const ThreadCounts counts;
    const Gate gate;
    const auto waiting = spawn<Count>({});
    std::vector<ActorHandle<Relay>> relays;
    std::vector<Future<void>> all;
    for (int i = 0; i < count; ++i) {
        // One after another, so that none needs a further thread for a moment.
        relays.push_back(spawn<Relay>({}, i));
        all.push_back(relays.back().call<&Relay::wait_for>(gate.future(), waiting));
        wait_until(waiting, i + 1);
    }
    counts.expect_few_more();
    // One of them is cancelled; its actor lives on.
    cancel(all[0]);
    EXPECT_THROW(all[0].get(), TaskError);
    EXPECT_EQ(relays[0].call<&Relay::pass_on>(4).get(), 16);
    gate.open();
    for (int i = 1; i < count; ++i) {
        all[static_cast<std::size_t>(i)].get();
    }
    EXPECT_EQ(relays[9].call<&Relay::pass_on>(4).get(), 25);
}

} // namespace muster::test
