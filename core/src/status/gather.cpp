#include "status/gather.hpp"

#include <utility>

namespace muster::status {

void Gather::ask(wire::Actions& actions) {
    if (page_ || (asked_at_ && now_ < *asked_at_ + patience)) {
        return;
    }
    page_ = true;
    asked_at_ = now_;
    if (!began_at_ || brief_) {
        begin(false, actions);
    }
}

void Gather::ask(std::uint64_t request, bool brief, wire::Actions& actions) {
    if (began_at_) {
        requests_waiting_.push_back(request);
        waiting_are_brief_ = waiting_are_brief_ && brief;
        return;
    }
    requests_.push_back(request);
    begin(brief, actions);
}

void Gather::begin(bool brief, wire::Actions& actions) {
    began_at_ = now_;
    brief_ = brief;
    answers_ = 0;
    ranks_.assign(static_cast<std::size_t>(config_.world_size), std::nullopt);
    ++request_;
    for (std::int32_t rank = 0; rank < config_.world_size; ++rank) {
        actions.push_back(wire::SendMessage{Rank{rank}, wire::StatusWanted{request_, brief}});
    }
}

void Gather::on_status(
    Rank from, wire::Status status, Rank coordinator, Term term, wire::Actions& actions) {
    if (!began_at_ || status.request != request_) {
        return; // too late
    }
    auto& place = ranks_[static_cast<std::size_t>(index(from))];
    answers_ += place ? 0 : 1;
    place = std::move(status);
    if (answers_ == config_.world_size) {
        finish(coordinator, term, actions);
    }
}

void Gather::advance(TimePoint now, Rank coordinator, Term term, wire::Actions& actions) {
    now_ = now;
    if (began_at_ && now >= *began_at_ + patience) {
        finish(coordinator, term, actions);
    }
}

void Gather::finish(Rank coordinator, Term term, wire::Actions& actions) {
    began_at_.reset();
    for (const std::uint64_t request : std::exchange(requests_, {})) {
        actions.push_back(wire::AnswerStatus{request, ranks_});
    }
    if (std::exchange(page_, false)) {
        actions.push_back(wire::PrintStatus{std::exchange(ranks_, {}), coordinator, term});
    }
    if (!requests_waiting_.empty()) {
        requests_ = std::exchange(requests_waiting_, {});
        begin(std::exchange(waiting_are_brief_, true), actions);
    }
}

std::optional<TimePoint> Gather::next_timer() const {
    return began_at_ ? std::optional{*began_at_ + patience} : std::nullopt;
}

} // namespace muster::status
