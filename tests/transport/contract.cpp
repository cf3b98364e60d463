#include "transport/contract.hpp"

#include <muster/base/random.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace muster::transport::contract {

namespace {

using Bytes = std::vector<std::byte>;

std::int32_t me(const Transport& transport) {
    return index(transport.world().rank);
}

// What byte `i` of the message `number` from `from` to `to` is: depends on all of them.
class Pattern {
public:
    Pattern(std::int32_t from, std::int32_t to, std::uint64_t number)
        : seed_(mix64((static_cast<std::uint64_t>(from) << 40) ^
                      (static_cast<std::uint64_t>(to) << 20) ^ number)) {}

    void fill(std::span<std::byte> bytes) const {
        for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
            const std::uint64_t word = word_at(at);
            std::memcpy(&bytes[at], &word, std::min(sizeof word, bytes.size() - at));
        }
    }

    // A few words of every page only, for what is too large to fill.
    void fill_sparsely(std::span<std::byte> bytes) const {
        for (std::size_t at = 0; at + sizeof(std::uint64_t) <= bytes.size(); at += page) {
            const std::uint64_t word = word_at(at);
            std::memcpy(&bytes[at], &word, sizeof word);
        }
    }

    [[nodiscard]] bool matches(std::span<const std::byte> bytes) const {
        for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
            const std::uint64_t word = word_at(at);
            if (std::memcmp(&bytes[at], &word, std::min(sizeof word, bytes.size() - at)) != 0) {
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] bool matches_sparsely(std::span<const std::byte> bytes) const {
        for (std::size_t at = 0; at + sizeof(std::uint64_t) <= bytes.size(); at += page) {
            const std::uint64_t word = word_at(at);
            if (std::memcmp(&bytes[at], &word, sizeof word) != 0) {
                return false;
            }
        }
        return true;
    }

private:
    static constexpr std::size_t page = 4096;

    [[nodiscard]] std::uint64_t word_at(std::size_t at) const {
        return seed_ + at * 0x9e3779b97f4a7c15ULL;
    }

    std::uint64_t seed_;
};

std::uint32_t number_of(std::span<const std::byte> packet) {
    std::uint32_t number = 0;
    std::memcpy(&number, packet.data(), std::min(packet.size(), sizeof number));
    return number;
}

// Packets of one pair arrive whole and in order while everybody sends to everybody. A quarter of
// the packets go out from inside on_packet(), as replies do.
class AllToAllKeepsOrder final : public Scenario {
public:
    void start(Transport& transport) override {
        size_ = transport.world().size;
        sent_.assign(static_cast<std::size_t>(size_), 0);
        received_.assign(static_cast<std::size_t>(size_), 0);
        random_ = Random(17, static_cast<std::uint64_t>(me(transport)));
    }

    bool tick(Transport& transport) override {
        for (std::int32_t to = 0; to < size_; ++to) {
            for (std::uint64_t burst = random_.below(8); burst > 0; --burst) {
                send_next(transport, to);
            }
        }
        return std::ranges::count(sent_, packets_per_pair) < size_ - 1;
    }

    void on_packet(Transport& transport, Rank from, std::span<const std::byte> packet) override {
        std::uint32_t& received = received_[static_cast<std::size_t>(index(from))];
        check(packet.size() >= sizeof received && number_of(packet) == received,
              "packet {} of {} came as number {}",
              number_of(packet),
              to_string(from),
              received);
        const Pattern pattern(index(from), me(transport), received);
        check(packet.size() >= sizeof received && pattern.matches(packet.subspan(sizeof received)),
              "packet {} of {} is damaged",
              received,
              to_string(from));
        ++received;
        if (random_.below(4) == 0) {
            send_next(transport, index(from));
        }
    }

    [[nodiscard]] bool finished() const override {
        const auto full = std::ranges::count(received_, packets_per_pair);
        const auto sent = std::ranges::count(sent_, packets_per_pair);
        return full == size_ - 1 && sent == size_ - 1;
    }

private:
    static constexpr std::uint32_t packets_per_pair = 2000;

