#pragma once

#include "transport/transport.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// Runs one body of the contract suite on every rank of any transport: threads of one process, MPI
/// processes, or a simulated network whose ranks take turns on one thread.
namespace muster::transport::contract {

/// One rank's part in a body: event-driven, so that nothing in it needs a thread.
class Scenario {
public:
    virtual ~Scenario() = default;

    /// Called once, before anything else.
    virtual void start(Transport& transport) = 0;

    /// Called before every poll, for those that send a little at a time. Returns whether there is
    /// more to send: the rank does not sleep then.
    virtual bool tick(Transport& /*transport*/) { return false; }

    virtual void
    on_packet(Transport& /*transport*/, Rank from, std::span<const std::byte> /*packet*/) {
        fail("a packet from {} that nobody sent", to_string(from));
    }

    virtual void on_bulk_sent(Transport& /*transport*/, Rank to, std::uint64_t transfer) {
        fail("bulk {} to {} left, which nobody sent", transfer, to_string(to));
    }

    virtual void on_bulk_received(Transport& /*transport*/, Rank from, std::uint64_t transfer) {
        fail("bulk {} from {} arrived, which nobody asked for", transfer, to_string(from));
    }

    /// Everything that this rank sends or waits for is done.
    [[nodiscard]] virtual bool finished() const = 0;

    /// The rank that dies in this scenario, as soon as it is finished(). The others forget() it.
    [[nodiscard]] virtual std::optional<Rank> lost() const { return std::nullopt; }

    [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }

protected:
    /// Keeps the first few: one broken promise tends to break it a thousand times.
    template <class... Args>
    void fail(fmt::format_string<Args...> format, Args&&... args) {
        if (failures_.size() < 5) {
            failures_.push_back(fmt::format(format, std::forward<Args>(args)...));
        }
    }

    template <class... Args>
    void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
        if (!condition) {
            fail(format, std::forward<Args>(args)...);
        }
    }

private:
    std::vector<std::string> failures_;
};

/// Takes one rank through a scenario and then keeps it polling until every rank is through, so that
/// one that is done early still serves the others.
///
/// The good-bye is two rounds of empty bulk transfers with everybody. After the first round all
/// ranks are finished, so a packet that arrives later belongs to the next scenario of a rank that
/// is ahead: it is kept in `early` for the next Party. A rank that dies says no good-bye, and none
/// is said to it.
class Party final : public Sink {
public:
    using EarlyPackets = std::vector<std::pair<Rank, std::vector<std::byte>>>;

    Party(Transport& transport, Scenario& scenario, EarlyPackets& early)
        : transport_(transport), scenario_(scenario), early_(early) {}

    void start() {
        scenario_.start(transport_);
        for_others([&](Rank /*other*/) { ++others_; });
        for (const auto round : {first_round, second_round}) {
            for_others([&](Rank other) { transport_.receive_bulk(other, round, {}); });
        }
        EarlyPackets packets;
        std::swap(packets, early_);
        for (const auto& [from, packet] : packets) {
            scenario_.on_packet(transport_, from, packet);
        }
    }

    /// One poll; returns false if the rank may sleep now.
    bool step() {
        const bool more = !saying_goodbye_ && scenario_.tick(transport_);
        const bool happened = transport_.poll(*this);
        if (!saying_goodbye_ && scenario_.finished() && !dead()) {
            saying_goodbye_ = true;
            for_others([&](Rank other) { transport_.send_bulk(other, first_round, {}); });
            begin_second_round();
        }
        return more || happened;
    }

    /// This rank is the one that dies, and it is time.
    [[nodiscard]] bool dead() const {
        return scenario_.lost() == transport_.world().rank && scenario_.finished();
    }

    [[nodiscard]] bool done() const {
        return dead() || (saying_goodbye_ && goodbyes_ == 2 * others_ && sent_ == 2 * others_);
    }

    void on_packet(Rank from, std::span<const std::byte> packet) override {
        if (everybody_finished_) {
            early_.emplace_back(from, std::vector(packet.begin(), packet.end()));
        } else {
            scenario_.on_packet(transport_, from, packet);
        }
    }

    void on_bulk_sent(Rank to, std::uint64_t transfer) override {
        if (transfer == first_round || transfer == second_round) {
            ++sent_;
        } else {
            scenario_.on_bulk_sent(transport_, to, transfer);
        }
    }

    void on_bulk_received(Rank from, std::uint64_t transfer) override {
        if (transfer != first_round && transfer != second_round) {
            scenario_.on_bulk_received(transport_, from, transfer);
            return;
        }
        ++goodbyes_;
        if (transfer == first_round) {
            ++finished_others_;
            begin_second_round();
        }
    }

private:
    // Apart modulo Transport::transfer_modulus from the small numbers of the scenarios.
    static constexpr std::uint64_t first_round = Transport::transfer_modulus - 1;
    static constexpr std::uint64_t second_round = Transport::transfer_modulus - 2;

    // The others may be finished long before this rank is.
    void begin_second_round() {
        if (saying_goodbye_ && finished_others_ == others_) {
            everybody_finished_ = true;
            for_others([&](Rank other) { transport_.send_bulk(other, second_round, {}); });
        }
    }

    template <class Call>
    void for_others(Call&& call) {
        const World& world = transport_.world();
        for (std::int32_t other = 0; other < world.size; ++other) {
            if (Rank{other} != world.rank && Rank{other} != scenario_.lost()) {
                call(Rank{other});
            }
        }
    }

    Transport& transport_;
    Scenario& scenario_;
    EarlyPackets& early_;
    std::size_t others_ = 0; // that say good-bye
    std::size_t goodbyes_ = 0;
    std::size_t finished_others_ = 0;
    std::size_t sent_ = 0;
    bool saying_goodbye_ = false;
    bool everybody_finished_ = false;
};

/// Drives a rank that has a thread or process of its own: sleeps whenever a poll finds nothing.
/// Sleeps are long on purpose: a lost wake-up must end in the test's time limit.
inline void drive(Transport& transport, Scenario& scenario, Party::EarlyPackets& early) {
    using namespace std::chrono_literals;
    Party party(transport, scenario, early);
    party.start();
    while (!party.done()) {
        if (!party.step() && !party.done()) {
            transport.sleep_until(std::chrono::steady_clock::now() + 1h);
        }
    }
}

} // namespace muster::transport::contract
