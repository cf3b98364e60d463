#include "body.hpp"

#include <numeric>
#include <string>

namespace muster::test {
namespace {

int add(int a, int b) {
    return a + b;
}

int sum(const std::vector<int>& values) {
    return std::accumulate(values.begin(), values.end(), 0);
}

std::vector<int> filled(int value, std::size_t count) {
    return std::vector<int>(count, value);
}

std::size_t total_size(const std::vector<std::vector<int>>& parts) {
    std::size_t size = 0;
    for (const auto& part : parts) {
        size += part.size();
    }
    return size;
}

struct Pending {
    std::string name;
    Future<int> value;
    std::vector<Future<std::vector<int>>> parts;
};

Pending start(int value, std::size_t size) {
    Pending pending{
        .name = "from " + std::to_string(value), .value = task<&add>(value, 1), .parts = {}};
    for (int rank = 0; rank < rank_count(); ++rank) {
        pending.parts.push_back(task<&filled>.with({.placement = on_rank(rank)})(value, size));
    }
    return pending;
}

int finish(const Pending& pending) {
    int result = pending.value.get();
    for (const auto& part : pending.parts) {
        result += sum(part.get());
    }
    return result;
}

int get_it(const Future<int>& future) {
    return future.get();
}

Future<int> pass_on(Future<int> future) {
    return future;
}

} // namespace

MUSTER_BODY(AFutureAsAnArgumentIsADependency) {
    auto a = task<&add>(1, 2);
    auto b = task<&add>(a, 10);
    auto c = task<&add>(a, b);
    auto d = task<&add>(c, c);
    EXPECT_EQ(d.get(), 32);
}

MUSTER_BODY(AVectorOfFuturesIsAVectorOfTheirValues) {
    std::vector<Future<int>> values;
    for (int i = 0; i < 50; ++i) {
        values.push_back(task<&add>.with({.placement = rank_at(i)})(i, 0));
    }
    EXPECT_EQ(task<&sum>(values).get(), 49 * 50 / 2);
    EXPECT_EQ(task<&sum>(std::vector<Future<int>>{}).get(), 0);
    std::vector<Future<std::vector<int>>> parts;
    for (int i = 0; i < 7; ++i) {
        parts.push_back(task<&filled>.with({.placement = rank_at(i)})(i, std::size_t{5'000}));
    }
    EXPECT_EQ(task<&total_size>(parts).get(), 35'000U);
}

MUSTER_BODY(AChainOfAThousandTasksRunsInOrder) {
    auto value = task<&add>(0, 1);
    for (int i = 1; i < 1000; ++i) {
        value = task<&add>.with({.placement = rank_at(i)})(value, 1);
    }
    EXPECT_EQ(value.get(), 1000);
}

MUSTER_BODY(ATaskWhoseFuturesAreGoneStillFeedsItsDependents) {
    Future<int> last = [] {
        auto lost = task<&add>(1, 1);
        return task<&sum>(std::vector{lost, lost, task<&add>(lost, 1)});
    }();
    EXPECT_EQ(last.get(), 7);
    for (int i = 0; i < 20; ++i) {
        (void)task<&filled>.with({.placement = rank_at(i)})(i, std::size_t{10'000});
    }
}

MUSTER_BODY(FuturesInsideValuesComeBackAsFutures) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto pending =
            task<&start>.with({.placement = on_rank(rank)})(rank, std::size_t{1000});
        const Pending here = pending.get();
        EXPECT_EQ(here.name, "from " + std::to_string(rank));
        EXPECT_EQ(here.value.get(), rank + 1);
        const int expected = rank + 1 + rank * 1000 * rank_count();
        EXPECT_EQ(finish(here), expected);
        // And from here to one more rank, which asks the owner itself.
        EXPECT_EQ(task<&finish>.with({.placement = rank_at(rank + 1)})(here).get(), expected);
        EXPECT_EQ(task<&finish>.with({.placement = rank_at(rank + 2)})(pending).get(), expected);
    }
}

MUSTER_BODY(AParameterThatIsAFutureGetsTheFutureItself) {
    auto slow = task<&wait_for_stop>.with({.cpus = 0})();
    auto value = task<&pass_on>(slow).get(); // does not wait for `slow`
    EXPECT_FALSE(slow.ready());
    cancel(slow);
    EXPECT_GE(value.get(), 0);

    auto first = task<&add>(20, 1);
    auto again = task<&pass_on>.with({.placement = rank_at(1)})(first).get();
    auto thrice = task<&pass_on>.with({.placement = rank_at(2)})(again).get();
    EXPECT_EQ(thrice.get(), 21);
    EXPECT_EQ(task<&get_it>.with({.placement = rank_at(2)})(thrice).get(), 21);
    EXPECT_EQ(thrice.id(), first.id());
}

MUSTER_BODY(ABorrowedFutureIsADependencyOfATaskElsewhere) {
    const auto pending = task<&start>.with({.placement = rank_at(1)})(3, std::size_t{20'000}).get();
    auto added = task<&add>.with({.placement = rank_at(2)})(pending.value, 100);
    EXPECT_EQ(added.get(), 104);
    EXPECT_EQ(task<&total_size>(pending.parts).get(),
              20'000U * static_cast<std::size_t>(rank_count()));
}

MUSTER_BODY(AStoredValueIsSharedByManyTasks) {
    const std::vector<int> numbers(300'000, 2);
    const auto stored = put(numbers);
    EXPECT_EQ(stored.get(), numbers);
    std::vector<Future<int>> sums;
    for (int i = 0; i < 40; ++i) {
        sums.push_back(task<&sum>.with({.placement = rank_at(i)})(stored));
    }
    for (auto& value : sums) {
        EXPECT_EQ(value.get(), 600'000);
    }
    EXPECT_EQ(put(std::string("small")).get(), "small");
    EXPECT_EQ(task<&sum>(put(std::vector<int>{})).get(), 0);
}

MUSTER_BODY(LargeArgumentsAreStoredByThemselves) {
    const std::vector<int> numbers(100'000, 1);
    std::vector<Future<int>> sums;
    for (int i = 0; i < 20; ++i) {
        sums.push_back(task<&sum>.with({.placement = rank_at(i)})(numbers));
    }
    for (auto& value : sums) {
        EXPECT_EQ(value.get(), 100'000);
    }
    const auto both = task<[](std::string a, int b, const std::string& c) {
        return a.size() + static_cast<std::size_t>(b) + c.size();
    }>;
    EXPECT_EQ(both(std::string(5000, 'a'), 1, std::string(3000, 'c')).get(), 8001U);
}

} // namespace muster::test
