#include "transport/sim_world.hpp"

#include "event_queue.hpp"
#include "network.hpp"

#include <muster/base/error.hpp>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace muster::transport::contract {
namespace {

struct PacketArrived {
    Rank from{};
    std::vector<std::byte> packet;
};

struct BulkSent {
    Rank to{};
    std::uint64_t transfer = 0;
};

struct BulkArrived {
    Rank from{};
    std::uint64_t transfer = 0;
    Buffer data;
};

using Arrival = std::variant<PacketArrived, BulkSent, BulkArrived>;

Rank peer_of(const Arrival& arrival) {
    if (const auto* sent = std::get_if<BulkSent>(&arrival)) {
        return sent->to;
    }
    const auto* packet = std::get_if<PacketArrived>(&arrival);
    return packet != nullptr ? packet->from : std::get<BulkArrived>(arrival).from;
}

class SimEndpoint;

/// What the endpoints share.
struct SimWorld {
    sim::EventQueue queue;
    sim::Network network;
    std::vector<std::unique_ptr<SimEndpoint>> endpoints;

    SimEndpoint& at(Rank rank) { return *endpoints[static_cast<std::size_t>(index(rank))]; }
};

/// The simulator's network in the shape of a Transport. Time passes in the event queue only, so
/// sleeping and waking are the driver's business, which runs the queue when every rank is idle.
class SimEndpoint final : public Transport {
public:
    SimEndpoint(SimWorld& shared, Rank rank, std::int32_t size) : shared_(shared) {
        world_.rank = rank;
        world_.size = size;
        world_.node_of.assign(static_cast<std::size_t>(size), NodeId{0});
        world_.host_of.assign(static_cast<std::size_t>(size), "virtual");
    }

    [[nodiscard]] const World& world() const override { return world_; }

    void send(Rank to, std::span<const std::byte> packet) override {
        if (forgotten_.contains(to)) {
            return;
        }
        auto& queue = shared_.queue;
        const TimePoint when =
            shared_.network.packet_arrival(queue.now(), world_.rank, to, packet.size());
        queue.at(when, [this, to, bytes = std::vector(packet.begin(), packet.end())]() mutable {
            shared_.at(to).arrivals_.push_back(PacketArrived{world_.rank, std::move(bytes)});
        });
    }

    void send_bulk(Rank to, std::uint64_t transfer, Buffer data) override {
        if (forgotten_.contains(to)) {
            return;
        }
        deliver(world_.rank,
                to,
                transfer,
                shared_.network.send_bulk(
                    shared_.queue.now(), world_.rank, to, transfer, std::move(data)));
    }

    void receive_bulk(Rank from, std::uint64_t transfer, std::span<std::byte> into) override {
        if (forgotten_.contains(from)) {
            return;
        }
        receiving_[{from, transfer}] = into;
        deliver(from,
                world_.rank,
                transfer,
                shared_.network.receive_bulk(
                    shared_.queue.now(), from, world_.rank, transfer, into.size()));
    }

    void forget(Rank peer) override { forgotten_.insert(peer); }

    bool poll(Sink& sink) override {
        auto arrivals = std::exchange(arrivals_, {});
        for (auto& arrival : arrivals) {
            if (forgotten_.contains(peer_of(arrival))) {
                continue;
            }
            if (const auto* packet = std::get_if<PacketArrived>(&arrival)) {
                sink.on_packet(packet->from, packet->packet);
            } else if (const auto* sent = std::get_if<BulkSent>(&arrival)) {
                sink.on_bulk_sent(sent->to, sent->transfer);
            } else {
                const auto& bulk = std::get<BulkArrived>(arrival);
                const auto into = receiving_.extract({bulk.from, bulk.transfer}).mapped();
                if (!into.empty()) {
                    std::memcpy(into.data(), bulk.data.bytes().data(), into.size());
                }
                sink.on_bulk_received(bulk.from, bulk.transfer);
            }
        }
        return !arrivals.empty();
    }

    [[nodiscard]] std::optional<TimePoint> prepare_sleep(Sleeper /*who*/,
                                                         TimePoint /*deadline*/) override {
        return std::nullopt;
    }

    void sleep(Sleeper, TimePoint) noexcept override {} // tidy: allow sleep: it does not

    bool rise() override { return false; }

    void alert(Rank /*peer*/) noexcept override {}

    void call(Sleeper /*who*/) noexcept override {}

    void wake() noexcept override {}

    [[nodiscard]] bool sends_pending() const override { return false; }

    const void* raw_communicator(std::span<const Rank> /*members*/) override {
        throw Error(no_raw_communicator(), ErrorCode::infeasible);
    }

    [[nodiscard]] std::string no_raw_communicator() const override { return "simulated"; }

    void close(bool /*orderly*/) override {}

private:
    void deliver(Rank from,
                 Rank to,
                 std::uint64_t transfer,
                 std::optional<sim::Network::BulkArrival> arrival) {
        if (!arrival) {
            return; // the other side has still to come
        }
        shared_.queue.at(
            arrival->when, [this, from, to, transfer, data = std::move(arrival->data)]() mutable {
                shared_.at(from).arrivals_.push_back(BulkSent{to, transfer});
                shared_.at(to).arrivals_.push_back(BulkArrived{from, transfer, std::move(data)});
            });
    }

    SimWorld& shared_;
    World world_;
    std::deque<Arrival> arrivals_;
    std::map<std::pair<Rank, std::uint64_t>, std::span<std::byte>> receiving_;
    std::set<Rank> forgotten_;
};

} // namespace

std::string run_in_simulation(const Body& body, std::int32_t size, std::uint64_t seed) {
    sim::NetworkProfile profile;
    profile.tail_chance = 0.1;
    SimWorld world{{}, {profile, Random(seed)}, {}};
    std::vector<std::unique_ptr<Scenario>> parts;
    std::vector<Party::EarlyPackets> early(static_cast<std::size_t>(size));
    std::vector<std::unique_ptr<Party>> parties;
    for (std::int32_t rank = 0; rank < size; ++rank) {
        world.endpoints.push_back(std::make_unique<SimEndpoint>(world, Rank{rank}, size));
        parts.push_back(body.make());
    }
    for (std::size_t rank = 0; rank < parts.size(); ++rank) {
        parties.push_back(
            std::make_unique<Party>(*world.endpoints[rank], *parts[rank], early[rank]));
        parties.back()->start();
    }
    const auto all_done = [&] {
        return std::all_of(
            parties.begin(), parties.end(), [](const auto& party) { return party->done(); });
    };
    while (!all_done()) {
        bool happened = false;
        for (const auto& party : parties) {
            if (party->dead()) {
                continue;
            }
            happened = party->step() || happened;
        }
        if (!happened && !all_done()) {
            if (world.queue.empty()) {
                return "nothing is under way, and not every rank is through: something was lost\n";
            }
            world.queue.run_next();
        }
    }
    std::string failures;
    for (std::size_t rank = 0; rank < parts.size(); ++rank) {
        for (const std::string& failure : parts[rank]->failures()) {
            failures += fmt::format("rank {}: {}\n", rank, failure);
        }
    }
    return failures;
}

} // namespace muster::transport::contract
