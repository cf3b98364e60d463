#include "worker/worker.hpp"

#include "wire/lending.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::worker {
namespace {

constexpr std::size_t outcomes_per_message_max = 512;

} // namespace

wire::ClassIndex Worker::intern(const wire::TaskClass& definition) {
    const auto next =
        class_free_.empty() ? static_cast<wire::ClassIndex>(classes_.size()) : class_free_.back();
    const auto [place, is_new] = class_index_.try_emplace(definition, next);
    if (!is_new) {
        return place->second;
    }
    if (class_free_.empty()) {
        classes_.emplace_back();
    } else {
        class_free_.pop_back();
    }
    classes_[next].definition = definition;
    const Placement& placement = definition.placement;
    const auto bundle = placement.is_in_group() ? bundles_.find({placement.group, placement.target})
                                                : bundles_.end();
    if (placement.is_in_group() && bundle == bundles_.end()) {
        strays_.insert(next); // it was given up before this came
    }
    move(next, bundle == bundles_.end() ? own_ : bundle->second);
    return next;
}

Worker::Order Worker::order_of(wire::ClassIndex index) const {
    const ClassState& state = classes_[index];
    return {-std::int64_t{state.definition.priority},
            -std::int64_t{state.definition.depth},
            state.turn,
            index};
}

void Worker::on_run(Rank owner, wire::Run message, store::Store& store, wire::Actions& actions) {
    const wire::ClassIndex index = intern(message.task_class);
    std::shared_ptr<const wire::Gang> gang;
    if (!message.gang.members.empty()) {
        gang = std::make_shared<const wire::Gang>(std::move(message.gang));
        if (!tasks_.contains(message.tasks.front().id)) {
            gangs_[gang->id].push_back(message.tasks.front().id);
        }
    }
    std::shared_ptr<const wire::ActorMaking> making;
    if (message.task_class.actor) {
        making = std::make_shared<const wire::ActorMaking>(std::move(message.making));
    }
    for (auto& spec : message.tasks) {
        if (tasks_.contains(spec.id)) {
            refuse(owner, spec, message.lease, gang.get(), message.member, actions);
            continue;
        }
        Task task;
        task.task_class = index;
        task.lease = message.lease;
        task.owner = owner;
        task.name = message.name;
        task.attempt = spec.attempt;
        task.gang = gang;
        task.member = message.member;
        task.devices = message.devices;
        task.ready = {spec.id,
                      message.task_class.function,
                      spec.attempt,
                      std::move(spec.arguments),
                      std::vector<Buffer>(spec.dependencies.size()),
                      gang,
                      message.member,
                      message.timeout,
                      making,
                      message.devices};
        for (const auto& dependency : spec.dependencies) {
            task.dependencies.push_back(dependency.object);
        }
        if (halted_) {
            tasks_.emplace(spec.id, std::move(task));
            cancel(spec.id, actions);
            continue;
        }
        task.missing = store.collect(spec.id, spec.dependencies, task.ready.dependencies, actions);
        const auto [place, is_new] = tasks_.emplace(spec.id, std::move(task));
        MUSTER_ASSERT(is_new);
        if (place->second.missing == 0) {
            enqueue(place->second, actions);
        } else {
            classes_[index].fetching.insert(spec.id);
        }
    }
}

void Worker::enqueue(Task& task, wire::Actions& actions) {
    ++classes_[task.task_class].queued;
    task.dependencies = {};
    actions.push_back(wire::EnqueueTask{task.task_class, std::move(task.ready)});
    task.ready = {};
}

void Worker::on_dependency(TaskId id,
                           ObjectId object,
                           const std::optional<Buffer>& value,
                           wire::Actions& actions) {
    const auto place = tasks_.find(id);
    if (place == tasks_.end() || place->second.missing == 0) {
        return; // cancelled or returned meanwhile
    }
    Task& task = place->second;
    if (!value) {
        classes_[task.task_class].fetching.erase(id);
        fail(id,
             wire::FailureRecord::Kind::object_lost,
             fmt::format("its argument, the result of {}, is not where it was kept any more",
                         to_string(object)),
             actions);
        return;
    }
    // One waiter, one position: the next one that is still open. There may be none: a task that was
    // recalled and came back here has the waiters of both stays.
    bool filled = false;
    for (std::size_t i = 0; i < task.dependencies.size() && !filled; ++i) {
        if (task.dependencies[i] == object && task.ready.dependencies[i].empty()) {
            task.ready.dependencies[i] = *value;
            filled = true;
        }
    }
    if (filled && --task.missing == 0) {
        classes_[task.task_class].fetching.erase(id);
        enqueue(task, actions);
    }
}

