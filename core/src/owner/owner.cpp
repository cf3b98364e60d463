#include "owner/owner.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::owner {

Owner::Place Owner::find(ObjectId object) {
    // Mostly asked for several times in a row: what happens to a task happens in steps.
    if (found_ != blocks_.end() && found_->first <= object) {
        if (const Place place = place_in(*found_, object); place.block != nullptr) {
            return place;
        }
    }
    const auto next = blocks_.upper_bound(object);
    if (next == blocks_.begin()) {
        return {};
    }
    found_ = std::prev(next);
    return place_in(*found_, object);
}

Owner::Place Owner::place_in(std::pair<const ObjectId, Block>& block, ObjectId object) {
    const std::uint64_t stride = block.second.task_class.stride();
    const std::uint64_t offset = distance(block.first, object);
    if (stride == 1) {
        return offset < block.second.items.size() ? Place{&block.second, offset, 0} : Place{};
    }
    if (offset / stride >= block.second.items.size()) {
        return {};
    }
    return {&block.second, offset / stride, offset % stride};
}

const Owner::Item* Owner::find_item(ObjectId object) const {
    const Place place = const_cast<Owner*>(this)->find(object);
    return place.block == nullptr ? nullptr : &place.item();
}

const wire::Outcome* Owner::outcome(ObjectId object) const {
    if (owner_of(object) == config_.self) {
        const Item* item = find_item(object);
        return item != nullptr && item->known() && !item->dropped ? &item->outcome : nullptr;
    }
    const auto place = borrowed_.find(object);
    return place != borrowed_.end() && place->second.outcome ? &*place->second.outcome : nullptr;
}

void Owner::submit(Submission submission, wire::Actions& actions) {
    MUSTER_ASSERT(owner_of(submission.first) == config_.self);
    const std::size_t before = blocks_.size();
    const auto where = blocks_.try_emplace(blocks_.end(), submission.first); // mostly the latest
    MUSTER_ASSERT(blocks_.size() > before);
    Block& block = where->second;
    block.task_class = std::move(submission.task_class);
    block.name = std::move(submission.name);
    block.futures = std::move(submission.futures);
    block.call = submission.call;
    block.retry = submission.retry;
    block.timeout = submission.timeout;
    block.deadline = submission.deadline;
    if (block.deadline > Duration{}) {
        deadlines_.emplace(now_ + block.deadline, submission.first);
    }
    if (submission.making.save_every > 0 || submission.making.concurrency > 1) {
        makings_.emplace(submission.first, std::move(submission.making));
    }
    for (const auto& [position, actor] : submission.actors) {
        contained_[advance(submission.first, position * block.task_class.stride())].push_back(
            actor);
    }
    const std::uint64_t stride = block.task_class.stride(); // the block may go before the end
    block.live = submission.tasks.size();
    block.items.resize(submission.tasks.size());
    if (block.task_class.function != wire::no_function) {
        block.totals = &totals_[block.task_class.function];
        block.totals->in[static_cast<std::size_t>(State::waiting)] += submission.tasks.size();
    }
    unfinished_ += submission.tasks.size();

    std::vector<std::pair<TaskId, ObjectId>> doomed; // by a dependency that failed already
    auto known = submission.known.begin();
    for (std::uint64_t i = 0; i < submission.tasks.size(); ++i) {
        const TaskId task = advance(submission.first, i * block.task_class.stride());
        Item& item = block.items[i];
        if (known != submission.known.end() && known->first == i) {
            ++known; // needs nothing
            continue;
        }
        item.task = std::move(submission.tasks[i]);
        item.withheld = submission.withheld;
        item.missing = submission.withheld ? 1 : 0;
        std::optional<ObjectId> failed;
        for (const ObjectId object : item.task.dependencies) {
            if (owner_of(object) == config_.self) {
                const Place place = find(object);
                if (place.block == nullptr || place.item().dropped) {
                    failed = object; // all its futures were gone before
                    continue;
                }
                ++place.item().uses;
            } else {
                const auto [borrowed, first_use] = borrowed_.try_emplace(object);
                ++borrowed->second.uses;
                if (first_use) {
                    subscribe(object, actions);
                }
            }
            if (available(object)) {
                if (outcome(object)->kind == wire::Outcome::Kind::failed && !failed) {
                    failed = object;
                }
            } else {
                ++item.missing;
                dependents_[object].push_back(task);
            }
        }
        if (failed) {
            doomed.emplace_back(task, *failed);
        } else if (item.missing == 0) {
            make_ready(task, {&block, i, 0});
        }
    }
    for (const auto& [task, object] : doomed) {
        const Place place = find(task);
        if (place.item().state != State::done) {
            complete(task, place, failed_by(task, place, object), actions);
        }
    }
    for (auto& [position, outcome] : submission.known) {
        const TaskId task = advance(submission.first, position * stride);
        complete(task, find(task), std::move(outcome), actions);
    }
}

