#include "actor/references.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <utility>

namespace muster::actor {
namespace {

// What had held the actor went before this rank's handle was counted: with a rank that was lost, or
// with a task whose time was over while it ran.
constexpr const char* held_no_more = "the actor is gone: whatever passed on its handle was lost "
                                     "with its rank, or was late and given "
                                     "up";

} // namespace

void References::create(ObjectId actor, std::string name) {
    MUSTER_ASSERT(ours(actor));
    const auto [place, is_new] = entries_.try_emplace(actor);
    MUSTER_ASSERT(is_new);
    place->second.holds = 1;
    place->second.name = std::move(name);
}

bool References::kill(ObjectId actor) {
    const auto place = entries_.find(actor);
    if (place == entries_.end()) {
        return false;
    }
    MUSTER_ASSERT(ours(actor));
    place->second.killed = true;
    return true;
}

void References::named(const wire::NamedActor& actor) {
    entries_.at(actor.actor).named = actor;
}

wire::Outcome References::gone(ObjectId actor, std::string why) const {
    wire::FailureRecord record;
    record.kind = wire::FailureRecord::Kind::system;
    record.message = std::move(why);
    record.task = actor;
    record.rank = self_;
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    outcome.failure.push_back(std::move(record));
    return outcome;
}

bool References::lives_on_lost(const wire::Outcome& outcome) const {
    return outcome.kind == wire::Outcome::Kind::value && lost_.contains(outcome.holder);
}

void References::orphan(ObjectId actor, Entry& entry, std::string why) {
    if (!std::exchange(entry.acknowledged, true)) {
        --unacknowledged_;
    }
    entry.outcome = gone(actor, std::move(why));
    placed_.push_back(actor);
}

void References::on_term(Rank coordinator,
                         const std::map<Rank, std::string>& lost,
                         wire::Actions& actions) {
    coordinator_ = coordinator;
    lost_ = lost;
    for (auto& [actor, outcome] : followed_) {
        if (lost.contains(owner_of(actor))) {
            outcome = gone(actor, to_string(owner_of(actor)) + ", which owned the actor, was lost");
            placed_.push_back(actor);
        } else if (outcome && lives_on_lost(*outcome)) {
            outcome.reset();
        }
    }
    std::vector<ObjectId> unheld;
    for (auto& [actor, entry] : entries_) {
        const bool host_lost = entry.outcome && lives_on_lost(*entry.outcome);
        if (!ours(actor) && lost.contains(owner_of(actor))) {
            if (!entry.outcome || entry.outcome->kind == wire::Outcome::Kind::value) {
                for (const auto& [request, found] : std::exchange(entry.finding, {})) {
                    actions.push_back(wire::AnswerName{request, found, {}});
                }
                orphan(
                    actor,
                    entry,
                    fmt::format("{}, which owned the actor, was lost", to_string(owner_of(actor))));
            }
            continue;
        }
        if (host_lost) {
            entry.outcome.reset();
        }
        if (!ours(actor)) {
            continue;
        }
        std::erase_if(entry.followers, [&](Rank rank) { return lost.contains(rank); });
        if (std::erase_if(entry.borrowers, [&](Rank rank) { return lost.contains(rank); }) > 0) {
            unheld.push_back(actor);
        }
        if (entry.named && !entry.name.empty()) {
            actions.push_back(
                wire::SendMessage{coordinator, wire::NameHeld{entry.name, *entry.named}});
        }
    }
    for (const ObjectId actor : unheld) {
        destroy_if_unheld(actor, actions);
    }
}

void References::forget(ObjectId actor) {
    const auto place = entries_.find(actor);
    MUSTER_ASSERT(place != entries_.end() && place->second.borrowers.empty());
    entries_.erase(place);
}

void References::hold(ObjectId actor, wire::Actions& actions) {
    const auto [place, is_new] = entries_.try_emplace(actor);
    ++place->second.holds;
    followed_.erase(actor);
    if (is_new && ours(actor)) {
        place->second.outcome = gone(actor, held_no_more);
        placed_.push_back(actor);
    } else if (is_new && lost_.contains(owner_of(actor))) {
        place->second.acknowledged = true;
        orphan(actor,
               place->second,
               fmt::format("{}, which owned the actor, was lost", to_string(owner_of(actor))));
    } else if (is_new) {
        ++unacknowledged_;
        actions.push_back(wire::SendMessage{owner_of(actor), wire::ActorBorrow{actor}});
    }
}

void References::release(ObjectId actor, wire::Actions& actions, bool follows) {
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
    actions.push_back(wire::SendMessage{owner_of(actor), wire::ActorReleased{actor, follows}});
    if (follows) {
        followed_.emplace(actor, std::move(place->second.outcome));
    }
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
    MUSTER_ASSERT(place != entries_.end() && (!place->second.outcome || place->second.killed));
    Entry& entry = place->second;
    entry.outcome = outcome;
    placed_.push_back(actor);
    for (const Rank rank : entry.borrowers) {
        actions.push_back(wire::SendMessage{rank, wire::ActorPlaced{actor, outcome}});
    }
    if (entry.holds > 0 || !entry.borrowers.empty()) {
        for (const Rank rank : entry.followers) {
            actions.push_back(wire::SendMessage{rank, wire::ActorPlaced{actor, outcome}});
        }
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
    place->second.followers.erase(from);
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
    if (message.gone && entry.holds == finding.size()) {
        entries_.erase(place); // a name leads to an actor that nothing holds
        return;
    }
    if (message.gone) {
        entry.acknowledged = true;
        entry.outcome = gone(message.actor, held_no_more);
        placed_.push_back(message.actor);
        return;
    }
    entry.acknowledged = true;
    // What the owner said before this rank's handles were all gone may have come meanwhile.
    if (message.outcome && !entry.outcome && !lives_on_lost(*message.outcome)) {
        entry.outcome = message.outcome;
        placed_.push_back(message.actor);
    }
}

void References::on_placed(const wire::ActorPlaced& message) {
    const auto place = entries_.find(message.actor);
    if (place != entries_.end() && !lives_on_lost(message.outcome)) {
        place->second.outcome = message.outcome;
        placed_.push_back(message.actor);
    } else if (const auto followed = followed_.find(message.actor);
               place == entries_.end() && followed != followed_.end() &&
               !lives_on_lost(message.outcome)) {
        followed->second = message.outcome;
        placed_.push_back(message.actor);
    }
}

void References::on_released(Rank from,
                             const wire::ActorReleased& message,
                             wire::Actions& actions) {
    const auto place = entries_.find(message.actor);
    // A rank that was told that the actor is gone (on_known) has never been counted.
    if (place == entries_.end() || place->second.borrowers.erase(from) == 0) {
        if (message.follows) {
            actions.push_back(wire::SendMessage{from, wire::ActorCovered{message.actor, {}, true}});
        }
        return;
    }
    if (message.follows) {
        place->second.followers.insert(from);
    }
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
    if (entry.for_job && entry.outcome->kind == wire::Outcome::Kind::value) {
        return;
    }
    free_name(actor, entry, actions);
    if (entry.outcome->kind == wire::Outcome::Kind::value) {
        actions.push_back(wire::SendMessage{entry.outcome->holder, wire::ActorDestroy{actor}});
    }
    for (const Rank rank : entry.followers) {
        actions.push_back(wire::SendMessage{rank, wire::ActorCovered{actor, {}, true}});
    }
    ended_.push_back(actor);
    entries_.erase(place);
}

const wire::Outcome* References::outcome(ObjectId actor) const {
    if (const auto place = entries_.find(actor); place != entries_.end()) {
        return place->second.outcome ? &*place->second.outcome : nullptr;
    }
    const auto followed = followed_.find(actor);
    return followed != followed_.end() && followed->second ? &*followed->second : nullptr;
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
            MUSTER_ASSERT(entry.holds > 0 || !entry.borrowers.empty() || !entry.outcome ||
                          entry.for_job);
            MUSTER_ASSERT(!entry.borrowers.contains(self_));
        } else {
            MUSTER_ASSERT(entry.holds > 0 && entry.borrowers.empty());
            unacknowledged += entry.acknowledged ? 0 : 1;
        }
    }
    MUSTER_ASSERT(unacknowledged == unacknowledged_);
    for (const auto& [actor, outcome] : followed_) {
        MUSTER_ASSERT(!ours(actor) && !entries_.contains(actor));
    }
}

} // namespace muster::actor