void Worker::report(const Task& task, TaskId id, wire::Outcome outcome, Duration busy) {
    if (!task.orphaned) {
        finished_[task.owner].push_back({id, task.lease, std::move(outcome)});
    }
    note_progress(task.task_class, task.lease, 1, busy);
    classes_[task.task_class].owed = 0;
}

void Worker::note_progress(wire::ClassIndex index,
                           LeaseId lease,
                           std::uint32_t finished,
                           Duration busy) {
    auto& progress = classes_[index].progress[lease];
    progress.lease = lease;
    progress.finished += finished;
    progress.busy += busy;
    unreported_.insert(index);
}

void Worker::report_progress(wire::Actions& actions) {
    wire::Progress message;
    for (auto place = unreported_.begin(); place != unreported_.end();) {
        ClassState& state = classes_[*place];
        if (!state.report.due(wire::may_wait_ahead(state.definition) ? state.ahead() : 0)) {
            ++place;
            continue;
        }
        for (const auto& [lease, progress] : state.progress) {
            message.leases.push_back(progress);
        }
        state.progress.clear();
        place = unreported_.erase(place);
    }
    if (!message.leases.empty()) {
        actions.push_back(wire::SendMessage{coordinator_, std::move(message)});
    }
}

void Worker::fail(TaskId id,
                  wire::FailureRecord::Kind kind,
                  std::string message,
                  wire::Actions& actions) {
    const auto place = tasks_.find(id);
    const Task& task = place->second;
    wire::FailureRecord record;
    record.kind = kind;
    record.message = std::move(message);
    record.task = id;
    record.function = classes_[task.task_class].definition.function;
    record.name = task.name;
    record.rank = config_.self;
    record.host = config_.host;
    wire::Outcome outcome;
    outcome.kind = wire::Outcome::Kind::failed;
    outcome.failure.push_back(std::move(record));
    leave_gang(task, id, outcome, actions);
    report(task, id, std::move(outcome), Duration{});
    tasks_.erase(place);
}

bool Worker::on_attempt_finished(AttemptFinished finished,
                                 store::Store& store,
                                 wire::Actions& actions) {
    const auto place = tasks_.find(finished.task);
    MUSTER_ASSERT(place != tasks_.end());
    Task& task = place->second;
    MUSTER_ASSERT(!task.blocked && !task.resuming);
    ClassState& state = classes_[task.task_class];
    MUSTER_ASSERT(state.queued > 0);
    --state.queued;
    state.served = true;
    wire::Outcome outcome;
    if (finished.ok && task.orphaned) {
        finished.value = {};
    }
    if (finished.ok && state.definition.actor) {
        keep_actor(finished.task, task);
        tasks_.erase(place);
        return true;
    }
    if (finished.ok) {
        outcome = store.settle(finished.task, std::move(finished.value), config_.inline_bytes_max);
    } else {
        outcome.kind = wire::Outcome::Kind::failed;
        outcome.failure = std::move(finished.failure);
        if (!outcome.failure.empty()) {
            outcome.failure.front().name = task.name;
            // Its communicator may have told it before its stop token did.
            if (task.released) {
                outcome.failure.front().kind = wire::FailureRecord::Kind::released;
            } else if (task.gang && task.stopped) {
                outcome.failure.front().kind = wire::FailureRecord::Kind::cancelled;
            }
        }
    }
    leave_gang(task, finished.task, outcome, actions);
    report(task, finished.task, std::move(outcome), std::max(finished.busy, Duration{1}));
    tasks_.erase(place);
    return false;
}

void Worker::keep_actor(ObjectId actor, const Task& task) {
    ClassState& state = classes_[task.task_class];
    MUSTER_ASSERT(state.slots > 0);
    --state.slots;
    ++state.actors;
    actors_.emplace(actor, Actor{task.task_class, task.lease, task.devices});
    add(state.pool->actor_cpus, wire::lendable(state.definition.demand));
    wire::Outcome outcome;
    outcome.holder = config_.self;
    finished_[task.owner].push_back({actor, task.lease, std::move(outcome)});
}

