#include "runtime/progress.hpp"

#include "runtime/exit_codes.hpp"
#include "runtime/failure.hpp"
#include "runtime/gang_member.hpp"
#include "runtime/signals.hpp"
#include "runtime/standard_error.hpp"
#include "status/page.hpp"

#include <muster/base/duration.hpp>
#include <muster/base/log.hpp>
#include <muster/base/memory.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <limits>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace muster::runtime {
namespace {

using detail::SlotState;
using namespace std::chrono_literals;

constexpr auto report_interval = 10s; // of "the start waits for ..."
constexpr auto end_grace = 5s;        // for tasks that still run when the driver has returned
constexpr auto close_time_if_told_to_end = 300ms;
constexpr auto close_grace = 5s;     // for packets to leave before the transport is closed
constexpr auto interrupt_grace = 1s; // from Ctrl-C to the end of the process
constexpr auto quiet_time = 5ms;     // then an executor may as well drive the rank
constexpr int settle_rounds_max = 16;
constexpr std::size_t running_named_max = 16; // on the page of SIGUSR1, by rank

[[noreturn]] void give_up(Rank rank, const std::string& why, int exit_code = 1) {
    write_line(fmt::format("error: {}: {}", to_string(rank), why));
    ::_exit(exit_code);
}

/// Memory that the process has, bytes; 0 if the system does not say.
std::uint64_t resident_bytes() {
    std::uint64_t pages = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "re")) {
        unsigned long size = 0;
        unsigned long resident = 0;
        pages = std::fscanf(file, "%lu %lu", &size, &resident) == 2 ? resident : 0;
        std::fclose(file);
    }
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

const char* why(wire::EndCause cause) {
    switch (cause) {
    case wire::EndCause::interrupted:
        return "SIGINT";
    case wire::EndCause::terminated:
        return "SIGTERM";
    case wire::EndCause::notified:
        return "SIGUSR2";
    case wire::EndCause::time_limit:
        return "time limit";
    }
    return "";
}

} // namespace

ProgressLoop::ProgressLoop(const rank::RankMachine::Config& config,
                           const FunctionTable& functions,
                           transport::Transport& transport,
                           Inbox& inbox,
                           RankClient& client,
                           ExecutorPool& pool,
                           const ending::Limits& limits,
                           Callbacks callbacks)
    : config_(config), machine_(config), functions_(functions), transport_(transport),
      inbox_(inbox), client_(client), pool_(pool), limits_(limits),
      callbacks_(std::move(callbacks)),
      link_({.world_size = config.world_size,
             .packet_bytes_max = transport::Transport::packet_bytes_max}) {
    client_.leadership().attach(*this, transport_);
}

void ProgressLoop::run() {
    try {
        machine_.advance(Clock::now(), actions_);
        feed(rank::Started{});
        client_.leadership().host();
        callbacks_.closing();
        close();
    } catch (const std::exception& error) {
        give_up(error);
    }
    callbacks_.ended({.exit_code = exit_code_, .orderly = close_orderly_});
}

