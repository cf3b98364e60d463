#include <muster/core/coroutine.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace muster {
namespace {

Coroutine<int> give(int value) {
    co_return value;
}

Coroutine<int> add(int a, int b) {
    const int first = co_await give(a);
    co_return first + co_await give(b);
}

Coroutine<void> note(std::vector<int>& notes, int value) {
    notes.push_back(value);
    co_return;
}

Coroutine<int> fail(const std::string& why) {
    throw std::runtime_error(why);
    co_return 0;
}

Coroutine<int> deep(int levels) {
    if (levels == 0) {
        co_return 0;
    }
    const int rest = co_await deep(levels - 1);
    co_return rest + 1;
}

Coroutine<int> fail_deep(int levels) {
    if (levels == 0) {
        co_return co_await fail("at the bottom");
    }
    co_return co_await fail_deep(levels - 1);
}

Coroutine<long> add_many(int count) {
    long sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += co_await give(1);
    }
    co_return sum;
}

} // namespace

TEST(Coroutine, RunsNothingBeforeItIsAwaited) {
    std::vector<int> notes;
    auto first = note(notes, 1);
    auto second = note(notes, 2);
    EXPECT_TRUE(notes.empty());
    std::move(second).get();
    std::move(first).get();
    EXPECT_EQ(notes, (std::vector{2, 1}));
}

TEST(Coroutine, GivesItsValueToWhoAwaitsIt) {
    EXPECT_EQ(add(2, 3).get(), 5);
    EXPECT_EQ([]() -> Coroutine<std::string> { co_return "text"; }().get(), "text");
}

TEST(Coroutine, WhatItThrowsComesOutOfCoAwait) {
    const auto caught = []() -> Coroutine<std::string> {
        std::string text;
        try {
            (void)co_await fail("first");
        } catch (const std::runtime_error& error) {
            text = error.what();
        }
        co_return text + std::to_string(co_await give(1));
    };
    EXPECT_EQ(caught().get(), "first1");
    EXPECT_THROW((void)fail("second").get(), std::runtime_error);
}

TEST(Coroutine, ValuesMayBeMoveOnlyAndNeedNoDefault) {
    struct Box {
        explicit Box(int value) : content(std::make_unique<int>(value)) {}

        std::unique_ptr<int> content;
    };

    const auto make = [](int value) -> Coroutine<Box> { co_return Box(value); };
    const auto pass = [&]() -> Coroutine<Box> {
        Box box = co_await make(4);
        ++*box.content;
        co_return box;
    };
    EXPECT_EQ(*pass().get().content, 5);
}

TEST(Coroutine, IsDestroyedWithWhatItHolds) {
    const auto held = std::make_shared<int>(1);
    const auto keep = [](std::shared_ptr<int> kept) -> Coroutine<long> {
        co_return kept.use_count();
    };
    {
        auto never = keep(held);
        EXPECT_EQ(held.use_count(), 2);
        auto moved = std::move(never);
        EXPECT_FALSE(never.valid()); // NOLINT(bugprone-use-after-move)
        EXPECT_TRUE(moved.valid());
        EXPECT_EQ(held.use_count(), 2);
        moved = keep(held);
        EXPECT_EQ(held.use_count(), 2);
    }
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_EQ(keep(held).get(), 2);
    EXPECT_EQ(held.use_count(), 1);
}

TEST(Coroutine, RunsOnce) {
    auto once = give(1);
    EXPECT_EQ(std::move(once).get(), 1);
    EXPECT_FALSE(once.valid());                       // NOLINT(bugprone-use-after-move)
    EXPECT_THROW((void)std::move(once).get(), Error); // NOLINT(bugprone-use-after-move)
    const auto twice = []() -> Coroutine<int> {
        auto inner = give(1);
        const int first = co_await std::move(inner);
        co_return first + co_await std::move(inner); // NOLINT(bugprone-use-after-move)
    };
    EXPECT_THROW((void)twice().get(), Error);
}

// On the stack, either would need more than the usual 8 MiB.
TEST(Coroutine, TheStackDoesNotGrowWithDepthNorWithLength) {
    EXPECT_EQ(deep(200'000).get(), 200'000);
    EXPECT_EQ(add_many(1'000'000).get(), 1'000'000);
}

TEST(Coroutine, AnExceptionLeavesDeepCoroutines) {
    try {
        (void)fail_deep(20'000).get();
        FAIL() << "no exception";
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "at the bottom");
    }
}

TEST(Coroutine, WaitingNeedsARun) {
    const auto empty = [](Future<int> future) -> Coroutine<int> {
        co_return co_await std::move(future);
    };
    EXPECT_THROW((void)empty(Future<int>()).get(), Error);
}

} // namespace muster
