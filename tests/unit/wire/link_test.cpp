#include "wire/link.hpp"

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace muster::wire {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<Bytes> flush(Link& link) {
    std::vector<Bytes> packets;
    link.flush([&](Rank /*to*/, std::span<const std::byte> packet) {
        packets.emplace_back(packet.begin(), packet.end());
    });
    return packets;
}

// Hands packets over and returns the frames that came out of them.
std::vector<std::string> take(Link& link, Rank from, const std::vector<Bytes>& packets) {
    std::vector<std::string> frames;
    for (const Bytes& packet : packets) {
        const auto taken = link.on_packet(from, packet, [&](Rank, std::span<const std::byte> f) {
            frames.push_back(text_of(f));
        });
        EXPECT_TRUE(taken.has_value()) << taken.error().message;
    }
    return frames;
}

std::string error_of(Link& link, Rank from, std::span<const std::byte> packet) {
    const auto taken = link.on_packet(from, packet, [](Rank, std::span<const std::byte>) {});
    return taken.has_value() ? "" : taken.error().message;
}

// Links of N ranks over a network that delays packets at random and keeps their order per pair.
class Network {
public:
    Network(std::int32_t size, const LinkOptions& options, std::uint64_t seed)
        : size_(size), options_(options), random_(seed) {
        for (std::int32_t rank = 0; rank < size; ++rank) {
            links_.emplace_back(options);
        }
    }

    void post_random_frame() {
        const Rank from = random_rank();
        const Rank to = random_rank();
        if (from == to) {
            return;
        }
        Bytes frame(random_size());
        for (std::byte& byte : frame) {
            byte = static_cast<std::byte>(random_.next());
        }
        link(from).post(to, frame);
        expected_[{from, to}].push_back(std::move(frame));
    }

    void flush_one() {
        const Rank from = random_rank();
        link(from).flush([&](Rank to, std::span<const std::byte> packet) {
            ASSERT_LE(packet.size(), options_.packet_bytes_max);
            wires_[{from, to}].emplace_back(packet.begin(), packet.end());
        });
        for (std::int32_t to = 0; to < size_; ++to) {
            ASSERT_LE(link(from).in_flight(Rank{to}), options_.window);
        }
    }

    // The packet that waited longest on a random wire; true if there was one.
    bool deliver_one() {
        if (wires_.empty()) {
            return false;
        }
        const auto wire =
            std::next(wires_.begin(), static_cast<std::ptrdiff_t>(random_.below(wires_.size())));
        const auto [from, to] = wire->first;
        const Bytes packet = std::move(wire->second.front());
        wire->second.pop_front();
        if (wire->second.empty()) {
            wires_.erase(wire);
        }
        const auto taken =
            link(to).on_packet(from, packet, [&](Rank sender, std::span<const std::byte> frame) {
                auto& due = expected_[{sender, to}];
                ASSERT_FALSE(due.empty());
                ASSERT_TRUE(std::ranges::equal(due.front(), frame));
                due.pop_front();
            });
        EXPECT_TRUE(taken.has_value()) << taken.error().message;
        return true;
    }

    void settle() {
        bool moved = true;
        while (moved) {
            moved = false;
            for (std::int32_t i = 0; i < 4 * size_; ++i) {
                flush_one();
            }
            while (deliver_one()) {
                moved = true;
            }
            for (const Link& each : links_) {
                moved |= !each.idle();
            }
        }
    }

    [[nodiscard]] std::size_t frames_due() const {
        return std::accumulate(
            expected_.begin(), expected_.end(), std::size_t{0}, [](std::size_t sum, const auto& e) {
                return sum + e.second.size();
            });
    }

    [[nodiscard]] LinkCounters sent() const {
        LinkCounters sum;
        for (const Link& each : links_) {
            sum.frames += each.sent().frames;
            sum.packets += each.sent().packets;
            sum.credit_packets += each.sent().credit_packets;
            sum.bytes += each.sent().bytes;
        }
        return sum;
    }

    [[nodiscard]] LinkCounters received() const {
        LinkCounters sum;
        for (const Link& each : links_) {
            sum.frames += each.received().frames;
            sum.packets += each.received().packets;
            sum.credit_packets += each.received().credit_packets;
            sum.bytes += each.received().bytes;
        }
        return sum;
    }

    Random& random() { return random_; }

private:
    using Pair = std::pair<Rank, Rank>;

    Rank random_rank() {
        return Rank{static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(size_)))};
    }

    std::size_t random_size() {
        switch (random_.below(4)) {
        case 0:
            return static_cast<std::size_t>(random_.below(4));
        case 1:
            return options_.packet_bytes_max - static_cast<std::size_t>(random_.below(16));
        case 2:
            return static_cast<std::size_t>(random_.below(3 * options_.packet_bytes_max));
        default:
            return static_cast<std::size_t>(random_.below(60));
        }
    }

    Link& link(Rank rank) { return links_[static_cast<std::size_t>(index(rank))]; }

    std::int32_t size_;
    LinkOptions options_;
    Random random_;
    std::deque<Link> links_;
    std::map<Pair, std::deque<Bytes>> wires_;    // never an empty queue
    std::map<Pair, std::deque<Bytes>> expected_; // posted, not arrived
};