bool ProgressLoop::round(Sleeper leader) {
    rounds_.store(rounds_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    machine_.advance(Clock::now(), actions_);
    take_signals();
    look_for_activity();
    look_for_overdue();
    bool busy = orders_left();
    busy = take_inbox() || busy;
    busy = transport_.poll(*this) || busy;
    if (busy) {
        settle(leader);
    }
    return busy;
}

void ProgressLoop::at_rest(TimePoint now, Duration quiet) {
    report_slow_start(now);
    report_slow_end(now);
    detail::forget_decoded();
    if (quiet >= quiet_time && formed_ && !silent_since_) {
        pool_.offer_lead();
    }
}

bool ProgressLoop::orders_left() const {
    return !actions_.empty() || !performing_.empty();
}

TimePoint ProgressLoop::next_due() const {
    return std::min(machine_.next_timer().value_or(TimePoint::max()), pool_.next_limit());
}

bool ProgressLoop::needs_host() const {
    return close_ordered_ ||
           (performed_ < performing_.size() && is_for_host(performing_[performed_]));
}

void ProgressLoop::give_up(const std::exception& error) {
    runtime::give_up(transport_.world().rank, error.what());
}

bool ProgressLoop::take_inbox() {
    inbox_.take(taken_);
    if (taken_.empty()) {
        return false;
    }
    for (auto& item : taken_) {
        if (auto* wanted = std::get_if<ValueWanted>(&item)) {
            const ObjectId object = wanted->block->id(wanted->index);
            wanted_.emplace(object, std::move(*wanted));
            feed(rank::FutureWanted{object});
        } else {
            feed(std::move(std::get<rank::Event>(item)));
        }
    }
    taken_.clear();
    return true;
}

void ProgressLoop::settle(Sleeper leader) {
    // Bounded: orders that lead to more orders must not keep new facts out.
    for (int round = 0; round < settle_rounds_max && perform_all(leader); ++round) {
        machine_.flush(actions_);
        if (actions_.empty()) {
            break;
        }
    }
    link_.flush(
        [this](Rank to, std::span<const std::byte> packet) { transport_.send(to, packet); });
}

// In order, whoever performs: at an order for the host a guest stops. True if none is left.
bool ProgressLoop::perform_all(Sleeper leader) {
    while (orders_left()) {
        if (performing_.empty()) {
            performing_.swap(actions_);
        }
        while (performed_ < performing_.size()) {
            if (leader != Sleeper::host && is_for_host(performing_[performed_])) {
                return false;
            }
            std::visit([this](auto& order) { perform(order); }, performing_[performed_++]);
        }
        performing_.clear();
        performed_ = 0;
    }
    return true;
}

// What runs code of the user's, ends the run, or starts a thread, which would inherit the guest's
// affinity and signal mask.
bool ProgressLoop::is_for_host(const wire::Action& action) const {
    return std::holds_alternative<wire::StopTask>(action) ||
           std::holds_alternative<wire::StopCall>(action) ||
           std::holds_alternative<wire::BeginDrain>(action) ||
           std::holds_alternative<wire::HoldTasks>(action) ||
           std::holds_alternative<wire::HaltTasks>(action) ||
           std::holds_alternative<wire::EndProcess>(action) ||
           std::holds_alternative<wire::FallSilent>(action) ||
           std::holds_alternative<wire::CloseTransport>(action) ||
           ((std::holds_alternative<wire::GrantSlot>(action) ||
             std::holds_alternative<wire::EnqueueCall>(action) ||
             std::holds_alternative<wire::ResumeTask>(action) ||
             std::holds_alternative<wire::DestroyActor>(action)) &&
            !pool_.has_idle_thread());
}

void ProgressLoop::on_packet(Rank from, std::span<const std::byte> packet) {
    const auto taken = link_.on_packet(from, packet, [&](Rank, std::span<const std::byte> frame) {
        auto envelope = wire::decode_envelope(frame);
        if (!envelope) {
            runtime::give_up(
                transport_.world().rank,
                fmt::format("a message from {} does not decode ({}): do all ranks run the same "
                            "program?",
                            to_string(from),
                            envelope.error().message));
        }
        feed(rank::MessageReceived{from, std::move(*envelope)});
    });
    if (!taken) {
        runtime::give_up(transport_.world().rank, taken.error().message);
    }
}

void ProgressLoop::on_bulk_sent(Rank to, std::uint64_t transfer) {
    feed(rank::BulkSent{to, transfer});
}

void ProgressLoop::on_bulk_received(Rank from, std::uint64_t transfer) {
    Incoming incoming = std::move(receiving_.extract({from, transfer}).mapped());
    if (trace::Lane* const lane = client_.trace_lane()) {
        lane->add(trace::transfer_record(from, incoming.size, incoming.began, Clock::now()));
    }
    if (incoming.into != nullptr) {
        if (incoming.data) {
            std::memcpy(incoming.into, incoming.data.get(), incoming.size);
        }
        incoming = {};
    }
    feed(rank::BulkReceived{from, transfer, Buffer(std::move(incoming.data), incoming.size)});
}

void ProgressLoop::perform(wire::SendMessage& action) {
    transport_.alert(action.to);
    writer_.clear();
    wire::encode_envelope(writer_, machine_.term(), action.message);
    link_.post(action.to, writer_.bytes());
}

void ProgressLoop::perform(wire::EnqueueTask& action) {
    pool_.enqueue(
        action.task_class, machine_.worker().task_class(action.task_class), std::move(action.task));
}

void ProgressLoop::perform(wire::GrantSlot& action) {
    pool_.grant_slot(action.task_class);
}

void ProgressLoop::perform(wire::RevokeSlot& action) {
    pool_.revoke_slot(action.task_class);
}

void ProgressLoop::perform(wire::TakeBackTasks& action) {
    feed(rank::TasksTakenBack{pool_.take_back(action.task_class, action.count), true});
}

void ProgressLoop::perform(wire::StopTask& action) {
    if (pool_.stop_task(action.task_class, action.task)) {
        feed(rank::TasksTakenBack{{action.task}, false});
    }
}

void ProgressLoop::perform(wire::EnqueueCall& action) {
    pool_.enqueue_call(std::move(action));
}

void ProgressLoop::perform(wire::StopCall& action) {
    if (pool_.stop_call(action.actor, action.call)) {
        feed(rank::CallRemoved{action.call});
    }
}

void ProgressLoop::perform(wire::DestroyActor& action) {
    pool_.destroy_actor(action.actor);
}

void ProgressLoop::perform(wire::CallsDone& action) {
    client_.calls_done(action);
}

void ProgressLoop::perform(wire::AnswerName& action) {
    client_.answer_name(std::move(action));
}

void ProgressLoop::perform(wire::ResumeTask& action) {
    pool_.resume(action.task);
}

void ProgressLoop::fill(detail::FutureBlock& block,
                        std::uint64_t index,
                        const wire::Outcome& outcome) {
    auto& slot = block.slot(index);
    const SlotState before = slot.state.load();
    if (before != SlotState::pending && before != SlotState::kept_elsewhere) {
        return; // it has its answer, or the run is ending
    }
    if (!outcome.kept) {
        client_.report_keyed(block, index, outcome);
    }
    if (outcome.kind == wire::Outcome::Kind::failed) {
        slot.failure = std::make_unique<detail::SlotFailure>(
            to_slot_failure(outcome.failure, [this](const wire::FailureRecord& record) {
                return static_cast<std::size_t>(record.function) < functions_.size()
                           ? std::string(functions_.at(record.function).name)
                           : std::string();
            }));
        block.resolve(index, SlotState::failed);
    } else if (outcome.kept) {
        block.resolve(index, SlotState::kept_elsewhere);
    } else {
        slot.value = outcome.value;
        block.resolve(index, SlotState::value);
    }
}

void ProgressLoop::perform(wire::ResolveFuture& action) {
    if (auto block = std::static_pointer_cast<detail::FutureBlock>(action.futures)) {
        const std::uint64_t index = block->index_of(action.object);
        fill(*block, index, action.outcome);
        if (action.outcome.kept && block->is_held(index)) {
            // The journal wants the value as a thread would that called get().
            const ObjectId object = action.object;
            wanted_.emplace(object, ValueWanted{std::move(block), index});
            feed(rank::FutureWanted{object});
        }
    }
}

void ProgressLoop::perform(wire::DeliverValue& action) {
    const auto [begin, end] = wanted_.equal_range(action.object);
    for (auto entry = begin; entry != end; ++entry) {
        fill(*entry->second.block, entry->second.index, action.outcome);
    }
    wanted_.erase(begin, end);
}

void ProgressLoop::perform(wire::SendBulk& action) {
    transport_.send_bulk(action.to, action.transfer, std::move(action.data));
}

void ProgressLoop::perform(wire::MapValue& action) {
    // The last buffer of it may go with a future that outlives the run.
    auto ended =
        [client = client_.weak_from_this(), holder = action.holder, transfer = action.transfer] {
            if (const auto of = client.lock()) {
                static_cast<RankClient&>(*of).unmap(holder, transfer);
            }
        };
    auto value = views_.open(action.place, std::move(ended));
    if (!value && !warned_of_views_) {
        warned_of_views_ = true;
        log::warn("values",
                  "not_shared with={} why=\"{}\" instead=messages",
                  index(action.holder),
                  std::strerror(errno));
    }
    feed(rank::ValueMapped{action.transfer, std::move(value)});
}

void ProgressLoop::perform(wire::ReceiveBulk& action) {
    Incoming incoming{.data = {}, .size = action.size, .into = action.into};
    std::span<std::byte> memory{action.into, action.size};
    // The user's memory goes when its call ends, but a peer that is declared lost, and lives, may
    // still send: then a copy is the price of being able to do without the peer.
    if (action.into == nullptr || config_.watches) {
        incoming.data = client_.receive_value(action.size);
        memory = {incoming.data.get(), action.size};
    }
    receiving_.emplace(std::pair{action.from, action.transfer}, std::move(incoming));
    transport_.receive_bulk(action.from, action.transfer, memory);
}

void ProgressLoop::perform(wire::PlaceMessage& action) {
    place_message(action);
}

void ProgressLoop::perform(wire::SettleMessage& action) {
    settle_message(action);
}

void ProgressLoop::perform(wire::AbortMember& action) {
    abort_member(action);
}

void ProgressLoop::perform(wire::AnnounceCluster& action) {
    if (action.coordinator == transport_.world().rank) {
        log::info("elect",
                  "coordinator_elected term={} rank={} why=\"{}\"",
                  number(action.term),
                  index(action.coordinator),
                  action.reason);
    }
    client_.set_cluster(action);
    if (!std::exchange(formed_, true)) {
        callbacks_.formed();
    }
}

void ProgressLoop::perform(wire::FallSilent& action) {
    exit_code_ = action.exit_code;
    silent_since_ = Clock::now();
    next_report_ = *silent_since_ + end_grace;
    client_.end();
    pool_.stop([this] { client_.report(rank::ExecutorsStopped{}); });
}

void ProgressLoop::perform(wire::ForgetRank& action) {
    // So that what it is told last can reach it, if it is there after all.
    link_.flush(
        [this](Rank to, std::span<const std::byte> packet) { transport_.send(to, packet); });
    link_.forget(action.rank);
    transport_.forget(action.rank);
    for (auto entry = receiving_.begin(); entry != receiving_.end();) {
        if (entry->first.first == action.rank) { // memory that the transport may still write to
            abandoned_.push_back(std::move(entry->second.data));
            entry = receiving_.erase(entry);
        } else {
            ++entry;
        }
    }
    log::warn("elect", "rank_lost rank={}", index(action.rank));
}

void ProgressLoop::perform(wire::EndRank& action) {
    runtime::give_up(transport_.world().rank, action.why, exit_code_lost_rank);
}

void ProgressLoop::perform(wire::CloseTransport& action) {
    close_ordered_ = true;
    close_orderly_ = action.orderly;
}

void ProgressLoop::perform(wire::BeginDrain& action) {
    const bool interrupted = action.cause == wire::EndCause::interrupted;
    if (is_driver() && announced_ != action.cause) {
        announced_ = action.cause;
        const std::string left = format_duration(action.end - Clock::now());
        write_line(interrupted ? "interrupted (SIGINT); once more ends it at once"
                               : fmt::format("ending ({}): no task starts any more; {} left",
                                             why(action.cause),
                                             left));
    }
    client_.begin_ending(action.end, !interrupted);
}

void ProgressLoop::perform(wire::HoldTasks& /*action*/) {
    pool_.hold();
}

void ProgressLoop::perform(wire::HaltTasks& /*action*/) {
    pool_.halt();
}

void ProgressLoop::perform(wire::EndProcess& action) {
    seal();
    std::string line;
    if (is_driver() && announced_ && *announced_ != wire::EndCause::interrupted) {
        std::string names;
        for (const auto& name : pool_.running()) {
            names += (names.empty() ? "" : ", ") + name;
        }
        line = fmt::format("ended by force, since the time is over{}{}\n",
                           names.empty() ? "" : "; here did not stop: ",
                           names);
    }
    end_process(action.exit_code, line.empty() ? nullptr : line.c_str());
}

void ProgressLoop::perform(wire::CountRunning& action) {
    auto counted = pool_.count_running(action.all ? std::numeric_limits<std::size_t>::max()
                                                  : running_named_max);
    counted.room = client_.room();
    counted.resident = resident_bytes();
    feed(std::move(counted));
}

void ProgressLoop::perform(wire::LookForTask& action) {
    const TaskId task = action.question.status.task;
    feed(rank::TaskLookedFor{std::move(action.question), pool_.running_for(task)});
}

void ProgressLoop::perform(wire::AnswerExplain& action) {
    client_.answer_explain(std::move(action));
}

void ProgressLoop::perform(wire::AnswerStatus& action) {
    client_.answer_status(std::move(action));
}

void ProgressLoop::perform(wire::AnswerTasks& action) {
    client_.answer_tasks(std::move(action));
}

void ProgressLoop::perform(wire::NoteClock& action) {
    if (trace::Lane* const lane = client_.trace_lane()) {
        lane->add(trace::clock_record(action.at, action.offset, action.round_trip));
    }
}

void ProgressLoop::perform(wire::PrintStatus& action) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    const status::Heading heading{
        fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec),
        Clock::now() - began_};
    const std::string page = status::render(action, heading, [this](FunctionId function) {
        return static_cast<std::size_t>(function) < functions_.size()
                   ? std::string(functions_.at(function).name)
                   : fmt::format("function {}", static_cast<std::uint32_t>(function));
    });
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, page.data(), page.size());
}

