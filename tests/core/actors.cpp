#include "body.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace muster::test {
namespace {

class Counter {
public:
    explicit Counter(int start) : value_(start) {}

    void add(int by) { value_ += by; }

    [[nodiscard]] int value() const noexcept { return value_; }

    int add_and_get(int by) {
        value_ += by;
        return value_;
    }

    [[nodiscard]] int host() const { return where(); }

    [[noreturn]] void fail(const std::string& why) { throw std::out_of_range(why); }

private:
    int value_;
};

/// Keeps what it is given, in order.
class Log {
public:
    void note(int entry) { entries_.push_back(entry); }

    [[nodiscard]] std::vector<int> entries() const { return entries_; }

    [[nodiscard]] std::size_t append(std::vector<int> more) {
        entries_.insert(entries_.end(), more.begin(), more.end());
        return entries_.size();
    }

private:
    std::vector<int> entries_;
};

struct Refuses {
    explicit Refuses(const std::string& why) { throw std::invalid_argument(why); }

    void use() {}
};

/// Writes into a log when it is destroyed.
class Mortal {
public:
    Mortal(ActorHandle<Log> log, int id) : log_(std::move(log)), id_(id) {}

    Mortal(const Mortal&) = delete;
    Mortal& operator=(const Mortal&) = delete;

    ~Mortal() { log_.call<&Log::note>(id_); }

    int id() { return id_; }

private:
    ActorHandle<Log> log_;
    int id_;
};

/// A value with handles inside.
struct Pair {
    ActorHandle<Counter> first;
    std::vector<ActorHandle<Counter>> others;
};

int add_through(ActorHandle<Counter> counter, int by) {
    return counter.call<&Counter::add_and_get>(by).get();
}

void add_to_all(const Pair& pair) {
    std::vector<Future<void>> done;
    done.push_back(pair.first.call<&Counter::add>(1));
    for (const auto& other : pair.others) {
        done.push_back(other.call<&Counter::add>(10));
    }
    for (auto& one : done) {
        one.get();
    }
}

void note_many(ActorHandle<Log> log, int from, int count) {
    for (int i = 0; i < count; ++i) {
        log.call<&Log::note>(from + i);
    }
}

int spawn_and_sum(int n) {
    auto counter = spawn<Counter>({.placement = rank_at(where() + 1)}, 0);
    for (int i = 1; i <= n; ++i) {
        counter.call<&Counter::add>(i);
    }
    return counter.call<&Counter::value>().get();
}

int find_and_add(const std::string& name) {
    return find_actor<Counter>(name).call<&Counter::add_and_get>(1).get();
}

int triple(int x) {
    return 3 * x;
}

/// Calls another actor from its methods.
class Relay {
public:
    explicit Relay(ActorHandle<Log> log) : log_(std::move(log)) {}

    void forward(int entry) { log_.call<&Log::note>(entry); }

    int ask(ActorHandle<Counter> counter) { return counter.call<&Counter::value>().get(); }

    [[nodiscard]] std::size_t task_id() { return static_cast<std::size_t>(this_task().id); }

private:
    ActorHandle<Log> log_;
};

class Patient {
public:
    void wait_for_stop(ActorHandle<Log> started) {
        started.call<&Log::note>(1);
        (void)::muster::test::wait_for_stop();
    }

    int touch() { return ++touched_; }

private:
    int touched_ = 0;
};

/// Until it has so many entries: other ranks' last handles need a while to be gone.
std::vector<int> wait_for_entries(const ActorHandle<Log>& log, std::size_t count) {
    std::vector<int> entries;
    while (entries.size() < count) {
        entries = log.call<&Log::entries>().get();
    }
    return entries;
}

} // namespace

MUSTER_BODY(AnActorKeepsItsStateBetweenCalls) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        auto counter = spawn<Counter>({.placement = on_rank(rank)}, 10);
        counter.call<&Counter::add>(5);
        EXPECT_EQ(counter.call<&Counter::value>().get(), 15);
        EXPECT_EQ(counter.call<&Counter::host>().get(), rank);
    }
}

