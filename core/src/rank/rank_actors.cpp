// The part of RankMachine that knows of actors.

#include "rank/rank_machine.hpp"

#include <muster/base/assert.hpp>

namespace muster::rank {
namespace {

actor::CallOrder order_of(const owner::CallTarget& target) {
    return {target.context, target.urgent};
}

} // namespace

void RankMachine::apply(TasksSubmitted event) {
    auto& submission = event.submission;
    hold_group(submission);
    for (const auto& [position, actor] : submission.actors) {
        references_.hold(actor, pending_);
    }
    if (submission.task_class.actor) {
        submit_actor(std::move(submission));
        return;
    }
    for (auto& [position, outcome] : submission.known) {
        outcome =
            settle(muster::advance(submission.first, position * submission.task_class.stride()),
                   std::move(outcome));
    }
    if (!submission.call) {
        owner_.submit(std::move(submission), pending_);
        return;
    }
    const owner::CallTarget target = *submission.call;
    const TaskId call = submission.first;
    MUSTER_ASSERT(submission.tasks.size() == 1);
    references_.hold(target.actor, pending_); // until it is done
    const bool is_first = !calls_.knows(target.actor);
    calls_.add(target.actor, order_of(target), call);
    owner_.submit(std::move(submission), pending_);
    const wire::Outcome* made = references_.outcome(target.actor);
    if (made != nullptr && made->kind == wire::Outcome::Kind::failed) {
        owner_.fail_call(call, *made, pending_);
    } else if (made != nullptr && is_first) {
        calls_.place(target.actor, made->holder);
    }
}

void RankMachine::submit_actor(owner::Submission submission) {
    const ObjectId actor = submission.first;
    if (references_.holds(actor) == 0) {
        references_.create(actor, {}); // else when its name was claimed
    }
    if (submission.for_job) {
        references_.keep_for_job(actor);
    }
    owner_.submit(std::move(submission), pending_);
    if (references_.killed(actor)) {
        owner_.kill_actor(actor, pending_); // by somebody who found it by its name
    }
}

void RankMachine::settle_actors() {
    while (owner_.has_news() || references_.has_news()) {
        const owner::ActorNews news = owner_.take_news();
        for (const auto& [call, under_way] : news.again) {
            calls_.again(call.target.actor, order_of(call.target), call.task, under_way);
            const wire::Outcome* made = references_.outcome(call.target.actor);
            if (made != nullptr && made->kind == wire::Outcome::Kind::value) {
                calls_.place(call.target.actor, made->holder);
            }
        }
        for (const auto& call : news.unready) {
            calls_.unready(call.target.actor, order_of(call.target), call.task);
        }
        for (const auto& call : news.ready) {
            calls_.ready(call.target.actor, order_of(call.target), call.task);
        }
        for (const auto& call : news.done) {
            calls_.done(call.target.actor, order_of(call.target), call.task);
            release_actor(call.target.actor);
        }
        for (const auto& call : news.returned) {
            calls_.returned(call.target.actor, order_of(call.target), call.task);
        }
        for (const ObjectId actor : news.released) {
            release_actor(actor);
        }
        for (const ObjectId actor : news.covered) {
            if (!owner_.keeps_calls(actor)) {
                references_.unfollow(actor);
            }
        }
        for (const ObjectId actor : news.made) {
            if (references_.killed(actor)) {
                owner_.kill_actor(actor, pending_); // its constructor has not heard of it in time
            }
            references_.on_made(actor, *owner_.outcome(actor), pending_);
        }
        for (const ObjectId actor : references_.take_placed()) {
            serve_calls(actor);
        }
        for (const ObjectId actor : references_.take_ended()) {
            owner_.on_covered({actor, {}, true}, pending_);
            owner_.release(actor, pending_);
            if (const auto group = groups_of_actors_.extract(actor); !group.empty()) {
                references_.release(group.mapped(), pending_);
            }
        }
    }
}

void RankMachine::release_actor(ObjectId actor) {
    references_.release(actor, pending_, owner_.keeps_calls(actor));
}

void RankMachine::serve_calls(ObjectId actor) {
    const wire::Outcome* known = references_.outcome(actor);
    if (known == nullptr) {
        return; // it has ended already
    }
    auto interrupted = interrupted_.extract(actor);
    if (known->kind == wire::Outcome::Kind::value) {
        const Rank holder = known->holder;
        calls_.place(actor, holder);
        if (!interrupted.empty()) {
            for (const TaskId call : interrupted.mapped()) {
                owner_.interrupt_call(call, holder, pending_);
            }
        }
        owner_.replay_calls(actor, holder, pending_);
        return;
    }
    const wire::Outcome failed = *known; // the calls hold what it is kept in
    if (!interrupted.empty()) {
        for (const TaskId call : interrupted.mapped()) {
            owner_.fail_call(call, failed, pending_);
        }
    }
    for (const TaskId call : calls_.unsent(actor)) {
        owner_.fail_call(call, failed, pending_);
    }
    owner_.forget_calls(actor, failed, pending_);
}

void RankMachine::interrupt_calls() {
    for (const auto& [actor, call] : owner_.calls_to(lost_)) {
        interrupted_[actor].push_back(call);
    }
    calls_.on_lost(lost_);
    std::vector<ObjectId> spoken;
    for (const auto& [actor, calls] : interrupted_) {
        if (references_.outcome(actor) != nullptr) {
            spoken.push_back(actor);
        }
    }
    for (const ObjectId actor : spoken) {
        serve_calls(actor);
    }
}

void RankMachine::resend_names() {
    for (const auto& [request, claim] : claims_) {
        pending_.push_back(wire::SendMessage{election_.coordinator(), claim});
    }
    for (const auto& [request, name] : names_wanted_) {
        pending_.push_back(
            wire::SendMessage{election_.coordinator(), wire::NameWanted{request, name}});
    }
}

void RankMachine::send_calls() {
    while (const auto batch = calls_.take_sendable()) {
        owner_.send_calls(batch->actor, batch->host, batch->calls, pending_);
    }
    for (const auto& done : calls_.take_done()) {
        pending_.push_back(wire::CallsDone{done.actor, done.context, done.count});
    }
}

void RankMachine::apply(ActorBorrowed event) {
    references_.hold(event.actor, pending_);
}

void RankMachine::apply(ActorEscaped event) {
    references_.hold(event.actor, pending_);
}

void RankMachine::apply(ActorReleased event) {
    release_actor(event.actor);
}

void RankMachine::apply(ActorKilled event) {
    pending_.push_back(wire::SendMessage{owner_of(event.actor), wire::ActorKill{event.actor}});
}

void RankMachine::apply(NameClaimed event) {
    references_.create(event.actor.actor, event.name);
    const auto claim = claims_.emplace(
        event.request,
        wire::NameClaim{event.request, std::move(event.name), std::move(event.actor)});
    pending_.push_back(wire::SendMessage{election_.coordinator(), claim.first->second});
}

void RankMachine::apply(ActorWanted event) {
    names_wanted_.emplace(event.request, event.name);
    pending_.push_back(wire::SendMessage{election_.coordinator(),
                                         wire::NameWanted{event.request, std::move(event.name)}});
}

void RankMachine::apply(CallFinished event) {
    count_attempt(event.report);
    actor_host_.on_call_finished(std::move(event.report), store_, std::move(event.saved));
}

void RankMachine::apply(CallRemoved event) {
    actor_host_.on_call_removed(event.call);
}

void RankMachine::apply(ActorDestroyed event) {
    actor_host_.on_destroyed(event.actor);
    worker_.on_actor_destroyed(event.actor);
}

void RankMachine::handle(Rank from, wire::ActorCalls& message) {
    for (const auto& call : message.calls) {
        store_.take_loans(from, call.spec.dependencies, pending_);
    }
    actor_host_.on_calls(from, std::move(message), store_, pending_);
}

void RankMachine::handle(Rank from, wire::ActorBorrow& message) {
    references_.on_borrow(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::ActorKnown& message) {
    references_.on_known(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::ActorPlaced& message) {
    references_.on_placed(message);
}

void RankMachine::handle(Rank from, wire::ActorReleased& message) {
    references_.on_released(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::ActorDestroy& message) {
    if (groups_.knows(message.actor)) { // which its owner hosts itself, as it were
        apply(GroupRemoved{message.actor});
        groups_.forget(message.actor);
        return;
    }
    actor_host_.on_destroy(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::ActorKill& message) {
    if (references_.kill(message.actor) && owner_.kill_actor(message.actor, pending_)) {
        references_.on_made(message.actor, *owner_.outcome(message.actor), pending_);
    }
}

void RankMachine::handle(Rank from, wire::ActorSaved& message) {
    owner_.on_saved(from, std::move(message), pending_);
}

void RankMachine::handle(Rank /*from*/, wire::ActorCovered& message) {
    owner_.on_covered(std::move(message), pending_);
}

void RankMachine::handle(Rank from, wire::NameClaim& message) {
    if (!scheduler_->formed()) {
        names_waiting_.push_back({from, {election_.term(), std::move(message)}});
        return;
    }
    names_.on_claim(from, std::move(message), pending_);
}

void RankMachine::handle(Rank from, wire::NameWanted& message) {
    if (!scheduler_->formed()) {
        names_waiting_.push_back({from, {election_.term(), std::move(message)}});
        return;
    }
    names_.on_wanted(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::NameFreed& message) {
    names_.on_freed(message);
}

void RankMachine::handle(Rank /*from*/, wire::NameHeld& message) {
    names_.on_held(std::move(message));
}

void RankMachine::handle(Rank /*from*/, wire::NameAnswer& message) {
    if (names_wanted_.erase(message.request) == 0 && !claims_.contains(message.request)) {
        return; // asked again of a new coordinator, and answered by both
    }
    if (const auto claim = claims_.find(message.request); claim != claims_.end()) {
        const ObjectId claimed = claim->second.actor.actor;
        if (message.actor->actor != claimed) {
            references_.forget(claimed);
        } else {
            references_.named(*message.actor);
        }
        claims_.erase(claim);
        pending_.push_back(wire::AnswerName{message.request, std::move(message.actor), {}});
    } else if (message.actor) {
        references_.find(message.request, *message.actor, pending_);
    } else {
        pending_.push_back(
            wire::AnswerName{message.request, std::nullopt, std::move(message.names)});
    }
}

} // namespace muster::rank