void ProgressLoop::take_signals() {
    const SignalCounts counts = signal_counts();
    if (counts == signals_seen_) {
        return;
    }
    const SignalCounts before = std::exchange(signals_seen_, counts);
    using wire::EndCause;
    const auto ends = [&](EndCause cause, Duration left) {
        if (!formed_) { // nothing has started that could end in order
            const bool interrupted = cause == EndCause::interrupted;
            end_process(interrupted ? ending::exit_interrupted : ending::exit_try_again,
                        !is_driver()  ? nullptr
                        : interrupted ? "interrupted (SIGINT)\n"
                                      : "terminated before the run had begun\n");
        }
        feed(rank::EndTold{cause, left});
    };
    if (counts.interrupts != before.interrupts) {
        ends(EndCause::interrupted, interrupt_grace);
    }
    if (counts.terminations != before.terminations) {
        ends(EndCause::terminated, limits_.terminate_grace);
    }
    if (counts.notices != before.notices) {
        const auto end = client_.end_time();
        ends(EndCause::notified, end ? Duration(*end - Clock::now()) : limits_.notice_grace);
    }
    if (counts.status_wanted != before.status_wanted) {
        feed(rank::StatusRequested{});
    }
}

void ProgressLoop::look_for_activity() {
    if (machine_.ending().phase() != ending::Ending::Phase::draining) {
        return;
    }
    // Parked ones first: who parks meanwhile is then taken for busy, rather than the reverse.
    const std::size_t parked = client_.parked();
    const bool busy = pool_.running_count() > parked || client_.hooks_busy() ||
                      (is_driver() && !client_.driver_waits());
    if (busy != was_busy_) {
        was_busy_ = busy;
        feed(rank::ActivityChanged{busy});
    }
}

