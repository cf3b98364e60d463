// The part of the owner that makes up for what was lost: attempts, and values.

#include "owner/owner.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace muster::owner {
namespace {

using Kind = wire::FailureRecord::Kind;

constexpr Duration delay_max = std::chrono::minutes{1};

// Of a task whose arguments were lost before it started. They are no retries, since it did not run;
// but they must not go on for ever.
constexpr std::uint32_t fetches_max = 8;

Duration delay_before(const RetryPolicy& policy, std::uint32_t retried) {
    Duration delay = policy.delay;
    for (std::uint32_t i = 1; i < retried && delay < delay_max; ++i) {
        delay *= 2;
    }
    return std::min(delay, delay_max);
}

} // namespace

void Owner::on_time(TimePoint now, wire::Actions& actions) {
    now_ = now;
    expire_late(actions);
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
        const TaskId task = delayed_.begin()->second;
        delayed_.erase(delayed_.begin());
        // It may have been cancelled meanwhile, or requeued.
        if (const Place place = find(task);
            place.block != nullptr && place.item().state == State::delayed) {
            requeue(task, place, actions); // what it depends on may have been lost since
        }
    }
}

std::optional<TimePoint> Owner::next_timer() const {
    std::optional<TimePoint> next;
    if (!delayed_.empty()) {
        next = delayed_.begin()->first;
    }
    if (!deadlines_.empty() && (!next || deadlines_.begin()->first < *next)) {
        next = deadlines_.begin()->first;
    }
    return next;
}

std::string Owner::name_rank(Rank rank) const {
    const auto place = lost_.find(rank);
    return place == lost_.end() || place->second.empty()
               ? to_string(rank)
               : fmt::format("{} on {}", to_string(rank), place->second);
}

// Attempts.

bool Owner::may_retry(const Place& place, const wire::Outcome& outcome) const {
    const Item& item = place.item();
    if (outcome.kind == wire::Outcome::Kind::value || item.cancelling || place.block->call ||
        halted_) {
        return false;
    }
    const RetryPolicy& policy = place.block->retry;
    switch (outcome.failure.front().kind) {
    case Kind::object_lost:
        return !lost_.empty() && item.lost_fetches < fetches_max;
    case Kind::system:
        return item.retried < policy.retries;
    case Kind::exception:
    case Kind::timed_out:
        return policy.exceptions && item.retried < policy.retries;
    default:
        return false;
    }
}

void Owner::end_attempt(TaskId task, Place place, wire::Outcome outcome, wire::Actions& actions) {
    if (may_retry(place, outcome)) {
        const Kind kind = outcome.failure.front().kind;
        ++(kind == Kind::object_lost ? place.item().lost_fetches : place.item().retried);
        retry(task, place, kind == Kind::exception || kind == Kind::timed_out, actions);
    } else {
        if (place.item().cancelling && outcome.kind == wire::Outcome::Kind::failed &&
            outcome.failure.front().kind == Kind::system) {
            auto& record = outcome.failure.front();
            record.kind = Kind::cancelled;
            record.message = "cancelled; " + record.message;
        }
        complete(task, place, std::move(outcome), actions);
    }
}

void Owner::retry(TaskId task, Place place, bool delayed, wire::Actions& actions) {
    Item& item = place.item();
    item.gang.reset();
    item.lease = {};
    if (place.block->totals != nullptr) {
        ++place.block->totals->retried;
    }
    if (delayed) {
        enter(place, State::delayed);
        delayed_.emplace(now_ + delay_before(place.block->retry, item.retried), task);
    } else {
        requeue(task, place, actions);
    }
}

bool Owner::available(ObjectId object) const {
    const wire::Outcome* known = outcome(object);
    return known != nullptr && (!known->kept || !lost(known->holder));
}

bool Owner::has_dependencies(const Item& item) const {
    return std::all_of(
        item.task.dependencies.begin(), item.task.dependencies.end(), [this](ObjectId object) {
            return available(object) && outcome(object)->kind == wire::Outcome::Kind::value;
        });
}

void Owner::requeue(TaskId task, Place place, wire::Actions& actions) {
    Item& item = place.item();
    enter(place, State::waiting);
    item.missing = item.withheld ? 1 : 0;
    std::optional<ObjectId> failed;
    for (const ObjectId object : item.task.dependencies) {
        const wire::Outcome* known = outcome(object);
        if (!available(object)) {
            ++item.missing;
            dependents_[object].push_back(task);
        } else if (known->kind == wire::Outcome::Kind::failed && !failed) {
            failed = object;
        }
    }
    if (failed) {
        complete(task, place, failed_by(task, place, *failed), actions);
    } else if (item.missing == 0) {
        make_ready(task, place);
    }
}

