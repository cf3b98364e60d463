// The part of the rank that ends: tasks in time, the run in order or early; and says what waits on
// whom.

#include "rank/rank_machine.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <utility>

namespace muster::rank {

void RankMachine::apply(EndTold event) {
    ending_.want(event.cause, event.left, pending_);
}

void RankMachine::apply(ActivityChanged event) {
    ending_.set_busy(event.busy, pending_);
}

void RankMachine::end_with_doomed_gang(TimePoint now) {
    const auto gang = doomed_gangs_.on_time(now);
    if (!gang || leaving_) {
        return;
    }
    doomed_gangs_.remove(gang->id);
    if (worker_.has_gang(gang->id)) {
        pending_.push_back(wire::EndRank{fmt::format(
            "its member of a gang that calls MPI (`.raw_mpi`) has not come back since {} was "
            "lost, and no call of MPI that waits for the dead can be left: it ends, so that the "
            "others can go on without it",
            to_string(gang->lost))});
    }
}

void RankMachine::apply(StatusRequested) {
    pending_.push_back(wire::SendMessage{config_.driver, wire::StatusAsked{}});
}

void RankMachine::apply(RunningCounted event) {
    const Question question = std::move(counting_.front());
    counting_.pop_front();
    for (auto& running : event.oldest) {
        running.blocked = worker_.blocked(running.task);
    }
    if (const auto* tasks = std::get_if<wire::TasksWanted>(&question.what)) {
        pending_.push_back(wire::SendMessage{question.asker,
                                             wire::TasksPage{.request = tasks->request,
                                                             .rows = {},
                                                             .running = std::move(event.oldest),
                                                             .next = std::nullopt}});
        return;
    }
    const auto& wanted = std::get<wire::StatusWanted>(question.what);
    wire::Status status;
    status.request = wanted.request;
    status.running = std::move(event.oldest);
    status.running_total = event.total;
    status.room = event.room;
    status.resident = event.resident;
    status.values = store_.object_count();
    status.value_bytes = store_.size_bytes();
    status.attempts = attempts_;
    status.attempts_failed = attempts_failed_;
    status.busy = busy_;
    owner_.describe(status, wanted.brief);
    worker_.describe(status);
    if (scheduler_) {
        status.coordinator = scheduler_->describe();
    }
    pending_.push_back(wire::SendMessage{question.asker, std::move(status)});
}

void RankMachine::apply(ReportWanted event) {
    gather_.ask(event.request, event.brief, pending_);
}

void RankMachine::apply(TasksAsked event) {
    pending_.push_back(wire::SendMessage{event.rank, std::move(event.question)});
}

void RankMachine::handle(Rank from, wire::TasksWanted& message) {
    if (message.running) {
        counting_.push_back({from, std::move(message)});
        pending_.push_back(wire::CountRunning{.all = true});
    } else {
        pending_.push_back(wire::SendMessage{from, owner_.list(message)});
    }
}

void RankMachine::handle(Rank /*from*/, wire::TasksPage& message) {
    const std::uint64_t request = message.request;
    pending_.push_back(wire::AnswerTasks{request, std::move(message)});
}

void RankMachine::handle(Rank from, wire::ClockAsked& message) {
    pending_.push_back(
        wire::SendMessage{from, wire::ClockTold{message.sent, now_.time_since_epoch().count()}});
}

void RankMachine::handle(Rank /*from*/, wire::ClockTold& message) {
    clock_probe_.on_told(message, pending_);
}

void RankMachine::apply(ExplainWanted event) {
    wire::Explain question;
    question.request = event.request;
    question.asker = config_.self;
    question.status.task = event.task;
    const Rank owner = owner_of(event.task);
    if (lost_.contains(owner)) {
        question.status.stage = wire::TaskStatus::Stage::unknown;
        pending_.push_back(wire::AnswerExplain{event.request, std::move(question.status)});
    } else {
        pending_.push_back(wire::SendMessage{owner, std::move(question)});
    }
}

// At its owner, then where that says it is. A rank that is lost meanwhile does not answer, and the
// asker waits no longer than it wants to.
void RankMachine::handle(Rank /*from*/, wire::Explain& message) {
    using Stage = wire::TaskStatus::Stage;
    wire::TaskStatus& status = message.status;
    switch (status.stage) {
    case Stage::unasked:
        if (const wire::TaskClass* queued = owner_.explain(status)) {
            message.task_class = *queued;
            pending_.push_back(wire::SendMessage{election_.coordinator(), std::move(message)});
            return;
        }
        if (status.stage == Stage::sent) {
            const Rank worker = status.at;
            pending_.push_back(wire::SendMessage{worker, std::move(message)});
            return;
        }
        break;
    case Stage::queued:
        if (scheduler_) {
            scheduler_->explain(status, message.task_class);
        }
        break;
    case Stage::sent:
        worker_.explain(status);
        actor_host_.explain(status);
        if (status.stage != Stage::sent && status.stage != Stage::fetching) {
            pending_.push_back(wire::LookForTask{std::move(message)});
            return;
        }
        break;
    default:
        break;
    }
    pending_.push_back(
        wire::SendMessage{message.asker, wire::Explained{message.request, std::move(status)}});
}

void RankMachine::apply(TaskLookedFor event) {
    using Stage = wire::TaskStatus::Stage;
    wire::TaskStatus& status = event.question.status;
    if (event.running) {
        status.age = *event.running;
        status.stage = status.stage == Stage::blocked ? Stage::blocked : Stage::running;
    }
    pending_.push_back(wire::SendMessage{
        event.question.asker, wire::Explained{event.question.request, std::move(status)}});
}

void RankMachine::handle(Rank /*from*/, wire::Explained& message) {
    pending_.push_back(wire::AnswerExplain{message.request, std::move(message.status)});
}

void RankMachine::handle(Rank /*from*/, wire::EndWanted& message) {
    ending_.on_wanted(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::Drain& message) {
    ending_.on_drain(message, pending_);
    follow_ending();
}

void RankMachine::handle(Rank from, wire::Activity& message) {
    ending_.on_activity(from, message);
}

void RankMachine::handle(Rank /*from*/, wire::Halt&) {
    const bool first = ending_.phase() == ending::Ending::Phase::draining;
    ending_.on_halt(pending_);
    if (first) {
        owner_.halt();
        worker_.halt(pending_);
        follow_ending();
    }
}

void RankMachine::follow_ending() {
    using Phase = ending::Ending::Phase;
    if (ending_.phase() == Phase::running) {
        return;
    }
    worker_.drain();
    if (scheduler_) {
        ending_.phase() == Phase::draining ? scheduler_->drain() : scheduler_->halt();
    }
}

void RankMachine::handle(Rank /*from*/, wire::NotStarted& message) {
    owner_.on_not_started(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::StatusAsked&) {
    gather_.ask(pending_);
}

void RankMachine::handle(Rank from, wire::StatusWanted& message) {
    counting_.push_back({from, message});
    pending_.push_back(wire::CountRunning{});
}

void RankMachine::handle(Rank from, wire::Status& message) {
    gather_.on_status(
        from, std::move(message), election_.coordinator(), election_.term(), pending_);
}

void RankMachine::count_attempt(const worker::AttemptFinished& report) {
    ++attempts_;
    attempts_failed_ += report.ok ? 0U : 1U;
    busy_ += report.busy;
}

void RankMachine::apply(worker::AttemptFinished event) {
    const TaskId task = event.task;
    count_attempt(event);
    if (worker_.on_attempt_finished(std::move(event), store_, pending_)) {
        actor_host_.on_made(task);
        if (lost_.contains(owner_of(task))) {
            actor_host_.on_lost(lost_, pending_);
        }
    }
}

void RankMachine::apply(TaskTimedOut event) {
    worker_.on_timed_out(event.task, event.timeout, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::Shutdown& message) {
    if (!silent_) {
        silent_ = true;
        exchange_.fall_silent(pending_);
        pending_.push_back(wire::FallSilent{message.exit_code});
    }
}

void RankMachine::handle(Rank /*from*/, wire::Leave& message) {
    leaving_ = true;
    pending_.push_back(wire::CloseTransport{message.orderly});
}

void RankMachine::leave_if_all_said_goodbye() {
    if (config_.self != config_.driver || leaving_ || !silent_) {
        return;
    }
    for (std::int32_t i = 0; i < config_.world_size; ++i) {
        if (!goodbyes_.contains(Rank{i}) && !lost_.contains(Rank{i})) {
            return;
        }
    }
    leaving_ = true;
    for (std::int32_t i = 0; i < config_.world_size; ++i) {
        pending_.push_back(wire::SendMessage{Rank{i}, wire::Leave{lost_.empty()}});
    }
}

void RankMachine::apply(DriverFinished event) {
    MUSTER_ASSERT(config_.self == config_.driver);
    const std::int32_t exit_code = ending_.exit_code(event.exit_code);
    for (std::int32_t i = 0; i < config_.world_size; ++i) {
        // Ourselves last: falling silent stops everything but the farewell.
        const Rank to{(index(config_.self) + 1 + i) % config_.world_size};
        pending_.push_back(wire::SendMessage{to, wire::Shutdown{exit_code}});
    }
}

void RankMachine::apply(ExecutorsStopped) {
    stopped_ = true;
    say_goodbye_if_done();
}

void RankMachine::say_goodbye_if_done() {
    if (stopped_ && !said_goodbye_ && !store_.fetching() && !exchange_.receiving()) {
        said_goodbye_ = true;
        pending_.push_back(wire::SendMessage{config_.driver, wire::Goodbye{}});
    }
}

void RankMachine::handle(Rank from, wire::Goodbye&) {
    MUSTER_ASSERT(config_.self == config_.driver);
    goodbyes_.insert(from);
    leave_if_all_said_goodbye();
}

} // namespace muster::rank