void Worker::on_actor_destroyed(ObjectId actor) {
    const auto place = actors_.find(actor);
    MUSTER_ASSERT(place != actors_.end());
    ClassState& state = classes_[place->second.task_class];
    --state.actors;
    add(state.pool->free, state.definition.demand);
    subtract(state.pool->actor_cpus, wire::lendable(state.definition.demand));
    // Without the time it lived, which says nothing about the next constructor.
    note_progress(place->second.task_class, place->second.lease, 1);
    actors_.erase(place);
}

void Worker::on_slot_returned(wire::ClassIndex index) {
    ClassState& state = classes_[index];
    MUSTER_ASSERT(state.slots > 0);
    --state.slots;
    add(state.pool->free, state.definition.demand);
    if (state.revoking > 0) {
        --state.revoking;
        // The slot is for another class: among its equals this one goes last now.
        state.pool->order.erase(order_of(index));
        state.turn = ++last_turn_;
        state.pool->order.insert(order_of(index));
    }
}

void Worker::on_blocked(TaskId id, bool suspended, wire::Actions& actions) {
    Task& task = tasks_.at(id);
    MUSTER_ASSERT(!task.blocked);
    task.blocked = true;
    task.suspended = suspended;
    ClassState& state = classes_[task.task_class];
    ++state.blocked;
    state.suspended += suspended ? 1U : 0U;
    add(state.pool->free, wire::lendable(state.definition.demand));
    actions.push_back(wire::SendMessage{coordinator_, wire::Lent{task.lease, false, suspended}});
}

void Worker::on_resuming(TaskId id) {
    Task& task = tasks_.at(id);
    MUSTER_ASSERT(task.blocked && !task.resuming);
    task.resuming = true;
    classes_[task.task_class].pool->resuming.push_back(id);
}

void Worker::on_recall(Rank from, const wire::Recall& message, wire::Actions& actions) {
    MUSTER_ASSERT(from == coordinator_);
    const wire::ClassIndex index = intern(message.task_class);
    classes_[index].owed = 0;
    give_back({index, message.count, {}, true}, actions);
}

void Worker::give_back(Recalling recalling, wire::Actions& actions) {
    auto& fetching = classes_[recalling.task_class].fetching;
    std::uint32_t wanted = recalling.count;
    while (wanted > 0 && !fetching.empty()) {
        const TaskId id = *fetching.rbegin();
        const auto place = tasks_.find(id);
        recalling.returned.push_back({place->second.lease, id});
        fetching.erase(id);
        tasks_.erase(place);
        --wanted;
    }
    // Answered by on_taken_back, also with nothing.
    actions.push_back(wire::TakeBackTasks{recalling.task_class, wanted});
    recalling_.push_back(std::move(recalling));
}

void Worker::give_back_late_ones(wire::Actions& actions) {
    for (const wire::ClassIndex index : std::exchange(owing_, {})) {
        ClassState& state = classes_[index];
        const std::uint32_t late = static_cast<std::uint32_t>(state.fetching.size()) +
                                   (state.queued > state.slots ? state.queued - state.slots : 0);
        if (state.owed > 0 && late > 0) {
            give_back({index, std::min(late, std::exchange(state.owed, 0)), {}, false}, actions);
        } else if (state.owed > 0) {
            owing_.insert(index);
        }
    }
}

void Worker::on_taken_back(const std::vector<TaskId>& tasks,
                           bool recalled,
                           wire::Actions& actions) {
    for (const TaskId id : tasks) {
        const auto place = tasks_.find(id);
        MUSTER_ASSERT(place != tasks_.end());
        --classes_[place->second.task_class].queued;
        if (recalled) {
            if (place->second.orphaned) {
                cancel(id, actions);
                continue;
            }
            recalling_.front().returned.push_back({place->second.lease, id});
            tasks_.erase(place);
        } else {
            cancel(id, actions);
        }
    }
    if (!recalled) {
        return;
    }
    Recalling recalling = std::move(recalling_.front());
    recalling_.pop_front();
    ClassState& state = classes_[recalling.task_class];
    if (recalling.returned.empty()) {
        if (!recalling.asked) {
            return;
        }
        state.owed = recalling.count;
        owing_.insert(recalling.task_class);
    }
    for (const auto& task : recalling.returned) {
        if (term_of(task.lease) < term_) {
            returned_.emplace(task.lease, task.task);
        }
    }
    flush(actions); // what has ended is older
    actions.push_back(wire::SendMessage{
        coordinator_, wire::Returned{state.definition, std::move(recalling.returned)}});
}

