// The part of Executors that knows of actors.

#include "executors.hpp"
#include "failure.hpp"
#include "payload.hpp"

#include <muster/base/assert.hpp>
#include <muster/core/serialize.hpp>

namespace muster::sim {

// Handles.

void Executors::borrow_actors(Context& context, std::span<const ObjectId> actors) {
    for (const ObjectId actor : actors) {
        if (world_.oracle.is_group(actor)) {
            world_.oracle.actor_held(actor, self_, 1);
            world_.statistics.took(Path::group_passed);
            post_(rank::ActorBorrowed{actor});
            context.groups.push_back({actor, {}});
            continue;
        }
        world_.statistics.took(owner_of(actor) == self_ ? Path::actor_came_home
                                                        : Path::actor_borrowed);
        world_.oracle.actor_held(actor, self_, 1);
        post_(rank::ActorBorrowed{actor});
        context.actors.push_back({actor, true});
    }
}

void Executors::release_actor(ObjectId actor) {
    world_.oracle.actor_held(actor, self_, -1);
    post_(rank::ActorReleased{actor});
}

Executors::ActorRef* Executors::local_actor(Context& context, Local index) const {
    const std::size_t size = context.actors.size();
    if (size == 0) {
        return nullptr;
    }
    const bool counted_from_end = index > latest / 2;
    const std::size_t place = counted_from_end ? size - 1 - (latest - index) % size : index % size;
    ActorRef& found = context.actors[place];
    return found.actor == ObjectId{} ? nullptr : &found;
}

std::vector<ObjectId> Executors::local_actors(Context& context,
                                              const std::vector<Local>& locals) const {
    std::vector<ObjectId> found;
    for (const Local index : locals) {
        if (const ActorRef* actor = local_actor(context, index)) {
            found.push_back(actor->actor);
        }
    }
    return found;
}

// What a program does.

ObjectId Executors::spawn(const TaskKind& kind, std::uint32_t depth, const Launch& constructor) {
    const ObjectId actor = make_object_id(self_, ++last_sequence_);
    submit_actor(actor, kind, depth, constructor);
    return actor;
}

void Executors::submit_actor(ObjectId actor,
                             const TaskKind& kind,
                             std::uint32_t depth,
                             const Launch& constructor) {
    owner::Submission submission = submission_of(actor, kind, depth, constructor);
    submission.task_class.actor = true;
    submission.making.save_every = kind.save_every;
    submission.making.concurrency = kind.concurrency;
    submission.making.threads = kind.threads;
    submission.for_job = kind.for_job;
    world_.oracle.makes_actor(actor);
    world_.oracle.actor_held(actor, self_, 1);
    ++world_.statistics.actors;
    post_(rank::TasksSubmitted{std::move(submission)});
}

Handle Executors::call(ObjectId actor,
                       ObjectId context,
                       FunctionId function,
                       std::uint32_t depth,
                       const Launch& method,
                       bool urgent) {
    auto block = std::make_shared<FutureBlock>();
    block->first = make_object_id(self_, ++last_sequence_);
    block->slots.resize(1);
    owner::Submission submission =
        submission_of(block->first, {function, {}, 0, {}}, depth, method);
    submission.futures = block;
    const bool replays = world_.oracle.truth(actor).kind.replays;
    urgent = urgent && !replays; // as users are told
    submission.call = owner::CallTarget{actor, context, replays, urgent};
    if (replays && (!method.passed_actors.empty() || !method.dependencies.empty())) {
        // Kept until it is covered, which may never be: with what it holds, itself among it.
        for (const ObjectId held : method.passed_actors) {
            world_.oracle.actor_pinned(held);
        }
        world_.oracle.actor_pinned(actor);
    }
    world_.oracle.is_call(block->first, actor, context, urgent);
    ++world_.statistics.calls;
    post_(rank::TasksSubmitted{std::move(submission)});
    return adopt(std::move(block), 0);
}

owner::Submission
Executors::submission_of(TaskId id, const TaskKind& kind, std::uint32_t depth, const Launch& task) {
    escape(task.passed);
    Oracle::Truth truth;
    truth.kind = kind;
    truth.depth = depth;
    truth.program = task.program;
    truth.dependencies = task.dependencies;
    truth.passed = task.passed;
    truth.passed_actors = task.passed_actors;
    truth.owner = self_;
    world_.oracle.submitted(id, std::move(truth));
    owner::Submission submission;
    submission.first = id;
    submission.retry = retry_policy(kind);
    submission.task_class = {kind.function, kind.demand, kind.priority, depth, kind.placement};
    for (const ObjectId actor : task.passed_actors) {
        submission.actors.emplace_back(0, actor);
    }
    submission.tasks.push_back(
        {make_payload(id, task.passed, task.passed_actors, task.argument_bytes),
         task.dependencies});
    return submission;
}

Executors::Next Executors::perform(Context& context, const Spawn& step) {
    const std::uint32_t depth = context.task ? context.depth + 1 : 0;
    if (step.name.empty()) {
        TaskKind kind = step.kind;
        if (step.in) {
            const auto placement = place_in(context, *step.in, kind);
            if (!placement) {
                return Next::go_on;
            }
            kind.placement = *placement;
        }
        const ObjectId actor = spawn(kind, depth, launch(context, step.constructor));
        context.actors.push_back({actor, true});
        return Next::go_on;
    }
    if (context.asked == 0) {
        context.claimed = make_object_id(self_, ++last_sequence_);
        const std::uint64_t request = ++last_request_;
        ask(context, request, rank::NameClaimed{request, step.name, {context.claimed, "", 1}});
    }
    if (!context.answer) {
        return Next::wait;
    }
    const auto answer = *std::exchange(context.answer, std::nullopt);
    context.asked = 0;
    if (answer.actor->actor != context.claimed) {
        world_.statistics.took(Path::name_taken);
        return Next::go_on;
    }
    submit_actor(context.claimed, step.kind, depth, launch(context, step.constructor));
    context.actors.push_back({context.claimed, true});
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const FindActor& step) {
    if (context.asked == 0) {
        const std::uint64_t request = ++last_request_;
        ask(context, request, rank::ActorWanted{request, step.name});
    }
    if (!context.answer) {
        return Next::wait;
    }
    const auto answer = *std::exchange(context.answer, std::nullopt);
    context.asked = 0;
    if (!answer.actor) {
        world_.statistics.took(Path::actor_not_found);
        return Next::go_on;
    }
    world_.statistics.took(Path::actor_found);
    context.actors.push_back({answer.actor->actor, true});
    return Next::go_on;
}

void Executors::ask(Context& context, std::uint64_t request, rank::Event question) {
    context.asked = request;
    asking_.emplace(request, context.id);
    post_(std::move(question));
}

void Executors::answer(const wire::AnswerName& order) {
    const auto entry = asking_.extract(order.request);
    require(!entry.empty(), "a question about a name was answered twice");
    const auto place = contexts_.find(entry.mapped());
    if (place == contexts_.end()) {
        return; // the run is ending
    }
    Context& context = place->second;
    if (order.actor &&
        std::holds_alternative<FindActor>(context.program->steps[context.position])) {
        world_.oracle.actor_held(order.actor->actor, self_, 1);
    }
    context.answer = order;
    plan(context, wake_delay());
}

Executors::Next Executors::perform(Context& context, const Call& step) {
    if (const ActorRef* actor = local_actor(context, step.actor)) {
        if (!world_.oracle.known(actor->actor) && !world_.fate.gone(owner_of(actor->actor))) {
            plan(context, wake_delay()); // found by its name, which was claimed just now
            return Next::wait;
        }
        if (!world_.oracle.known(actor->actor)) {
            return Next::go_on;
        }
        const ObjectId caller = context.actor ? *context.actor : context.task.value_or(ObjectId{});
        context.table.push_back(call(actor->actor,
                                     caller,
                                     step.function,
                                     context.task ? context.depth + 1 : 0,
                                     launch(context, step.method),
                                     step.urgent));
    }
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const ReleaseActor& step) {
    ActorRef* const actor = local_actor(context, step.actor);
    if (actor != nullptr && actor->owned) {
        release_actor(std::exchange(actor->actor, ObjectId{}));
    }
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const CancelActor& step) {
    const ActorRef* const actor = local_actor(context, step.actor);
    if (actor != nullptr && world_.oracle.known(actor->actor)) {
        cancel(actor->actor);
    }
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const KillActor& step) {
    const ActorRef* const actor = local_actor(context, step.actor);
    if (actor != nullptr) {
        world_.oracle.actor_killed(actor->actor);
        post_(rank::ActorKilled{actor->actor});
    }
    return Next::go_on;
}

// Actors that live here.

void Executors::keep_actor(Context& context) {
    ActorState& state = actors_[*context.task];
    state.actors = std::exchange(context.actors, {});
    std::erase_if(state.actors, [](const ActorRef& ref) { return ref.actor == ObjectId{}; });
    state.demand = context.demand;
    state.devices = std::exchange(context.devices, {});
    state.bundle = context.bundle;
    world_.statistics.took(Path::actor_for_job,
                           world_.oracle.truth(*context.task).kind.for_job ? 1 : 0);
    add(held_, context.demand);
    require(fits(held_, capacity_), "actors were given more than their rank has");
    add(in_bundles_[context.bundle.value_or(wire::BundleId{})].held, context.demand);
    world_.statistics.took(Path::actor_in_group, context.bundle ? 1 : 0);
    const wire::ActorMaking making = context.making ? *context.making : wire::ActorMaking{};
    mailboxes_.open(
        *context.task, {}, nullptr, {making.concurrency, making.threads}, making.save_every);
    if (context.making && context.making->saved) {
        const auto ran = from_buffer<std::vector<TaskId>>(context.making->saved->bytes());
        state.ran = {ran.begin(), ran.end()};
        world_.statistics.took(Path::state_loaded);
    }
}

std::optional<Buffer> Executors::save(ObjectId actor) {
    if (!mailboxes_.save_due(actor) || world_.random.chance(0.1)) {
        return std::nullopt;
    }
    mailboxes_.saved(actor);
    const auto& ran = actors_.at(actor).ran;
    return to_buffer(std::vector<TaskId>(ran.begin(), ran.end()));
}

void Executors::enqueue_call(wire::EnqueueCall order) {
    world_.oracle.call_queued(order.call.id, self_);
    if (mailboxes_.push(std::move(order))) {
        plan_actor();
    }
}

void Executors::stop(const wire::StopCall& order) {
    if (mailboxes_.remove(order.actor, order.call)) {
        world_.statistics.took(Path::call_removed);
        world_.oracle.call_removed(order.call, self_);
        post_(rank::CallRemoved{order.call});
    } else if (const auto place = running_.find(order.call); place != running_.end()) {
        world_.statistics.took(Path::stop_while_running);
        Context& context = contexts_.at(place->second);
        context.stop_requested = true;
        if (context.suspended && go_on(context)) {
            plan(context, wake_delay()); // its co_await throws
        }
    }
}

void Executors::destroy(const wire::DestroyActor& order) {
    if (mailboxes_.close(order.actor)) {
        plan_actor();
    }
}

void Executors::plan_actor() {
    later(wake_delay(), [this] { take_actor(); });
}

void Executors::take_actor() {
    if (ended_) {
        return;
    }
    if (const auto actor = mailboxes_.take()) {
        run_calls(*actor, static_cast<int>(world_.random.between(1, 8)));
    }
}

void Executors::give_back_turn(ObjectId actor) {
    const std::size_t waiting = mailboxes_.waiting();
    if (const auto call = mailboxes_.give_back(actor)) {
        Context& context = contexts_.at(running_.at(*call));
        context.suspended = false;
        context.resuming = false;
        world_.oracle.call_resumed(*call, self_);
        plan(context, wake_delay());
    } else if (mailboxes_.waiting() > waiting) {
        world_.statistics.took(Path::actor_put_back);
        plan_actor();
    }
}

void Executors::suspend(Context& context) {
    const bool is_coroutine = context.actor && static_cast<std::uint64_t>(*context.task) % 3 > 0;
    if (is_coroutine && !context.suspended) {
        world_.statistics.took(Path::call_suspended);
        context.suspended = true;
        world_.oracle.call_suspended(*context.task, self_);
        give_back_turn(*context.actor);
    }
}

bool Executors::go_on(Context& context) {
    if (context.resuming) {
        return false; // it is in line
    }
    context.resuming = !mailboxes_.resume(*context.actor, *context.task);
    if (context.resuming) {
        world_.statistics.took(Path::turn_awaited);
        return false;
    }
    context.suspended = false;
    world_.oracle.call_resumed(*context.task, self_);
    return true;
}

void Executors::run_calls(ObjectId actor, int left) {
    if (ended_) {
        return;
    }
    if (left > 0) {
        if (auto call = mailboxes_.next(actor)) {
            Context& context = contexts_[++last_context_];
            context.id = last_context_;
            context.actor = actor;
            context.calls_left = left - 1;
            for (const ActorRef& held : actors_.at(actor).actors) {
                context.actors.push_back({held.actor, false});
            }
            if (mailboxes_.in_line(actor)) {
                plan_actor();
            }
            start_context(context, std::move(call->task));
            return;
        }
    }
    if (!mailboxes_.to_be_destroyed(actor)) {
        give_back_turn(actor);
        return;
    }
    world_.oracle.actor_destroyed(actor, self_);
    (void)mailboxes_.destroy(actor);
    const ActorState state = std::move(actors_.at(actor));
    actors_.erase(actor);
    for (const ActorRef& held : state.actors) {
        release_actor(held.actor);
    }
    unuse_devices(state.devices, state.demand.gpus);
    subtract(held_, state.demand);
    subtract(in_bundles_[state.bundle.value_or(wire::BundleId{})].held, state.demand);
    post_(rank::ActorDestroyed{actor});
}

} // namespace muster::sim
