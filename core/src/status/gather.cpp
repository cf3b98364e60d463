#include "status/gather.hpp"

#include <utility>

namespace muster::status {

void Gather::ask(wire::Actions& actions) {
    if (gathering_ || (asked_at_ && now_ < *asked_at_ + patience)) {
        return;
    }
    gathering_ = true;
    asked_at_ = now_;
    answers_ = 0;
    ranks_.assign(static_cast<std::size_t>(config_.world_size), std::nullopt);
    ++request_;
    for (std::int32_t rank = 0; rank < config_.world_size; ++rank) {
        actions.push_back(wire::SendMessage{Rank{rank}, wire::StatusWanted{request_}});
    }
}

void Gather::on_status(
    Rank from, wire::Status status, Rank coordinator, Term term, wire::Actions& actions) {
    if (!gathering_ || status.request != request_) {
        return; // too late
    }
    auto& place = ranks_[static_cast<std::size_t>(index(from))];
    answers_ += place ? 0 : 1;
    place = std::move(status);
    if (answers_ == config_.world_size) {
        print(coordinator, term, actions);
    }
}

void Gather::advance(TimePoint now, Rank coordinator, Term term, wire::Actions& actions) {
    now_ = now;
    if (gathering_ && now >= *asked_at_ + patience) {
        print(coordinator, term, actions);
    }
}

void Gather::print(Rank coordinator, Term term, wire::Actions& actions) {
    gathering_ = false;
    actions.push_back(wire::PrintStatus{std::exchange(ranks_, {}), coordinator, term});
}

std::optional<TimePoint> Gather::next_timer() const {
    return gathering_ ? std::optional{*asked_at_ + patience} : std::nullopt;
}

} // namespace muster::status
