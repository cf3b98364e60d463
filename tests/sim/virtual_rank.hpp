#pragma once

#include "executors.hpp"
#include "rank/rank_machine.hpp"
#include "wire/link.hpp"
#include "world.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace muster::sim {

/// One simulated process: the shipped machine and link, a progress loop in virtual time, and
/// executors. Counterpart of the runtime.
class VirtualRank {
public:
    /// How a rank reaches the others: set by the simulation.
    using Peer = std::function<VirtualRank&(Rank)>;

    VirtualRank(World& world, const rank::RankMachine::Config& config, Peer peer);

    /// A local fact, as from an executor thread.
    void post(rank::Event event);

    [[nodiscard]] Executors& executors() { return executors_; }

    [[nodiscard]] const Executors& executors() const { return executors_; }

    [[nodiscard]] const rank::RankMachine& machine() const { return machine_; }

    [[nodiscard]] const wire::Link& link() const { return link_; }

    [[nodiscard]] const std::optional<wire::AnnounceCluster>& cluster() const { return cluster_; }

    [[nodiscard]] bool fell_silent() const { return silent_; }

    [[nodiscard]] bool closed() const { return closed_; }

    /// Holds the progress loop up until `until`.
    void stall(TimePoint until);

    /// The process dies: what it has sent still arrives.
    void crash();

    /// Nothing of it runs until then.
    void freeze(TimePoint until, bool alone);

    /// The last answer to ExplainWanted.
    [[nodiscard]] const std::optional<wire::AnswerExplain>& explained() const { return explained_; }

    [[nodiscard]] bool crashed() const { return world_.fate.crashed(self_); }

    /// Throws SimFailure unless nothing is left of what ran.
    void check_idle() const;
    /// What this rank is at, for the report of a simulation that got stuck.
    [[nodiscard]] std::string describe() const;

private:
    using Packet = std::pair<Rank, Buffer>;

    void wake();
    void loop();
    void advance();
    void plan_timer();

    /// A thread's clock, which has nothing to do with another rank's.
    [[nodiscard]] TimePoint clock() const { return world_.queue.now() + clock_offset_; }

    void feed(rank::Event event);
    void feed_packet(const Packet& packet);
    void receive(Rank from, std::span<const std::byte> frame);
    void carry_out();
    void carry_out(wire::SendMessage& order);

    void carry_out(wire::EnqueueTask& order) {
        const wire::ClassIndex index = order.task_class;
        executors_.enqueue(std::move(order), machine_.worker().task_class(index));
    }

    void carry_out(wire::GrantSlot& order) { executors_.grant_slot(order.task_class); }

    void carry_out(wire::RevokeSlot& order);

    void carry_out(wire::TakeBackTasks& order) { executors_.take_back(order); }

    void carry_out(wire::StopTask& order) { executors_.stop(order); }

    void carry_out(wire::EnqueueCall& order) { executors_.enqueue_call(std::move(order)); }

    void carry_out(wire::StopCall& order) { executors_.stop(order); }

    void carry_out(wire::DestroyActor& order) { executors_.destroy(order); }

    void carry_out(wire::CallsDone& /*order*/) {}

    void carry_out(wire::AnswerName& order) { executors_.answer(order); }

    void carry_out(wire::ResumeTask& order) { executors_.resume(order.task); }

    void carry_out(wire::ResolveFuture& order) { executors_.resolve(order); }

    void carry_out(wire::DeliverValue& order) { executors_.deliver(order); }

    void carry_out(wire::SendBulk& order);
    void carry_out(wire::ReceiveBulk& order);
    void carry_out(wire::MapValue& order);

    void carry_out(wire::PlaceMessage& order) { executors_.place(order); }

    void carry_out(wire::SettleMessage& order) { executors_.settle(order); }

    void carry_out(wire::AbortMember& order) { executors_.abort(order); }

    void carry_out(wire::AnnounceCluster& order);
    void carry_out(wire::FallSilent& order);
    void carry_out(wire::CloseTransport& order);
    void carry_out(wire::ForgetRank& order);
    void carry_out(wire::EndRank& order);

    void carry_out(wire::BeginDrain& /*order*/) {}

    void carry_out(wire::HoldTasks& /*order*/) { executors_.hold(); }

    void carry_out(wire::HaltTasks& /*order*/) {}

    void carry_out(wire::EndProcess& /*order*/) {}

    void carry_out(wire::CountRunning& /*order*/) {}

    void carry_out(wire::PrintStatus& /*order*/) {}

    void carry_out(wire::AnswerStatus& /*order*/) {}

    void carry_out(wire::AnswerTasks& /*order*/) {}

    void carry_out(wire::NoteClock& /*order*/) {}

    void carry_out(wire::LookForTask& order);
    void carry_out(wire::AnswerExplain& order);

    void close_later(TimePoint from);
    void send_packets();
    void bulk_under_way(Rank from,
                        Rank to,
                        std::uint64_t transfer,
                        std::optional<Network::BulkArrival> arrival);
    /// A view of what `holder` lends: while it lives, the holder must keep the value.
    [[nodiscard]] Buffer view(VirtualRank& holder, std::uint64_t transfer, const Buffer& value);
    void unmap(VirtualRank& holder, std::uint64_t transfer, const Buffer& value) noexcept;
    void bulk_arrived(Rank from, std::uint64_t transfer, const Buffer& data);
    void note_crash() const;
    void note_grant();
    void note_gang(const wire::Grant& grant);
    void note_sent(const wire::Message& message);
    void note_received(const wire::Envelope& envelope);
    void check_now_and_then();
    void check_groups() const;

    World& world_;
    Rank self_;
    Peer peer_;
    rank::RankMachine machine_;
    wire::Link link_;
    Executors executors_;
    std::deque<rank::Event> inbox_;
    std::deque<Packet> packets_;
    wire::Actions actions_;
    wire::Actions acting_;
    std::optional<wire::AnnounceCluster> cluster_;
    /// Where transfers that came with memory go.
    std::map<std::pair<Rank, std::uint64_t>, std::byte*> receiving_into_;
    std::optional<wire::AnswerExplain> explained_;
    TimePoint stalled_until_{};
    Duration clock_offset_;
    std::optional<TimePoint> timer_; ///< In the world's time: when the loop comes round anyway.
    std::uint64_t unchecked_ = 0;    ///< Events since the invariants were last checked.
    std::uint64_t checked_ = 0;      ///< Objects that the last check went through.
    bool awake_ = false;
    bool granting_ = false; ///< A Grant is being handled.
    bool silent_ = false;
    bool closing_ = false;
    bool closed_ = false;
    std::set<Rank> forgotten_;
    std::set<std::pair<Rank, std::uint64_t>> views_; ///< Of values lent, by holder and transfer.
    std::shared_ptr<VirtualRank> alive_{this,
                                        [](VirtualRank*) {}}; ///< For views, which may outlive it.
};

} // namespace muster::sim
