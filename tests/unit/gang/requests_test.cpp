#include "gang/gather_values.hpp"
#include "gang/segment.hpp"
#include "local_gang.hpp"
#include "wire/gang_tags.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <optional>
#include <vector>

// Messages between members, asynchronous operations, and the values at the end.
namespace muster {
namespace {

using test::GangOptions;
using Engine = GangOptions::Engine;

class Requests : public testing::TestWithParam<Engine> {
protected:
    static void run(int n, const test::GangBody& body) {
        GangOptions options;
        options.engine = GetParam();
        options.piece_bytes = 4096;
        test::run_gang(n, body, options);
    }
};

template <class T>
std::span<const T> read(const std::vector<T>& values) {
    return values;
}

TEST_P(Requests, MessagesOfOneTagKeepTheirOrderAndTagsAreIndependent) {
    run(3, [](Communicator& ranks) {
        const int next = (ranks.rank() + 1) % 3;
        const int previous = (ranks.rank() + 2) % 3;
        std::vector<std::vector<int>> sent;
        std::vector<Request> sends;
        for (int i = 0; i < 20; ++i) {
            sent.push_back({ranks.rank(), i});
            sends.push_back(ranks.send_async(read(sent.back()), next, i % 2));
        }
        for (const int tag : {1, 0}) {
            for (int i = tag; i < 20; i += 2) {
                std::vector<int> got(2);
                ranks.receive(std::span(got), previous, tag);
                EXPECT_EQ(got, (std::vector{previous, i}));
            }
        }
        for (Request& send : sends) {
            send.wait();
        }
    });
}

TEST_P(Requests, AMemberMaySendToItselfAndSendNothing) {
    run(2, [](Communicator& ranks) {
        std::vector<double> data{1, 2, 3};
        std::vector<double> got(3);
        Request receive = ranks.receive_async(std::span(got), ranks.rank(), 9);
        ranks.send(read(data), ranks.rank(), 9);
        receive.wait();
        EXPECT_EQ(got, data);
        Request nothing = ranks.receive_async(std::span<double>(), 1 - ranks.rank());
        ranks.send(std::span<const double>(), 1 - ranks.rank());
        nothing.wait();
    });
}

TEST_P(Requests, MessagesPassACollectiveThatIsUnderWay) {
    run(2, [](Communicator& ranks) {
        std::vector<int> data(5000, 1);
        std::vector<int> word{ranks.rank()};
        if (ranks.rank() == 0) {
            Request sum = ranks.all_reduce_async(std::span(data)); // Member 1 is not there yet.
            ranks.send(read(word), 1);
            sum.wait();
        } else {
            ranks.receive(std::span(word), 0);
            ranks.all_reduce(std::span(data));
        }
        EXPECT_EQ(data, std::vector<int>(5000, 2));
    });
}

TEST_P(Requests, CollectivesTakeEffectInTheOrderOfTheCalls) {
    run(3, [](Communicator& ranks) {
        // Each doubles or adds to what the one before it left, so that another order shows.
        std::vector<std::int64_t> data(3000, ranks.rank());
        std::vector<Request> requests;
        for (int i = 0; i < 5; ++i) {
            requests.push_back(ranks.broadcast_async(std::span(data), i % 3));
            requests.push_back(ranks.all_reduce_async(std::span(data)));
        }
        ranks.broadcast(std::span(data), 1); // Behind those, and blocking.
        requests.clear();
        ranks.all_reduce(std::span(data));
        EXPECT_EQ(data, std::vector<std::int64_t>(3000, 0));
        data.assign(3000, ranks.rank() + 1);
        Request first = ranks.all_reduce_async(std::span(data));                     // 6
        Request second = ranks.all_reduce_async(std::span(data), ReduceOp::product); // 216
        ranks.all_reduce(std::span(data));                                           // 648
        EXPECT_TRUE(first.test());
        EXPECT_TRUE(second.test());
        EXPECT_EQ(data, std::vector<std::int64_t>(3000, 648));
    });
}

TEST_P(Requests, TestIsFalseUntilAllHaveComeAndNeverBlocks) {
    run(2, [](Communicator& ranks) {
        std::vector<int> word(1);
        if (ranks.rank() == 0) {
            Request barrier = ranks.barrier_async();
            EXPECT_FALSE(barrier.test());
            Request told = ranks.send_async(read(word), 1);
            told.wait();
            while (!barrier.test()) {
            }
            EXPECT_TRUE(barrier.test());
        } else {
            ranks.receive(std::span(word), 0);
            ranks.barrier();
        }
    });
}

TEST_P(Requests, DestroyingOrReplacingARequestWaitsForIt) {
    run(2, [](Communicator& ranks) {
        std::vector<float> data(6000, 1.0F);
        { const Request dropped = ranks.all_reduce_async(std::span(data)); }
        EXPECT_EQ(data, std::vector<float>(6000, 2.0F));
        Request request = ranks.all_reduce_async(std::span(data));
        request = Request();
        EXPECT_EQ(data, std::vector<float>(6000, 4.0F));
        EXPECT_TRUE(request.test());
        std::vector<float> got(6000);
        {
            const Request receive = ranks.receive_async(std::span(got), 1 - ranks.rank());
            const Request send = ranks.send_async(read(data), 1 - ranks.rank());
        }
        EXPECT_EQ(got, data);
    });
}

TEST_P(Requests, ValuesOfAllMembersComeToTheFirst) {
    run(4, [](Communicator& ranks) {
        // Nothing, a little, exactly a piece, and several pieces.
        const std::vector<std::size_t> sizes{3, 0, 4096, 50001};
        const auto value = [&](std::size_t member) {
            return Buffer::copy_of(
                std::vector<std::byte>(sizes[member], static_cast<std::byte>(member + 1)));
        };
        for (int round = 0; round < 2; ++round) {
            const auto values =
                gang::gather_values(ranks, value(static_cast<std::size_t>(ranks.rank())));
            if (ranks.rank() != 0) {
                EXPECT_TRUE(values.empty());
                continue;
            }
            ASSERT_EQ(values.size(), 4U);
            for (std::size_t member = 0; member < 4; ++member) {
                EXPECT_EQ(values[member], value(member));
            }
        }
    });
}

TEST_P(Requests, RanksAndSizeAreTheGangs) {
    run(3, [](Communicator& ranks) {
        EXPECT_EQ(ranks.size(), 3);
        EXPECT_EQ(ranks.world_rank(ranks.rank()), Rank{ranks.rank()});
    });
}

INSTANTIATE_TEST_SUITE_P(Gangs,
                         Requests,
                         testing::Values(Engine::messages, Engine::shared, Engine::one_segment));

// Tells others of a segment that is not there.
class LyingChannel final : public gang::Channel {
public:
    explicit LyingChannel(std::shared_ptr<gang::Channel> channel) : channel_(std::move(channel)) {}

