#include "actor/references.hpp"

#include <muster/base/assert.hpp>

#include <utility>

namespace muster::actor {

void References::create(ObjectId actor, std::string name) {
    MUSTER_ASSERT(ours(actor));
    const auto [place, is_new] = entries_.try_emplace(actor);
    MUSTER_ASSERT(is_new);
    place->second.holds = 1;
    place->second.name = std::move(name);
}

void References::forget(ObjectId actor) {
    const auto place = entries_.find(actor);
    MUSTER_ASSERT(place != entries_.end() && place->second.borrowers.empty());
    entries_.erase(place);
}

void References::hold(ObjectId actor, wire::Actions& actions) {
    const auto [place, is_new] = entries_.try_emplace(actor);
    MUSTER_ASSERT(!is_new || !ours(actor));
    ++place->second.holds;
    if (is_new) {
        ++unacknowledged_;
        actions.push_back(wire::SendMessage{owner_of(actor), wire::ActorBorrow{actor}});
    }
}

void References::release(ObjectId actor, wire::Actions& actions) {
    const auto place = entries_.find(actor);
    MUSTER_ASSERT(place != entries_.end() && place->second.holds > 0);
    if (--place->second.holds > 0) {
        return;
    }
    if (ours(actor)) {
        destroy_if_unheld(actor, actions);
        return;
    }
    MUSTER_ASSERT(place->second.acknowledged);
    actions.push_back(wire::SendMessage{owner_of(actor), wire::ActorReleased{actor}});
    entries_.erase(place);
}

void References::find(std::uint64_t request,
                      const wire::NamedActor& actor,
                      wire::Actions& actions) {
    const auto place = entries_.find(actor.actor);
    if (place == entries_.end() && ours(actor.actor)) {
        actions.push_back(wire::AnswerName{request, std::nullopt, {}}); // its last handle went
        return;
    }
    hold(actor.actor, actions);
    Entry& entry = entries_.at(actor.actor);
    if (ours(actor.actor) || entry.acknowledged) {
        actions.push_back(wire::AnswerName{request, actor, {}});
    } else {
        entry.finding.emplace_back(request, actor);
    }
}

void References::on_made(ObjectId actor, const wire::Outcome& outcome, wire::Actions& actions) {
    const auto place = entries_.find(actor);
    MUSTER_ASSERT(place != entries_.end() && !place->second.outcome);
    Entry& entry = place->second;
    entry.outcome = outcome;
    placed_.push_back(actor);
    for (const Rank rank : entry.borrowers) {
        actions.push_back(wire::SendMessage{rank, wire::ActorPlaced{actor, outcome}});
    }
    if (outcome.kind == wire::Outcome::Kind::failed) {
        free_name(actor, entry, actions); // so that it can be tried again
    }
    destroy_if_unheld(actor, actions);
}

void References::on_borrow(Rank from, const wire::ActorBorrow& message, wire::Actions& actions) {
    const auto place = entries_.find(message.actor);
    if (place == entries_.end()) {
        actions.push_back(
            wire::SendMessage{from, wire::ActorKnown{message.actor, true, std::nullopt}});
        return;
    }
    const bool is_new = place->second.borrowers.insert(from).second;
    MUSTER_ASSERT(is_new);
    actions.push_back(
        wire::SendMessage{from, wire::ActorKnown{message.actor, false, place->second.outcome}});
}

void References::on_known(const wire::ActorKnown& message, wire::Actions& actions) {
    const auto place = entries_.find(message.actor);
    MUSTER_ASSERT(place != entries_.end() && !place->second.acknowledged && unacknowledged_ > 0);
    --unacknowledged_;
    Entry& entry = place->second;
    const auto finding = std::exchange(entry.finding, {});
    for (const auto& [request, actor] : finding) {
        actions.push_back(
            wire::AnswerName{request, message.gone ? std::nullopt : std::optional{actor}, {}});
    }
    if (message.gone) {
        // Only a name leads to an actor that nothing holds.
        MUSTER_ASSERT(entry.holds == finding.size());
        entries_.erase(place);
        return;
    }
    entry.acknowledged = true;
    // What the owner said before this rank's handles were all gone may have come meanwhile.
    if (message.outcome && !entry.outcome) {
        entry.outcome = message.outcome;
        placed_.push_back(message.actor);
    }
}

void References::on_placed(const wire::ActorPlaced& message) {
    const auto place = entries_.find(message.actor);
    if (place != entries_.end() && !place->second.outcome) {
        place->second.outcome = message.outcome;
        placed_.push_back(message.actor);
    }
}

void References::on_released(Rank from,
                             const wire::ActorReleased& message,
                             wire::Actions& actions) {
    const auto place = entries_.find(message.actor);
    MUSTER_ASSERT(place != entries_.end());
    const auto erased = place->second.borrowers.erase(from);
    MUSTER_ASSERT(erased == 1);
    destroy_if_unheld(message.actor, actions);
}

void References::free_name(ObjectId actor, Entry& entry, wire::Actions& actions) {
    if (!entry.name.empty()) {
        actions.push_back(
            wire::SendMessage{coordinator_, wire::NameFreed{std::move(entry.name), actor}});
        entry.name.clear();
    }
}

void References::destroy_if_unheld(ObjectId actor, wire::Actions& actions) {
    const auto place = entries_.find(actor);
    Entry& entry = place->second;
    if (entry.holds > 0 || !entry.borrowers.empty() || !entry.outcome) {
        return; // with the constructor's end it is asked again
    }
    free_name(actor, entry, actions);
    if (entry.outcome->kind == wire::Outcome::Kind::value) {
        actions.push_back(wire::SendMessage{entry.outcome->holder, wire::ActorDestroy{actor}});
    }
    ended_.push_back(actor);
    entries_.erase(place);
}

const wire::Outcome* References::outcome(ObjectId actor) const {
    const auto place = entries_.find(actor);
    return place != entries_.end() && place->second.outcome ? &*place->second.outcome : nullptr;
}

std::uint64_t References::holds(ObjectId actor) const {
    const auto place = entries_.find(actor);
    return place == entries_.end() ? 0 : place->second.holds;
}

void References::check_invariants() const {
    std::uint64_t unacknowledged = 0;
    for (const auto& [actor, entry] : entries_) {
        if (ours(actor)) {
            // Held, or not made yet.
            MUSTER_ASSERT(entry.holds > 0 || !entry.borrowers.empty() || !entry.outcome);
            MUSTER_ASSERT(!entry.borrowers.contains(self_));
        } else {
            MUSTER_ASSERT(entry.holds > 0 && entry.borrowers.empty());
            unacknowledged += entry.acknowledged ? 0 : 1;
        }
    }
    MUSTER_ASSERT(unacknowledged == unacknowledged_);
}

} // namespace muster::actor
