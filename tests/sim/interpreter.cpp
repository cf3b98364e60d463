// The part of Executors that runs programs.

#include "executors.hpp"
#include "failure.hpp"
#include "payload.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <variant>

namespace muster::sim {
namespace {

Resources cpus_of(const Resources& demand) {
    return Resources{.cpus = demand.cpus, .gpus = {}, .memory = {}, .custom = {}};
}

} // namespace

void Executors::run_driver(ProgramPtr program, std::function<void()> done) {
    Context& context = contexts_[++last_context_];
    context.id = last_context_;
    context.program = std::move(program);
    context.done = std::move(done);
    run(context);
}

void Executors::plan(Context& context, Duration delay) {
    const std::uint64_t number = ++context.plan;
    later(delay, [this, id = context.id, number] {
        const auto place = contexts_.find(id);
        if (place != contexts_.end() && place->second.plan == number) {
            run(place->second);
        }
    });
}

void Executors::run(Context& context) {
    while (true) {
        if (context.passing && context.passing->pending > 0) {
            return; // its memory is not its own until both halves are settled
        }
        if (context.task &&
            (ended_ || (context.stop_requested && context.program->stoppable && !context.blocked &&
                        !context.suspended && context.asked == 0))) {
            context.passing.reset();
            end(context, Ending::cancelled);
            return;
        }
        if (ended_ || context.position == context.program->steps.size()) {
            end(context, Ending::value);
            return;
        }
        const Step& step = context.program->steps[context.position];
        switch (std::visit([&](const auto& content) { return perform(context, content); }, step)) {
        case Next::go_on:
            ++context.position;
            break;
        case Next::wait:
            return;
        case Next::fail:
            end(context, Ending::exception);
            return;
        }
    }
}

Executors::Next Executors::perform(Context& context, const Compute& step) {
    ++context.position;
    plan(context, world_.scaled(step.time, self_));
    return Next::wait;
}

Handle* Executors::local(Context& context, Local index) const {
    const std::size_t size = context.table.size();
    if (size == 0) {
        return nullptr;
    }
    const bool counted_from_end = index > latest / 2;
    const std::size_t place = counted_from_end ? size - 1 - (latest - index) % size : index % size;
    Handle& handle = context.table[place];
    return handle ? &handle : nullptr;
}

std::vector<ObjectId> Executors::objects(Context& context, const std::vector<Local>& locals) const {
    std::vector<ObjectId> found;
    for (const Local index : locals) {
        if (const Handle* handle = local(context, index)) {
            found.push_back(handle->object());
        }
    }
    return found;
}

Executors::Launch Executors::launch(Context& context, const NewTask& task) const {
    Launch launch{task.program,
                  objects(context, task.dependencies),
                  objects(context, task.passed),
                  task.argument_bytes,
                  local_actors(context, task.passed_actors)};
    for (const Local index : task.passed_groups) {
        if (const GroupRef* group = local_group(context, index)) {
            launch.passed_actors.push_back(group->group); // held alike
        }
    }
    return launch;
}

Executors::Next Executors::perform(Context& context, const Submit& step) {
    std::vector<Launch> tasks;
    for (const NewTask& task : step.tasks) {
        tasks.push_back(launch(context, task));
    }
    TaskKind kind = step.kind;
    if (step.in) {
        const auto placement = place_in(context, *step.in, kind);
        if (!placement) {
            return Next::go_on;
        }
        kind.placement = *placement;
        world_.statistics.took(Path::gang_in_group, kind.ranks > 0 ? tasks.size() : 0);
    }
    auto handles = submit(kind, context.task ? context.depth + 1 : 0, tasks);
    context.table.insert(context.table.end(), handles.begin(), handles.end());
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const Put& step) {
    context.table.push_back(put(step.bytes,
                                objects(context, step.contained),
                                local_actors(context, step.contained_actors)));
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const Get& step) {
    const Handle* const place = local(context, step.future);
    if (place == nullptr) {
        return Next::go_on;
    }
    const Handle handle = *place; // the table may grow
    const Next next = await(context, handle, step.tolerant);
    if (next == Next::go_on && step.unpack && handle.slot().state == SlotState::value) {
        const Payload value = read_payload(handle.object(), handle.slot().value.bytes());
        borrow_all(context, value.futures);
        borrow_actors(context, value.actors);
    }
    return next;
}

Executors::Next Executors::perform(Context& context, const GetAll& step) {
    for (const Handle& handle : context.table) {
        if (!handle) {
            continue;
        }
        if (const Next next = await(context, handle, step.tolerant); next != Next::go_on) {
            return next;
        }
    }
    return Next::go_on;
}

Executors::Next Executors::await(Context& context, const Handle& handle, bool tolerant) {
    FutureSlot& slot = handle.slot();
    want(handle);
    if (!slot.here()) {
        slot.waiters.push_back(context.id);
        if (context.task && !context.actor && !context.blocked && !context.gang) {
            context.blocked = true;
            unuse(cpus_of(context.demand), context.bundle);
            blocked_most_ = std::max(blocked_most_, ++blocked_count_);
            world_.statistics.took(Path::task_blocked);
            // Half of them as coroutines do, which leave their threads.
            const bool suspended = static_cast<std::uint64_t>(*context.task) % 2 == 0;
            post_(rank::TaskBlocked{*context.task, suspended});
        }
        suspend(context);
        return Next::wait;
    }
    if (context.suspended && !go_on(context)) {
        return Next::wait;
    }
    if (context.blocked) {
        if (!context.resuming) {
            context.resuming = true;
            post_(rank::TaskResuming{*context.task});
        }
        return Next::wait;
    }
    return slot.state == SlotState::failed && !tolerant ? Next::fail : Next::go_on;
}

Executors::Next Executors::perform(Context& context, const Cancel& step) {
    if (const Handle* handle = local(context, step.future)) {
        cancel(handle->object());
    }
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const Release& step) {
    if (Handle* handle = local(context, step.future)) {
        release(*handle);
    }
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const Throw& /*step*/) {
    if (context.task) {
        world_.oracle.threw(*context.task);
    }
    return Next::fail;
}

void Executors::end(Context& context, Ending ending) {
    worker::AttemptFinished report;
    std::vector<ObjectId> contained;
    if (context.gang) {
        leave_gang(context);
    }
    std::vector<ObjectId> actors;
    const bool makes_actor = context.task && world_.oracle.truth(*context.task).makes_actor;
    if (context.task && ending == Ending::value && !makes_actor && context.member == 0) {
        contained = objects(context, context.program->returned);
        actors = local_actors(context, context.program->returned_actors);
        escape(contained);
        for (const ObjectId actor : actors) {
            world_.oracle.actor_pinned(actor);
            post_(rank::ActorEscaped{actor});
        }
        report.value =
            make_payload(*context.task, contained, actors, context.program->result_bytes);
    }
    const bool made_actor = makes_actor && ending == Ending::value;
    if (made_actor) {
        keep_actor(context);
    } else if (makes_actor) {
        world_.statistics.took(Path::constructor_failed);
    }
    for (const ActorRef& ref : context.actors) {
        if (ref.owned && ref.actor != ObjectId{}) {
            release_actor(ref.actor);
        }
    }
    for (GroupRef& ref : context.groups) {
        release_group(ref);
    }
    for (Handle& handle : context.table) {
        release(handle);
    }
    if (!context.task) {
        const auto done = std::move(context.done);
        contexts_.erase(context.id);
        if (done) {
            done();
        }
        return;
    }
    const TaskId task = *context.task;
    const bool is_member = context.gang != nullptr;
    report.task = task;
    report.ok = ending == Ending::value;
    report.busy = world_.queue.now() - context.began;
    if (!report.ok) {
        wire::FailureRecord record;
        record.kind = ending == Ending::cancelled ? wire::FailureRecord::Kind::cancelled
                                                  : wire::FailureRecord::Kind::exception;
        record.standard = wire::StandardType::runtime_error;
        record.message = "as its program says";
        record.task = task;
        record.function = world_.oracle.truth(task).kind.function;
        record.rank = self_;
        record.attempt = context.attempt;
        report.failure.push_back(std::move(record));
    }
    world_.oracle.ended(
        task, self_, report.ok, std::move(contained), std::move(actors), report.value.size());
    const auto actor = context.actor;
    const int calls_left = context.calls_left;
    unuse(context.demand, context.bundle);
    unuse_devices(context.devices, context.demand.gpus);
    if (context.blocked) {
        unuse(
            Resources{
                .cpus = Amount{} - context.demand.cpus, .gpus = {}, .memory = {}, .custom = {}},
            context.bundle);
        --blocked_count_;
    }
    const wire::ClassIndex index = context.task_class;
    running_.erase(task);
    contexts_.erase(context.id);
    if (!is_member) {
        hand_in(index, std::move(report), actor, calls_left, made_actor);
        return;
    }
    // A thread may lose its core between leaving its gang and telling of its end.
    ++leaving_;
    later(wake_delay(), [this, index, report = std::move(report)]() mutable {
        --leaving_;
        hand_in(index, std::move(report), std::nullopt, 0, false);
    });
}

void Executors::hand_in(wire::ClassIndex index,
                        worker::AttemptFinished report,
                        std::optional<ObjectId> actor,
                        int calls_left,
                        bool made_actor) {
    if (actor) {
        actors_.at(*actor).ran.insert(report.task);
        auto saved = save(*actor);
        mailboxes_.ended(*actor);
        post_(rank::CallFinished{std::move(report), std::move(saved)});
    } else {
        post_(std::move(report));
    }
    if (ended_) {
        stopped_if_empty();
    }
    if (actor) {
        later(wake_delay(), [this, one = *actor, calls_left] { run_calls(one, calls_left); });
    } else if (!made_actor) {
        later(wake_delay(), [this, index] { take_task(index, false); });
    }
}

} // namespace muster::sim
