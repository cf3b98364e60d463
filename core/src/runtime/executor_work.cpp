// What the threads of the pool do: take a task, a call or an actor, run it, and tell of its end.

#include "runtime/executor_pool.hpp"
#include "runtime/failure.hpp"
#include "runtime/gang_member.hpp"
#include "runtime/isolate/isolated_actor.hpp"
#include "runtime/rank_client.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

namespace muster::runtime {
namespace {

// Of an actor: it travels as one message.
constexpr std::size_t saved_bytes_max = std::size_t{128} << 20;
// The host has offered the lead, and is about to sleep.
constexpr auto host_falls_asleep = std::chrono::microseconds{50};

/// For the trace, which there is. No lock of the pool is held: the trace may wait for its file.
void note_ran(const detail::CurrentTask& current,
              const worker::AttemptFinished& report,
              unsigned what,
              TimePoint begin,
              TimePoint end) {
    if (!report.ok) {
        const bool cancelled = !report.failure.empty() &&
                               report.failure.front().kind == wire::FailureRecord::Kind::cancelled;
        what |= look::ran_failed | (cancelled ? look::ran_cancelled : 0U);
    }
    constexpr std::uint32_t attempt_max = 0xffff;
    trace::Lane& lane = *trace::current_lane();
    lane.add({.event = trace::Event::ran,
              .detail = static_cast<std::uint8_t>(what),
              .small = static_cast<std::uint16_t>(std::min(current.attempt, attempt_max)),
              .number = static_cast<std::uint32_t>(current.function),
              .id = static_cast<std::uint64_t>(current.id),
              .begin = trace::nanoseconds(begin),
              .value = static_cast<std::uint64_t>((end - begin).count())});
    if (!report.ok && !report.failure.empty()) {
        lane.add({.event = trace::Event::failed_because,
                  .number = lane.number_of(report.failure.front().message),
                  .id = static_cast<std::uint64_t>(current.id),
                  .begin = trace::nanoseconds(end)});
    }
}

} // namespace

void ExecutorPool::work() {
    seating_.begin_thread();
    trace::current_lane() = client_->trace_lane();
    std::unique_lock lock(mutex_);
    while (true) {
        wanted_.wait(lock, [&] { return is_wanted() || lead_offered_; });
        bool unheard = false;
        if (std::exchange(lead_offered_, false) && !is_wanted()) {
            stand_in(lock, host_falls_asleep, unheard);
            continue;
        }
        if (may_run_resumed()) {
            --idle_threads_;
            unheard = run_resumed(lock);
            ++idle_threads_;
        } else if (!slots_.empty()) {
            const wire::ClassIndex index = slots_.front();
            slots_.pop_front();
            --idle_threads_;
            unheard = serve_slot(lock, index);
            ++idle_threads_;
        } else if (may_run_actor()) {
            if (const auto actor = mailboxes_.take()) {
                --idle_threads_;
                ++actors_running_;
                serve_actor(lock, *actor);
                ++idle_threads_;
            }
        } else if (ending_actors_) {
            ending_actors_ = false;
            --idle_threads_;
            ++actors_running_;
            for (const ObjectId actor : mailboxes_.all()) {
                run_destructor(lock, actor);
            }
            --actors_running_;
            ++idle_threads_;
            leave_if_stopped(lock);
        } else {
            return;
        }
        stand_in(lock, Duration{}, unheard);
    }
}

bool ExecutorPool::is_wanted() const {
    return may_run_resumed() || !slots_.empty() || may_run_actor() || ending_actors_ || exiting_;
}

void ExecutorPool::stand_in(std::unique_lock<std::mutex>& lock, Duration patience, bool unheard) {
    if (is_wanted() || !may_stand_in()) {
        if (unheard) {
            lock.unlock();
            client_->wake_leader();
            lock.lock();
        }
        return;
    }
    stand_in_ = std::this_thread::get_id();
    lock.unlock();
    client_->leadership().stand_in(
        [this] {
            const std::lock_guard guard(mutex_);
            return is_wanted();
        },
        patience,
        unheard);
    if (unheard) {
        client_->wake_leader();
    }
    lock.lock();
    stand_in_.reset();
}

bool ExecutorPool::serve_slot(std::unique_lock<std::mutex>& lock, wire::ClassIndex index) {
    const Manner manner = index < manners_.size() ? manners_[index] : Manner{};
    while (!stopping_) {
        auto task = queue_.take(index);
        if (!task) {
            break;
        }
        if (run_task(lock, index, std::move(*task), manner, std::nullopt) != Left::done) {
            seating_.stand();
            return false;
        }
    }
    seating_.stand();
    lock.unlock();
    const bool unheard = client_->report_unheard(rank::SlotReturned{index});
    lock.lock();
    return unheard;
}

void ExecutorPool::serve_actor(std::unique_lock<std::mutex>& lock, ObjectId actor) {
    for (int i = 0; i < calls_in_turn_max && !stopping_; ++i) {
        auto call = mailboxes_.next(actor);
        if (!call) {
            break;
        }
        if (mailboxes_.in_line(actor) && need_thread()) {
            wanted_.notify_one(); // another call may run beside this one
        }
        if (run_task(lock, 0, std::move(call->task), {.depth = call->depth}, actor) ==
            Left::suspended) {
            break;
        }
    }
    if (!stopping_ && mailboxes_.to_be_destroyed(actor)) {
        run_destructor(lock, actor);
        lock.unlock();
        client_->report(rank::ActorDestroyed{actor});
        lock.lock();
    } else {
        give_back_turn(actor);
    }
    --actors_running_;
    leave_if_stopped(lock);
}

void ExecutorPool::give_back_turn(ObjectId actor) {
    if (const auto call = mailboxes_.give_back(actor)) {
        Running& running = running_.at(*call);
        running.resuming = false;
        resumable_.push_back(std::move(running.suspended)); // this thread looks for work next
    }
}

bool ExecutorPool::run_resumed(std::unique_lock<std::mutex>& lock) {
    auto task = std::move(resumable_.front());
    resumable_.pop_front();
    const std::optional<ObjectId> actor = task->actor;
    const wire::ClassIndex index = task->task_class;
    ++resumed_running_;
    actors_running_ += actor ? 1U : 0U;
    const auto seat = actor ? seat_of(*actor) : ActorSeat{manners_[index].cpus, {}, {}};
    lock.unlock();
    if (actor) {
        seating_.sit_at(seat.demand, seat.cpus);
    } else {
        seating_.sit(seat.demand, task->current.devices);
    }
    lock.lock();
    const Left left = run_coroutine(lock, std::move(task));
    --resumed_running_;
    if (actor && left == Left::suspended) {
        give_back_turn(*actor);
        --actors_running_;
        return false;
    }
    if (left == Left::suspended) {
        seating_.stand();
        return false;
    }
    if (actor) {
        serve_actor(lock, *actor);
        return false;
    }
    return serve_slot(lock, index);
}

void ExecutorPool::run_destructor(std::unique_lock<std::mutex>& lock, ObjectId actor) {
    auto& running = running_[actor];
    running.function = mailboxes_.constructor(actor);
    detail::CurrentTask current{
        actor, running.function, 1, 0, running.stop_source.get_token(), false, actor};
    current.in_destructor = true;
    auto instance = mailboxes_.destroy(actor);
    auto isolated = isolated_actors_.extract(actor);
    const ActorSeat seat = seat_of(actor);
    current.devices = seat.devices;
    actor_seats_.erase(actor);
    lock.unlock();
    seating_.sit_at(seat.demand, seat.cpus);
    if (!isolated.empty()) {
        isolated.mapped()->destroy(current);
        isolated.mapped().reset();
    }
    {
        const detail::CurrentScope scope(*client_, &current);
        instance.reset();
    }
    seating_.give_back(seat.cpus);
    lock.lock();
    running_.erase(actor);
}

ExecutorPool::ActorSeat ExecutorPool::seat_of(ObjectId actor) const {
    const auto place = actor_seats_.find(actor);
    return place == actor_seats_.end() ? ActorSeat{} : place->second;
}

void ExecutorPool::keep_seat(const detail::CurrentTask& constructor, wire::ClassIndex index) {
    ActorSeat seat{manners_[index].cpus, seating_.keep(), constructor.devices};
    if (seat.demand > Amount{} || !seat.devices.empty()) {
        actor_seats_.emplace(constructor.id, std::move(seat));
    }
}

void ExecutorPool::describe_failure(const detail::CurrentTask& current,
                                    worker::AttemptFinished& report) const {
    report.ok = false;
    report.failure = describe_current_exception();
    complete_failure(current, report);
}

void ExecutorPool::complete_failure(const detail::CurrentTask& current,
                                    worker::AttemptFinished& report) const {
    auto& record = report.failure.front();
    record.task = current.id;
    record.function = current.function;
    record.rank = config_.self;
    record.host = config_.host;
    record.attempt = current.attempt;
    if (current.stop_token.stop_requested()) {
        record.kind = wire::FailureRecord::Kind::cancelled;
    }
}

std::optional<Buffer> ExecutorPool::save_actor(std::unique_lock<std::mutex>& lock,
                                               ObjectId actor,
                                               const detail::CurrentTask& current) {
    if (!mailboxes_.save_due(actor)) {
        return std::nullopt;
    }
    const auto save = mailboxes_.saver(actor);
    const void* const instance = mailboxes_.instance(actor);
    std::shared_ptr<isolate::IsolatedActor> isolated;
    if (const auto found = isolated_actors_.find(actor); found != isolated_actors_.end()) {
        isolated = found->second;
        if (!isolated->alive()) {
            return std::nullopt;
        }
    }
    const auto* const name = functions_.at(mailboxes_.constructor(actor)).name;
    lock.unlock();
    std::optional<Buffer> saved;
    std::string why;
    try {
        if (isolated != nullptr) {
            auto outcome = isolated->save(current);
            if (outcome.ok) {
                saved = std::move(outcome.value);
            } else {
                why = outcome.failure.front().message;
            }
        } else {
            const detail::CurrentScope scope(*client_, &current);
            saved = save(instance);
        }
        if (saved && saved->size() > saved_bytes_max) {
            why = fmt::format(
                "its state has {} bytes, and may have {}", saved->size(), saved_bytes_max);
            saved.reset();
        }
    } catch (...) {
        why = describe_current_exception().front().message;
    }
    if (!saved) {
        log::warn("actor",
                  "actor_not_saved class={} actor=\"{}\" why=\"{}\"",
                  name,
                  to_string(actor),
                  why);
    } else if (isolated != nullptr) {
        isolated->saved(*saved);
    }
    lock.lock();
    if (saved) {
        mailboxes_.saved(actor);
    }
    return saved;
}

ExecutorPool::Left ExecutorPool::run_task(std::unique_lock<std::mutex>& lock,
                                          wire::ClassIndex index,
                                          wire::ReadyTask task,
                                          const Manner& manner,
                                          std::optional<ObjectId> actor) {
    auto& running = running_[task.id];
    running.function = task.function;
    running.is_call = actor.has_value();
    // A timeout of years is none.
    const bool limited =
        task.timeout > Duration{} && task.timeout < TimePoint::max() - running.began;
    if (limited) {
        running.limit = running.began + task.timeout;
        limits_.emplace(std::pair{*running.limit, task.id}, task.timeout);
        note_next_limit();
    }
    const ActorSeat seat = actor ? seat_of(*actor) : ActorSeat{};
    const detail::CurrentTask current{task.id,
                                      task.function,
                                      task.attempt,
                                      manner.depth,
                                      running.stop_source.get_token(),
                                      !actor && !task.gang,
                                      actor.value_or(task.id),
                                      false,
                                      false,
                                      actor ? seat.devices : std::move(task.devices)};
    void* const instance = actor ? mailboxes_.instance(*actor) : nullptr;
    std::shared_ptr<isolate::IsolatedActor> isolated;
    if (const auto found = isolated_actors_.find(current.context);
        actor && found != isolated_actors_.end()) {
        isolated = found->second;
    }
    lock.unlock();
    if (actor) {
        seating_.sit_at(seat.demand, seat.cpus);
    } else {
        seating_.sit(manner.cpus, current.devices, manner.isolate);
    }

    MadeActor made;
    std::unique_ptr<detail::CoroutineCall> coroutine;
    worker::AttemptFinished report;
    const auto begin = std::chrono::steady_clock::now();
    try {
        if (manner.isolate || isolated != nullptr) {
            made.save_every = task.making ? task.making->save_every : 0;
            run_isolated(task, manner, current, isolated, report);
            made.instance = report.ok && manner.makes_actor ? isolated : nullptr;
        } else {
            const detail::CurrentScope scope(*client_, &current);
            detail::Invocation invocation{
                task.arguments.bytes(), task.dependencies, {}, nullptr, instance};
            std::optional<GangMember> member;
            if (task.gang) {
                member.emplace(
                    *config_.transport,
                    *task.gang,
                    task.member,
                    current.stop_token,
                    [client = client_](rank::Event event) { client->report(std::move(event)); });
                invocation.communicator = &member->communicator();
            }
            if (task.making && task.making->saved) {
                invocation.saved = &*task.making->saved;
            }
            functions_.at(task.function).invoke(invocation);
            report.value = std::move(invocation.result);
            made.instance = std::move(invocation.made);
            made.save = invocation.save;
            made.save_every = made.save != nullptr && task.making ? task.making->save_every : 0;
            if (task.making) {
                made.concurrency = {task.making->concurrency, task.making->threads};
            }
            coroutine = std::move(invocation.coroutine);
        }
    } catch (...) {
        report.ok = false;
        report.failure = describe_current_exception();
    }
    if (!report.ok) {
        complete_failure(current, report);
    }
    const auto end = std::chrono::steady_clock::now();
    report.busy = end - begin;
    if (trace::current_lane() != nullptr && !coroutine) {
        const unsigned what = (actor ? look::ran_call : 0U) | (task.gang ? look::ran_member : 0U) |
                              (manner.isolate || isolated != nullptr ? look::ran_isolated : 0U) |
                              (made.instance != nullptr ? look::ran_made_actor : 0U);
        note_ran(current, report, what, begin, end);
    }
    task = {}; // frees the arguments before the result is announced
    if (coroutine) {
        lock.lock();
        return run_coroutine(lock,
                             std::make_unique<CoroutineTask>(CoroutineTask{
                                 current, actor, index, std::move(coroutine), report.busy}));
    }
    if (made.instance != nullptr && isolated != nullptr) {
        lock.lock();
        isolated_actors_.emplace(current.id, isolated);
        lock.unlock();
    }
    const bool made_actor = finish(lock, current, index, actor, std::move(report), std::move(made));
    return made_actor ? Left::made_actor : Left::done;
}

ExecutorPool::Left ExecutorPool::run_coroutine(std::unique_lock<std::mutex>& lock,
                                               std::unique_ptr<CoroutineTask> task) {
    const TaskId id = task->current.id;
    auto& running = running_.at(id); // stays in place while others come and go
    lock.unlock();
    TimePoint last_begin{};
    TimePoint last_end{};
    while (true) {
        detail::Wait* wait = nullptr;
        const auto begin = std::chrono::steady_clock::now();
        {
            const detail::CurrentScope scope(*client_, &task->current);
            wait = task->run->resume();
        }
        const auto end = std::chrono::steady_clock::now();
        task->busy += end - begin;
        if (wait == nullptr) {
            last_begin = begin;
            last_end = end;
            break;
        }
        if (trace::current_lane() != nullptr) {
            note_ran(task->current,
                     {},
                     look::ran_suspended | (task->actor ? look::ran_call : 0U),
                     begin,
                     end);
        }
        lock.lock();
        const std::uint64_t number = running.wait = ++last_wait_;
        running.answered = false;
        lock.unlock();
        // While this thread still has the frame, in which `wait` is: nobody else resumes it.
        wait->watch(std::make_shared<AnswerCounter>(
            wait->answers(), [this, id, number] { on_answered(id, number); }));
        lock.lock();
        if (!running.answered && !stopping_ && !task->current.stop_token.stop_requested()) {
            task->current.resumed = true;
            if (task->current.lends_cpus) {
                client_->report(rank::TaskBlocked{id, true}); // before anybody can have it resume
            }
            running.suspended = std::move(task);
            return Left::suspended;
        }
        running.wait = 0; // further answers to this one are of no use
        lock.unlock();
    }

    worker::AttemptFinished report;
    {
        const detail::CurrentScope scope(*client_, &task->current);
        try {
            report.value = task->run->result();
        } catch (...) {
            describe_failure(task->current, report);
        }
        task->run.reset(); // frees the arguments before the result is announced
    }
    report.busy = task->busy;
    if (trace::current_lane() != nullptr) {
        note_ran(task->current, report, task->actor ? look::ran_call : 0U, last_begin, last_end);
    }
    finish(lock, task->current, task->task_class, task->actor, std::move(report), {});
    return Left::done;
}

bool ExecutorPool::finish(std::unique_lock<std::mutex>& lock,
                          const detail::CurrentTask& current,
                          wire::ClassIndex index,
                          std::optional<ObjectId> actor,
                          worker::AttemptFinished report,
                          MadeActor made) {
    report.task = current.id;
    lock.lock();
    std::optional<Buffer> saved;
    if (actor) {
        saved = save_actor(lock, *actor, current);
        mailboxes_.ended(*actor);
    }
    // Taken out before the report: the end of the run may follow right behind it.
    const auto running = running_.find(current.id);
    if (running->second.limit) {
        limits_.erase({*running->second.limit, current.id});
        note_next_limit();
    }
    running_.erase(running);
    const bool made_actor = made.instance != nullptr;
    if (made_actor) {
        keep_seat(current, index);
        mailboxes_.open(current.id,
                        current.function,
                        std::move(made.instance),
                        made.concurrency,
                        made.save_every,
                        made.save);
    }
    // With more to run the leader had better send this off beside it.
    const bool more = actor ? mailboxes_.has_next(*actor) : queue_.has_tasks(index);
    lock.unlock();
    rank::Event event = actor ? rank::Event{rank::CallFinished{std::move(report), std::move(saved)}}
                              : rank::Event{std::move(report)};
    if (more) {
        client_->report(std::move(event));
    } else {
        client_->report_and_drive(std::move(event));
    }
    lock.lock();
    leave_if_stopped(lock);
    return made_actor;
}

void ExecutorPool::run_isolated(wire::ReadyTask& task,
                                const Manner& manner,
                                const detail::CurrentTask& current,
                                std::shared_ptr<isolate::IsolatedActor>& actor,
                                worker::AttemptFinished& report) {
    using isolate::Run;
    using isolate::Session;
    Session::Outcome outcome;
    if (actor != nullptr) {
        outcome = actor->call(task, current);
    } else if (manner.makes_actor) {
        actor = std::make_shared<isolate::IsolatedActor>(
            *processes_, std::move(task), manner.memory_limit, seating_.granted(current.devices));
        outcome = actor->construct(current);
    } else {
        const isolate::Processes::Kind kind{task.function, manner.memory_limit, current.devices};
        auto session = processes_->take(kind);
        std::vector<Buffer> payloads{std::move(task.arguments)};
        std::move(task.dependencies.begin(), task.dependencies.end(), std::back_inserter(payloads));
        outcome = session->run({Run::Job::task,
                                task.id,
                                task.function,
                                task.attempt,
                                current.depth,
                                current.context,
                                false,
                                seating_.granted(current.devices)},
                               std::move(payloads),
                               current,
                               Session::OnStop::kill);
        processes_->give_back(kind, std::move(session));
    }
    report.ok = outcome.ok;
    report.value = std::move(outcome.value);
    report.failure = std::move(outcome.failure);
}

} // namespace muster::runtime
