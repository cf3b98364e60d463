#pragma once

#include "rank/rank_machine.hpp"
#include "runtime/executor_pool.hpp"
#include "runtime/inbox.hpp"
#include "runtime/rank_client.hpp"
#include "transport/transport.hpp"
#include "wire/codec.hpp"
#include "wire/link.hpp"

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace muster::runtime {

/// A rank's progress loop: the only thread that touches its state machines and its transport.
///
/// One round takes what other threads posted and what the transport received, feeds the machine,
/// carries out what it orders until it orders nothing more, and hands the gathered messages to the
/// transport as packets. With nothing to do it spins briefly, then sleeps until somebody rings.
class ProgressLoop final : private transport::Sink {
public:
    struct Callbacks {
        std::function<void()> formed;   ///< The cluster stands.
        std::function<void(int)> ended; ///< The transport is closed; with the run's exit code.
    };

    ProgressLoop(const rank::RankMachine::Config& config,
                 const FunctionTable& functions,
                 transport::Transport& transport,
                 Inbox& inbox,
                 RankClient& client,
                 ExecutorPool& pool,
                 Callbacks callbacks);

    /// Until the run has ended. Ends the process, with a sentence, if the environment fails.
    void run();

private:
    using Clock = std::chrono::steady_clock;

    void on_packet(Rank from, std::span<const std::byte> packet) override;
    void on_bulk_sent(Rank to, std::uint64_t transfer) override;
    void on_bulk_received(Rank from, std::uint64_t transfer) override;

    bool take_inbox();
    void settle();
    void report_slow_start(Clock::time_point now);
    void report_slow_end(Clock::time_point now);
    void close();

    void feed(rank::Event event) { machine_.on_event(std::move(event), actions_); }

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
    void perform(wire::PlaceMessage& action);
    void perform(wire::SettleMessage& action);
    void perform(wire::AbortMember& action);
    void perform(wire::AnnounceCluster& action);
    void perform(wire::FallSilent& action);
    void perform(wire::CloseTransport& action);

    void fill(detail::FutureBlock& block, std::uint64_t index, const wire::Outcome& outcome);

    rank::RankMachine machine_;
    const FunctionTable& functions_;
    transport::Transport& transport_;
    Inbox& inbox_;
    RankClient& client_;
    ExecutorPool& pool_;
    Callbacks callbacks_;

    wire::Link link_;
    Writer writer_;
    wire::Actions actions_;
    wire::Actions performing_;
    std::vector<LocalEvent> taken_;
    std::multimap<ObjectId, ValueWanted> wanted_;
    /// Memory made for transfers to here; those that came with memory have none.
    std::map<std::pair<Rank, std::uint64_t>, std::pair<std::shared_ptr<std::byte[]>, std::size_t>>
        receiving_;
    bool formed_ = false;
    bool close_ordered_ = false;
    int exit_code_ = 0;
    Clock::time_point began_ = Clock::now();
    Clock::time_point next_report_ = began_ + std::chrono::seconds{10};
    std::optional<Clock::time_point> silent_since_;
};

} // namespace muster::runtime