    void send_next(Transport& transport, std::int32_t to) {
        std::uint32_t& sent = sent_[static_cast<std::size_t>(to)];
        if (to == me(transport) || sent == packets_per_pair) {
            return;
        }
        // Mostly small, some as large as can be.
        const std::uint64_t bound = random_.below(8) == 0 ? Transport::packet_bytes_max + 1 : 200;
        const auto size = std::max(sizeof sent, static_cast<std::size_t>(random_.below(bound)));
        Bytes packet(size);
        std::memcpy(packet.data(), &sent, sizeof sent);
        Pattern(me(transport), to, sent).fill(std::span(packet).subspan(sizeof sent));
        transport.send(Rank{to}, packet);
        ++sent;
    }

    std::int32_t size_ = 0;
    std::vector<std::uint32_t> sent_;     // by rank
    std::vector<std::uint32_t> received_; // by rank
    Random random_{0};
};

// Packets of every size from none to the largest, to the next rank; the packet is the caller's
// again as soon as send() returns.
class EveryPacketSize final : public Scenario {
public:
    void start(Transport& transport) override {
        size_ = transport.world().size;
        if (size_ == 1) {
            return;
        }
        const std::int32_t next = (me(transport) + 1) % size_;
        Bytes packet;
        for (std::size_t size = 0; size <= Transport::packet_bytes_max; ++size) {
            packet.resize(size);
            Pattern(me(transport), next, size).fill(packet);
            transport.send(Rank{next}, packet);
        }
    }

    void on_packet(Transport& transport, Rank from, std::span<const std::byte> packet) override {
        check(packet.size() == received_, "{} bytes came as {}", received_, packet.size());
        check(Pattern(index(from), me(transport), received_).matches(packet),
              "a packet of {} bytes is damaged",
              received_);
        ++received_;
    }

    [[nodiscard]] bool finished() const override {
        return size_ == 1 || received_ == Transport::packet_bytes_max + 1;
    }

private:
    std::int32_t size_ = 0;
    std::size_t received_ = 0; // sizes, which come in order
};

// Even and odd neighbours take turns, both asleep in between: a message ends its receiver's sleep.
class PingPongWakesSleepers final : public Scenario {
public:
    void start(Transport& transport) override {
        const std::int32_t size = transport.world().size;
        partner_ = me(transport) ^ 1;
        if (partner_ >= size) {
            rounds_ = rounds;
        } else if (me(transport) < partner_) {
            transport.send(Rank{partner_}, {});
        }
    }

    void on_packet(Transport& transport, Rank from, std::span<const std::byte> packet) override {
        check(index(from) == partner_, "a ball from {}", to_string(from));
        check(packet.empty(), "a ball of {} bytes", packet.size());
        ++rounds_;
        if (rounds_ < rounds || me(transport) > partner_) {
            transport.send(from, {});
        }
    }

    [[nodiscard]] bool finished() const override { return rounds_ == rounds; }

private:
    static constexpr int rounds = 2000;
    std::int32_t partner_ = 0;
    int rounds_ = 0;
};

// Bulk of several sizes between neighbours in both directions at once.
//
// A receive is posted before its sender sends (the sender waits for a packet) or after (the
// receiver waits for one). Where both neighbours are one rank, it is done twice with that one.
class BulkBothWays final : public Scenario {
public:
    BulkBothWays(std::vector<std::size_t> sizes, std::uint64_t seed)
        : sizes_(std::move(sizes)), seed_(seed) {}

