#pragma once

#include "arena/views.hpp"
#include "ending/limits.hpp"
#include "rank/rank_machine.hpp"
#include "runtime/executor_pool.hpp"
#include "runtime/inbox.hpp"
#include "runtime/leadership.hpp"
#include "runtime/rank_client.hpp"
#include "runtime/signals.hpp"
#include "transport/transport.hpp"
#include "wire/codec.hpp"
#include "wire/link.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace muster::runtime {

struct RunEnd {
    int exit_code = 0;   ///< The run's.
    bool orderly = true; ///< False: a rank was lost, and the process must end by _exit().
};

/// A rank's progress loop: all that touches its state machines and its transport.
///
/// One round takes what other threads posted and what the transport received, feeds the machine,
/// carries out what it orders until it orders nothing more, and hands the gathered messages to the
/// transport as packets. Which thread drives the rounds, and when it sleeps: leadership.hpp.
///
/// A guest may hold locks of the user's, so nothing of the user's runs in its rounds: requests to
/// stop, whose callbacks are the user's, and the end of the run are left to the progress thread.
class ProgressLoop final : private transport::Sink, private Driven {
public:
    struct Callbacks {
        std::function<void()> formed;      ///< The cluster stands, for the first time.
        std::function<void()> closing;     ///< Before the transport is closed: may take its time.
        std::function<void(RunEnd)> ended; ///< The transport is closed.
        /// Nothing of this rank's tasks counts any more: write out what must outlive it. Called
        /// once, by the progress thread, also when the process is to end as it is. May be none.
        std::function<void()> seal{};
    };

    ProgressLoop(const rank::RankMachine::Config& config,
                 const FunctionTable& functions,
                 transport::Transport& transport,
                 Inbox& inbox,
                 RankClient& client,
                 ExecutorPool& pool,
                 const ending::Limits& limits,
                 Callbacks callbacks);

    /// The progress thread: until the run has ended. Ends the process, with a sentence, if the
    /// environment fails.
    void run();

    /// Grows with every round of the loop, at least every 50 ms. Any thread may read it.
    [[nodiscard]] const std::atomic<std::uint64_t>& rounds() const { return rounds_; }

private:
    using Clock = std::chrono::steady_clock;

    /// A bulk transfer to here.
    struct Incoming {
        std::shared_ptr<std::byte[]>
            data; ///< Memory made for it; none if it goes straight to `into`.
        std::size_t size = 0;
        std::byte* into = nullptr; ///< Where it is wanted; null: in `data`.
        TimePoint began = Clock::now();
    };

    void on_packet(Rank from, std::span<const std::byte> packet) override;
    void on_bulk_sent(Rank to, std::uint64_t transfer) override;
    void on_bulk_received(Rank from, std::uint64_t transfer) override;

    bool round(Sleeper leader) override;
    void at_rest(TimePoint now, Duration quiet) override;
    [[nodiscard]] bool orders_left() const override;
    [[nodiscard]] bool needs_host() const override;
    [[nodiscard]] TimePoint next_due() const override;

    [[nodiscard]] bool finished() const override { return close_ordered_; }

    [[noreturn]] void give_up(const std::exception& error) override;

    bool take_inbox();
    void settle(Sleeper leader);
    bool perform_all(Sleeper leader);
    [[nodiscard]] bool is_for_host(const wire::Action& action) const;
    void take_signals();
    /// While the run drains: tells the machine whether anything gets on here.
    void look_for_activity();
    void look_for_overdue();
    void seal();
    void settle();
    void report_slow_start(Clock::time_point now);
    void report_slow_end(Clock::time_point now);
    void close();

    [[nodiscard]] bool is_driver() const;

    void feed(rank::Event&& event) { machine_.on_event(std::move(event), actions_); }

    void perform(wire::SendMessage& action);
    void perform(wire::EnqueueTask& action);
    void perform(wire::GrantSlot& action);
    void perform(wire::RevokeSlot& action);
    void perform(wire::TakeBackTasks& action);
    void perform(wire::StopTask& action);
    void perform(wire::EnqueueCall& action);
    void perform(wire::StopCall& action);
    void perform(wire::DestroyActor& action);
    void perform(wire::CallsDone& action);
    void perform(wire::AnswerName& action);
    void perform(wire::ResumeTask& action);
    void perform(wire::ResolveFuture& action);
    void perform(wire::DeliverValue& action);
    void perform(wire::SendBulk& action);
    void perform(wire::ReceiveBulk& action);
    void perform(wire::MapValue& action);
    void perform(wire::PlaceMessage& action);
    void perform(wire::SettleMessage& action);
    void perform(wire::AbortMember& action);
    void perform(wire::AnnounceCluster& action);
    void perform(wire::FallSilent& action);
    void perform(wire::ForgetRank& action);
    [[noreturn]] void perform(wire::EndRank& action);
    void perform(wire::CloseTransport& action);
    void perform(wire::BeginDrain& action);
    void perform(wire::HoldTasks& action);
    void perform(wire::HaltTasks& action);
    void perform(wire::EndProcess& action);
    void perform(wire::CountRunning& action);
    void perform(wire::PrintStatus& action);
    void perform(wire::LookForTask& action);
    void perform(wire::AnswerExplain& action);
    void perform(wire::AnswerStatus& action);
    void perform(wire::AnswerTasks& action);
    void perform(wire::NoteClock& action);

    void fill(detail::FutureBlock& block, std::uint64_t index, const wire::Outcome& outcome);

    rank::RankMachine::Config config_;
    rank::RankMachine machine_;
    const FunctionTable& functions_;
    transport::Transport& transport_;
    Inbox& inbox_;
    RankClient& client_;
    ExecutorPool& pool_;
    ending::Limits limits_;
    Callbacks callbacks_;

    wire::Link link_;
    Writer writer_;
    wire::Actions actions_;
    wire::Actions performing_;
    std::size_t performed_ = 0; ///< Of performing_: a guest may have left some.
    std::vector<LocalEvent> taken_;
    std::multimap<ObjectId, ValueWanted> wanted_;
    std::map<std::pair<Rank, std::uint64_t>, Incoming> receiving_;
    arena::Views views_;
    std::vector<std::shared_ptr<std::byte[]>> abandoned_; ///< Of transfers from lost ranks.
    std::atomic<std::uint64_t> rounds_{0};
    bool formed_ = false;
    bool close_ordered_ = false;
    bool close_orderly_ = true;
    int exit_code_ = 0;
    SignalCounts signals_seen_;
    std::optional<wire::EndCause> announced_;
    bool was_busy_ = true;
    bool sealed_ = false;
    bool warned_of_views_ = false;
    Clock::time_point began_ = Clock::now();
    Clock::time_point next_report_ = began_ + std::chrono::seconds{10};
    std::optional<Clock::time_point> silent_since_;
};

} // namespace muster::runtime