bool Owner::is_withheld(TaskId task) const {
    const Item* item = find_item(task);
    return item != nullptr && item->state == State::waiting && item->withheld;
}

void Owner::decide(TaskId task, std::optional<wire::Outcome> outcome, wire::Actions& actions) {
    if (!is_withheld(task)) {
        return;
    }
    const Place place = find(task);
    place.item().withheld = false;
    if (outcome) {
        complete(task, place, std::move(*outcome), actions);
    } else if (--place.item().missing == 0) {
        make_ready(task, place);
    }
}

void Owner::make_ready(TaskId task, Place place) {
    enter(place, State::submitted);
    if (place.block->call) {
        news_.ready.push_back({task, *place.block->call});
        return;
    }
    auto& ready = ready_[place.block->task_class];
    auto& ranges = ready.ranges;
    const std::uint64_t ids = place.block->task_class.stride();
    const std::optional<Rank> near = this->near(place.item());
    if (!ranges.empty() && advance(ranges.back().first, ranges.back().count) == task &&
        ready.near.back() == near) {
        ranges.back().count += ids;
    } else {
        ranges.push_back({task, ids});
        ready.near.push_back(near);
        ready.any_near = ready.any_near || near;
    }
}

std::optional<Rank> Owner::near(const Item& item) const {
    std::map<Rank, std::uint64_t> bytes;
    for (const ObjectId object : item.task.dependencies) {
        if (const auto* known = outcome(object); known != nullptr && known->kept) {
            bytes[known->holder] += known->size;
        }
    }
    const auto most =
        std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) {
            return a.second < b.second;
        });
    return most != bytes.end() && most->second >= config_.near_bytes_min
               ? std::optional(most->first)
               : std::nullopt;
}

void Owner::put(ObjectId object,
                std::shared_ptr<void> futures,
                wire::Outcome outcome,
                wire::Actions& actions,
                const std::vector<ObjectId>& actors) {
    MUSTER_ASSERT(owner_of(object) == config_.self);
    Block& block = blocks_[object];
    MUSTER_ASSERT(block.items.empty());
    block.futures = std::move(futures);
    block.is_put = true;
    block.live = 1;
    block.items.resize(1);
    ++unfinished_;
    complete(object, {&block, 0, 0}, std::move(outcome), actions);
    if (!actors.empty()) {
        contained_.emplace(object, actors); // until it is dropped
    }
}

wire::Dependency Owner::describe_dependency(ObjectId object, Rank worker) {
    const wire::Outcome* known = outcome(object);
    MUSTER_ASSERT(known != nullptr && known->kind == wire::Outcome::Kind::value);
    Rank source = known->holder;
    std::optional<wire::Loan> loan;
    if (known->kept && worker != known->holder && owner_of(object) == config_.self) {
        Copies& copies = copies_[object];
        const bool is_new = copies.add(worker, config_.nodes);
        if (is_new && known->holder == config_.self && config_.lender != nullptr) {
            loan = config_.lender->lend(object, worker);
        }
        source = copies.source(worker, known->holder, config_.nodes);
    }
    return {object, known->value, known->size, known->kept, known->holder, source, loan};
}

wire::TaskSpec Owner::specify(TaskId task, const Item& item, Rank worker) {
    wire::TaskSpec spec{task, item.attempt, item.task.arguments, {}};
    for (const ObjectId object : item.task.dependencies) {
        spec.dependencies.push_back(describe_dependency(object, worker));
    }
    return spec;
}