    void send(int to,
              gang::Tag tag,
              std::span<const std::byte> data,
              std::shared_ptr<gang::Completion> done) override {
        if (tag == wire::tag_of_segments && to == 2) {
            lie_.assign(data.begin(), data.end());
            lie_[0] ^= std::byte{1}; // The nonce.
            data = lie_;
        }
        channel_->send(to, tag, data, std::move(done));
    }

    void receive(int from,
                 gang::Tag tag,
                 std::span<std::byte> into,
                 std::shared_ptr<gang::Completion> done) override {
        channel_->receive(from, tag, into, std::move(done));
    }

    void close(const std::string& why) override { channel_->close(why); }

private:
    std::shared_ptr<gang::Channel> channel_;
    std::vector<std::byte> lie_;
};

TEST(SharedMemory, MembersGoByMessagesWhereOneOfThemCannotMapIt) {
    GangOptions options;
    options.engine = Engine::shared;
    options.channel_through = [](int, std::shared_ptr<gang::Channel> channel) {
        return std::make_shared<LyingChannel>(std::move(channel));
    };
    testing::internal::CaptureStderr();
    test::run_gang(
        3,
        [](Communicator& ranks) {
            std::vector<int> data(100000, 1);
            ranks.all_reduce(std::span(data));
            EXPECT_EQ(data, std::vector<int>(100000, 3));
        },
        options);
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find("no_shared_memory"), std::string::npos) << log;
    EXPECT_NE(log.find("member 2 (rank 2)"), std::string::npos) << log;
    EXPECT_EQ(log.find("no_shared_memory"), log.rfind("no_shared_memory")) << log;
}

} // namespace
} // namespace muster