// Where rank::RankMachine::Config::driver is; standard error is its to write to.
bool ProgressLoop::is_driver() const {
    return transport_.world().rank == Rank{0};
}

void ProgressLoop::look_for_overdue() {
    const TimePoint now = Clock::now();
    if (now < pool_.next_limit()) {
        return;
    }
    for (const auto& overdue : pool_.take_overdue(now)) {
        feed(overdue);
    }
}

void ProgressLoop::seal() {
    if (!std::exchange(sealed_, true) && callbacks_.seal) {
        callbacks_.seal();
    }
}

void ProgressLoop::report_slow_start(Clock::time_point now) {
    if (formed_ || now < next_report_) {
        return;
    }
    next_report_ = now + report_interval;
    if (const std::string waits_for = machine_.start_waits_for(); !waits_for.empty()) {
        log::warn("elect",
                  "start_waits seconds={} for=\"{}\"",
                  std::chrono::duration_cast<std::chrono::seconds>(now - began_).count(),
                  waits_for);
    }
}

void ProgressLoop::report_slow_end(Clock::time_point now) {
    if (!silent_since_ || now < next_report_) {
        return;
    }
    const auto running = pool_.running();
    if (running.empty()) {
        return;
    }
    std::string names;
    for (const auto& name : running) {
        names += (names.empty() ? "" : ", ") + name;
    }
    seal();
    runtime::give_up(
        transport_.world().rank,
        fmt::format("the driver has returned, and {} did not stop within 5 s of being asked: {}. "
                    "Wait for tasks in the driver, or let them watch this_task().stop_token",
                    running.size() == 1 ? "a task" : "tasks",
                    names),
        machine_.ending().exit_code(1));
}