void Owner::send_calls(ObjectId actor,
                       Rank host,
                       const std::vector<TaskId>& calls,
                       wire::Actions& actions) {
    wire::ActorCalls message{actor, {}};
    message.calls.reserve(calls.size());
    for (const TaskId call : calls) {
        const Place place = find(call);
        MUSTER_ASSERT(place.block != nullptr && place.item().state == State::submitted);
        const Block& block = *place.block;
        grant(place, host);
        place.item().under_way = true;
        if (block.call->replays) {
            keep(call, place);
        }
        message.calls.push_back({specify(call, place.item(), host),
                                 block.task_class.function,
                                 block.call->context,
                                 block.task_class.depth,
                                 block.call->replays,
                                 block.call->urgent});
    }
    actions.push_back(wire::SendMessage{host, std::move(message)});
}

void Owner::fail_call(TaskId call, const wire::Outcome& constructor, wire::Actions& actions) {
    const Place place = find(call);
    if (place.block == nullptr || place.item().state == State::done) {
        return;
    }
    const auto& cause = constructor.failure.front();
    const std::string actor = cause.name.empty() ? "its actor" : cause.name;
    stop_keeping(call, place, actions);
    // A call that was sent may have run, or not: its actor was lost.
    const bool sent = place.item().state == State::granted;
    wire::Outcome outcome =
        failure(wire::FailureRecord::Kind::dependency,
                call,
                place,
                sent ? actor + " was lost before the call's result came"
                     : fmt::format("not run: {} could not be made, or was lost or killed", actor));
    append_causes(outcome, constructor);
    complete(call, place, std::move(outcome), actions);
}

void Owner::on_grant(const wire::Grant& message, wire::Actions& actions) {
    if (!message.members.empty()) {
        on_gang_grant(message, actions);
        return;
    }
    std::uint32_t declined = 0;
    wire::Run run;
    const auto send = [&](const Block& block) {
        if (!run.tasks.empty()) {
            run.lease = message.lease;
            run.task_class = block.task_class;
            if (!message.bundles.empty()) {
                run.task_class.placement.target = message.bundles.front();
            }
            run.devices = message.devices;
            if (std::exchange(run.task_class.undecided, false)) {
                run.task_class.demand = run.task_class.alternatives.at(message.alternative);
            }
            run.name = block.name;
            run.timeout = block.timeout;
            if (const auto making = makings_.find(run.tasks.front().id); making != makings_.end()) {
                run.making = making->second;
            }
            if (block.task_class.actor) {
                const std::uint32_t used = block.items.front().retried;
                run.making.restarts = block.retry.restarts - std::min(used, block.retry.restarts);
            }
            actions.push_back(wire::SendMessage{message.worker, std::move(run)});
            run = {};
        }
    };
    const Block* current = nullptr;
    for (std::uint64_t i = 0; i < message.range.count; ++i) {
        const TaskId task = advance(message.range.first, i);
        const Place place = find(task);
        if (place.block == nullptr || place.item().state == State::done) {
            ++declined; // cancelled while it was queued
            continue;
        }
        if (place.item().cancelling) {
            // Recalled before the order to stop reached its worker.
            ++declined;
            complete(task, place, cancelled(task, place), actions);
            continue;
        }
        Item& item = place.item();
        MUSTER_ASSERT(item.state != State::waiting);
        if (item.state == State::granted && !lost_.empty() && !has_dependencies(item)) {
            // Recalled while it waited for a value that is not there any more.
            ++declined;
            retry(task, place, false, actions);
            continue;
        }
        if (current != nullptr &&
            (current != place.block || run.tasks.size() == config_.tasks_per_run_max)) {
            send(*current);
        }
        current = place.block;
        item.lease = message.lease;
        grant(place, message.worker);
        run.tasks.push_back(specify(task, item, message.worker));
    }
    if (current != nullptr) {
        send(*current);
    }
    if (declined > 0) {
        actions.push_back(wire::SendMessage{
            coordinator_, wire::Progress{{{message.lease, declined, Duration{}}}}});
    }
}

