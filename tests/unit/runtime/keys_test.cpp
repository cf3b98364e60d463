// Keys of tasks, and what the journal holds of them, without a run.

#include <muster/core/muster.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace muster::detail {
namespace {

/// Has objects to store values in, and nothing that runs.
class StubClient : public Client {
public:
    std::vector<ObjectId> released;

    FuturePlace submit(const FunctionEntry& /*function*/,
                       const TaskOptions& /*options*/,
                       EncodedTasks tasks) override {
        return {block(tasks.tasks.size())};
    }

    std::shared_ptr<FutureBlock> put(Buffer value, std::vector<ObjectId> /*actors*/) override {
        auto made = block(1);
        made->set_stored();
        made->slot(0).value = std::move(value);
        made->slot(0).state = SlotState::value;
        return made;
    }

    std::shared_ptr<FutureBlock> block(std::uint64_t count) {
        const ObjectId first{next_};
        next_ += count;
        return std::make_shared<FutureBlock>(shared_from_this(), first, count, 1);
    }

    void cancel(ObjectId /*task*/) override {}

    std::vector<std::string> gpus_of(const CurrentTask& /*task*/) const override { return {}; }

    std::vector<int> cpus_of_thread() const override { return {}; }

    void wait_value(FutureBlock& /*block*/, std::uint64_t /*index*/) override {}

    void want_value(FutureBlock& /*block*/, std::uint64_t /*index*/) override {}

    std::optional<std::size_t>
    wait_any(CompletionQueue& /*queue*/,
             std::optional<std::chrono::steady_clock::time_point> /*deadline*/) override {
        return std::nullopt;
    }

    void escape(ObjectId /*object*/) override {}

    std::shared_ptr<FutureBlock> borrow(ObjectId /*object*/) override { return block(1); }

    void release(ObjectId object) noexcept override { released.push_back(object); }

    std::shared_ptr<ActorBlock> spawn(const ActorType& /*type*/,
                                      const ActorOptions& /*options*/,
                                      EncodedTasks /*arguments*/) override {
        return nullptr;
    }

    std::shared_ptr<FutureBlock> call(const ActorBlock& /*actor*/,
                                      const FunctionEntry& /*method*/,
                                      const CallOptions& /*options*/,
                                      EncodedTasks /*arguments*/) override {
        return nullptr;
    }

    void kill_actor(ObjectId /*actor*/) override {}

    std::shared_ptr<ActorBlock> find_actor(const std::string& /*name*/,
                                           const char* /*class_name*/) override {
        return nullptr;
    }

    void escape_actor(ObjectId /*actor*/) override {}

    std::shared_ptr<ActorBlock> borrow_actor(ObjectId /*actor*/,
                                             std::uint32_t /*pending_calls_max*/,
                                             bool /*replays*/) override {
        return nullptr;
    }

    void release_actor(ObjectId /*actor*/) noexcept override {}

    [[nodiscard]] std::uint64_t run_id() const override { return 0x123456789abcdefU; }

    [[nodiscard]] ClusterInfo cluster() const override { return {}; }

    [[nodiscard]] bool ended() const override { return false; }

private:
    std::uint64_t next_ = 0;
};

class Keys : public testing::Test {
protected:
    std::shared_ptr<StubClient> client_ = std::make_shared<StubClient>();
    CurrentScope scope_{*client_, nullptr};

    template <class P, class... A>
    ArgumentsKey encode(const A&... arguments) {
        ArgumentEncoder encoder(*client_, 1, true);
        (encoder.add<P>(arguments), ...);
        encoder.end_task();
        encoded_ = encoder.take();
        return encoded_.keys.at(0);
    }

    EncodedTasks encoded_; ///< By the last encode().
};

TEST_F(Keys, AValueCountsTheSameHoweverItTravels) {
    using Values = std::vector<std::int64_t>;
    for (const std::size_t size : {0U, 3U, 5'000U}) {
        const Values values(size, 7);
        const auto by_value = encode<Values>(values);
        const auto stored = encode<Values>(put(values));
        EXPECT_EQ(by_value.digest, stored.digest) << size;
        EXPECT_FALSE(by_value.unkeyed_input || stored.unkeyed_input);
        EXPECT_NE(by_value.digest, encode<Values>(Values(size + 1, 7)).digest);
    }
    (void)encode<Values>(Values(5'000, 1));
    EXPECT_EQ(encoded_.tasks.at(0).dependencies.size(), 1U); // it does travel otherwise
}

TEST_F(Keys, ArgumentsCountOneByOne) {
    using Texts = std::vector<std::string>;
    EXPECT_NE(encode<std::string>(std::string("ab"), std::string("c")).digest,
              encode<std::string>(std::string("a"), std::string("bc")).digest);
    EXPECT_NE(encode<std::string>(std::string("a"), std::string("b")).digest,
              encode<std::string>(std::string("b"), std::string("a")).digest);
    const auto a = put(std::string("a"));
    const auto b = put(std::string("b"));
    using Futures = std::vector<Future<std::string>>;
    const auto list = encode<Texts>(Futures{a, b});
    EXPECT_EQ(list.digest, encode<Texts>(Futures{a, b}).digest);
    EXPECT_NE(list.digest, encode<Texts>(Futures{b, a}).digest);
    EXPECT_NE(list.digest, encode<Texts>(Futures{a}, Futures{b}).digest);
}

TEST_F(Keys, WhatNamesObjectsOfTheRunHasNone) {
    const auto inner = put(1);
    EXPECT_TRUE(encode<Future<int>>(inner).unkeyed_input);
    using Futures = std::vector<Future<int>>;
    EXPECT_TRUE(encode<Futures>(put(Futures{inner})).unkeyed_input);
    const Future<int> of_a_task(client_->block(1), 0);
    EXPECT_TRUE(encode<int>(of_a_task).unkeyed_input);
}

TEST_F(Keys, TheJournalMayLetGoBeforeTheSubmitterHasItsFuture) {
    const auto block = client_->block(2);
    block->set_keys({{1, 1}, {2, 2}});
    block->hold(0);
    EXPECT_TRUE(block->let_go(0));
    EXPECT_FALSE(block->let_go(0));
    {
        const Future<int> future(block, 0);
        const Future<int> copy = future;
        EXPECT_TRUE(client_->released.empty());
    }
    EXPECT_EQ(client_->released, std::vector{block->id(0)});

    block->hold(1);
    { const Future<int> future(block, 1); }
    EXPECT_EQ(client_->released.size(), 1U); // the journal still waits for its value
    EXPECT_TRUE(block->let_go(1));
    EXPECT_EQ(client_->released.back(), block->id(1));
}

TEST_F(Keys, AValueGoesWithItsLastHandleWhateverElseTheBlockHolds) {
    const auto block = client_->block(2);
    constexpr std::size_t bytes = 100;
    auto memory = std::make_shared<std::byte[]>(bytes);
    const std::weak_ptr<const std::byte[]> alive = memory;
    block->slot(0).value = Buffer(std::move(memory), bytes);
    block->slot(1).value = Buffer(std::make_shared<std::byte[]>(bytes), bytes);
    block->resolve(0, SlotState::value);
    block->resolve(1, SlotState::value);
    const Future<int> second(block, 1);
    {
        const Future<int> first(block, 0);
        EXPECT_FALSE(alive.expired());
    }
    EXPECT_TRUE(alive.expired());
    EXPECT_EQ(client_->released, std::vector{block->id(0)});
    EXPECT_EQ(block->slot(1).value.size(), bytes);
}

} // namespace
} // namespace muster::detail