MUSTER_BODY(CallsOfOneCallerRunInTheirOrder) {
    auto log = spawn<Log>({.placement = rank_at(1)});
    std::vector<int> expected;
    for (int i = 0; i < 3000; ++i) {
        log.call<&Log::note>(i);
        expected.push_back(i);
    }
    EXPECT_EQ(log.call<&Log::entries>().get(), expected);
}

MUSTER_BODY(ACallWaitsForItsArgumentsAndLaterCallsOfItsCallerBehindIt) {
    auto log = spawn<Log>({.placement = rank_at(2)});
    std::vector<int> expected;
    for (int i = 0; i < 20; ++i) {
        log.call<&Log::note>(task<&triple>.with({.placement = rank_at(i)})(i));
        log.call<&Log::note>(-i);
        expected.insert(expected.end(), {3 * i, -i});
    }
    EXPECT_EQ(log.call<&Log::entries>().get(), expected);
    const std::vector<int> large(100'000, 7);
    const auto stored = put(large);
    auto appended = log.call<&Log::append>(stored);
    log.call<&Log::note>(1);
    EXPECT_EQ(appended.get(), expected.size() + large.size());
    EXPECT_EQ(log.call<&Log::entries>().get().size(), expected.size() + large.size() + 1);
}

MUSTER_BODY(HandlesAreArgumentsOfTasksAndParts) {
    std::vector<ActorHandle<Counter>> counters;
    for (int i = 0; i < 4; ++i) {
        counters.push_back(spawn<Counter>({.placement = rank_at(i)}, 0));
    }
    std::vector<Future<int>> sums;
    for (int i = 0; i < 12; ++i) {
        sums.push_back(task<&add_through>.with({.placement = rank_at(i)})(
            counters[static_cast<std::size_t>(i) % 4], 1));
    }
    for (auto& sum : sums) {
        (void)sum.get();
    }
    const Pair pair{counters[0], {counters[1], counters[2], counters[3]}};
    task<&add_to_all>.with({.placement = rank_at(1)})(pair).get();
    const auto stored = put(pair);
    task<&add_to_all>.with({.placement = rank_at(2)})(stored).get();
    EXPECT_EQ(counters[0].call<&Counter::value>().get(), 5);
    EXPECT_EQ(counters[3].call<&Counter::value>().get(), 23);
    EXPECT_EQ(stored.get().first, counters[0]);
    EXPECT_NE(counters[0], counters[1]);
}

MUSTER_BODY(ManyCallersKeepTheirOwnOrder) {
    auto log = spawn<Log>({.placement = rank_at(1)});
    std::vector<Future<void>> callers;
    for (int i = 0; i < 6; ++i) {
        callers.push_back(task<&note_many>.with({.placement = rank_at(i)})(log, i * 1000, 200));
    }
    for (auto& caller : callers) {
        caller.get();
    }
    // Their calls were made, and not waited for.
    const auto entries = wait_for_entries(log, 1200);
    std::vector<int> last(6, -1);
    for (const int entry : entries) {
        EXPECT_GT(entry % 1000, last[static_cast<std::size_t>(entry / 1000)]);
        last[static_cast<std::size_t>(entry / 1000)] = entry % 1000;
    }
    EXPECT_EQ(last, std::vector<int>(6, 199));
}

MUSTER_BODY(ActorsAreSpawnedAndCalledByTasksAndByActors) {
    std::vector<Future<int>> sums;
    for (int i = 0; i < 5; ++i) {
        sums.push_back(task<&spawn_and_sum>.with({.placement = rank_at(i)})(10));
    }
    for (auto& sum : sums) {
        EXPECT_EQ(sum.get(), 55);
    }
    auto log = spawn<Log>({.placement = rank_at(1)});
    auto relay = spawn<Relay>({.placement = rank_at(2)}, log);
    std::vector<int> expected;
    for (int i = 0; i < 50; ++i) {
        relay.call<&Relay::forward>(i);
        expected.push_back(i);
    }
    auto counter = spawn<Counter>({.placement = rank_at(3)}, 4);
    EXPECT_EQ(relay.call<&Relay::ask>(counter).get(), 4);
    EXPECT_EQ(wait_for_entries(log, 50), expected);
    const auto call = relay.call<&Relay::task_id>();
    EXPECT_EQ(call.get(), static_cast<std::size_t>(call.id()));
}

MUSTER_BODY(AnActorIsFoundByItsNameFromAnyRank) {
    auto hits = spawn<Counter>({.placement = rank_at(1), .name = "hits"}, 0);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(task<&find_and_add>.with({.placement = rank_at(i)})("hits").get(), i + 1);
    }
    EXPECT_EQ(find_actor<Counter>("hits"), hits);
    auto unknown = thrown_by<Error>([] { (void)find_actor<Counter>("hit"); });
    EXPECT_TRUE(contains(unknown, "no living actor is named \"hit\"; there are: hits")) << unknown;
    auto other = thrown_by<Error>([] { (void)find_actor<Log>("hits"); });
    EXPECT_TRUE(contains(other, "is of class muster::test::Counter, not muster::test::Log"))
        << other;
    auto taken = thrown_by<Error>([] { (void)spawn<Log>({.name = "hits"}); });
    EXPECT_TRUE(contains(taken, "the name is taken by an actor of class muster::test::Counter"))
        << taken;
    EXPECT_EQ(hits.call<&Counter::value>().get(), 4);
}