TEST(Link, RandomFramesArriveWholeAndInOrderOverASlowNetwork) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        const auto size = static_cast<std::int32_t>(2 + seed % 4);
        const LinkOptions options{.world_size = size,
                                  .packet_bytes_max = seed % 2 == 0 ? 4096U : 32U,
                                  .window = static_cast<std::uint16_t>(1 + seed % 7)};
        Network network(size, options, seed);
        for (int step = 0; step < 2000 && !testing::Test::HasFailure(); ++step) {
            switch (network.random().below(4)) {
            case 0:
                network.flush_one();
                break;
            case 1:
            case 2:
                network.deliver_one();
                break;
            default:
                network.post_random_frame();
            }
        }
        network.settle();
        ASSERT_FALSE(testing::Test::HasFailure());
        ASSERT_EQ(network.frames_due(), 0U);
        ASSERT_EQ(network.sent().frames, network.received().frames);
        ASSERT_EQ(network.sent().packets, network.received().packets);
        ASSERT_EQ(network.sent().credit_packets, network.received().credit_packets);
        ASSERT_EQ(network.sent().bytes, network.received().bytes);
    }
}

TEST(Link, SmallFramesShareAPacketInTheOrderTheyWerePosted) {
    Link a({.world_size = 2});
    Link b({.world_size = 2});
    EXPECT_TRUE(a.idle());
    a.post(Rank{1}, bytes_of("one"));
    a.post(Rank{1}, {});
    a.post(Rank{1}, bytes_of("three"));
    EXPECT_FALSE(a.idle());
    EXPECT_EQ(a.queued_bytes(), 3 * 4 + 8U);

    const auto packets = flush(a);
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_EQ(packets[0].size(), 8 + 3 * 4 + 8U);
    EXPECT_TRUE(a.idle());
    EXPECT_EQ(take(b, Rank{0}, packets), (std::vector<std::string>{"one", "", "three"}));
    EXPECT_TRUE(b.idle());
}

TEST(Link, PeersAreServedInTheOrderInWhichTheyGotSomethingToSend) {
    Link link({.world_size = 9});
    for (const std::int32_t to : {7, 2, 5, 2, 7}) {
        link.post(Rank{to}, bytes_of("x"));
    }
    std::vector<std::int32_t> order;
    link.flush([&](Rank to, std::span<const std::byte>) { order.push_back(index(to)); });
    EXPECT_EQ(order, (std::vector<std::int32_t>{7, 2, 5}));
}