void Owner::on_finished(wire::Finished message, wire::Actions& actions, std::optional<Rank> from) {
    for (auto& report : message.tasks) {
        const Place place = find(report.id);
        if (place.block == nullptr || place.item().state != State::granted ||
            advance(place.item().lease, place.member) != report.lease) {
            // Of an attempt that was given up: nobody will fetch what it made.
            const bool is_over = place.block == nullptr ||
                                 (place.item().state == State::done && !place.item().outcome.kept);
            if (report.outcome.kept && is_over) {
                drops_[report.outcome.holder].push_back(report.id);
            }
            continue;
        }
        if (place.item().gang) {
            on_member_finished(report.id, std::move(report.outcome), actions);
            continue;
        }
        if (place.block->call && from && *from != place.item().worker) {
            continue; // of a host that its actor lives on no more
        }
        if (report.not_run && place.item().kept) {
            if (fetch_again(place, report)) {
                send_again(report.id, place, actions);
                continue;
            }
            stop_keeping(report.id, place, actions);
        }
        end_attempt(report.id, place, std::move(report.outcome), actions);
    }
}

void Owner::complete(TaskId task, Place place, wire::Outcome outcome, wire::Actions& actions) {
    Item& item = place.item();
    MUSTER_ASSERT(item.state != State::done);
    const bool sent = item.state == State::granted;
    if (!sent) {
        stop_keeping(task, place, actions); // where its actor lives, nothing is known of it
    }
    const bool again = std::exchange(item.replaying, false);
    const bool was_dropped = item.dropped; // a call that was sent again for its actor's sake
    const bool queued = std::exchange(item.under_way, false) || !sent;
    enter(place, State::done);
    item.gang.reset();
    if (!again) {
        if (place.block->totals != nullptr && outcome.kind == wire::Outcome::Kind::failed) {
            ++place.block->totals->failed;
        }
        item.outcome = std::move(outcome);
        --unfinished_;
    } else if (outcome.kept) {
        drops_[outcome.holder].push_back(task); // the first result counts
    }
    const bool keeps = item.kept;
    const auto dependencies = keeps ? std::vector<ObjectId>{} : item.task.dependencies;
    const bool was_retained = item.retained;
    if (may_be_needed_again(place)) {
        retain(place);
    } else if (!keeps) {
        forget_lineage(place);
    }
    const bool borrows_on = was_retained || item.retained;
    if (place.block->call && !std::exchange(item.counted, true)) {
        news_.done.push_back({task, *place.block->call});
    } else if (place.block->call && queued) {
        news_.returned.push_back({task, *place.block->call});
    }
    if (!keeps) {
        release_contained(task); // what is inside its arguments
    }
    if (!again) {
        announce(task, place, actions);
        settle_dependents(task, actions);
    }
    for (const ObjectId object : dependencies) {
        // What belongs to others stays borrowed for as long as the value may be made anew.
        if (!borrows_on || owner_of(object) == config_.self) {
            stop_using(object, actions);
        }
    }
    if (const Place left = find(task); left.block != nullptr) {
        if (was_dropped) {
            erase_if_gone(task, left);
        } else {
            drop_if_unneeded(task, left, actions);
        }
    }
}

void Owner::settle_dependents(ObjectId object, wire::Actions& actions) {
    // A worklist, not recursion: a failure may run down a chain of a million tasks.
    auto entry = dependents_.extract(object);
    if (entry.empty()) {
        return;
    }
    const wire::Outcome* known = outcome(object);
    MUSTER_ASSERT(known != nullptr);
    if (known->kind == wire::Outcome::Kind::value) {
        for (const TaskId task : entry.mapped()) {
            const Place place = find(task);
            if (place.block != nullptr && place.item().state == State::waiting &&
                --place.item().missing == 0) {
                make_ready(task, place);
            }
        }
        return;
    }
    for (const TaskId task : entry.mapped()) {
        failing_.push_back({task, object});
    }
    if (settling_) {
        return;
    }
    settling_ = true;
    while (!failing_.empty()) {
        const auto [task, dependency] = failing_.front();
        failing_.pop_front();
        const Place place = find(task);
        if (place.block != nullptr && place.item().state == State::waiting) {
            complete(task, place, failed_by(task, place, dependency), actions);
        }
    }
    settling_ = false;
}