MUSTER_BODY(ANameIsFreeOnceTheLastHandleIsGone) {
    for (int i = 0; i < 3; ++i) {
        auto again = spawn<Counter>({.placement = rank_at(i), .name = "again"}, i);
        EXPECT_EQ(again.call<&Counter::value>().get(), i);
    }
}

MUSTER_BODY(AnActorIsDestroyedWhenItsLastHandleGoes) {
    auto log = spawn<Log>({.placement = rank_at(1)});
    for (int i = 0; i < 4; ++i) {
        auto mortal = spawn<Mortal>({.placement = rank_at(i)}, log, i);
        EXPECT_EQ(mortal.call<&Mortal::id>().get(), i);
        auto copy = mortal;
        mortal = {};
        EXPECT_EQ(copy.call<&Mortal::id>().get(), i);
    }
    EXPECT_EQ(wait_for_entries(log, 4).size(), 4U);
    // With calls under way and no handle: they run first.
    auto last = [&] {
        return spawn<Mortal>({.placement = rank_at(2)}, log, 9).call<&Mortal::id>();
    }();
    EXPECT_EQ(last.get(), 9);
    EXPECT_EQ(wait_for_entries(log, 5).back(), 9);
}

MUSTER_BODY(AnActorsResourcesAreTakenForAsLongAsItLives) {
    // Two slots a rank, as set_environment() says.
    std::vector<ActorHandle<Counter>> holders;
    for (int i = 0; i < 2 * rank_count(); ++i) {
        holders.push_back(spawn<Counter>({.resources = {{"slot", 1}}}, i));
    }
    for (auto& holder : holders) {
        (void)holder.call<&Counter::value>().get();
    }
    auto waiting = task<&triple>.with({.resources = {{"slot", 1}}})(1);
    EXPECT_EQ(task<&triple>(2).get(), 6);
    EXPECT_FALSE(waiting.ready());
    holders.pop_back();
    EXPECT_EQ(waiting.get(), 3);
    auto more = thrown_by<Error>([] { (void)spawn<Counter>({.resources = {{"slot", 3}}}, 0); });
    EXPECT_TRUE(contains(more, "actor (muster::test::Counter) needs")) << more;
    EXPECT_TRUE(contains(more, "is 2 of slot")) << more;
}

MUSTER_BODY(MoreActorsLiveThanThereAreCpusOrSlots) {
    std::vector<ActorHandle<Counter>> counters;
    for (int i = 0; i < 600; ++i) {
        counters.push_back(spawn<Counter>({.placement = rank_at(i % 2)}, i));
    }
    std::vector<Future<int>> values;
    for (auto& counter : counters) {
        values.push_back(counter.call<&Counter::add_and_get>(1));
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(values[i].get(), static_cast<int>(i) + 1);
    }
}