std::optional<wire::GangFailed> Worker::on_stop(const wire::Stop& message, wire::Actions& actions) {
    const auto place = tasks_.find(message.task);
    if (place == tasks_.end() || place->second.lease != message.lease) {
        return std::nullopt; // finished, or recalled
    }
    ClassState& state = classes_[place->second.task_class];
    if (state.fetching.erase(message.task) > 0) {
        cancel(message.task, actions);
        return std::nullopt;
    }
    place->second.stopped = true;
    actions.push_back(wire::StopTask{place->second.task_class, message.task});
    return place->second.gang ? std::optional{cancelled_member(place->second, message.task)}
                              : std::nullopt;
}

void Worker::resume_tasks(Pool& pool, wire::Actions& actions) {
    while (!pool.resuming.empty()) {
        Task& task = tasks_.at(pool.resuming.front());
        ClassState& state = classes_[task.task_class];
        const Resources cpus = wire::lendable(state.definition.demand);
        // An actor that came meanwhile may have them for as long as this task lives: it may be the
        // one with the handle. So they share. Likewise a bundle.
        if (!fits(cpus, pool.free) && pool.free.cpus + pool.actor_cpus.cpus < cpus.cpus) {
            return;
        }
        subtract(pool.free, cpus);
        --state.blocked;
        state.suspended -= task.suspended ? 1U : 0U;
        task.blocked = false;
        task.resuming = false;
        actions.push_back(wire::ResumeTask{pool.resuming.front()});
        actions.push_back(
            wire::SendMessage{coordinator_, wire::Lent{task.lease, true, task.suspended}});
        task.suspended = false;
        pool.resuming.pop_front();
    }
}

bool Worker::make_room(Pool& pool,
                       const Resources& demand,
                       const Order* first,
                       wire::Actions& actions) {
    Resources room = pool.free;
    for (const Order& order : pool.order) {
        const ClassState& state = classes_[std::get<wire::ClassIndex>(order)];
        add(room, state.definition.demand, std::min(state.revoking, state.moving()));
    }
    std::vector<wire::ClassIndex> victims;
    for (auto place = pool.order.rbegin(); place != pool.order.rend() && !fits(demand, room);
         ++place) {
        const auto& [priority, depth, turn, index] = *place;
        const ClassState& state = classes_[index];
        if (state.definition.ranks > 0) {
            continue; // a member runs for as long as its gang does
        }
        if (first != nullptr) {
            // Among equals only a class without any slot takes one, and not before it was of use,
            // or two such classes would hand one slot to and fro.
            const auto rank = std::tie(priority, depth);
            const auto first_rank = std::tie(std::get<0>(*first), std::get<1>(*first));
            const wire::ClassIndex first_index = std::get<wire::ClassIndex>(*first);
            if (rank < first_rank) {
                break;
            }
            if (rank == first_rank &&
                (index == first_index || classes_[first_index].slots > 0 || !state.served)) {
                continue;
            }
        }
        for (std::uint32_t i = state.revoking; i < state.moving() && !fits(demand, room); ++i) {
            add(room, state.definition.demand);
            victims.push_back(index);
        }
    }
    if (!fits(demand, room)) {
        return false;
    }
    for (const wire::ClassIndex index : victims) {
        ++classes_[index].revoking;
        actions.push_back(wire::RevokeSlot{index});
    }
    return true;
}

void Worker::give_slots(wire::ClassIndex index, wire::Actions& actions) {
    ClassState& state = classes_[index];
    Resources& free = state.pool->free;
    while (state.wants_slot(config_.slots_per_class_max) && fits(state.definition.demand, free)) {
        subtract(free, state.definition.demand);
        ++state.slots;
        state.served = false;
        actions.push_back(wire::GrantSlot{index});
    }
}

void Worker::assign_slots(Pool& pool, wire::Actions& actions) {
    bool waits = seat_members(pool, actions);
    if (&pool == &own_) {
        waits = take_bundles(actions) || waits;
    }
    if (waits) {
        return;
    }
    resume_tasks(pool, actions);
    if (draining_) {
        return;
    }
    if (!pool.resuming.empty()) {
        const Task& task = tasks_.at(pool.resuming.front());
        make_room(
            pool, wire::lendable(classes_[task.task_class].definition.demand), nullptr, actions);
        return;
    }
    for (const Order& order : pool.order) {
        const wire::ClassIndex index = std::get<wire::ClassIndex>(order);
        ClassState& state = classes_[index];
        give_slots(index, actions);
        if (state.wants_slot(config_.slots_per_class_max) &&
            make_room(pool, state.definition.demand, &order, actions)) {
            return;
        }
    }
}

