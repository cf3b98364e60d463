#include "runtime/progress.hpp"

#include "runtime/failure.hpp"
#include "runtime/gang_member.hpp"
#include "runtime/signals.hpp"

#include <muster/base/log.hpp>
#include <muster/base/memory.hpp>

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>

namespace muster::runtime {
namespace {

using detail::SlotState;
using namespace std::chrono_literals;

// Until a message that is on its way through another rank's executor has come: waking a thread on
// a core that sleeps costs up to 50 us. Yielding meanwhile, so tasks that want the core have it;
// and once one of them had it for longer than this, the loop sleeps, and wakes ahead of it.
constexpr auto spin_time = 100us;
// After a long sleep the cores of the ranks that will answer sleep as well, and each of their
// threads takes its time to wake; going back to sleep meanwhile would add another such wake-up.
constexpr auto long_sleep = 5ms;
constexpr auto spin_time_after_long_sleep = 500us;
constexpr auto sleep_time_max = 50ms; // every sleep is bounded: a doorbell is only a hint
constexpr auto report_interval = 10s; // of "the start waits for ..."
constexpr auto end_grace = 5s;        // for tasks that still run when the driver has returned
constexpr auto close_grace = 5s;      // for packets to leave before the transport is closed
constexpr int settle_rounds_max = 16;

[[noreturn]] void give_up(Rank rank, const std::string& why) {
    const std::string line = fmt::format("error: {}: {}\n", to_string(rank), why);
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    ::_exit(1);
}

} // namespace

ProgressLoop::ProgressLoop(const rank::RankMachine::Config& config,
                           const FunctionTable& functions,
                           transport::Transport& transport,
                           Inbox& inbox,
                           RankClient& client,
                           ExecutorPool& pool,
                           Callbacks callbacks)
    : machine_(config), functions_(functions), transport_(transport), inbox_(inbox),
      client_(client), pool_(pool), callbacks_(std::move(callbacks)),
      link_({.world_size = config.world_size,
             .packet_bytes_max = transport::Transport::packet_bytes_max}) {
}

void ProgressLoop::run() {
    try {
        feed(rank::Started{});
        settle();
        auto busy_until = Clock::now();
        bool slept_long = false; // since the last event
        while (!close_ordered_) {
            if (const int signal = pending_signal(); signal != 0) {
                end_by_signal(signal, transport_.world().rank == Rank{0});
            }
            bool busy = !actions_.empty();
            busy = take_inbox() || busy;
            busy = transport_.poll(*this) || busy;
            if (busy) {
                settle();
                busy_until = Clock::now() + (slept_long ? spin_time_after_long_sleep : spin_time);
                slept_long = false;
                continue;
            }
            const auto now = Clock::now();
            if (now < busy_until) {
                ::sched_yield();
                continue;
            }
            report_slow_start(now);
            report_slow_end(now);
            if (transport_.sends_pending()) {
                ::sched_yield();
                continue;
            }
            transport_.sleep_until(now + sleep_time_max);
            slept_long = slept_long || Clock::now() - now >= long_sleep;
        }
        close();
    } catch (const std::exception& error) {
        give_up(transport_.world().rank, error.what());
    }
    callbacks_.ended(exit_code_);
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

void ProgressLoop::settle() {
    // Bounded: orders that lead to more orders must not keep new facts out.
    for (int round = 0; round < settle_rounds_max; ++round) {
        while (!actions_.empty()) {
            performing_.swap(actions_);
            for (auto& action : performing_) {
                std::visit([this](auto& order) { perform(order); }, action);
            }
            performing_.clear();
        }
        machine_.flush(actions_);
        if (actions_.empty()) {
            break;
        }
    }
    link_.flush(
        [this](Rank to, std::span<const std::byte> packet) { transport_.send(to, packet); });
}

void ProgressLoop::on_packet(Rank from, std::span<const std::byte> packet) {
    const auto taken = link_.on_packet(from, packet, [&](Rank, std::span<const std::byte> frame) {
        auto envelope = wire::decode_envelope(frame);
        if (!envelope) {
            give_up(transport_.world().rank,
                    fmt::format("a message from {} does not decode ({}): do all ranks run the same "
                                "program?",
                                to_string(from),
                                envelope.error().message));
        }
        feed(rank::MessageReceived{from, std::move(*envelope)});
    });
    if (!taken) {
        give_up(transport_.world().rank, taken.error().message);
    }
}

void ProgressLoop::on_bulk_sent(Rank to, std::uint64_t transfer) {
    feed(rank::BulkSent{to, transfer});
}

void ProgressLoop::on_bulk_received(Rank from, std::uint64_t transfer) {
    auto entry = receiving_.extract({from, transfer});
    auto& [data, size] = entry.mapped();
    feed(rank::BulkReceived{from, transfer, Buffer(std::move(data), size)});
}

void ProgressLoop::perform(wire::SendMessage& action) {
    writer_.clear();
    wire::encode_envelope(writer_, machine_.term(), action.message);
    link_.post(action.to, writer_.bytes());
}

void ProgressLoop::perform(wire::EnqueueTask& action) {
    pool_.enqueue(action.task_class,
                  machine_.worker().task_class(action.task_class).depth,
                  std::move(action.task));
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
        fill(*block, action.index, action.outcome);
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

void ProgressLoop::perform(wire::ReceiveBulk& action) {
    std::shared_ptr<std::byte[]> data;
    std::span<std::byte> into{action.into, action.size};
    if (action.into == nullptr) {
        data = allocate_bytes(action.size);
        into = {data.get(), action.size};
    }
    const std::size_t own_size = data ? action.size : 0;
    receiving_.emplace(std::pair{action.from, action.transfer},
                       std::pair{std::move(data), own_size});
    transport_.receive_bulk(action.from, action.transfer, into);
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
    formed_ = true;
    if (action.coordinator == transport_.world().rank) {
        log::info("elect",
                  "coordinator_elected term={} rank={} why=\"{}\"",
                  number(action.term),
                  index(action.coordinator),
                  action.reason);
    }
    client_.set_cluster(action);
    callbacks_.formed();
}

void ProgressLoop::perform(wire::FallSilent& action) {
    exit_code_ = action.exit_code;
    silent_since_ = Clock::now();
    next_report_ = *silent_since_ + end_grace;
    client_.end();
    pool_.stop([this] { client_.report(rank::ExecutorsStopped{}); });
}

void ProgressLoop::perform(wire::CloseTransport& /*action*/) {
    close_ordered_ = true;
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
    give_up(
        transport_.world().rank,
        fmt::format("the driver has returned, and {} did not stop within 5 s of being asked: {}. "
                    "Wait for tasks in the driver, or let them watch this_task().stop_token",
                    running.size() == 1 ? "a task" : "tasks",
                    names));
}

void ProgressLoop::close() {
    // Leave is the last message: once it has left, no rank sends anything any more.
    const auto deadline = Clock::now() + close_grace;
    while ((link_.queued_bytes() > 0 || transport_.sends_pending()) && Clock::now() < deadline) {
        transport_.poll(*this);
        link_.flush(
            [this](Rank to, std::span<const std::byte> packet) { transport_.send(to, packet); });
    }
    transport_.close(true);
}

} // namespace muster::runtime