    void start(Transport& transport) override {
        const std::int32_t size = transport.world().size;
        if (size == 1) {
            return;
        }
        const std::array<std::int32_t, 2> neighbours{(me(transport) + 1) % size,
                                                     (me(transport) + size - 1) % size};
        std::vector<std::pair<std::int32_t, std::uint32_t>> order;
        for (std::size_t side = 0; side < 2; ++side) {
            for (std::size_t i = 0; i < sizes_.size(); ++i) {
                // My next rank's previous one is me: what I get from one side, it sends to the
                // other.
                order.emplace_back(neighbours[side], transfer_number(side, i));
                order.emplace_back(neighbours[side], transfer_number(side, i) | after_bit);
            }
        }
        Random(seed_, static_cast<std::uint64_t>(me(transport))).shuffle(std::span(order));
        for (const auto& [peer, number] : order) {
            if ((number & after_bit) != 0) {
                send(transport, Rank{peer}, opposite(number));
                tell(transport, Rank{peer}, opposite(number));
            } else {
                receive(transport, Rank{peer}, number);
                tell(transport, Rank{peer}, number);
            }
        }
        expected_ = order.size();
    }

    void on_packet(Transport& transport, Rank from, std::span<const std::byte> packet) override {
        const std::uint32_t number = number_of(packet);
        if ((number & after_bit) != 0) {
            receive(transport, from, number);
        } else {
            send(transport, from, number);
        }
    }

    void on_bulk_sent(Transport& /*transport*/, Rank to, std::uint64_t transfer) override {
        check(sending_.erase({to, transfer}) == 1, "bulk {} left twice", transfer);
        ++sent_;
    }

    void on_bulk_received(Transport& transport, Rank from, std::uint64_t transfer) override {
        const auto found = receiving_.find({from, transfer});
        if (found == receiving_.end()) {
            fail("bulk {} of {} came, which was not asked for", transfer, to_string(from));
            return;
        }
        const Bytes& bytes = found->second;
        check(Pattern(index(from), me(transport), transfer).matches(bytes),
              "bulk {} of {} bytes from {} is damaged",
              transfer,
              bytes.size(),
              to_string(from));
        receiving_.erase(found);
        ++received_;
    }

    [[nodiscard]] bool finished() const override {
        return sent_ == expected_ && received_ == expected_;
    }

private:
    using Key = std::pair<Rank, std::uint64_t>;
    static constexpr std::uint32_t after_bit = 1;
    static constexpr std::uint32_t side_bit = 2;

    static std::uint32_t transfer_number(std::size_t side, std::size_t size_index) {
        return static_cast<std::uint32_t>(size_index * 4 + side * side_bit);
    }

    static std::uint32_t opposite(std::uint32_t number) { return number ^ side_bit; }

    void tell(Transport& transport, Rank peer, std::uint32_t number) {
        transport.send(peer, std::as_bytes(std::span(&number, 1)));
    }

    void send(Transport& transport, Rank to, std::uint32_t number) {
        const std::size_t size = sizes_[number / 4];
        auto bytes = std::make_shared_for_overwrite<std::byte[]>(std::max<std::size_t>(1, size));
        Pattern(me(transport), index(to), number).fill({bytes.get(), size});
        sending_.emplace(Key{to, number}, size);
        transport.send_bulk(to, number, Buffer(std::move(bytes), size));
    }

    void receive(Transport& transport, Rank from, std::uint32_t number) {
        Bytes& bytes = receiving_[Key{from, number}];
        bytes.resize(sizes_[number / 4]);
        transport.receive_bulk(from, number, bytes);
    }

    std::vector<std::size_t> sizes_;
    std::uint64_t seed_;
    std::size_t expected_ = 0;
    std::size_t sent_ = 0;
    std::size_t received_ = 0;
    std::map<Key, std::size_t> sending_;
    std::map<Key, Bytes> receiving_;
};

// See lost_rank(). As many packets and transfers are under way to the lost rank as the runtime
// allows or starts at a time; of the transfers with it, every third lacks its other side.
class LostRank final : public Scenario {
public:
    explicit LostRank(bool dies) : dies_(dies) {}

