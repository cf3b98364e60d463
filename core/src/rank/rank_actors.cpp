// The part of RankMachine that knows of actors.

#include "rank/rank_machine.hpp"

#include <muster/base/assert.hpp>

namespace muster::rank {

void RankMachine::apply(TasksSubmitted event) {
    auto& submission = event.submission;
    for (const auto& [position, actor] : submission.actors) {
        references_.hold(actor, pending_);
    }
    if (submission.task_class.actor && references_.holds(submission.first) == 0) {
        references_.create(submission.first, {});
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
    calls_.add(target.actor, target.context, call);
    owner_.submit(std::move(submission), pending_);
    const wire::Outcome* made = references_.outcome(target.actor);
    if (made != nullptr && made->kind == wire::Outcome::Kind::failed) {
        owner_.fail_call(call, *made, pending_);
    } else if (made != nullptr && is_first) {
        calls_.place(target.actor, made->holder);
    }
}

void RankMachine::settle_actors() {
    while (owner_.has_news() || references_.has_news()) {
        const owner::ActorNews news = owner_.take_news();
        for (const auto& call : news.ready) {
            calls_.ready(call.target.actor, call.target.context, call.task);
        }
        for (const auto& call : news.done) {
            calls_.done(call.target.actor, call.target.context, call.task);
            references_.release(call.target.actor, pending_);
        }
        for (const ObjectId actor : news.released) {
            references_.release(actor, pending_);
        }
        for (const ObjectId actor : news.made) {
            references_.on_made(actor, *owner_.outcome(actor), pending_);
        }
        for (const ObjectId actor : references_.take_placed()) {
            serve_calls(actor);
        }
        for (const ObjectId actor : references_.take_ended()) {
            owner_.release(actor, pending_);
        }
    }
}

void RankMachine::serve_calls(ObjectId actor) {
    const wire::Outcome* known = references_.outcome(actor);
    if (known == nullptr) {
        return; // it has ended already
    }
    if (known->kind == wire::Outcome::Kind::value) {
        calls_.place(actor, known->holder);
        return;
    }
    const wire::Outcome failed = *known; // the calls hold what it is kept in
    for (const TaskId call : calls_.unsent(actor)) {
        owner_.fail_call(call, failed, pending_);
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
    references_.release(event.actor, pending_);
}

void RankMachine::apply(NameClaimed event) {
    references_.create(event.actor.actor, event.name);
    claims_.emplace(event.request, event.actor.actor);
    pending_.push_back(wire::SendMessage{
        election_.coordinator(),
        wire::NameClaim{event.request, std::move(event.name), std::move(event.actor)}});
}

void RankMachine::apply(ActorWanted event) {
    pending_.push_back(wire::SendMessage{election_.coordinator(),
                                         wire::NameWanted{event.request, std::move(event.name)}});
}

void RankMachine::apply(CallFinished event) {
    actor_host_.on_call_finished(std::move(event.report), store_);
}

void RankMachine::apply(CallRemoved event) {
    actor_host_.on_call_removed(event.call);
}

void RankMachine::apply(ActorDestroyed event) {
    actor_host_.on_destroyed(event.actor);
    worker_.on_actor_destroyed(event.actor);
}

void RankMachine::handle(Rank from, wire::ActorCalls& message) {
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
    actor_host_.on_destroy(message, pending_);
}

void RankMachine::handle(Rank from, wire::NameClaim& message) {
    names_.on_claim(from, std::move(message), pending_);
}

void RankMachine::handle(Rank from, wire::NameWanted& message) {
    names_.on_wanted(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::NameFreed& message) {
    names_.on_freed(message);
}

void RankMachine::handle(Rank /*from*/, wire::NameAnswer& message) {
    if (const auto claim = claims_.find(message.request); claim != claims_.end()) {
        if (message.actor->actor != claim->second) {
            references_.forget(claim->second);
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
