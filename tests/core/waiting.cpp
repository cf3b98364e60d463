#include "body.hpp"

#include <algorithm>
#include <deque>
#include <forward_list>
#include <list>
#include <ranges>
#include <sstream>

namespace muster::test {
namespace {

using namespace std::chrono_literals;

int twice(int x) {
    if (x < 0) {
        throw std::invalid_argument("negative");
    }
    return 2 * x;
}

int multiply(int a, long b) {
    return static_cast<int>(a * b);
}

int thirteen() {
    return 13;
}

} // namespace

MUSTER_BODY(WaitReturnsWhenEnoughAreDone) {
    std::vector<Future<int>> futures;
    futures.push_back(task<&wait_for_stop>.with({.cpus = 0})());
    for (int i = 0; i < 5; ++i) {
        futures.push_back(task<&twice>(i));
    }
    const auto [done, pending] = wait(futures, {.count = 5});
    EXPECT_EQ(done.size(), 5U);
    ASSERT_EQ(pending.size(), 1U);
    EXPECT_EQ(pending[0].id(), futures[0].id());
    EXPECT_EQ(wait(futures, {.count = 0}).done.size(), 0U);
    cancel(futures[0]);
    EXPECT_EQ(wait(futures).done.size(), 6U);
    EXPECT_EQ(wait(futures, {.count = 100}).pending.size(), 0U);
}

MUSTER_BODY(WaitReturnsWhenTheTimeIsUp) {
    std::vector<Future<int>> futures{task<&wait_for_stop>.with({.cpus = 0})()};
    for (const auto timeout :
         {0ns, 1ns, std::chrono::nanoseconds(5ms), std::chrono::nanoseconds(-1s)}) {
        const auto [done, pending] = wait(futures, {.timeout = timeout});
        EXPECT_EQ(done.size(), 0U);
        EXPECT_EQ(pending.size(), 1U);
    }
    cancel(futures[0]);
    EXPECT_EQ(wait(futures, {.timeout = 1h}).done.size(), 1U);
    EXPECT_EQ(wait(futures, {.timeout = 0s}).done.size(), 1U);
    EXPECT_EQ(wait(futures, {.timeout = std::chrono::nanoseconds::max()}).done.size(), 1U);
}

MUSTER_BODY(WaitTakesNothingAndTheSameTwice) {
    EXPECT_EQ(wait(std::vector<Future<int>>{}).done.size(), 0U);
    const auto future = task<&twice>(1);
    EXPECT_EQ(wait(std::vector{future, future, future}).done.size(), 3U);
}

MUSTER_BODY(AsCompletedGivesEachOnceTheReadyOnesFirst) {
    std::vector<Future<int>> futures;
    futures.push_back(task<&wait_for_stop>.with({.cpus = 0})());
    for (int i = -2; i < 10; ++i) {
        futures.push_back(task<&twice>(i));
    }
    std::vector<std::size_t> order;
    std::size_t failed = 0;
    auto completed = as_completed(futures);
    for (auto& future : completed) {
        EXPECT_TRUE(future.ready());
        order.push_back(completed.index());
        EXPECT_EQ(future.id(), futures[completed.index()].id());
        if (completed.index() != 0 && completed.index() < 3) {
            EXPECT_THROW((void)future.get(), TaskError);
            ++failed;
        }
        if (order.size() == 12) {
            cancel(futures[0]);
        }
    }
    EXPECT_EQ(order.back(), 0U);
    EXPECT_EQ(failed, 2U);
    std::ranges::sort(order);
    for (std::size_t i = 0; i < order.size(); ++i) {
        EXPECT_EQ(order[i], i);
    }
    std::vector<Future<int>> none;
    for (auto& future : as_completed(none)) {
        ADD_FAILURE() << future.get();
    }
}

MUSTER_BODY(MapTakesRangesOfEveryKind) {
    const auto get_all = [](const auto& futures) {
        std::vector<int> values;
        for (const auto& future : futures) {
            values.push_back(future.get());
        }
        return values;
    };
    const std::vector<int> expected{2, 4, 6};
    EXPECT_TRUE(map<&twice>(std::vector<int>{}).empty());
    EXPECT_EQ(get_all(map<&twice>(std::vector{7})), std::vector{14});
    EXPECT_EQ(get_all(map<&twice>(std::list{1, 2, 3})), expected);
    EXPECT_EQ(get_all(map<&twice>(std::forward_list{1, 2, 3})), expected);
    EXPECT_EQ(get_all(map<&twice>(std::views::iota(1, 4))), expected);
    EXPECT_EQ(get_all(map<&twice>(std::views::iota(0, 10) |
                                  std::views::filter([](int x) { return x > 0 && x < 4; }))),
              expected);
    std::istringstream input("1 2 3");
    EXPECT_EQ(get_all(map<&twice>(std::views::istream<int>(input))), expected);
    const std::vector<std::pair<int, long>> pairs{{1, 2}, {2, 2}, {2, 3}};
    EXPECT_EQ(get_all(map<&multiply>(pairs)), expected);
    EXPECT_EQ(get_all(map<&multiply>(std::deque{std::tuple{3, 5L}})), std::vector{15});
    EXPECT_EQ(get_all(map<&thirteen>(std::vector<std::tuple<>>(2))), (std::vector{13, 13}));
    // Elements that are futures themselves.
    EXPECT_EQ(get_all(map<&twice>(map<&twice>(std::vector{1, 2}))), (std::vector{4, 8}));
}

MUSTER_BODY(MapKeepsTheOrderOfItsRange) {
    constexpr int count = 20'000;
    auto futures = map<&twice>(std::views::iota(0, count));
    ASSERT_EQ(futures.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(futures[static_cast<std::size_t>(i)].get(), 2 * i);
    }
}

MUSTER_BODY(MapTakesOptions) {
    const auto ranks = map<[](int /*unused*/) { return where(); }>(std::views::iota(0, 9),
                                                                   {.placement = rank_at(1)});
    for (const auto& rank : ranks) {
        EXPECT_EQ(rank.get(), 1 % rank_count());
    }
}

MUSTER_BODY(AFutureSaysWhatItsTaskWaitsFor) {
    // The holder goes first and takes all there is; what else wants it waits.
    auto holder =
        task<&wait_for_stop>.with({.resources = {{"license", 1}}, .placement = rank_at(1)})();
    auto behind = task<&where>.with({.resources = {{"license", 1}}, .placement = rank_at(1)})();
    auto after = map<[](int rank) { return rank; }>(std::vector{behind});
    while (!contains(explain(holder), "has run on rank " + std::to_string(1 % rank_count()))) {
    }
    while (!contains(explain(behind), "is ready, and waits for")) {
    }
    EXPECT_TRUE(contains(explain(behind), "1 license on rank")) << explain(behind);
    EXPECT_TRUE(contains(explain(behind), "it is the next")) << explain(behind);
    EXPECT_TRUE(contains(explain(after[0]), "waits for 1 argument: ")) << explain(after[0]);
    EXPECT_TRUE(contains(explain(after[0]), "where (0:")) << explain(after[0]);
    // From another rank, too, about what it does not own.
    const auto told = task<[](const Future<int>& future) { return explain(future); }>.with(
        {.cpus = 0, .priority = 1, .placement = rank_at(2)})(behind);
    EXPECT_TRUE(contains(told.get(), "is ready, and waits for")) << told.get();
    cancel(holder);
    (void)wait(after);
    EXPECT_TRUE(contains(explain(behind), "is done")) << explain(behind);
    EXPECT_TRUE(contains(explain(holder), "is done")) << explain(holder);
    const auto failing = task<[]() -> int { throw std::runtime_error("no"); }>();
    (void)wait(std::vector{failing});
    EXPECT_TRUE(contains(explain(failing), "has failed")) << explain(failing);
    EXPECT_TRUE(contains(thrown_by<Error>([] { (void)explain(Future<int>()); }), "empty"));
    EXPECT_TRUE(contains(thrown_by<TaskError>([] {
                             (void)task<[](const Future<int>& future) {
                                 return explain(future);
                             }>.with({.isolate = true})(task<&where>())
                                 .get();
                         }),
                         "explain() is not for isolated tasks"));
}

MUSTER_BODY(AFutureSetGivesWhatIsDoneWhileOthersCome) {
    FutureSet<int> set;
    EXPECT_FALSE(set.next());
    std::set<std::size_t> tags;
    for (std::size_t tag = 0; tag < 50; ++tag) {
        set.add(task<[](int n) { return n; }>(static_cast<int>(tag)), tag);
    }
    EXPECT_THROW(set.add(task<[](int n) { return n; }>(0), 7), Error);
    std::size_t more = 100;
    while (const auto done = set.next()) {
        EXPECT_EQ(done->future.get(), static_cast<int>(done->tag));
        EXPECT_TRUE(tags.insert(done->tag).second);
        if (more < 150) {
            set.add(task<[](int n) { return n; }>(static_cast<int>(more)), more);
            ++more;
        }
    }
    EXPECT_EQ(tags.size(), 100U);
    EXPECT_TRUE(set.empty());
}

} // namespace muster::test