    void start(Transport& transport) override {
        const World& world = transport.world();
        size_ = world.size;
        self_ = index(world.rank);
        const auto count = static_cast<std::size_t>(size_);
        sent_.assign(count, 0);
        received_.assign(count, 0);
        rounds_.assign(count, 0);
        random_ = Random(23, static_cast<std::uint64_t>(self_));
        if (size_ == 1) {
            return;
        }
        for (std::int32_t other = 0; other < size_; ++other) {
            if (other == self_) {
                continue;
            }
            if (!is_lost(other) && !is_lost(self_)) {
                begin_round(transport, other);
                continue;
            }
            for (std::uint64_t i = 0; i < transfers_with_lost; ++i) {
                if (!is_lost(self_) || i % 3 != 0) {
                    send_bulk(transport, other, i);
                }
                if (!is_lost(self_) || i % 3 != 1) {
                    receive_bulk(transport, other, i);
                }
            }
        }
    }

    bool tick(Transport& transport) override {
        ++ticks_;
        bool sending = false;
        for (std::int32_t to = 0; to < size_; ++to) {
            for (std::uint64_t burst = random_.below(8); burst > 0; --burst) {
                sending = send_next(transport, to) || sending;
            }
        }
        if (!is_lost(self_) && !forgot_ && time_to_forget()) {
            forget(transport);
        }
        clean_ = !transport.sends_pending();
        return size_ > 1 && (sending || ticks_ < ticks_alone);
    }

    void on_packet(Transport& transport, Rank from, std::span<const std::byte> packet) override {
        check(!forgot_ || !is_lost(index(from)), "a packet from a forgotten rank");
        std::uint32_t& received = received_[static_cast<std::size_t>(index(from))];
        check(number_of(packet) == received,
              "packet {} from {} came as number {}",
              number_of(packet),
              to_string(from),
              received);
        check(Pattern(index(from), self_, received).matches(packet.subspan(sizeof received)),
              "packet {} from {} is damaged",
              received,
              to_string(from));
        ++received;
        static_cast<void>(transport);
    }

    void on_bulk_sent(Transport& /*transport*/, Rank to, std::uint64_t /*transfer*/) override {
        check(!forgot_ || !is_lost(index(to)), "bulk to a forgotten rank left");
    }

    void on_bulk_received(Transport& transport, Rank from, std::uint64_t transfer) override {
        check(!forgot_ || !is_lost(index(from)), "bulk from a forgotten rank");
        const auto found = receiving_.find({from, transfer});
        if (found == receiving_.end()) {
            fail("bulk {} of {} came, which was not asked for", transfer, to_string(from));
            return;
        }
        check(Pattern(index(from), self_, transfer).matches(found->second),
              "bulk {} from {} is damaged",
              transfer,
              to_string(from));
        receiving_.erase(found);
        if (!is_lost(index(from)) && !is_lost(self_)) {
            ++rounds_[static_cast<std::size_t>(index(from))];
            begin_round(transport, index(from));
        }
    }

    [[nodiscard]] bool finished() const override {
        if (size_ == 1) {
            return true;
        }
        if (is_lost(self_)) {
            return dies_ && std::ranges::count(received_, 0U) == 1; // it has heard of all others
        }
        return forgot_ && clean_ && progress() == 1;
    }

    [[nodiscard]] std::optional<Rank> lost() const override {
        return size_ > 1 ? std::optional(Rank{size_ - 1}) : std::nullopt;
    }

private:
    using Key = std::pair<Rank, std::uint64_t>;
    static constexpr std::uint32_t packets_per_pair = 3000;
    static constexpr std::uint32_t packets_to_lost = 64; // not given back: the window of a Link
    static constexpr std::uint64_t rounds_per_pair = 20;
    static constexpr std::uint64_t transfers_with_lost = 24;
    static constexpr std::size_t bulk_bytes = 1'300'000;
    static constexpr std::uint64_t ticks_alone = 3000;

    [[nodiscard]] bool is_lost(std::int32_t rank) const { return rank == size_ - 1; }

    // How far the exchange among survivors is, from 0 to 1: the least of all.
    [[nodiscard]] double progress() const {
        double least = std::min(1.0, static_cast<double>(ticks_) / ticks_alone);
        for (std::int32_t other = 0; other < size_ - 1; ++other) {
            if (other == self_) {
                continue;
            }
            const auto at = static_cast<std::size_t>(other);
            const double received = static_cast<double>(received_[at]) / packets_per_pair;
            const double sent = static_cast<double>(sent_[at]) / packets_per_pair;
            const double rounds =
                static_cast<double>(rounds_[at]) / static_cast<double>(rounds_per_pair);
            least = std::min({least, received, sent, rounds});
        }
        return least;
    }

