#pragma once

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/base/random.hpp>
#include <muster/core/buffer.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace muster::sim {

/// How long what is sent takes to arrive.
struct NetworkProfile {
    Duration latency_min = std::chrono::microseconds{1};
    Duration latency_max = std::chrono::microseconds{10};
    double tail_chance = 0; ///< Of a latency drawn up to `tail_max`, on a logarithmic scale.
    Duration tail_max = std::chrono::milliseconds{5};
    double bytes_per_second = 10e9;
};

/// What MPI promises, and no more: per pair of ranks packets arrive in the order in which they were
/// sent, and nothing is lost or doubled. Between pairs, and between packets and bulk transfers, any
/// order.
class Network {
public:
    Network(const NetworkProfile& profile, Random random) : profile_(profile), random_(random) {}

    /// When a packet sent now arrives: not before those of the pair sent earlier.
    [[nodiscard]] TimePoint packet_arrival(TimePoint now, Rank from, Rank to, std::size_t bytes);

    struct BulkArrival {
        TimePoint when;
        Buffer data;
    };

    /// Either side of a bulk transfer may come first; with the second one in, it arrives at the
    /// returned time.
    [[nodiscard]] std::optional<BulkArrival>
    send_bulk(TimePoint now, Rank from, Rank to, std::uint64_t transfer, Buffer data);
    [[nodiscard]] std::optional<BulkArrival>
    receive_bulk(TimePoint now, Rank from, Rank to, std::uint64_t transfer, std::uint64_t size);

    /// It neither sends nor receives any more.
    void crash(Rank rank);
    /// `self` has given up on what it sends to `other`, and receives from it.
    void forget(Rank self, Rank other);

    /// No bulk transfer waits for its other side.
    [[nodiscard]] bool bulk_idle() const { return sends_.empty() && receives_.empty(); }

private:
    using BulkKey = std::tuple<Rank, Rank, std::uint64_t>; // from, to, transfer

    [[nodiscard]] Duration travel_time(std::size_t bytes);

    NetworkProfile profile_;
    Random random_;
    std::map<std::pair<Rank, Rank>, TimePoint> last_arrival_;
    std::map<BulkKey, Buffer> sends_;
    std::map<BulkKey, std::uint64_t> receives_;
    std::set<Rank> crashed_;
    std::set<std::pair<Rank, Rank>> forgotten_; ///< Who has given up on whom.
};

} // namespace muster::sim