void ProgressLoop::close() {
    seal();
    // Leave is the last message, so only what the driver's rank has queued is of use to anybody.
    // What others have, their receivers may take no more: they have left, or are about to.
    if (!is_driver()) {
        link_.forget_all();
    }
    auto before = Clock::now();
    auto deadline = before + close_grace;
    while ((link_.queued_bytes() > 0 || transport_.sends_pending()) && before < deadline) {
        const auto now = Clock::now();
        if (now - before > close_grace / 10) {
            deadline += now - before; // this process stood still, and maybe the others, too
        }
        before = now;
        transport_.poll(*this);
        link_.flush(
            [this](Rank to, std::span<const std::byte> packet) { transport_.send(to, packet); });
    }
    // A launcher that was told to end the job may answer no more: after Ctrl-C Open MPI's mpirun
    // leaves its processes waiting in MPI_Finalize, and kills them in the end.
    std::jthread guard;
    const ending::Ending& ending = machine_.ending();
    if (ending.phase() != ending::Ending::Phase::running &&
        (ending.cause() == wire::EndCause::terminated ||
         ending.cause() == wire::EndCause::interrupted)) {
        guard = std::jthread([code = exit_code_](const std::stop_token& closed) {
            std::mutex mutex;
            std::unique_lock lock(mutex);
            std::condition_variable_any never;
            never.wait_for(lock, closed, close_time_if_told_to_end, [] { return false; });
            if (!closed.stop_requested()) {
                end_process(code, nullptr);
            }
        });
    }
    transport_.close(close_orderly_);
}

} // namespace muster::runtime