wire::Outcome Owner::failure(wire::FailureRecord::Kind kind,
                             TaskId task,
                             const Place& place,
                             std::string text) const {
    wire::FailureRecord record;
    record.kind = kind;
    record.message = std::move(text);
    record.task = task;
    record.function = place.block->task_class.function;
    record.name = place.block->name;
    record.rank = config_.self;
    record.host = config_.host;
    record.attempt = place.item().attempt;
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    outcome.failure.push_back(std::move(record));
    return outcome;
}

wire::Outcome Owner::cancelled(TaskId task, const Place& place) const {
    return failure(wire::FailureRecord::Kind::cancelled, task, place, "cancelled before it ran");
}

wire::Outcome Owner::failed_by(TaskId task, const Place& place, ObjectId dependency) const {
    using Kind = wire::FailureRecord::Kind;
    const wire::Outcome* known = outcome(dependency);
    if (known == nullptr) {
        return failure(Kind::object_lost,
                       task,
                       place,
                       fmt::format("its argument, the result of {}, is not there any more: all its "
                                   "futures were gone before this task was submitted",
                                   to_string(dependency)));
    }
    wire::Outcome outcome = failure(
        Kind::dependency,
        task,
        place,
        fmt::format("not run: its argument, the result of {}, failed", to_string(dependency)));
    append_causes(outcome, *known);
    return outcome;
}

void Owner::append_causes(wire::Outcome& outcome, const wire::Outcome& cause) const {
    outcome.failure.insert(outcome.failure.end(), cause.failure.begin(), cause.failure.end());
    // The ends tell the story: the task that was asked for, and the root cause.
    while (outcome.failure.size() > config_.failure_chain_max) {
        outcome.failure.erase(outcome.failure.end() - 2);
    }
}

void Owner::on_subscribe(Rank from, const wire::Subscribe& message, wire::Actions& actions) {
    const Place place = find(message.object);
    if (place.block == nullptr || place.item().dropped) {
        wire::FailureRecord record;
        record.kind = wire::FailureRecord::Kind::object_lost;
        record.message =
            fmt::format("{} does not know the result of {}: its futures are all gone, or it "
                        "belongs to another run",
                        to_string(config_.self),
                        to_string(message.object));
        record.task = message.object;
        record.rank = config_.self;
        record.host = config_.host;
        wire::Outcome lost;
        lost.kind = wire::Outcome::Kind::failed;
        lost.failure.push_back(std::move(record));
        actions.push_back(wire::SendMessage{from, wire::ObjectReady{message.object, lost}});
        return;
    }
    Item& item = place.item();
    item.pinned = true;
    if (!item.known()) {
        subscribers_[message.object].push_back(from);
        return;
    }
    if (item.outcome.kept && from != item.outcome.holder) {
        copies_[message.object].add(from, config_.nodes);
    }
    actions.push_back(wire::SendMessage{from, wire::ObjectReady{message.object, item.outcome}});
}

void Owner::on_object_ready(const wire::ObjectReady& message, wire::Actions& actions) {
    const auto place = borrowed_.find(message.object);
    if (place == borrowed_.end()) {
        return;
    }
    // Not the first one if the value was lost, and is there anew.
    place->second.outcome = message.outcome;
    if (wanted_.erase(message.object) > 0) {
        wanted_ready_.push_back(message.object);
    }
    for (auto& futures : place->second.futures) {
        actions.push_back(
            wire::ResolveFuture{message.object, std::move(futures), 0, message.outcome});
    }
    place->second.futures.clear();
    settle_dependents(message.object, actions);
    drop_borrowed_if_unneeded(message.object);
}

void Owner::stop_using(ObjectId object, wire::Actions& actions) {
    if (owner_of(object) != config_.self) {
        if (const auto place = borrowed_.find(object); place != borrowed_.end()) {
            --place->second.uses;
            drop_borrowed_if_unneeded(object);
        }
        return;
    }
    const Place place = find(object);
    if (place.block != nullptr && !place.item().dropped) {
        MUSTER_ASSERT(place.item().uses > 0);
        --place.item().uses;
        drop_if_unneeded(object, place, actions);
    }
}