TEST(Link, AFrameOfManyPacketsArrivesWhole) {
    Link a({.world_size = 2, .window = 1000});
    Link b({.world_size = 2, .window = 1000});
    std::string text(3'000'000, ' ');
    Random random(3);
    for (char& c : text) {
        c = static_cast<char>(random.below(256));
    }
    a.post(Rank{1}, bytes_of(text));
    a.post(Rank{1}, bytes_of("after"));
    const auto packets = flush(a);
    EXPECT_EQ(packets.size(), (3'000'000 + 8 + 5 + 4087) / 4088U);
    EXPECT_TRUE(take(b, Rank{0}, packets) == (std::vector<std::string>{text, "after"}));
}

TEST(Link, AStalledReceiverBoundsThePacketsUnderWay) {
    Link a({.world_size = 2, .window = 8});
    Link b({.world_size = 2, .window = 8});
    const std::string text(100'000, 'x');
    a.post(Rank{1}, bytes_of(text));
    const auto first = flush(a);
    EXPECT_EQ(first.size(), 8U);
    EXPECT_EQ(a.in_flight(Rank{1}), 8);
    EXPECT_EQ(flush(a).size(), 0U);
    EXPECT_FALSE(a.idle());

    // Half a window given back frees half a window.
    take(b, Rank{0}, {first.begin(), first.begin() + 3});
    EXPECT_EQ(flush(b).size(), 0U);
    take(b, Rank{0}, {first.begin() + 3, first.begin() + 4});
    EXPECT_FALSE(b.idle());
    const auto credits = flush(b);
    ASSERT_EQ(credits.size(), 1U);
    EXPECT_EQ(b.sent().credit_packets, 1U);
    EXPECT_EQ(b.in_flight(Rank{0}), 0);
    EXPECT_TRUE(b.idle());
    take(a, Rank{1}, credits);
    EXPECT_EQ(flush(a).size(), 4U);
}

TEST(Link, CreditsRideOnPacketsThatGoBackAnyway) {
    Link a({.world_size = 2});
    Link b({.world_size = 2});
    a.post(Rank{1}, bytes_of("question"));
    take(b, Rank{0}, flush(a));
    EXPECT_EQ(a.in_flight(Rank{1}), 1);
    b.post(Rank{0}, bytes_of("answer"));
    take(a, Rank{1}, flush(b));
    EXPECT_EQ(a.in_flight(Rank{1}), 0);
    EXPECT_EQ(b.sent().credit_packets, 0U);
}

TEST(Link, RepliesFromInsideOnFrameAreKept) {
    Link a({.world_size = 2});
    Link b({.world_size = 2});
    for (int i = 0; i < 2000; ++i) {
        a.post(Rank{1}, bytes_of("ping"));
    }
    int replies = 0;
    for (const Bytes& packet : flush(a)) {
        const auto taken = b.on_packet(Rank{0}, packet, [&](Rank from, auto frame) {
            b.post(from, frame);
            ++replies;
        });
        ASSERT_TRUE(taken.has_value());
    }
    EXPECT_EQ(replies, 2000);
    EXPECT_EQ(take(a, Rank{1}, flush(b)).size(), 2000U);
}

TEST(Link, RefusesAFrameOverTheLimit) {
    Link link({.world_size = 2, .frame_bytes_max = 100});
    link.post(Rank{1}, Bytes(100));
    try {
        link.post(Rank{1}, Bytes(101));
        FAIL() << "posted 101 bytes";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::usage);
        EXPECT_STREQ(error.what(),
                     "a message of 101 bytes for rank 1 is over the limit of 100 bytes: send "
                     "large values as objects");
    }
    EXPECT_EQ(link.sent().frames, 1U);
}

