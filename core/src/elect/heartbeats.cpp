#include "elect/heartbeats.hpp"

#include <algorithm>

namespace muster::elect {

Heartbeats::Heartbeats(const Config& config) : config_(config) {
    if (!config.enabled || config.world_size == 1) {
        return;
    }
    if (config.self != config.driver) {
        peers_.push_back({config.driver});
        return;
    }
    for (std::int32_t i = 0; i < config.world_size; ++i) {
        peers_.push_back({Rank{i}, Rank{i} != config.self});
    }
}

Heartbeats::Peer* Heartbeats::find(Rank rank) {
    if (peers_.empty()) {
        return nullptr;
    }
    if (config_.self != config_.driver) {
        return rank == config_.driver ? &peers_.front() : nullptr;
    }
    return &peers_[static_cast<std::size_t>(index(rank))];
}

void Heartbeats::heard(Rank from) {
    if (Peer* peer = find(from)) {
        peer->heard = ran_;
    }
}

void Heartbeats::sent(Rank to) {
    if (Peer* peer = find(to)) {
        peer->sent = ran_;
    }
}

std::vector<Rank> Heartbeats::on_time(TimePoint now, wire::Actions& actions) {
    std::vector<Rank> silent;
    if (peers_.empty()) {
        return silent;
    }
    const Duration interval = config_.interval();
    ran_ += std::clamp(now - last_.value_or(now), Duration{}, interval);
    last_ = now;
    if (ran_ - looked_ < interval / 4 && looked_ > Duration{}) {
        return silent; // so that a busy rank does not look at ten thousand peers all the time
    }
    looked_ = std::max(ran_, Duration{1});
    const Duration timeout =
        config_.self == config_.driver ? config_.timeout : config_.driver_timeout;
    for (Peer& peer : peers_) {
        if (!peer.watched) {
            continue;
        }
        if (ran_ - peer.heard >= timeout) {
            peer.watched = false;
            silent.push_back(peer.rank);
        } else if (ran_ - peer.sent >= interval) {
            peer.sent = ran_;
            actions.push_back(wire::SendMessage{peer.rank, wire::Heartbeat{}});
        }
    }
    return silent;
}

void Heartbeats::forget(Rank rank) {
    if (Peer* peer = find(rank)) {
        peer->watched = false;
    }
}

std::optional<TimePoint> Heartbeats::next_timer() const {
    const bool any =
        std::any_of(peers_.begin(), peers_.end(), [](const Peer& peer) { return peer.watched; });
    return any && last_ ? std::optional{*last_ + config_.interval() / 4} : std::nullopt;
}

} // namespace muster::elect