MUSTER_BODY(ACallThatThrowsFailsAlone) {
    auto counter = spawn<Counter>({.placement = rank_at(1)}, 1);
    auto failed = counter.call<&Counter::fail>("off the end");
    auto after = counter.call<&Counter::value>();
    try {
        failed.get();
        ADD_FAILURE() << "no exception";
    } catch (const TaskError& error) {
        EXPECT_EQ(error.root_cause().message, "off the end");
        EXPECT_TRUE(contains(error.root_cause().task, "Counter::fail")) << error.root_cause().task;
        EXPECT_EQ(index(error.root_cause().rank), 1 % rank_count());
        EXPECT_THROW(error.rethrow_cause(), std::out_of_range);
    }
    EXPECT_EQ(after.get(), 1);
}

MUSTER_BODY(CallsOfAnActorWhoseConstructorThrewSayWhy) {
    auto early = spawn<Refuses>({.placement = rank_at(1), .name = "picky"}, "no thanks");
    auto first = early.call<&Refuses::use>();
    const auto text = thrown_by<TaskError>([&] { first.get(); });
    EXPECT_TRUE(contains(text, "actor picky (muster::test::Refuses) could not be made")) << text;
    EXPECT_TRUE(contains(text, "because actor picky (muster::test::Refuses)")) << text;
    EXPECT_TRUE(contains(text, "std::invalid_argument: no thanks")) << text;
    auto late = early.call<&Refuses::use>();
    try {
        late.get();
        ADD_FAILURE() << "no exception";
    } catch (const TaskError& error) {
        EXPECT_THROW(error.rethrow_cause(), std::invalid_argument);
    }
    // From another rank, and the name can be used again.
    auto elsewhere =
        task<[](ActorHandle<Refuses> actor) { actor.call<&Refuses::use>().get(); }>.with(
            {.placement = rank_at(2)})(early);
    const auto there = thrown_by<TaskError>([&] { elsewhere.get(); });
    EXPECT_TRUE(contains(there, "could not be made")) << there;
    auto again = spawn<Counter>({.name = "picky"}, 3);
    EXPECT_EQ(again.call<&Counter::value>().get(), 3);
    // A dependency of the constructor that fails.
    auto failing = task<[](int x) -> int { throw std::domain_error(std::to_string(x)); }>(5);
    auto orphan = spawn<Counter>({}, failing);
    const auto why = thrown_by<TaskError>([&] { (void)orphan.call<&Counter::value>().get(); });
    EXPECT_TRUE(contains(why, "std::domain_error: 5")) << why;
}

MUSTER_BODY(CallsAndConstructorsAreCancelled) {
    auto patient = spawn<Patient>({.placement = rank_at(1)});
    auto started = spawn<Log>({});
    auto running = patient.call<&Patient::wait_for_stop>(started);
    auto queued = patient.call<&Patient::touch>();
    auto last = patient.call<&Patient::touch>();
    (void)wait_for_entries(started, 1);
    cancel(queued);
    const auto text = thrown_by<TaskError>([&] { (void)queued.get(); });
    EXPECT_TRUE(contains(text, "cancelled")) << text;
    cancel(running);
    running.get(); // it ended as asked, with a value
    EXPECT_EQ(last.get(), 1);

    auto blocker = spawn<Counter>({.resources = {{"license", 1}}, .placement = on_rank(0)}, 0);
    (void)blocker.call<&Counter::value>().get();
    auto never = spawn<Counter>({.resources = {{"license", 1}}, .placement = on_rank(0)}, 0);
    auto call = never.call<&Counter::value>();
    cancel(never);
    const auto why = thrown_by<TaskError>([&] { (void)call.get(); });
    EXPECT_TRUE(contains(why, "actor (muster::test::Counter) could not be made")) << why;
    EXPECT_TRUE(contains(why, "cancelled before it ran")) << why;
}