void Worker::flush(wire::Actions& actions) {
    assign_slots(own_, actions);
    for (auto& [id, bundle] : bundles_) {
        assign_slots(bundle, actions);
    }
    give_back_late_ones(actions);
    for (auto& [owner, outcomes] : finished_) {
        for (std::size_t begin = 0; begin < outcomes.size(); begin += outcomes_per_message_max) {
            const std::size_t end = std::min(outcomes.size(), begin + outcomes_per_message_max);
            wire::Finished message;
            message.tasks.assign(
                std::make_move_iterator(outcomes.begin() + static_cast<std::ptrdiff_t>(begin)),
                std::make_move_iterator(outcomes.begin() + static_cast<std::ptrdiff_t>(end)));
            actions.push_back(wire::SendMessage{owner, std::move(message)});
        }
    }
    finished_.clear();
    report_progress(actions);
    forget_strays();
}

void Worker::check_invariants() const {
    std::map<const Pool*, Resources> charged;
    std::map<const Pool*, Resources> actor_cpus;
    Resources strays; // which may share CPUs with tasks, as their bundle did
    std::vector<std::uint32_t> queued(classes_.size());
    std::vector<std::uint32_t> fetching(classes_.size());
    std::vector<std::uint32_t> blocked(classes_.size());
    std::vector<std::uint32_t> suspended(classes_.size());
    std::size_t actors = 0;
    for (const auto& [id, task] : tasks_) {
        const ClassState& state = classes_[task.task_class];
        if (task.missing > 0) {
            MUSTER_ASSERT(state.fetching.contains(id));
            ++fetching[task.task_class];
        } else {
            ++queued[task.task_class];
        }
        MUSTER_ASSERT(!task.resuming || task.blocked);
        MUSTER_ASSERT(!task.suspended || task.blocked);
        suspended[task.task_class] += task.suspended ? 1U : 0U;
        if (task.blocked) {
            ++blocked[task.task_class];
            subtract(charged[state.pool], wire::lendable(state.definition.demand));
        }
    }
    for (std::size_t c = 0; c < classes_.size(); ++c) {
        const ClassState& state = classes_[c];
        MUSTER_ASSERT(state.queued == queued[c]);
        MUSTER_ASSERT(state.fetching.size() == fetching[c]);
        MUSTER_ASSERT(state.blocked == blocked[c] && state.suspended == suspended[c]);
        MUSTER_ASSERT(state.progress.empty() ==
                      !unreported_.contains(static_cast<wire::ClassIndex>(c)));
        MUSTER_ASSERT(state.revoking <= state.slots && state.blocked <= state.slots);
        if (state.pool == nullptr) {
            MUSTER_ASSERT(state.over());
            continue; // forgotten
        }
        add(charged[state.pool], state.definition.demand, state.slots + state.actors);
        add(actor_cpus[state.pool], wire::lendable(state.definition.demand), state.actors);
        actors += state.actors;
        if (state.pool == &own_ && state.definition.placement.is_in_group()) {
            MUSTER_ASSERT(strays_.contains(static_cast<wire::ClassIndex>(c)));
            add(strays, wire::lendable(state.definition.demand), state.slots - state.blocked);
        }
    }
    for (const auto& [id, bundle] : bundles_) {
        add(charged[&own_], bundle.capacity);
        add(actor_cpus[&own_], wire::lendable(bundle.capacity));
    }
    MUSTER_ASSERT(actors == actors_.size());
    const auto check = [&](const Pool& pool, const Resources& shared) {
        Resources expected = pool.capacity;
        subtract(expected, charged[&pool]);
        MUSTER_ASSERT(expected.cpus == pool.free.cpus && expected.gpus == pool.free.gpus &&
                      expected.memory == pool.free.memory);
        MUSTER_ASSERT(actor_cpus[&pool].cpus == pool.actor_cpus.cpus);
        MUSTER_ASSERT(pool.free.cpus + pool.actor_cpus.cpus + shared.cpus >= Amount{} &&
                      pool.free.gpus >= Amount{} && pool.free.memory >= Amount{});
    };
    check(own_, strays);
    for (const auto& [id, bundle] : bundles_) {
        check(bundle, {});
    }
}

} // namespace muster::worker