    [[nodiscard]] bool time_to_forget() const {
        return progress() >= (self_ % 2 == 0 ? 0.25 : 0.75);
    }

    void forget(Transport& transport) {
        const Rank lost{size_ - 1};
        transport.forget(lost);
        forgot_ = true;
        // MPI may write to it for as long as the process lives.
        static std::mutex mutex; // ranks may be threads
        static std::vector<Bytes> kept;
        const std::lock_guard lock(mutex);
        for (auto& [key, bytes] : receiving_) {
            if (key.first == lost) {
                kept.push_back(std::move(bytes));
            }
        }
        std::erase_if(receiving_, [&](const auto& entry) { return entry.first.first == lost; });
        for (std::uint64_t i = 0; i < transfers_with_lost; ++i) {
            transport.send(lost, {});
            send_bulk(transport, index(lost), transfers_with_lost + i);
            transport.receive_bulk(lost, transfers_with_lost + i, {});
        }
        transport.forget(lost); // once more changes nothing
    }

    bool send_next(Transport& transport, std::int32_t to) {
        std::uint32_t& sent = sent_[static_cast<std::size_t>(to)];
        const bool with_lost = is_lost(to) || is_lost(self_);
        if (to == self_ || sent == (with_lost ? packets_to_lost : packets_per_pair)) {
            return false;
        }
        const std::uint64_t bound = random_.below(4) == 0 ? Transport::packet_bytes_max + 1 : 200;
        Bytes packet(std::max(sizeof sent, static_cast<std::size_t>(random_.below(bound))));
        std::memcpy(packet.data(), &sent, sizeof sent);
        Pattern(self_, to, sent).fill(std::span(packet).subspan(sizeof sent));
        transport.send(Rank{to}, packet);
        ++sent;
        return true;
    }

    void begin_round(Transport& transport, std::int32_t other) {
        const std::uint64_t round = rounds_[static_cast<std::size_t>(other)];
        if (round < rounds_per_pair) {
            receive_bulk(transport, other, round);
            send_bulk(transport, other, round);
        }
    }

    void send_bulk(Transport& transport, std::int32_t to, std::uint64_t number) {
        auto bytes = std::make_shared_for_overwrite<std::byte[]>(bulk_bytes);
        Pattern(self_, to, number).fill({bytes.get(), bulk_bytes});
        transport.send_bulk(Rank{to}, number, Buffer(std::move(bytes), bulk_bytes));
    }

    void receive_bulk(Transport& transport, std::int32_t from, std::uint64_t number) {
        Bytes& bytes = receiving_[Key{Rank{from}, number}];
        bytes.resize(bulk_bytes);
        transport.receive_bulk(Rank{from}, number, bytes);
    }

    bool dies_;
    std::int32_t size_ = 1;
    std::int32_t self_ = 0;
    std::uint64_t ticks_ = 0;
    std::vector<std::uint32_t> sent_;     // packets, by rank
    std::vector<std::uint32_t> received_; // packets, by rank
    std::vector<std::uint64_t> rounds_;   // bulk that came, by rank
    std::map<Key, Bytes> receiving_;
    Random random_{0};
    bool forgot_ = false;
    bool clean_ = false;
};

// More than 2 GiB in one transfer: no count may be an int.
class HugeBulk final : public Scenario {
public:
    void start(Transport& transport) override {
        const std::int32_t partner = me(transport) ^ 1;
        if (partner >= transport.world().size) {
            done_ = true;
        } else if (me(transport) < partner) {
            auto bytes = std::make_shared_for_overwrite<std::byte[]>(size_bytes);
            Pattern(me(transport), partner, transfer).fill_sparsely({bytes.get(), size_bytes});
            transport.send_bulk(Rank{partner}, transfer, Buffer(std::move(bytes), size_bytes));
        } else {
            memory_ = std::make_unique_for_overwrite<std::byte[]>(size_bytes);
            transport.receive_bulk(Rank{partner}, transfer, {memory_.get(), size_bytes});
        }
    }