// Terms.

void Owner::on_term(Rank coordinator, const std::vector<LostRank>& lost, wire::Actions& actions) {
    coordinator_ = coordinator;
    for (const auto& [rank, host] : lost) {
        lost_.emplace(rank, host);
        drops_.erase(rank);
        for (auto& [object, ranks] : copies_) {
            ranks.remove(rank);
        }
        for (auto& [object, ranks] : subscribers_) {
            std::erase(ranks, rank);
        }
    }
    if (!lost.empty()) {
        lose_values(actions);
        lose_attempts(actions);
    }
    // What is queued at the coordinator is forgotten with it.
    ready_.clear();
    for (auto& [first, block] : blocks_) {
        for (std::uint64_t i = 0; i < block.items.size(); ++i) {
            if (block.items[i].state == State::submitted && !block.call) {
                make_ready(advance(first, i * block.task_class.stride()), {&block, i, 0});
            }
        }
    }
    confirm(actions);
}

bool Owner::dependencies_changed(TaskId task) {
    const Item& item = find(task).item();
    std::uint32_t missing = item.withheld ? 1 : 0;
    for (const ObjectId object : item.task.dependencies) {
        if (!available(object)) {
            ++missing;
        } else if (outcome(object)->kind == wire::Outcome::Kind::failed) {
            return true;
        }
    }
    return missing != item.missing;
}

void Owner::lose_attempts(wire::Actions& actions) {
    std::vector<TaskId> waiting; // whose dependencies may be gone, though they were there once
    std::vector<TaskId> ended;
    std::vector<std::pair<TaskId, std::uint64_t>> members;
    for (auto& [first, block] : blocks_) {
        for (std::uint64_t i = 0; i < block.items.size(); ++i) {
            Item& item = block.items[i];
            const TaskId task = advance(first, i * block.task_class.stride());
            if (item.state == State::waiting || item.state == State::submitted) {
                waiting.push_back(task);
            } else if (item.state == State::granted && item.gang) {
                for (std::uint64_t m = 0; m < item.gang->members.size(); ++m) {
                    if (lost(item.gang->members[m]) && !item.gang->ended[m]) {
                        members.emplace_back(task, m);
                    }
                }
            } else if (item.state == State::granted && !block.call && lost(item.worker)) {
                ended.push_back(task);
            }
        }
    }
    std::erase_if(waiting, [&](TaskId task) { return !dependencies_changed(task); });
    const std::set<TaskId> changed(waiting.begin(), waiting.end());
    for (auto& [object, tasks] : dependents_) {
        std::erase_if(tasks, [&](TaskId task) { return changed.contains(task); });
    }
    std::erase_if(dependents_, [](const auto& entry) { return entry.second.empty(); });
    for (const TaskId task : waiting) {
        const Place place = find(task);
        if (place.block == nullptr || place.item().state == State::done) {
            continue; // failed with another one
        }
        if (place.block->call && place.item().state == State::submitted) {
            news_.unready.push_back({task, *place.block->call});
        }
        requeue(task, place, actions);
    }
    for (const TaskId task : ended) {
        const Place place = find(task);
        if (place.block != nullptr && place.item().state == State::granted) {
            end_attempt(
                task,
                place,
                failure(Kind::system,
                        task,
                        place,
                        fmt::format("{}, where it ran, was lost", name_rank(place.item().worker))),
                actions);
        }
    }
    for (const auto& [task, member] : members) {
        const Place place = find(task);
        if (place.block == nullptr || !place.item().gang) {
            continue;
        }
        const Rank rank = place.item().gang->members[member];
        wire::Outcome outcome =
            failure(Kind::system, task, place, fmt::format("{} was lost", name_rank(rank)));
        outcome.failure.front().rank = rank;
        on_member_finished(advance(task, member), std::move(outcome), actions);
    }
}

