#include "executors.hpp"

#include "failure.hpp"
#include "payload.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

namespace muster::sim {
namespace {

Resources cpus_of(const Resources& demand) {
    return Resources{.cpus = demand.cpus, .gpus = {}, .memory = {}, .custom = {}};
}

Path how_late(const wire::FailureRecord& failure) {
    const auto says = [&](const char* text) { return failure.message.rfind(text, 0) == 0; };
    return says("not run:")             ? Path::attempt_refused
           : says("it had not started") ? Path::late_before_start
           : says("it was not done")    ? Path::late_while_running
                                        : Path::attempt_timed_out;
}

} // namespace

Duration Executors::wake_delay() {
    return world_.scaled(Duration{world_.random.between(200, 20'000)}, self_);
}

void Executors::check_use(const Usage& usage,
                          const Resources& capacity,
                          const std::string& who) const {
    // A task that resumes may share the CPUs of actors; nothing else is shared.
    Resources kept = usage.held;
    kept.cpus = {};
    add(kept, usage.used);
    require(fits(kept, capacity),
            fmt::format("{} runs tasks and actors that use {}, and has {}",
                        who,
                        to_string(kept),
                        to_string(capacity)));
}

void Executors::use(const Resources& what, const std::optional<wire::BundleId>& bundle) {
    // Whoever resumes may share the CPUs of bundles, too.
    Usage all{used_, held_};
    add(used_, what);
    add(all.used, what);
    all.used.cpus = {};
    check_use(all, capacity_, to_string(self_));
    Usage& usage = in_bundles_[bundle.value_or(wire::BundleId{})];
    add(usage.used, what);
    if (!bundle) {
        check_use(usage, capacity_, to_string(self_));
    }
}

void Executors::check_bundles(const std::function<bool(const wire::BundleId&)>& lies_here) const {
    for (const auto& [id, usage] : in_bundles_) {
        if (lies_here(id)) {
            check_use(
                usage,
                world_.oracle.group(id.group).made.bundles.at(static_cast<std::size_t>(id.bundle)),
                fmt::format("bundle {} of {}", id.bundle, to_string(id.group)));
        }
    }
}

void Executors::unuse(const Resources& what, const std::optional<wire::BundleId>& bundle) {
    subtract(used_, what);
    subtract(in_bundles_[bundle.value_or(wire::BundleId{})].used, what);
}

void Executors::use_devices(const wire::DeviceList& devices, Amount gpus) {
    require(devices.size() == wire::device_count(gpus),
            fmt::format("{}: what demands {} gpus was given {} of them",
                        to_string(self_),
                        to_string(gpus),
                        devices.size()));
    for (const wire::DeviceIndex device : devices) {
        Amount& used = devices_used_[device];
        used += wire::device_share(gpus);
        require(Amount{device} < capacity_.gpus && used <= Amount{1},
                fmt::format(
                    "{}: {} of its gpu {} is in use", to_string(self_), to_string(used), device));
        world_.statistics.took(Path::device_shared, used > wire::device_share(gpus) ? 1 : 0);
    }
}

void Executors::unuse_devices(const wire::DeviceList& devices, Amount gpus) {
    for (const wire::DeviceIndex device : devices) {
        devices_used_[device] -= wire::device_share(gpus);
    }
}

void Executors::later(Duration delay, std::function<void()> step) {
    ++world_.steps_pending;
    world_.queue.after(delay, [this, step = std::move(step)]() mutable {
        --world_.steps_pending;
        if (crashed_) {
            return;
        }
        const Duration frozen = world_.fate.frozen_until(self_) - world_.queue.now();
        if (frozen > Duration{}) {
            later(frozen + wake_delay(), std::move(step));
            return;
        }
        world_.stirred();
        step();
    });
}

void Executors::crash() {
    crashed_ = true;
    contexts_.clear();
    running_.clear();
    wanted_.clear();
    asking_.clear();
    actors_.clear();
    world_.oracle.crashed(self_);
}

// Slots and tasks.

void Executors::enqueue(wire::EnqueueTask order, const wire::TaskClass& task_class) {
    classes_[order.task_class] = {task_class.placement, task_class.demand};
    queue_.push(order.task_class, std::move(order.task));
}

void Executors::grant_slot(wire::ClassIndex index) {
    require(classes_.contains(index), "a slot was granted for a class without tasks");
    later(wake_delay(), [this, index] { take_task(index, true); });
}

void Executors::take_task(wire::ClassIndex index, bool first) {
    std::optional<wire::ReadyTask> task;
    if (!ended_) {
        task = queue_.take(index);
    }
    if (task) {
        start(index, std::move(*task));
        return;
    }
    if (first && !ended_) {
        world_.statistics.took(Path::slot_bounced);
    }
    post_(rank::SlotReturned{index});
}

void Executors::start(wire::ClassIndex index, wire::ReadyTask ready) {
    const auto& truth = world_.oracle.truth(ready.id);
    Context& context = contexts_[++last_context_];
    context.id = last_context_;
    context.task_class = index;
    const auto& [placement, demand] = classes_.at(index);
    const auto& others = truth.kind.or_else;
    const bool other = std::find(others.begin(), others.end(), demand) != others.end();
    require(demand == truth.kind.demand || other, "a task came with another demand");
    world_.statistics.took(Path::other_demand, other ? 1 : 0);
    context.demand = demand;
    if (placement.is_in_group()) {
        const Placement& wanted = truth.kind.placement;
        require(wanted.group == placement.group &&
                    (wanted.target == placement.target || wanted.target == -1),
                "a task came to another bundle");
        context.bundle = wire::BundleId{placement.group, placement.target};
    }
    use(context.demand, context.bundle);
    context.devices = ready.devices;
    use_devices(context.devices, context.demand.gpus);
    start_context(context, std::move(ready));
}

void Executors::start_context(Context& context, wire::ReadyTask ready) {
    const auto& truth = world_.oracle.truth(ready.id);
    if (!truth.attempts.empty()) {
        world_.statistics.took(truth.actor                         ? Path::call_replayed
                               : truth.makes_actor && truth.made() ? Path::actor_restarted
                               : truth.attempts.back().ended       ? Path::object_recomputed
                               : truth.gang                        ? Path::gang_retried
                                                                   : Path::attempt_retried);
    }
    if (context.actor) {
        world_.statistics.took(Path::call_beside,
                               world_.oracle.under_way(*context.actor, self_) > 0 ? 1 : 0);
        world_.statistics.took(Path::urgent_overtook,
                               world_.oracle.overtakes(ready.id, self_) ? 1 : 0);
    }
    world_.oracle.started(ready.id, self_, ready.gang.get());
    ++world_.statistics.attempts;
    require(ready.function == truth.kind.function, "a task came with another function");
    require(ready.attempt >= 1, "an attempt has no number");

    context.program = truth.program;
    context.task = ready.id;
    context.depth = truth.depth;
    context.attempt = ready.attempt;
    context.began = world_.queue.now();
    context.making = std::move(ready.making);
    if (context.actor) {
        world_.oracle.runs_on_state(ready.id, actors_.at(*context.actor).ran);
    }
    running_.emplace(ready.id, context.id);
    started_.push_back(ready.id);
    if (ready.timeout > Duration{}) {
        later(ready.timeout, [this, task = ready.id, id = context.id, timeout = ready.timeout] {
            const auto place = running_.find(task);
            if (place != running_.end() && place->second == id) {
                world_.oracle.timed_out(task, self_);
                post_(rank::TaskTimedOut{task, timeout});
            }
        });
    }

    if (ready.gang) {
        require(truth.gang &&
                    advance(*truth.gang, static_cast<std::uint64_t>(ready.member)) == ready.id,
                "a member came with another number");
        join_gang(context, std::move(ready.gang), ready.member);
    }
    const Payload arguments = read_payload(truth.gang.value_or(ready.id), ready.arguments.bytes());
    require(arguments.futures == truth.passed, "a task's arguments came with other futures");
    require(arguments.actors == truth.passed_actors, "a task's arguments came with other actors");
    borrow_all(context, arguments.futures);
    borrow_actors(context, arguments.actors);
    require(ready.dependencies.size() == truth.dependencies.size(),
            "a task came with another number of dependencies");
    for (std::size_t i = 0; i < ready.dependencies.size(); ++i) {
        const Payload value =
            world_.oracle.value_came(truth.dependencies[i], ready.dependencies[i]);
        if (context.program->unpacks) {
            borrow_all(context, value.futures);
            borrow_actors(context, value.actors);
        }
    }
    run(context);
}

void Executors::take_back(const wire::TakeBackTasks& order) {
    post_(rank::TasksTakenBack{queue_.take_back(order.task_class, order.count), true});
}

void Executors::stop(const wire::StopTask& order) {
    if (queue_.remove(order.task_class, order.task)) {
        world_.statistics.took(world_.oracle.truth(order.task).gang ? Path::member_stopped_unstarted
                                                                    : Path::stop_before_start);
        post_(rank::TasksTakenBack{{order.task}, false});
    } else if (const auto place = running_.find(order.task); place != running_.end()) {
        world_.statistics.took(Path::stop_while_running);
        contexts_.at(place->second).stop_requested = true;
    }
}

void Executors::resume(TaskId task) {
    Context& context = contexts_.at(running_.at(task));
    require(context.blocked && context.resuming, "a task was resumed that does not wait for it");
    context.blocked = false;
    context.resuming = false;
    --blocked_count_;
    use(cpus_of(context.demand), context.bundle);
    plan(context, wake_delay());
}

void Executors::fall_silent() {
    ended_ = true;
    for (auto& [id, context] : contexts_) {
        if (context.task) {
            context.stop_requested = true;
        }
        if (context.blocked || context.actor || context.asked != 0 || !context.task) {
            plan(context, wake_delay());
        }
    }
    stopped_if_empty();
}

void Executors::stopped_if_empty() {
    if (ended_ && running_.empty() && leaving_ == 0 && !stop_reported_) {
        stop_reported_ = true;
        post_(rank::ExecutorsStopped{});
    }
}

// Futures.

Handle Executors::adopt(std::shared_ptr<FutureBlock> block, std::size_t index) {
    ++block->slots[index].handles;
    return {std::move(block), index};
}

void Executors::release(Handle& handle) {
    if (!handle) {
        return;
    }
    FutureSlot& slot = handle.slot();
    MUSTER_ASSERT(slot.handles > 0);
    if (--slot.handles == 0) {
        post_(rank::FutureReleased{handle.object()});
    }
    handle.block.reset();
}

Handle Executors::borrow(ObjectId object) {
    auto block = std::make_shared<FutureBlock>();
    block->first = object;
    block->slots.resize(1);
    world_.statistics.took(owner_of(object) == self_ ? Path::future_came_home
                                                     : Path::future_borrowed);
    post_(rank::FutureBorrowed{object, block});
    return adopt(std::move(block), 0);
}

void Executors::borrow_all(Context& context, std::span<const ObjectId> objects) {
    for (const ObjectId object : objects) {
        context.table.push_back(borrow(object));
    }
}

void Executors::escape(std::span<const ObjectId> objects) {
    for (const ObjectId object : objects) {
        for (const auto& attempt : world_.oracle.truth(object).attempts) {
            for (const ObjectId actor : attempt.contained_actors) {
                world_.oracle.actor_pinned(actor); // with the object
            }
        }
        post_(rank::FutureEscaped{object});
    }
}

void Executors::want(const Handle& handle) {
    FutureSlot& slot = handle.slot();
    if (slot.state == SlotState::kept_elsewhere && !slot.wanted) {
        slot.wanted = true;
        wanted_.emplace(handle.object(), handle);
        post_(rank::FutureWanted{handle.object()});
    }
}

void Executors::wake_waiters(FutureSlot& slot) {
    for (const ContextId id : std::exchange(slot.waiters, {})) {
        if (const auto place = contexts_.find(id); place != contexts_.end()) {
            plan(place->second, wake_delay());
        }
    }
}

void Executors::resolve(const wire::ResolveFuture& order) {
    const auto block = std::static_pointer_cast<FutureBlock>(order.futures);
    require(block != nullptr && order.index < block->slots.size() &&
                advance(block->first, order.index * block->stride) == order.object,
            "an outcome came for another future");
    FutureSlot& slot = block->slots[order.index];
    require(slot.state == SlotState::pending,
            "the future of " + to_string(order.object) + " was resolved twice");
    world_.oracle.resolved(order.object, self_, order.outcome);
    if (order.outcome.kind == wire::Outcome::Kind::failed) {
        slot.state = SlotState::failed;
        slot.failure = order.outcome.failure;
        using Kind = wire::FailureRecord::Kind;
        const Kind kind = slot.failure.front().kind;
        const std::string& why = slot.failure.front().message;
        world_.statistics.took(Path::cancelled_with_group,
                               why.find("group was removed") != std::string::npos ? 1 : 0);
        world_.statistics.took(Path::call_killed, why == "not run: the actor was killed" ? 1 : 0);
        world_.statistics.took(kind == Kind::dependency    ? Path::failed_by_dependency
                               : kind == Kind::cancelled   ? Path::cancelled_before_start
                               : kind == Kind::object_lost ? Path::object_lost
                               : kind == Kind::system      ? Path::failed_by_system
                               : kind == Kind::restarted   ? Path::call_interrupted
                               : kind == Kind::timed_out   ? how_late(slot.failure.front())
                                                           : Path::failed_by_exception);
    } else if (order.outcome.kept) {
        slot.state = SlotState::kept_elsewhere;
    } else {
        slot.state = SlotState::value;
        slot.value = order.outcome.value;
    }
    wake_waiters(slot);
}

void Executors::deliver(const wire::DeliverValue& order) {
    const auto [begin, end] = wanted_.equal_range(order.object);
    for (auto place = begin; place != end; ++place) {
        FutureSlot& slot = place->second.slot();
        if (order.outcome.kind == wire::Outcome::Kind::failed) {
            world_.oracle.value_lost(order.object);
            world_.statistics.took(Path::value_lost);
            slot.state = SlotState::failed;
            slot.failure = order.outcome.failure;
        } else {
            world_.oracle.value_came(order.object, order.outcome.value);
            world_.statistics.took(Path::value_delivered);
            slot.state = SlotState::value;
            slot.value = order.outcome.value;
        }
        wake_waiters(slot);
    }
    wanted_.erase(begin, end);
}

std::vector<Handle>
Executors::submit(const TaskKind& kind, std::uint32_t depth, const std::vector<Launch>& tasks) {
    auto block = std::make_shared<FutureBlock>();
    block->first = make_object_id(self_, last_sequence_ + 1);
    block->slots.resize(tasks.size());
    block->stride = kind.stride();
    last_sequence_ += tasks.size() * kind.stride();
    owner::Submission submission;
    submission.first = block->first;
    submission.task_class = {
        kind.function, kind.demand, kind.priority, depth, kind.placement, kind.ranks, false};
    if (!kind.or_else.empty() && kind.ranks == 0 && !kind.placement.is_in_group()) {
        submission.task_class.alternatives = kind.or_else;
        submission.task_class.alternatives.insert(submission.task_class.alternatives.begin(),
                                                  kind.demand);
        submission.task_class.undecided = true;
    }
    submission.futures = block;
    submission.retry = retry_policy(kind);
    submission.timeout = kind.timeout;
    submission.deadline = kind.deadline;
    std::vector<Handle> handles;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        const Launch& task = tasks[i];
        const TaskId id = advance(block->first, i * kind.stride());
        escape(task.passed);
        for (const ObjectId actor : task.passed_actors) {
            submission.actors.emplace_back(i, actor);
        }
        Oracle::Truth truth;
        truth.kind = kind;
        truth.depth = depth;
        truth.program = task.program;
        truth.dependencies = task.dependencies;
        truth.passed = task.passed;
        truth.passed_actors = task.passed_actors;
        truth.owner = self_;
        world_.oracle.submitted(id, std::move(truth));
        submission.tasks.push_back(
            {make_payload(id, task.passed, task.passed_actors, task.argument_bytes),
             task.dependencies});
        handles.push_back(adopt(block, i));
    }
    world_.statistics.tasks += tasks.size();
    post_(rank::TasksSubmitted{std::move(submission)});
    return handles;
}

owner::RetryPolicy Executors::retry_policy(const TaskKind& kind) const {
    return {kind.retries, kind.retry_exceptions, world_.options.retry_delay, kind.restarts};
}

Handle Executors::put(std::size_t bytes,
                      std::span<const ObjectId> contained,
                      std::span<const ObjectId> actors) {
    auto block = std::make_shared<FutureBlock>();
    block->first = make_object_id(self_, ++last_sequence_);
    block->slots.resize(1);
    escape(contained);
    Buffer value = make_payload(block->first, contained, actors, bytes);
    world_.oracle.stored(block->first,
                         self_,
                         {contained.begin(), contained.end()},
                         {actors.begin(), actors.end()},
                         value.size());
    post_(rank::ValuePut{block->first, std::move(value), block, {actors.begin(), actors.end()}});
    return adopt(std::move(block), 0);
}

void Executors::cancel(ObjectId object) {
    if (world_.random.chance(0.2)) {
        post_(rank::ExplainWanted{0, object});
    }
    world_.oracle.cancel_requested(object);
    if (owner_of(object) != self_) {
        world_.statistics.took(Path::cancel_elsewhere);
    }
    post_(rank::CancelRequested{object});
}

void Executors::free(ObjectId object) {
    post_(rank::ValueFreed{object});
}

std::string Executors::describe() const {
    std::string text;
    for (const auto& [id, context] : contexts_) {
        text += fmt::format("    {} at step {} of {}{}{}\n",
                            context.task ? to_string(*context.task) : "the driver",
                            context.position,
                            context.program ? context.program->steps.size() : 0,
                            context.blocked ? ", blocked" : "",
                            context.resuming ? ", waits for its CPUs" : "");
    }
    for (const auto& [object, handle] : wanted_) {
        text += fmt::format("    the bytes of {} are awaited\n", to_string(object));
    }
    return text;
}

} // namespace muster::sim