void Owner::release_contained(ObjectId object) {
    if (const auto place = contained_.find(object); place != contained_.end()) {
        news_.released.insert(news_.released.end(), place->second.begin(), place->second.end());
        contained_.erase(place);
    }
}

void Owner::drop_if_unneeded(ObjectId object, Place place, wire::Actions& /*actions*/) {
    Item& item = place.item();
    const bool held = !item.freed && (item.holds > 0 || item.pinned);
    if (item.state != State::done || item.dropped || held || item.uses > 0) {
        return;
    }
    item.dropped = true;
    if (item.outcome.kept) {
        drops_[item.outcome.holder].push_back(object);
    }
    release_contained(object);
    if (const auto copies = copies_.find(object); copies != copies_.end()) {
        for (const Rank rank : copies->second.ranks()) {
            drops_[rank].push_back(object);
        }
        copies_.erase(copies);
    }
    erase_if_gone(object, place);
}

void Owner::drop_borrowed_if_unneeded(ObjectId object) {
    const auto place = borrowed_.find(object);
    if (place != borrowed_.end() && place->second.uses == 0 && place->second.holds == 0 &&
        place->second.outcome) {
        borrowed_.erase(place);
    }
}

void Owner::release(ObjectId object, wire::Actions& actions) {
    if (owner_of(object) != config_.self) {
        if (const auto place = borrowed_.find(object); place != borrowed_.end()) {
            MUSTER_ASSERT(place->second.holds > 0);
            --place->second.holds;
            drop_borrowed_if_unneeded(object);
        }
        return;
    }
    const Place place = find(object);
    if (place.block != nullptr && place.item().holds > 0) {
        --place.item().holds;
        drop_if_unneeded(object, place, actions);
    }
}

void Owner::free(ObjectId object, wire::Actions& actions) {
    if (owner_of(object) != config_.self) {
        if (!lost(owner_of(object))) {
            actions.push_back(wire::SendMessage{owner_of(object), wire::Free{object}});
        }
        return;
    }
    const Place place = find(object);
    if (place.block != nullptr && place.item().state == State::done) {
        place.item().freed = true;
        drop_if_unneeded(object, place, actions);
    }
}

void Owner::hold(ObjectId object) {
    const Place place = find(object);
    MUSTER_ASSERT(place.block != nullptr && !place.item().dropped);
    ++place.item().holds;
}

void Owner::pin(ObjectId object) {
    if (const Place place = find(object); place.block != nullptr) {
        place.item().pinned = true;
    }
}

void Owner::borrow(ObjectId object, std::shared_ptr<void> futures, wire::Actions& actions) {
    const bool ours = owner_of(object) == config_.self;
    const Place own = find(object);
    if (own.block != nullptr && !own.item().dropped) {
        // A future of our own came back inside a value.
        ++own.item().holds;
        if (own.item().known()) {
            actions.push_back(
                wire::ResolveFuture{object, std::move(futures), 0, own.item().outcome});
            return;
        }
    }
    const auto [place, is_new] = borrowed_.try_emplace(object);
    place->second.holds += ours ? 0 : 1;
    if (place->second.outcome) {
        actions.push_back(
            wire::ResolveFuture{object, std::move(futures), 0, *place->second.outcome});
        return;
    }
    place->second.futures.push_back(std::move(futures));
    if (is_new) {
        subscribe(object, actions);
    }
}

void Owner::note_copy(ObjectId object, Rank rank) {
    if (owner_of(object) == config_.self) {
        copies_[object].add(rank, config_.nodes);
    }
}

void Owner::flush(wire::Actions& actions) {
    for (auto& [task_class, ready] : ready_) {
        if (!ready.any_near) {
            ready.near.clear();
        }
        actions.push_back(wire::SendMessage{
            coordinator_,
            wire::Submit{task_class, std::move(ready.ranges), std::move(ready.near)}});
    }
    ready_.clear();
    for (auto& [rank, objects] : drops_) {
        actions.push_back(wire::SendMessage{rank, wire::Drop{std::move(objects)}});
    }
    drops_.clear();
}

std::uint64_t Owner::objects() const {
    std::uint64_t objects = 0;
    for (const auto& [first, block] : blocks_) {
        objects += block.items.size();
    }
    return objects;
}

} // namespace muster::owner