void Owner::confirm(wire::Actions& actions) const {
    std::map<Rank, wire::Confirm> messages;
    const auto add = [&](Rank worker, LeaseId lease, TaskId task) {
        auto& tasks = messages[worker].tasks;
        if (!tasks.empty() && tasks.back().lease == lease &&
            advance(tasks.back().range.first, tasks.back().range.count) == task) {
            ++tasks.back().range.count;
        } else {
            tasks.push_back({lease, {task, 1}});
        }
    };
    for (const auto& [first, block] : blocks_) {
        for (std::uint64_t i = 0; i < block.items.size(); ++i) {
            const Item& item = block.items[i];
            const TaskId task = advance(first, i * block.task_class.stride());
            if (item.state != State::granted || block.call) {
                continue;
            }
            if (!item.gang) {
                add(item.worker, item.lease, task);
                continue;
            }
            for (std::uint64_t m = 0; m < item.gang->members.size(); ++m) {
                if (!item.gang->ended[m]) {
                    add(item.gang->members[m], advance(item.lease, m), advance(task, m));
                }
            }
        }
    }
    for (auto& [worker, message] : messages) {
        actions.push_back(wire::SendMessage{worker, std::move(message)});
    }
}

void Owner::on_not_here(const wire::NotHere& message, wire::Actions& actions) {
    for (const auto& [lease, task] : message.tasks) {
        const Place place = find(task);
        if (place.block == nullptr || place.item().state != State::granted ||
            advance(place.item().lease, place.member) != lease) {
            continue; // answered before
        }
        Item& item = place.item();
        if (!item.gang) {
            if (item.cancelling) {
                complete(task, place, cancelled(task, place), actions);
            } else {
                retry(task, place, false, actions);
            }
            continue;
        }
        const TaskId whole{static_cast<std::uint64_t>(task) - place.member};
        if (!std::exchange(item.gang->crossed, true)) {
            for (std::uint64_t m = 0; m < item.gang->members.size(); ++m) {
                if (m != place.member && !item.gang->ended[m]) {
                    actions.push_back(
                        wire::SendMessage{item.gang->members[m],
                                          wire::Stop{advance(whole, m), advance(item.lease, m)}});
                }
            }
        }
        on_member_finished(
            task,
            failure(Kind::system, whole, place, "its start crossed a change of the coordinator"),
            actions);
    }
}

void Owner::on_infeasible(const wire::Infeasible& message, wire::Actions& actions) {
    std::string ranks;
    for (const auto& [rank, host] : lost_) {
        ranks += (ranks.empty() ? "" : ", ") + name_rank(rank);
    }
    for (const wire::Range& range : message.tasks) {
        for (std::uint64_t i = 0; i < range.count; ++i) {
            const TaskId task = advance(range.first, i);
            const Place place = find(task);
            if (place.block != nullptr && place.member == 0 &&
                place.item().state == State::submitted) {
                const std::string why =
                    message.why.empty()
                        ? fmt::format("no rank that is left can run it (lost: {})", ranks)
                        : "not run: " + message.why;
                complete(
                    task,
                    place,
                    failure(message.removed ? Kind::cancelled : Kind::system, task, place, why),
                    actions);
            }
        }
    }
}

// Calls.

std::vector<std::pair<ObjectId, TaskId>>
Owner::calls_to(const std::map<Rank, std::string>& ranks) const {
    std::vector<std::pair<ObjectId, TaskId>> calls;
    for (const auto& [first, block] : blocks_) {
        if (block.call && block.items.front().state == State::granted &&
            !block.items.front().kept && ranks.contains(block.items.front().worker)) {
            calls.emplace_back(block.call->actor, first);
        }
    }
    return calls;
}

void Owner::interrupt_call(TaskId call, Rank host, wire::Actions& actions) {
    const Place place = find(call);
    if (place.block == nullptr || place.item().state != State::granted) {
        return;
    }
    complete(call,
             place,
             failure(Kind::restarted,
                     call,
                     place,
                     fmt::format("{}, where its actor lived, was lost, and the actor was restarted "
                                 "on {}: the call may have run before, or not",
                                 name_rank(place.item().worker),
                                 to_string(host))),
             actions);
}

std::string Owner::describe(std::size_t lines_max) const {
    static constexpr const char* names[] = {"waiting", "delayed", "submitted", "granted", "done"};
    std::string text;
    std::size_t lines = 0;
    for (const auto& [first, block] : blocks_) {
        for (std::uint64_t i = 0; i < block.items.size() && lines < lines_max; ++i) {
            const Item& item = block.items[i];
            if (item.known()) {
                continue;
            }
            ++lines;
            text +=
                fmt::format("    {} {}{}{}, attempt {}",
                            to_string(advance(first, i * block.task_class.stride())),
                            names[static_cast<std::size_t>(item.state)],
                            block.call ? fmt::format(", a call of {}", to_string(block.call->actor))
                                       : std::string(),
                            block.task_class.actor ? ", makes an actor" : "",
                            item.attempt);
            if (item.state == State::granted) {
                text += fmt::format(" on {} ({})", to_string(item.worker), to_string(item.lease));
            }
            for (const ObjectId object : item.task.dependencies) {
                if (!available(object)) {
                    text += ", lacks " + to_string(object);
                }
            }
            text += "\n";
        }
    }
    return text;
}