TEST(Link, AForgottenPeerHoldsNothing) {
    Link a({.world_size = 3, .window = 2});
    a.post(Rank{1}, Bytes(100'000));
    EXPECT_EQ(flush(a).size(), 2U);
    a.forget(Rank{1});
    EXPECT_EQ(a.queued_bytes(), 0U);
    a.post(Rank{1}, bytes_of("late"));
    a.post(Rank{2}, bytes_of("alive"));
    EXPECT_EQ(flush(a).size(), 1U);
    EXPECT_TRUE(a.idle());
}

TEST(Link, NamesWhatIsWrongWithAPacket) {
    const LinkOptions options{.world_size = 2, .frame_bytes_max = 1000, .window = 4};
    Link sender(options);
    sender.post(Rank{1}, bytes_of("frame"));
    const Bytes good = flush(sender).at(0);

    const auto error_after = [&](auto&& damage) {
        Link receiver(options);
        Bytes packet = good;
        damage(packet);
        const std::string first = error_of(receiver, Rank{0}, packet);
        EXPECT_EQ(error_of(receiver, Rank{0}, good), first) << "a broken stream stays broken";
        return first;
    };
    EXPECT_EQ(error_after([](Bytes& packet) { packet.resize(7); }),
              "packet from rank 0: 7 bytes long");
    EXPECT_EQ(error_after([](Bytes& packet) { packet.resize(4097); }),
              "packet from rank 0: 4097 bytes long");
    EXPECT_EQ(error_after([](Bytes& packet) { packet[0] = std::byte{9}; }),
              "packet from rank 0: starts with 0x4d09, not 0x4d01");
    EXPECT_EQ(error_after([](Bytes& packet) { packet[2] = std::byte{1}; }),
              "packet from rank 0: gives back 1 packets of 0 sent");
    EXPECT_EQ(error_after([](Bytes& packet) { packet[4] = std::byte{1}; }),
              "packet from rank 0: number 1 where 0 was due");
    EXPECT_EQ(error_after([](Bytes& packet) { packet[9] = std::byte{255}; }),
              "packet from rank 0: announces a message of 65285 bytes");

    Link receiver(options);
    EXPECT_EQ(error_of(receiver, Rank{7}, good), "packet from rank 7, of a world of 2 ranks");
}

TEST(Link, NoticesASenderBeyondTheWindow) {
    Link sender({.world_size = 2, .window = 8});
    Link receiver({.world_size = 2, .window = 2});
    sender.post(Rank{1}, Bytes(20'000));
    const auto packets = flush(sender);
    EXPECT_EQ(error_of(receiver, Rank{0}, packets.at(0)), "");
    EXPECT_EQ(error_of(receiver, Rank{0}, packets.at(1)), "");
    EXPECT_EQ(error_of(receiver, Rank{0}, packets.at(2)), "packet from rank 0: beyond the window");
}

TEST(Link, DamagedPacketsNeverCrashIt) {
    Random random(11);
    const LinkOptions options{.world_size = 2, .frame_bytes_max = 5000, .window = 4};
    int refused = 0;
    int taken_in = 0;
    for (int round = 0; round < 5000; ++round) {
        Link sender(options);
        Link receiver(options);
        for (std::uint64_t i = random.below(5); i > 0; --i) {
            sender.post(Rank{1}, Bytes(static_cast<std::size_t>(random.below(3000))));
        }
        for (Bytes& packet : flush(sender)) {
            for (std::uint64_t i = random.below(3); i > 0; --i) {
                const std::uint64_t near_start = random.below(
                    std::min<std::size_t>(packet.size(), random.chance(0.5) ? 16 : packet.size()));
                packet[near_start] = static_cast<std::byte>(random.next());
            }
            if (random.below(8) == 0) {
                packet.resize(static_cast<std::size_t>(random.below(packet.size() + 1)));
            }
            const auto taken = receiver.on_packet(Rank{0}, packet, [&](Rank, auto frame) {
                ASSERT_LE(frame.size(), options.frame_bytes_max);
            });
            ++(taken.has_value() ? taken_in : refused);
        }
    }
    EXPECT_GT(refused, 1000);
    EXPECT_GT(taken_in, 1000);
}

} // namespace
} // namespace muster::wire
