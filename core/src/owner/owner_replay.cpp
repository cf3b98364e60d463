// The part of the owner that has calls replayed. Why an actor's state is exact after a restart:
// docs/design/0011-actor-restarts.md.

#include "owner/owner.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace muster::owner {
namespace {

constexpr std::uint32_t fetches_max = 8;

} // namespace

// As the actor's owner.

void Owner::on_saved(Rank from, wire::ActorSaved message, wire::Actions& actions) {
    const Place place = find(message.actor);
    if (place.block == nullptr || place.item().state != State::done || place.item().dropped ||
        place.item().outcome.kind != wire::Outcome::Kind::value ||
        place.item().outcome.holder != from) {
        return; // it is gone, or lives elsewhere
    }
    makings_.at(message.actor).saved = std::move(message.state);
    std::map<Rank, wire::ActorCovered> covered;
    for (auto& call : message.calls) {
        auto& told = covered[owner_of(call.id)];
        told.actor = message.actor;
        told.calls.push_back(std::move(call));
    }
    for (auto& [caller, told] : covered) {
        actions.push_back(wire::SendMessage{caller, std::move(told)});
    }
}

// As the owner of its calls.

void Owner::keep(TaskId call, Place place) {
    place.item().kept = true;
    kept_[place.block->call->actor].insert(call);
}

void Owner::stop_keeping(TaskId call, Place place, wire::Actions& actions) {
    if (!std::exchange(place.item().kept, false)) {
        return;
    }
    const auto calls = kept_.find(place.block->call->actor);
    calls->second.erase(call);
    news_.covered.push_back(calls->first);
    if (calls->second.empty()) {
        kept_.erase(calls);
    }
    if (place.item().state != State::done) {
        return;
    }
    const auto dependencies = std::exchange(place.item().task, {}).dependencies;
    release_contained(call);
    erase_if_gone(call, place);
    for (const ObjectId object : dependencies) {
        stop_using(object, actions);
    }
}

void Owner::on_covered(wire::ActorCovered message, wire::Actions& actions) {
    for (auto& [call, outcome] : message.calls) {
        const Place place = find(call);
        if (place.block == nullptr || !place.item().kept) {
            continue;
        }
        if (place.item().state != State::done) {
            // Its Finished is on the way, or was lost with the host.
            complete(call, place, std::move(outcome), actions);
        }
        // A kept call is not erased, whatever its outcome led to.
        if (const Place left = find(call); left.block != nullptr) {
            stop_keeping(call, left, actions);
        }
    }
    if (message.ended) {
        wire::FailureRecord record;
        record.kind = wire::FailureRecord::Kind::system;
        record.message = "the actor's last handle is gone, and its host was lost";
        record.task = message.actor;
        record.rank = config_.self;
        wire::Outcome ended;
        ended.kind = wire::Outcome::Kind::failed;
        ended.failure.push_back(std::move(record));
        forget_calls(message.actor, ended, actions);
    }
}

void Owner::replay_calls(ObjectId actor, Rank host, wire::Actions& actions) {
    const auto calls = kept_.find(actor);
    if (calls == kept_.end()) {
        return;
    }
    for (const TaskId call : std::vector<TaskId>(calls->second.begin(), calls->second.end())) {
        const Place place = find(call);
        if (place.block == nullptr || !place.item().kept || place.item().worker == host) {
            continue;
        }
        if (place.item().state == State::granted || place.item().state == State::done) {
            send_again(call, place, actions);
        }
    }
}

void Owner::undo_call(Place place) {
    Item& item = place.item();
    enter(place, State::granted); // to a host that is lost
    item.outcome = {};
    item.dropped = false;
    ++unfinished_;
}

void Owner::send_again(TaskId call, Place place, wire::Actions& actions) {
    Item& item = place.item();
    if (item.state == State::done && item.outcome.kept && item.outcome.holder == item.worker) {
        undo_call(place);
    } else if (item.state == State::done) {
        item.replaying = true;
    } else if (item.cancelling && !item.replaying) {
        stop_keeping(call, place, actions);
        complete(call, place, cancelled(call, place), actions);
        return;
    }
    news_.again.push_back({{call, *place.block->call}, std::exchange(item.under_way, false)});
    item.cancelling = false;
    requeue(call, place, actions);
}

bool Owner::fetch_again(Place place, const wire::TaskOutcome& report) {
    Item& item = place.item();
    return report.outcome.failure.front().kind == wire::FailureRecord::Kind::object_lost &&
           !lost_.empty() && !item.cancelling && item.lost_fetches++ < fetches_max;
}

void Owner::forget_calls(ObjectId actor, const wire::Outcome& why, wire::Actions& actions) {
    const auto calls = kept_.find(actor);
    if (calls == kept_.end()) {
        return;
    }
    for (const TaskId call : std::vector<TaskId>(calls->second.begin(), calls->second.end())) {
        const Place place = find(call);
        if (place.block == nullptr || !place.item().kept) {
            continue;
        }
        const bool may_end = place.item().state == State::granted && !lost(place.item().worker);
        if (may_end || place.item().state == State::done) {
            stop_keeping(call, place, actions);
        } else {
            fail_call(call, why, actions);
        }
    }
}

} // namespace muster::owner
