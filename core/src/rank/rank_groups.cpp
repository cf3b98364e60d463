// The part of RankMachine that knows of placement groups.
//
// How long a group lives is decided as for actors, by the same counts of handles: a group counts as
// an actor that lives on its owner's rank from the moment it is made.

#include "rank/rank_machine.hpp"

#include <utility>

namespace muster::rank {

void RankMachine::hold_group(owner::Submission& submission) {
    const Placement& placement = submission.task_class.placement;
    if (!placement.is_in_group() || submission.call) {
        return;
    }
    if (submission.task_class.actor) {
        references_.hold(placement.group, pending_);
        groups_of_actors_.emplace(submission.first, placement.group);
        return;
    }
    for (std::uint64_t i = 0; i < submission.tasks.size(); ++i) {
        submission.actors.emplace_back(i, placement.group);
    }
}

void RankMachine::apply(GroupMade event) {
    const ObjectId group = event.spec.id;
    // Its future is that of a task which never runs, and waits for another's word.
    owner::Submission submission;
    submission.first = group;
    submission.task_class.function = wire::no_function;
    submission.name = event.spec.name;
    submission.tasks.resize(1);
    submission.futures = std::move(event.futures);
    submission.withheld = true;
    owner_.submit(std::move(submission), pending_);
    owner_.hold(group);     // until the group is gone
    owner_.flush(pending_); // what was submitted before it goes before
    groups_.create(std::move(event.spec), pending_);
    references_.create(group, {});
    wire::Outcome here;
    here.holder = config_.self;
    references_.on_made(group, here, pending_);
}

void RankMachine::apply(GroupRemoved event) {
    const Rank owner = owner_of(event.group);
    if (owner != config_.self) {
        pending_.push_back(wire::SendMessage{owner, wire::GroupRemove{event.group}});
    } else if (groups_.remove(event.group, pending_)) {
        settle_group(event.group,
                     group_failure(event.group,
                                   wire::FailureRecord::Kind::cancelled,
                                   "removed before all its bundles had a place"));
    }
}

void RankMachine::settle_group(ObjectId group, wire::Outcome outcome) {
    owner_.decide(group, std::move(outcome), pending_);
}

wire::Outcome
RankMachine::group_failure(ObjectId group, wire::FailureRecord::Kind kind, std::string why) const {
    wire::FailureRecord record;
    record.kind = kind;
    record.message = std::move(why);
    record.task = group;
    record.function = wire::no_function;
    record.name = groups_.name(group);
    record.rank = config_.self;
    record.host = config_.host;
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    outcome.failure.push_back(std::move(record));
    return outcome;
}

void RankMachine::handle(Rank /*from*/, wire::GroupOpen& message) {
    scheduler_->on_group_open(std::move(message), pending_);
}

void RankMachine::handle(Rank /*from*/, wire::GroupPlaced& message) {
    groups_.on_placed(message.group);
    settle_group(message.group, {});
}

void RankMachine::handle(Rank /*from*/, wire::GroupFailed& message) {
    if (groups_.on_failed(message)) {
        settle_group(message.group,
                     group_failure(message.group, wire::FailureRecord::Kind::system, message.why));
    }
}

void RankMachine::handle(Rank /*from*/, wire::GroupAsked& message) {
    groups_.on_asked(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::GroupClosed& message) {
    scheduler_->on_group_closed(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::GroupRemove& message) {
    apply(GroupRemoved{message.group});
}

void RankMachine::handle(Rank /*from*/, wire::BundleTake& message) {
    worker_.on_bundle_take(message);
}

void RankMachine::handle(Rank from, wire::BundleTaken& message) {
    scheduler_->on_bundle_taken(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::BundleFree& message) {
    worker_.on_bundle_free(message);
}

} // namespace muster::rank