// Values.

bool Owner::may_be_needed_again(const Place& place) {
    const wire::Outcome& outcome = place.item().outcome;
    if (outcome.kind == wire::Outcome::Kind::failed || place.block->is_put || place.block->call) {
        return false;
    }
    return outcome.kept || (place.block->task_class.actor && place.block->retry.restarts > 0);
}

void Owner::retain(const Place& place) {
    Item& item = place.item();
    if (std::exchange(item.retained, true)) {
        return;
    }
    for (const ObjectId object : item.task.dependencies) {
        if (owner_of(object) == config_.self) {
            ++find(object).item().lineage;
        }
    }
}

void Owner::forget_lineage(const Place& place) {
    Item& item = place.item();
    const auto dependencies = std::exchange(item.task, {}).dependencies;
    if (!std::exchange(item.retained, false)) {
        return;
    }
    for (const ObjectId object : dependencies) {
        if (owner_of(object) == config_.self) {
            const Place dependency = find(object);
            MUSTER_ASSERT(dependency.item().lineage > 0);
            --dependency.item().lineage;
            erase_if_gone(object, dependency);
        } else if (const auto borrowed = borrowed_.find(object); borrowed != borrowed_.end()) {
            --borrowed->second.uses;
            drop_borrowed_if_unneeded(object);
        }
    }
}

void Owner::erase_if_gone(ObjectId object, Place place) {
    const Item& item = place.item();
    if (!item.dropped || item.lineage > 0 || item.kept || item.replaying) {
        return;
    }
    MUSTER_ASSERT(item.state == State::done);
    going_.push_back(object);
    if (erasing_) {
        return;
    }
    erasing_ = true;
    while (!going_.empty()) {
        const ObjectId gone = going_.front();
        going_.pop_front();
        const Place last = find(gone);
        last.item().outcome = {};
        forget_lineage(last);
        if (--last.block->live == 0) {
            makings_.erase(gone);
            const auto block = blocks_.find(ObjectId{static_cast<std::uint64_t>(gone) -
                                                     last.index * last.block->task_class.stride()});
            found_ = found_ == block ? blocks_.end() : found_;
            blocks_.erase(block);
        }
    }
    erasing_ = false;
}

wire::Outcome Owner::lost_outcome(ObjectId object, Rank holder, std::string why) const {
    wire::FailureRecord record;
    record.kind = Kind::object_lost;
    record.message = fmt::format("the result of {} was kept by {}, which was lost{}",
                                 to_string(object),
                                 name_rank(holder),
                                 why);
    record.task = object;
    record.rank = config_.self;
    record.host = config_.host;
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    outcome.failure.push_back(std::move(record));
    return outcome;
}

void Owner::lose_values(wire::Actions& actions) {
    std::vector<ObjectId> kept_there;
    for (auto& [first, block] : blocks_) {
        for (std::uint64_t i = 0; i < block.items.size(); ++i) {
            const Item& item = block.items[i];
            if (item.state == State::done && !item.dropped &&
                (item.outcome.kept || block.task_class.actor) &&
                item.outcome.kind == wire::Outcome::Kind::value && lost(item.outcome.holder)) {
                kept_there.push_back(advance(first, i * block.task_class.stride()));
            }
        }
    }
    std::vector<std::pair<ObjectId, wire::Outcome>> failed;
    for (auto& [object, borrowed] : borrowed_) {
        const bool owner_lost = lost(owner_of(object));
        if (owner_lost && !borrowed.outcome) {
            failed.emplace_back(object,
                                lost_outcome(object, owner_of(object), " before it was there"));
        } else if (borrowed.outcome && borrowed.outcome->kept && lost(borrowed.outcome->holder)) {
            if (owner_lost) {
                failed.emplace_back(
                    object, lost_outcome(object, borrowed.outcome->holder, ", as was its owner"));
            }
            borrowed.outcome.reset(); // the owner will tell how it goes on
        }
    }
    for (const ObjectId object : kept_there) {
        // One of those before it may have led to its undoing, or have been the last to need it.
        const Place place = find(object);
        if (place.block == nullptr || place.item().state != State::done || place.item().dropped) {
            continue;
        }
        if (place.item().kept) {
            undo_call(place);
        } else {
            recompute(object, actions);
        }
    }
    for (auto& [object, outcome] : failed) {
        on_object_ready({object, std::move(outcome)}, actions);
    }
}