    void on_bulk_sent(Transport& /*transport*/, Rank /*to*/, std::uint64_t /*number*/) override {
        done_ = true;
    }

    void on_bulk_received(Transport& transport, Rank from, std::uint64_t /*number*/) override {
        const Pattern pattern(index(from), me(transport), transfer);
        check(pattern.matches_sparsely({memory_.get(), size_bytes}), "the bulk is damaged");
        done_ = true;
    }

    [[nodiscard]] bool finished() const override { return done_; }

private:
    static constexpr std::size_t size_bytes = (std::size_t{2} << 30) + 12'345;
    static constexpr std::uint64_t transfer = 7;
    std::unique_ptr<std::byte[]> memory_;
    bool done_ = false;
};

std::vector<std::size_t> many_sizes() {
    std::vector<std::size_t> sizes;
    Random random(5);
    for (int i = 0; i < 20; ++i) {
        sizes.push_back(static_cast<std::size_t>(random.log_uniform(1, 3e6)));
    }
    return sizes;
}

// For when nobody sends anything.
class NothingExpected final : public Sink {
public:
    void on_packet(Rank /*from*/, std::span<const std::byte> /*packet*/) override { ++surprises; }

    void on_bulk_sent(Rank /*to*/, std::uint64_t /*transfer*/) override { ++surprises; }

    void on_bulk_received(Rank /*from*/, std::uint64_t /*transfer*/) override { ++surprises; }

    int surprises = 0;
};

} // namespace

std::vector<Body> bodies() {
    return {
        {"AllToAllKeepsOrder", [] { return std::make_unique<AllToAllKeepsOrder>(); }},
        {"EveryPacketSizeArrives", [] { return std::make_unique<EveryPacketSize>(); }},
        {"PingPongWakesSleepers", [] { return std::make_unique<PingPongWakesSleepers>(); }},
        {"BulkOfSeveralSizesArrives",
         [] {
             return std::make_unique<BulkBothWays>(
                 std::vector<std::size_t>{0, 1, 100'000, 33'000'000}, 1);
         }},
        {"ManyTransfersAtOnceArrive",
         [] { return std::make_unique<BulkBothWays>(many_sizes(), 2); }},
    };
}

Body lost_rank(bool dies) {
    return {"SurvivorsOfALostRankGoOn", [dies] { return std::make_unique<LostRank>(dies); }};
}

Body huge_bulk() {
    return {"BulkOfMoreThanTwoGiBArrives", [] { return std::make_unique<HugeBulk>(); }};
}

std::size_t memory_available_bytes() {
    std::ifstream file("/proc/meminfo");
    std::string key;
    std::size_t kib = 0;
    while (file >> key >> kib) {
        if (key == "MemAvailable:") {
            return kib << 10;
        }
        file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    return 0;
}

std::vector<std::string> wake_from_another_thread(Transport& transport) {
    using namespace std::chrono_literals;
    constexpr int rounds = 1000;
    std::atomic<int> asked = 0; // by this thread, just before it sleeps
    std::atomic<int> woken = 0; // by the other, just before it wakes
    std::jthread waker([&] {
        for (int round = 1; round <= rounds; ++round) {
            asked.wait(round - 1);
            woken = round;
            transport.wake();
        }
    });
    NothingExpected sink;
    for (int round = 1; round <= rounds; ++round) {
        asked = round;
        asked.notify_one();
        while (woken != round) {
            transport.sleep_until(std::chrono::steady_clock::now() + 1h);
            transport.poll(sink);
        }
    }
    waker.join();
    transport.wake();
    transport.sleep_until(std::chrono::steady_clock::now() + 1h); // or the time limit
    if (sink.surprises > 0) {
        return {"something arrived that nobody sent"};
    }
    return {};
}

} // namespace muster::transport::contract
