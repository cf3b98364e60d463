// The part of RankClient that knows of actors.

#include "runtime/rank_client.hpp"

#include <muster/core/detail/actor_block.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace muster::runtime {
namespace {

// As the calls of an actor whose constructor failed say it.
std::string describe(const std::string& name, const char* class_name) {
    return name.empty() ? fmt::format("actor ({})", class_name)
                        : fmt::format("actor {} ({})", name, class_name);
}

// More would be threads that do nothing but wait.
constexpr std::uint32_t threads_max = 1024;

actor::Concurrency concurrency_of(const detail::ActorType& type,
                                  const ActorOptions& options,
                                  const std::string& what) {
    const auto refuse = [&](const std::string& why) {
        throw Error(what + ": " + why, ErrorCode::usage);
    };
    const std::uint32_t calls = options.max_concurrency;
    const std::uint32_t threads = options.threads == 0 ? calls : options.threads;
    if (calls == 0) {
        refuse("max_concurrency is 0, so none of its calls could ever start");
    }
    if (threads > calls) {
        refuse(fmt::format(".threads is {}, more than the calls that run at once ("
                           ".max_concurrency, {})",
                           threads,
                           calls));
    }
    if (threads > threads_max) {
        refuse(fmt::format("{} calls at once would have a thread each, and at most {} may: make "
                           "them coroutines, and set .threads to how many may run at once",
                           calls,
                           threads_max));
    }
    if (calls > 1 && options.isolate) {
        refuse(".max_concurrency is for actors that live in their rank: the process of an isolated "
               "one runs a call at a time");
    }
    if (calls > 1 && type.saves && options.max_restarts > 0 && options.save_every > 0) {
        refuse("it is saved behind a call, when no other is under way: set .max_concurrency to 1, "
               "or .save_every to 0, and it is restarted as its constructor makes it");
    }
    return {calls, threads};
}

void check_replay(const detail::ActorType& type,
                  const ActorOptions& options,
                  const std::string& what) {
    if (!options.replay) {
        return;
    }
    if (!type.saves) {
        throw Error(fmt::format("{}: .replay needs a class that can be saved: give {} `S save() "
                                "const` and `void load(S)`, with a type S that travels",
                                what,
                                type.class_name),
                    ErrorCode::usage);
    }
    if (options.save_every == 0 || options.max_restarts == 0) {
        throw Error(fmt::format("{}: .replay is for actors that are saved and restarted: set "
                                ".save_every and .max_restarts to at least 1",
                                what),
                    ErrorCode::usage);
    }
}

} // namespace

std::shared_ptr<detail::ActorBlock> RankClient::spawn(const detail::ActorType& type,
                                                      const ActorOptions& options,
                                                      detail::EncodedTasks arguments) {
    if (ended()) {
        throw_ended();
    }
    const std::string what = describe(options.name, type.class_name);
    owner::Submission submission;
    submission.task_class = classify(type.constructor,
                                     {.cpus = options.cpus,
                                      .gpus = options.gpus,
                                      .memory = options.memory,
                                      .resources = options.resources,
                                      .priority = options.priority,
                                      .placement = options.placement,
                                      .isolate = options.isolate},
                                     what);
    submission.task_class.actor = true;
    if (options.pending_calls_max == 0) {
        throw Error(what + ": pending_calls_max is 0, so it could never be called",
                    ErrorCode::usage);
    }
    check_replay(type, options, what);
    const actor::Concurrency concurrency = concurrency_of(type, options, what);
    submission.making.concurrency = concurrency.calls;
    submission.making.threads = concurrency.threads;
    submission.for_job = options.lifetime == Lifetime::job;
    submission.name = what;
    if (type.saves && options.max_restarts > 0) {
        submission.making.save_every = options.save_every;
        submission.making.replays = options.replay;
    }
    submission.retry = {.retries = options.max_restarts, .restarts = options.max_restarts};
    submission.first = next_id(1);
    if (!options.name.empty()) {
        claim_name(options.name,
                   {submission.first, type.class_name, options.pending_calls_max, options.replay},
                   what);
    }
    submission.tasks = std::move(arguments.tasks);
    submission.actors = std::move(arguments.actors);
    const ObjectId actor = submission.first;
    note_submitted(submission);
    if (!post_and_drive(rank::Event{rank::TasksSubmitted{std::move(submission)}})) {
        throw_ended();
    }
    return std::make_shared<detail::ActorBlock>(
        shared_from_this(), actor, options.pending_calls_max, options.replay);
}