// Only undone again: what waits for it is counted by lose_attempts(), or waits already.
void Owner::recompute(ObjectId object, wire::Actions& actions) {
    std::deque<ObjectId> undone{object};
    std::vector<ObjectId> anew;
    while (!undone.empty()) {
        const ObjectId next = undone.front();
        undone.pop_front();
        const Place place = find(next);
        Item& item = place.item();
        if (item.state != State::done) {
            continue;
        }
        if (item.kept && lost(item.worker)) {
            undo_call(place); // its actor's restart makes it anew
            continue;
        }
        const bool is_actor = place.block->task_class.actor;
        const RetryPolicy& policy = place.block->retry;
        if (!item.retained || item.retried >= (is_actor ? policy.restarts : policy.retries)) {
            const Rank holder = item.outcome.holder;
            if (is_actor) {
                item.outcome =
                    failure(Kind::system,
                            next,
                            place,
                            fmt::format("{}, where the actor lived, was lost, and it may not be "
                                        "restarted{} (`.max_restarts`)",
                                        name_rank(holder),
                                        item.retried > 0 ? " again" : ""));
            } else {
                item.outcome = lost_outcome(
                    next,
                    holder,
                    item.retained ? ", and its task may not be run again (`.retries`)"
                                  : ", and it cannot be made anew: it is not known from what");
            }
            item.dropped = false; // until those who were to be made from it have failed
            if (!item.kept) {
                forget_lineage(place);
            }
            announce(next, place, actions);
            settle_dependents(next, actions);
            continue;
        }
        ++item.retried;
        enter(place, State::waiting);
        item.missing = 0;
        item.outcome = {};
        item.lease = {};
        item.cancelling = false;
        item.dropped = false; // if nobody but what is made of it needs it, it soon is again
        ++unfinished_;
        anew.push_back(next);
        for (const ObjectId dependency : item.task.dependencies) {
            if (owner_of(dependency) != config_.self) {
                continue;
            }
            Item& needed = find(dependency).item();
            ++needed.uses;
            if (needed.state == State::done && needed.outcome.kept &&
                (needed.dropped || lost(needed.outcome.holder))) {
                undone.push_back(dependency);
            } else {
                needed.dropped = false; // a small value: it is still here
            }
        }
    }
    for (const ObjectId next : anew) {
        const Place place = find(next);
        if (place.item().state == State::waiting) {
            requeue(next, place, actions);
        }
    }
}

void Owner::subscribe(ObjectId object, wire::Actions& actions) {
    const Rank owner = owner_of(object);
    if (lost(owner)) {
        on_object_ready({object, lost_outcome(object, owner, " and owned it")}, actions);
    } else {
        actions.push_back(wire::SendMessage{owner, wire::Subscribe{object}});
    }
}

bool Owner::want(ObjectId object) {
    if (outcome(object) != nullptr) {
        return false;
    }
    const bool pending = owner_of(object) == config_.self
                             ? find_item(object) != nullptr && !find_item(object)->dropped
                             : borrowed_.contains(object);
    if (pending) {
        wanted_.insert(object);
    }
    return pending;
}

void Owner::announce(ObjectId object, const Place& place, wire::Actions& actions) {
    const Item& item = place.item();
    if (place.block->task_class.actor) {
        news_.made.push_back(object);
    } else if (!std::exchange(place.item().announced, true) && item.holds > 0) {
        // Once: who has the future of a value that is made anew asks for it. A block of one has no
        // use for its futures any more, so that who waited for it ends them.
        auto& futures = place.block->futures;
        actions.push_back(
            wire::ResolveFuture{object,
                                place.block->items.size() == 1 ? std::move(futures) : futures,
                                place.index,
                                item.outcome});
    }
    if (subscribers_.empty() && copies_.empty() && wanted_.empty()) {
        return;
    }
    std::set<Rank> told;
    if (auto waiting = subscribers_.extract(object); !waiting.empty()) {
        told.insert(waiting.mapped().begin(), waiting.mapped().end());
    }
    if (const auto again = copies_.find(object); again != copies_.end()) {
        const auto& ranks = again->second.ranks(); // it was lost, and is there anew
        told.insert(ranks.begin(), ranks.end());
    }
    for (const Rank rank : told) {
        if (item.outcome.kept && rank != item.outcome.holder) {
            copies_[object].add(rank, config_.nodes);
        }
        actions.push_back(wire::SendMessage{rank, wire::ObjectReady{object, item.outcome}});
    }
    if (wanted_.erase(object) > 0) {
        wanted_ready_.push_back(object);
    }
}

} // namespace muster::owner