MUSTER_BODY(AnActorThatHoldsTheCpusOfTheTaskThatCallsItIsCalledAllTheSame) {
    std::vector<Future<int>> sums;
    for (int i = 0; i < rank_count() + 1; ++i) {
        sums.push_back(task<[](int rank) {
                           auto counter =
                               spawn<Counter>({.cpus = 2, .placement = on_rank(rank)}, 1);
                           return counter.call<&Counter::value>().get() +
                                  counter.call<&Counter::value>().get();
                       }>.with({.cpus = 2})(i % rank_count()));
    }
    for (auto& sum : sums) {
        EXPECT_EQ(sum.get(), 2);
    }
}

MUSTER_BODY(CallersOfASlowActorWait) {
    auto log = spawn<Log>({.placement = rank_at(1), .pending_calls_max = 3});
    for (int i = 0; i < 200; ++i) {
        log.call<&Log::note>(i);
    }
    EXPECT_EQ(log.call<&Log::entries>().get().size(), 200U);
}

MUSTER_BODY(AnEmptyHandleSaysSo) {
    const ActorHandle<Counter> empty;
    const auto text = thrown_by<Error>([&] { (void)empty.call<&Counter::value>(); });
    EXPECT_TRUE(contains(text, "this actor handle is empty")) << text;
    EXPECT_FALSE(task<[](ActorHandle<Counter> handle) { return handle.valid(); }>(empty).get());
}

MUSTER_BODY(APoolCallsTheLeastLoadedActor) {
    std::vector<ActorHandle<Counter>> actors;
    for (int i = 0; i < 3; ++i) {
        actors.push_back(spawn<Counter>({.placement = rank_at(i)}, 100 * i));
    }
    ActorPool<Counter> pool(actors, {.pending_max = 1});
    std::vector<Future<int>> values;
    for (int i = 0; i < 3; ++i) {
        values.push_back(pool.submit<&Counter::add_and_get>(1)); // none is done before all are used
    }
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(values[static_cast<std::size_t>(i)].get(), 100 * i + 1);
    }
    pool.wait_all();
    EXPECT_EQ(pool.pending(), 0U);
    auto idle = pool.remove_idle();
    ASSERT_TRUE(idle.has_value());
    EXPECT_EQ(pool.size(), 2U);
    pool.add(*idle);
    EXPECT_EQ(pool.size(), 3U);
}

MUSTER_BODY(APoolMapsInOrderAndWaitsForRoom) {
    ActorPool<Counter> pool(3, {.placement = spread}, 0);
    std::vector<int> ones(200, 1);
    auto values = pool.map<&Counter::add_and_get>(ones);
    int most = 0;
    for (auto& value : values) {
        most = std::max(most, value.get());
    }
    EXPECT_EQ(values.size(), 200U);
    EXPECT_GE(most, 200 / 3);
    auto failing = pool.submit<&Counter::fail>("alone");
    EXPECT_THROW(failing.get(), TaskError);
    pool.wait_all();
    EXPECT_TRUE(pool.remove_idle().has_value());
    ActorPool<Counter> empty(std::vector<ActorHandle<Counter>>{});
    const auto text = thrown_by<Error>([&] { (void)empty.submit<&Counter::value>(); });
    EXPECT_TRUE(contains(text, "this actor pool is empty")) << text;
}

MUSTER_BODY(APoolWaitsWhileEveryActorHasEnoughToDo) {
    auto patient = spawn<Patient>({.placement = rank_at(1)});
    auto started = spawn<Log>({});
    ActorPool<Patient> pool({patient}, {.pending_max = 2});
    auto running = pool.submit<&Patient::wait_for_stop>(started);
    auto waiting = pool.submit<&Patient::touch>();
    EXPECT_EQ(pool.pending(), 2U);
    EXPECT_FALSE(pool.remove_idle().has_value());
    (void)wait_for_entries(started, 1);
    cancel(running);
    auto next = pool.submit<&Patient::touch>(); // only now is there room
    EXPECT_TRUE(running.ready());
    EXPECT_EQ(waiting.get() + next.get(), 3);
}

} // namespace muster::test