void RankClient::claim_name(const std::string& name,
                            const wire::NamedActor& actor,
                            const std::string& what) {
    const std::uint64_t request = names_.next_request();
    const auto answer = ask_name(request, rank::NameClaimed{request, name, actor});
    if (answer.actor && answer.actor->actor != actor.actor) {
        throw Error(fmt::format("{} cannot be spawned: the name is taken by an actor of class {} "
                                "({}, spawned by {}); find_actor() finds it, and its name is free "
                                "once its last handle is gone, or it is killed",
                                what,
                                answer.actor->class_name,
                                to_string(answer.actor->actor),
                                to_string(owner_of(answer.actor->actor))),
                    ErrorCode::usage);
    }
}

wire::AnswerName RankClient::ask_name(std::uint64_t request, rank::Event question) {
    const Blocked blocked(*this);
    post(std::move(question));
    auto answer = names_.wait(request);
    if (!answer) {
        throw_ended();
    }
    return std::move(*answer);
}

std::shared_ptr<detail::ActorBlock> RankClient::find_actor(const std::string& name,
                                                           const char* class_name) {
    if (ended()) {
        throw_ended();
    }
    const std::uint64_t request = names_.next_request();
    const auto answer = ask_name(request, rank::ActorWanted{request, name});
    if (!answer.actor) {
        throw Error(fmt::format("no living actor is named \"{}\"; {}",
                                name,
                                answer.names.empty()
                                    ? "no other has a name, either"
                                    : fmt::format("there are: {}", fmt::join(answer.names, ", "))),
                    ErrorCode::usage);
    }
    auto block = std::make_shared<detail::ActorBlock>(shared_from_this(),
                                                      answer.actor->actor,
                                                      answer.actor->pending_calls_max,
                                                      answer.actor->replays);
    if (answer.actor->class_name != class_name) {
        throw Error(fmt::format("the actor named \"{}\" is of class {}, not {}",
                                name,
                                answer.actor->class_name,
                                class_name),
                    ErrorCode::usage);
    }
    return block;
}

std::shared_ptr<detail::FutureBlock> RankClient::call(const detail::ActorBlock& actor,
                                                      const detail::FunctionEntry& method,
                                                      const CallOptions& options,
                                                      detail::EncodedTasks arguments) {
    const auto* const caller = detail::current_task();
    const bool must_not_throw = caller != nullptr && caller->in_destructor;
    if (ended() && !must_not_throw) {
        throw_ended();
    }
    if (options.urgent && actor.replays() && !must_not_throw) {
        throw Error(fmt::format("{}: urgent calls are not for actors with .replay, which would be "
                                "given them before calls that are sent again",
                                method.name),
                    ErrorCode::usage);
    }
    const bool urgent = options.urgent && !actor.replays();
    owner::Submission submission;
    submission.task_class.function = functions_.id_of(method);
    submission.call = owner::CallTarget{actor.actor(), ObjectId{}, actor.replays(), urgent};
    if (caller != nullptr) {
        submission.task_class.depth = caller->depth + 1;
        submission.call->context = caller->context;
    }
    const ObjectId context = submission.call->context;
    // An actor that waited for its own calls to be done would wait for ever.
    const std::uint32_t max =
        context == actor.actor() ? ~std::uint32_t{0} : actor.pending_calls_max();
    if (!urgent && !calls_.begin(actor.actor(), context, max)) {
        const Blocked blocked(*this);
        if (!calls_.wait(actor.actor(), context, max) && !must_not_throw) {
            throw_ended();
        }
    }
    submission.tasks = std::move(arguments.tasks);
    submission.actors = std::move(arguments.actors);
    submission.first = next_id(1);
    auto block = std::make_shared<detail::FutureBlock>(shared_from_this(), submission.first, 1);
    submission.futures = block;
    note_submitted(submission);
    if (!post_and_drive(rank::Event{rank::TasksSubmitted{std::move(submission)}})) {
        if (!must_not_throw) {
            throw_ended();
        }
        block->slot(0).state.store(detail::SlotState::abandoned, std::memory_order_release);
    }
    return block;
}

void RankClient::kill_actor(ObjectId actor) {
    post(rank::Event{rank::ActorKilled{actor}});
}

void RankClient::escape_actor(ObjectId actor) {
    post(rank::Event{rank::ActorEscaped{actor}});
}

std::shared_ptr<detail::ActorBlock>
RankClient::borrow_actor(ObjectId actor, std::uint32_t pending_calls_max, bool replays) {
    if (!post(rank::Event{rank::ActorBorrowed{actor}})) {
        throw_ended();
    }
    return std::make_shared<detail::ActorBlock>(
        shared_from_this(), actor, pending_calls_max, replays);
}

void RankClient::release_actor(ObjectId actor) noexcept {
    try {
        post(rank::Event{rank::ActorReleased{actor}});
    } catch (...) {
        // Out of memory: the actor lives until the run ends.
    }
}

void RankClient::calls_done(const wire::CallsDone& done) {
    calls_.done(done.actor, done.context, done.count);
}

void RankClient::answer_name(wire::AnswerName answer) {
    names_.answer(std::move(answer));
}

} // namespace muster::runtime
