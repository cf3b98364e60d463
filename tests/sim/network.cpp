#include "network.hpp"

#include "failure.hpp"

#include <algorithm>

namespace muster::sim {

Duration Network::travel_time(std::size_t bytes) {
    Duration latency{random_.between(profile_.latency_min.count(), profile_.latency_max.count())};
    if (random_.chance(profile_.tail_chance)) {
        latency = Duration{static_cast<std::int64_t>(
            random_.log_uniform(static_cast<double>(profile_.latency_min.count()),
                                static_cast<double>(profile_.tail_max.count())))};
    }
    return latency + Duration{static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 /
                                                        profile_.bytes_per_second)};
}

TimePoint Network::packet_arrival(TimePoint now, Rank from, Rank to, std::size_t bytes) {
    TimePoint& last = last_arrival_[{from, to}];
    last = std::max(last, now + travel_time(bytes));
    return last;
}

std::optional<Network::BulkArrival>
Network::send_bulk(TimePoint now, Rank from, Rank to, std::uint64_t transfer, Buffer data) {
    const BulkKey key{from, to, transfer};
    if (crashed_.contains(to) || forgotten_.contains({from, to})) {
        return std::nullopt;
    }
    const auto receive = receives_.find(key);
    if (receive == receives_.end()) {
        require(sends_.emplace(key, std::move(data)).second, "a bulk transfer is sent twice");
        return std::nullopt;
    }
    require(receive->second == data.size(),
            "a bulk transfer has another size than its receiver said");
    receives_.erase(receive);
    const Duration time = travel_time(data.size());
    return BulkArrival{now + time, std::move(data)};
}

std::optional<Network::BulkArrival> Network::receive_bulk(
    TimePoint now, Rank from, Rank to, std::uint64_t transfer, std::uint64_t size) {
    const BulkKey key{from, to, transfer};
    if (crashed_.contains(from) || forgotten_.contains({to, from})) {
        return std::nullopt;
    }
    const auto send = sends_.find(key);
    if (send == sends_.end()) {
        require(receives_.emplace(key, size).second, "a bulk transfer is received twice");
        return std::nullopt;
    }
    require(send->second.size() == size, "a bulk transfer has another size than its receiver said");
    Buffer data = std::move(send->second);
    sends_.erase(send);
    const Duration time = travel_time(data.size());
    return BulkArrival{now + time, std::move(data)};
}

void Network::crash(Rank rank) {
    crashed_.insert(rank);
    const auto concerned = [&](const auto& entry) {
        const auto& [from, to, transfer] = entry.first;
        return from == rank || to == rank;
    };
    std::erase_if(sends_, concerned);
    std::erase_if(receives_, concerned);
}

void Network::forget(Rank self, Rank other) {
    forgotten_.insert({self, other});
    std::erase_if(sends_, [&](const auto& entry) {
        const auto& [from, to, transfer] = entry.first;
        return from == self && to == other;
    });
    std::erase_if(receives_, [&](const auto& entry) {
        const auto& [from, to, transfer] = entry.first;
        return from == other && to == self;
    });
}

} // namespace muster::sim
