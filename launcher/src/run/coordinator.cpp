#include "run/coordinator.hpp"

#include <muster/base/log.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace muster::launcher::run {
namespace {

constexpr std::size_t stranger_frame_max = 4096;
constexpr std::size_t frame_max = 1 << 20;
constexpr std::size_t strangers_max = 4096;
constexpr auto hello_patience = std::chrono::seconds(10);

} // namespace

Coordinator::Coordinator(Loop& loop, GroupOptions options, Output& output, std::string secret)
    : loop_(loop), group_(options, Loop::now()), output_(output), secret_(std::move(secret)) {
}

void Coordinator::listen(Listener listener) {
    listener_ = std::move(listener);
    loop_.watch(listener_.socket.get(), POLLIN, [this] { accept_all(); });
}

void Coordinator::accept_all() {
    while (true) {
        process::UniqueFd socket(
            ::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket) {
            return;
        }
        if (peers_.size() >= strangers_max) {
            continue;
        }
        const int id = next_peer_++;
        Peer& peer = peers_[id];
        peer.since = Loop::now();
        peer.connection = std::make_unique<Connection>(
            loop_,
            std::move(socket),
            stranger_frame_max,
            [this, id](const Message& message) { heard(id, message); },
            [this, id](const std::string& why) { ended(id, why); });
    }
}

void Coordinator::heard(int id, const Message& message) {
    const auto place = peers_.find(id);
    if (place == peers_.end()) {
        return;
    }
    Peer& peer = place->second;
    if (!peer.node) {
        if (const auto* hello = std::get_if<Hello>(&message);
            hello != nullptr && equal_secrets(hello->secret, secret_)) {
            peer.node = hello->joined.node;
            peer.connection->set_frame_max(frame_max);
            post(hello->joined);
        } else if (const auto* ended_rank = std::get_if<RankEnded>(&message);
                   ended_rank != nullptr && equal_secrets(ended_rank->secret, secret_)) {
            rank_code_ = ended_rank->code;
            done_.push_back(id);
        } else {
            log::warn("run", "stranger_refused");
            done_.push_back(id);
        }
        return;
    }
    // A supervisor speaks for itself only.
    if (const auto* exited = std::get_if<Exited>(&message)) {
        Exited own = *exited;
        own.node = *peer.node;
        post(own);
    } else if (const auto* stopped = std::get_if<Stopped>(&message)) {
        Stopped own = *stopped;
        own.node = *peer.node;
        post(own);
    } else if (const auto* signalled = std::get_if<Signalled>(&message)) {
        post(Signalled{signalled->number, /*by_node=*/true});
    }
}

void Coordinator::ended(int id, const std::string& why) {
    const auto place = peers_.find(id);
    if (place == peers_.end()) {
        return;
    }
    if (place->second.node) {
        post(Lost{*place->second.node, why});
    }
    done_.push_back(id);
}

void Coordinator::order(NodeId node, const Message& message) {
    for (auto& [id, peer] : peers_) {
        if (peer.node == node) {
            peer.connection->send(message);
        }
    }
}

void Coordinator::carry_out(const Action& action) {
    const auto to_node = [this](const auto& order_) {
        if (local_ != nullptr && order_.node == NodeId{0}) {
            local_->carry_out(order_);
        } else {
            order(order_.node, order_);
        }
    };
    if (const auto* start = std::get_if<Start>(&action)) {
        to_node(*start);
    } else if (const auto* stop = std::get_if<Stop>(&action)) {
        to_node(*stop);
    } else if (const auto* forward = std::get_if<Forward>(&action)) {
        to_node(*forward);
    } else if (const auto* say = std::get_if<Say>(&action)) {
        output_.say(say->text);
    } else if (const auto* finish = std::get_if<Finish>(&action)) {
        code_ = finish->code;
        for (auto& [id, peer] : peers_) {
            if (peer.node) {
                peer.connection->send(Conclude{finish->code});
            }
        }
    }
}

void Coordinator::tick() {
    const auto now = Loop::now();
    for (const auto& [id, peer] : peers_) {
        if (!peer.node && now >= peer.since + hello_patience) {
            done_.push_back(id);
        }
    }
    for (const int id : std::exchange(done_, {})) {
        peers_.erase(id);
    }
    if (const auto time = group_.deadline(); !group_.finished() && time && now >= *time) {
        post(Ticked{});
    }
    while (!events_.empty() && !group_.finished()) {
        const Event event = std::move(events_.front());
        events_.pop_front();
        std::vector<Action> actions;
        group_.on_event(Loop::now(), event, actions);
        for (const Action& action : actions) {
            carry_out(action);
        }
    }
}

std::optional<TimePoint> Coordinator::deadline() const {
    if (!events_.empty() && !group_.finished()) {
        return Loop::now();
    }
    auto first = group_.deadline();
    for (const auto& [id, peer] : peers_) {
        const auto time = peer.since + hello_patience;
        if (!peer.node && (!first || time < *first)) {
            first = time;
        }
    }
    return first;
}

} // namespace muster::launcher::run
