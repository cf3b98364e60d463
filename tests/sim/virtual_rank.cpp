#include "virtual_rank.hpp"

#include "failure.hpp"
#include "status/words.hpp"
#include "trace.hpp"
#include "wire/codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <variant>

namespace muster::sim {
namespace {

template <class T>
bool holds(const wire::Message& message) {
    return std::holds_alternative<T>(message);
}

} // namespace

VirtualRank::VirtualRank(World& world, const rank::RankMachine::Config& config, Peer peer)
    : world_(world), self_(config.self), peer_(std::move(peer)), machine_(config),
      link_({.world_size = config.world_size,
             .packet_bytes_max = world.options.packet_bytes_max,
             .window = world.options.window}),
      executors_(world,
                 config.self,
                 config.capacity,
                 [this](rank::Event event) { post(std::move(event)); }),
      clock_offset_(world.clock_random.between(0, std::int64_t{1} << 40)) {
}

void VirtualRank::post(rank::Event event) {
    if (!closed_ && !crashed()) {
        inbox_.push_back(std::move(event));
        world_.stirred();
        wake();
    }
}

void VirtualRank::crash() {
    if (crashed() || closed_) {
        return;
    }
    note_crash();
    world_.fate.crash(self_);
    executors_.crash();
    world_.network.crash(self_);
    inbox_.clear();
    packets_.clear();
    receiving_into_.clear();
    world_.stirred();
}

void VirtualRank::note_crash() const {
    Statistics& statistics = world_.statistics;
    statistics.took(Path::rank_crashed);
    const bool coordinates = peer_(world_.options.driver).machine().coordinator() == self_;
    statistics.took(Path::coordinator_crashed, coordinates ? 1 : 0);
    statistics.took(Path::owner_crashed, machine_.owner().unfinished() > 0 ? 1 : 0);
    statistics.took(Path::worker_crashed, executors_.running_count() > 0 ? 1 : 0);
    statistics.took(Path::gang_member_crashed, executors_.runs_member() ? 1 : 0);
    statistics.took(Path::actor_host_crashed, executors_.hosts_actors() ? 1 : 0);
}

void VirtualRank::freeze(TimePoint until, bool alone) {
    if (!crashed() && !closed_) {
        world_.fate.freeze(self_, until, alone);
        world_.last_stir = std::max(world_.last_stir, until);
        stall(until);
    }
}

void VirtualRank::stall(TimePoint until) {
    stalled_until_ = std::max(stalled_until_, until);
}

void VirtualRank::wake() {
    if (awake_ || closed_ || crashed()) {
        return;
    }
    awake_ = true;
    Random& random = world_.random;
    if (world_.faults && random.chance(world_.options.stall_chance)) {
        world_.statistics.took(Path::rank_stalled);
        stall(world_.queue.now() +
              Duration{static_cast<std::int64_t>(random.log_uniform(
                  10'000, static_cast<double>(world_.options.stall_max.count())))});
    }
    const Duration delay = world_.scaled(Duration{random.between(100, 3'000)}, self_);
    world_.queue.at(std::max(world_.queue.now() + delay, stalled_until_), [this] { loop(); });
}

void VirtualRank::advance() {
    machine_.advance(clock(), actions_);
    carry_out();
}

void VirtualRank::plan_timer() {
    const auto next = machine_.next_timer();
    if (!next) {
        return;
    }
    const TimePoint now = world_.queue.now();
    const TimePoint when = std::max(*next - clock_offset_, now + Duration{1});
    if (timer_ && *timer_ <= when) {
        return; // it comes round before
    }
    timer_ = when;
    world_.queue.at(when, [this, when] {
        if (timer_ == when) {
            timer_.reset();
            wake();
        }
    });
}

void VirtualRank::loop() {
    if (crashed()) {
        return;
    }
    if (stalled_until_ > world_.queue.now()) {
        world_.queue.at(stalled_until_, [this] { loop(); });
        return; // it was frozen meanwhile
    }
    awake_ = false;
    advance();
    if (crashed()) {
        return;
    }
    // A batch of what has gathered; what this brings about is the next round's.
    auto events = std::exchange(inbox_, {});
    const auto packets = std::exchange(packets_, {});
    const bool packets_first = world_.random.chance(0.5);
    const auto feed_packets = [&] {
        for (const Packet& packet : packets) {
            if (!crashed()) {
                feed_packet(packet);
            }
        }
    };
    if (packets_first) {
        feed_packets();
    }
    std::vector<TaskId> resuming;
    for (rank::Event& event : events) {
        if (const auto* resume = std::get_if<rank::TaskResuming>(&event)) {
            resuming.push_back(resume->task);
        }
        if (!crashed()) {
            feed(std::move(event));
        }
    }
    if (!packets_first) {
        feed_packets();
    }
    if (crashed()) {
        return; // it was told to end
    }
    machine_.flush(actions_);
    carry_out();
    if (crashed()) {
        return;
    }
    world_.statistics.took(Path::bundle_waited, machine_.worker().bundles_waiting());
    world_.statistics.took(Path::resume_waited,
                           static_cast<std::uint64_t>(
                               std::count_if(resuming.begin(), resuming.end(), [&](TaskId task) {
                                   return executors_.blocked(task);
                               })));
    check_now_and_then();
    send_packets();
    closed_ = closed_ || (closing_ && link_.queued_bytes() == 0);
    if (closed_) {
        return;
    }
    if (!inbox_.empty() || !packets_.empty()) {
        wake();
    }
    plan_timer();
}

void VirtualRank::feed(rank::Event event) {
    const bool gated = machine_.references().gated();
    world_.statistics.took(Path::gate_closed, gated ? 1 : 0);
    machine_.on_event(std::move(event), actions_);
    carry_out();
    check_now_and_then();
}

void VirtualRank::feed_packet(const Packet& packet) {
    if (forgotten_.contains(packet.first)) {
        return;
    }
    const auto taken = link_.on_packet(
        packet.first, packet.second.bytes(), [&](Rank from, std::span<const std::byte> frame) {
            if (!crashed()) {
                receive(from, frame);
            }
        });
    require(taken.has_value(), "the link refused a packet");
}

void VirtualRank::receive(Rank from, std::span<const std::byte> frame) {
    auto envelope = wire::decode_envelope(frame);
    if (!envelope) {
        throw SimFailure("a message cannot be decoded: " + envelope.error().message);
    }
    note_received(*envelope);
    granting_ = holds<wire::Grant>(envelope->message);
    const bool stopping = holds<wire::Stop>(envelope->message);
    const std::size_t tasks = machine_.worker().task_count();
    machine_.on_event(rank::MessageReceived{from, std::move(*envelope)}, actions_);
    if (granting_) {
        note_grant();
    } else if (stopping && actions_.empty()) {
        world_.statistics.took(machine_.worker().task_count() < tasks ? Path::stop_while_fetching
                                                                      : Path::stop_too_late);
    }
    carry_out();
    granting_ = false;
    check_now_and_then();
}

void VirtualRank::carry_out() {
    // Carrying out an order never calls the machine, so the list does not change meanwhile.
    std::swap(actions_, acting_);
    for (wire::Action& action : acting_) {
        if (!crashed()) {
            std::visit([&](auto& order) { carry_out(order); }, action);
        }
    }
    acting_.clear();
}

void VirtualRank::carry_out(wire::SendMessage& order) {
    require(order.to != self_, "a rank sends itself a message");
    require(!closed_, "a closed rank sends a message");
    note_sent(order.message);
    if (world_.options.trace) {
        print_message(world_.queue.now(), self_, order.to, machine_.term(), order.message);
    }
    if (!holds<wire::Heartbeat>(order.message)) {
        world_.stirred();
    }
    Writer writer;
    wire::encode_envelope(writer, machine_.term(), order.message);
    link_.post(order.to, writer.bytes());
    if (writer.size() > world_.options.packet_bytes_max) {
        world_.statistics.took(Path::frame_in_pieces);
    }
}

void VirtualRank::carry_out(wire::RevokeSlot& order) {
    world_.statistics.took(Path::slot_revoked);
    executors_.revoke_slot(order.task_class);
}

void VirtualRank::carry_out(wire::SendBulk& order) {
    auto arrival = world_.network.send_bulk(
        world_.queue.now(), self_, order.to, order.transfer, std::move(order.data));
    bulk_under_way(self_, order.to, order.transfer, std::move(arrival));
}

void VirtualRank::carry_out(wire::ReceiveBulk& order) {
    auto arrival = world_.network.receive_bulk(
        world_.queue.now(), order.from, self_, order.transfer, order.size);
    world_.statistics.took(order.into != nullptr ? Path::message_in_bulk : Path::value_fetched);
    if (order.into != nullptr) {
        receiving_into_[{order.from, order.transfer}] = order.into;
    }
    bulk_under_way(order.from, self_, order.transfer, std::move(arrival));
}

void VirtualRank::carry_out(wire::LookForTask& order) {
    const TaskId task = order.question.status.task;
    const bool runs = executors_.running(task);
    post(rank::TaskLookedFor{std::move(order.question),
                             runs ? std::optional(Duration{1}) : std::nullopt});
}

void VirtualRank::carry_out(wire::AnswerExplain& order) {
    using Stage = wire::TaskStatus::Stage;
    const auto& status = order.status;
    require(status.stage != Stage::unasked, "nobody knew of a task that was asked about");
    require((status.stage == Stage::waiting) == status.waiting.has_value(),
            "a task waits, and nobody says for what");
    world_.statistics.took(Path::task_explained);
    explained_ = std::move(order);
}

void VirtualRank::carry_out(wire::MapValue& order) {
    VirtualRank& holder = peer_(order.holder);
    const Buffer* value = holder.machine_.store().loan(self_, order.transfer);
    // Mapping it needs the process that has it, and may fail with it.
    if (holder.crashed() || holder.closed_ || value == nullptr || world_.random.chance(0.05)) {
        require(value != nullptr || holder.crashed() || holder.closed_ ||
                    holder.forgotten_.contains(self_),
                to_string(order.holder) + " does not keep what it lent");
        world_.statistics.took(Path::value_not_mapped);
        post(rank::ValueMapped{order.transfer, std::nullopt});
        return;
    }
    world_.statistics.took(order.transfer >> 63U != 0 ? Path::value_lent_unasked
                                                      : Path::value_lent);
    post(rank::ValueMapped{order.transfer, view(holder, order.transfer, *value)});
}

Buffer VirtualRank::view(VirtualRank& holder, std::uint64_t transfer, const Buffer& value) {
    struct View {
        Buffer value;
        std::weak_ptr<VirtualRank> reader;
        std::weak_ptr<VirtualRank> holder;
        std::uint64_t transfer = 0;

        ~View() {
            const auto from = holder.lock();
            const auto to = reader.lock();
            if (from != nullptr && to != nullptr) {
                to->unmap(*from, transfer, value);
            }
        }
    };

    auto held = std::make_shared<View>();
    held->value = value;
    held->reader = alive_;
    held->holder = holder.alive_;
    held->transfer = transfer;
    views_.emplace(holder.self_, transfer);
    const std::byte* const first = value.bytes().data();
    return {std::shared_ptr<const std::byte[]>(std::move(held), first), value.size()};
}

void VirtualRank::unmap(VirtualRank& holder, std::uint64_t transfer, const Buffer& value) noexcept {
    views_.erase({holder.self_, transfer});
    if (crashed() || holder.crashed() || silent_ || holder.silent_ ||
        forgotten_.contains(holder.self_) || holder.forgotten_.contains(self_)) {
        return;
    }
    if (holder.machine_.store().loan(self_, transfer) == nullptr) {
        world_.broken =
            to_string(holder.self_) + " gave up a value that " + to_string(self_) + " was reading";
    }
    std::uint64_t object = 0; // as payloads begin
    std::memcpy(&object, value.bytes().data(), std::min(sizeof(object), value.size()));
    if (holder.machine_.store().find(ObjectId{object}) == nullptr) {
        world_.statistics.took(Path::dropped_while_lent);
    }
    post(rank::ValueUnmapped{holder.self_, transfer});
}

void VirtualRank::bulk_under_way(Rank from,
                                 Rank to,
                                 std::uint64_t transfer,
                                 std::optional<Network::BulkArrival> arrival) {
    if (!arrival) {
        return;
    }
    VirtualRank& receiver = peer_(to);
    world_.queue.at(arrival->when, [&receiver, from, transfer, data = std::move(arrival->data)] {
        receiver.bulk_arrived(from, transfer, data);
    });
}

void VirtualRank::bulk_arrived(Rank from, std::uint64_t transfer, const Buffer& data) {
    if (crashed() || forgotten_.contains(from)) {
        return;
    }
    if (world_.fate.crashed(from) && world_.random.chance(0.5)) {
        return; // the last of it never left
    }
    const auto into = receiving_into_.extract({from, transfer});
    if (!into.empty()) {
        std::memcpy(into.mapped(), data.bytes().data(), data.size());
    }
    post(rank::BulkReceived{from, transfer, data});
    if (!peer_(from).forgotten_.contains(self_)) {
        peer_(from).post(rank::BulkSent{self_, transfer});
    }
}

void VirtualRank::carry_out(wire::ForgetRank& order) {
    send_packets(); // what was ordered before still leaves
    forgotten_.insert(order.rank);
    link_.forget(order.rank);
    world_.network.forget(self_, order.rank);
    std::erase_if(receiving_into_,
                  [&](const auto& entry) { return entry.first.first == order.rank; });
    world_.stirred();
    if (self_ != world_.options.driver) {
        return;
    }
    require(world_.fate.crashed(order.rank) || world_.fate.frozen_alone(order.rank),
            to_string(order.rank) + " was taken for lost, and had only been slow");
    world_.statistics.took(Path::frozen_rank_lost, world_.fate.crashed(order.rank) ? 0 : 1);
    world_.fate.declare_lost(order.rank);
    if (world_.loss_declared != world_.queue.events_run()) {
        ++world_.statistics.terms;
    }
    world_.loss_declared = world_.queue.events_run();
}

void VirtualRank::carry_out(wire::EndRank& order) {
    const bool expelled = world_.fate.declared_lost(self_);
    require(expelled || world_.fate.frozen_alone(world_.options.driver),
            to_string(self_) + " ended, and there was no need: " + order.why);
    world_.statistics.took(expelled ? Path::frozen_rank_ended : Path::rank_cut_off);
    crash();
}

void VirtualRank::carry_out(wire::AnnounceCluster& order) {
    require(!cluster_ || cluster_->term < order.term, "the cluster was announced twice");
    cluster_ = std::move(order);
    if (cluster_->coordinator != machine_.coordinator()) {
        throw SimFailure("the cluster was announced with another coordinator");
    }
    world_.statistics.took(Path::coordinator_is_not_driver,
                           cluster_->coordinator != world_.options.driver ? 1 : 0);
}

void VirtualRank::carry_out(wire::FallSilent& /*order*/) {
    require(!silent_, "a rank fell silent twice");
    silent_ = true;
    executors_.fall_silent();
}

void VirtualRank::carry_out(wire::CloseTransport& /*order*/) {
    require(silent_ && !closing_, "a transport was closed twice, or too early");
    closing_ = true;
    // As the runtime does: only the driver's rank has something queued that matters, and that
    // leaves first, if its receivers give credits in time.
    if (self_ == world_.options.driver) {
        close_later(world_.queue.now());
    } else {
        link_.forget_all();
    }
    send_packets();
}

// While it stands still its patience does not pass.
void VirtualRank::close_later(TimePoint from) {
    constexpr std::chrono::seconds patience{5};
    world_.queue.at(from + patience, [this, from] {
        const TimePoint thaw = world_.fate.frozen_until(self_);
        if (thaw > from) {
            close_later(thaw);
        } else {
            closed_ = true;
        }
    });
}

void VirtualRank::send_packets() {
    link_.flush([&](Rank to, std::span<const std::byte> bytes) {
        VirtualRank& receiver = peer_(to);
        ++world_.statistics.packets;
        const TimePoint arrival =
            world_.network.packet_arrival(world_.queue.now(), self_, to, bytes.size());
        world_.queue.at(arrival, [&receiver, from = self_, packet = Buffer::copy_of(bytes)] {
            if (!receiver.closed_ && !receiver.crashed()) {
                receiver.packets_.emplace_back(from, packet);
                receiver.wake();
            }
        });
    });
    if (link_.queued_bytes() > 0) {
        world_.statistics.took(Path::window_full);
    }
}

void VirtualRank::note_grant() {
    const auto cancelled = [](const wire::Action& action) {
        return std::holds_alternative<wire::ResolveFuture>(action);
    };
    world_.statistics.took(
        Path::recalled_task_cancelled,
        static_cast<std::uint64_t>(std::count_if(actions_.begin(), actions_.end(), cancelled)));
}

void VirtualRank::note_sent(const wire::Message& message) {
    Statistics& statistics = world_.statistics;
    ++statistics.messages;
    if (holds<wire::Recall>(message)) {
        statistics.took(Path::recall_sent);
    } else if (const auto* returned = std::get_if<wire::Returned>(&message)) {
        statistics.took(returned->tasks.empty() ? Path::recall_futile : Path::task_returned);
    } else if (holds<wire::Progress>(message) && granting_) {
        statistics.took(Path::grant_declined);
    } else if (holds<wire::Subscribe>(message)) {
        statistics.took(Path::subscribed);
    } else if (holds<wire::FetchFailed>(message)) {
        statistics.took(Path::fetch_failed);
    } else if (holds<wire::GangWithdrawn>(message)) {
        statistics.took(Path::message_withdrawn);
    } else if (const auto* destroy = std::get_if<wire::ActorDestroy>(&message)) {
        statistics.took(Path::actor_killed, destroy->killed ? 1 : 0);
    } else if (holds<wire::GangNone>(message)) {
        statistics.took(Path::message_not_to_come);
    } else if (holds<wire::GangFailed>(message)) {
        statistics.took(Path::gang_failed);
    } else if (const auto* placed = std::get_if<wire::GroupPlaced>(&message)) {
        statistics.took(world_.oracle.group(placed->group).placed ? Path::group_placed_again
                                                                  : Path::group_placed);
    } else if (holds<wire::GroupFailed>(message)) {
        statistics.took(Path::group_failed);
    } else if (holds<wire::GroupAsked>(message)) {
        statistics.took(Path::group_asked);
    } else if (const auto* grant = std::get_if<wire::Grant>(&message)) {
        note_gang(*grant);
    }
}

void VirtualRank::note_gang(const wire::Grant& grant) {
    const auto node = [&](Rank rank) {
        const auto& nodes = world_.options.nodes;
        return nodes.empty() ? NodeId{0} : nodes[static_cast<std::size_t>(index(rank))];
    };
    const bool spans = std::any_of(grant.members.begin(), grant.members.end(), [&](Rank rank) {
        return node(rank) != node(grant.members.front());
    });
    world_.statistics.took(Path::gang_spans_nodes, spans ? 1 : 0);
}

void VirtualRank::note_received(const wire::Envelope& envelope) {
    Statistics& statistics = world_.statistics;
    const auto& message = envelope.message;
    if (envelope.term > machine_.term() && !holds<wire::CoordinatorElected>(message)) {
        statistics.took(Path::early_message);
    } else if (const auto* subscribe = std::get_if<wire::Subscribe>(&message)) {
        statistics.took(Path::object_ready_waited,
                        machine_.owner().outcome(subscribe->object) == nullptr ? 1 : 0);
    } else if (const auto* run = std::get_if<wire::Run>(&message)) {
        const bool failed =
            !run->gang.members.empty() && machine_.exchange().failure(run->gang.id) != nullptr;
        statistics.took(Path::gang_failed_early, failed ? 1 : 0);
    } else if (const auto* data = std::get_if<wire::GangData>(&message)) {
        statistics.took(Path::message_late,
                        machine_.exchange().failure(data->address.gang) != nullptr ? 1 : 0);
    } else if (const auto* known = std::get_if<wire::ActorKnown>(&message)) {
        world_.statistics.took(Path::found_actor_gone, known->gone ? 1 : 0);
    } else if (const auto* fetch = std::get_if<wire::Fetch>(&message)) {
        const auto& made = world_.oracle.truth(fetch->object).attempts;
        const Rank holder = made.empty() ? owner_of(fetch->object) : made.back().rank;
        const bool is_copy = machine_.store().find(fetch->object) != nullptr && holder != self_;
        statistics.took(Path::copy_fetched, is_copy ? 1 : 0);
        statistics.took(Path::fetch_waited, machine_.store().fetching(fetch->object) ? 1 : 0);
    } else if (const auto* bundle = std::get_if<wire::BundleFree>(&message)) {
        const Resources* const left = machine_.worker().free_in(bundle->id);
        const auto& bundles = world_.oracle.group(bundle->id.group).made.bundles;
        const auto b = static_cast<std::size_t>(bundle->id.bundle);
        statistics.took(Path::bundle_left_in_use, left != nullptr && *left != bundles[b] ? 1 : 0);
    } else if (const auto* drop = std::get_if<wire::Drop>(&message)) {
        for (const ObjectId object : drop->objects) {
            const auto& made = world_.oracle.truth(object).attempts;
            statistics.took(Path::copy_dropped, !made.empty() && made.back().rank != self_ ? 1 : 0);
        }
    }
}

void VirtualRank::check_now_and_then() {
    if (!world_.options.check_invariants) {
        return;
    }
    // Checking costs as much as there is state, so large states are checked less often.
    const std::uint64_t state =
        std::max(checked_, machine_.owner().unfinished() + machine_.worker().task_count());
    if (++unchecked_ * 32 > state) {
        unchecked_ = 0;
        checked_ = machine_.owner().objects();
        machine_.check_invariants();
        executors_.check_bundles([this](const wire::BundleId& bundle) {
            return machine_.worker().free_in(bundle) != nullptr;
        });
        check_groups();
    }
}

void VirtualRank::check_groups() const {
    const auto* scheduler = machine_.scheduler();
    if (scheduler == nullptr || world_.fate.gone(self_)) {
        return;
    }
    for (const auto& [id, group] : world_.oracle.groups()) {
        world_.oracle.check_places(
            id, scheduler->places(id), [this](Rank rank) { return world_.node(rank); });
    }
}

void VirtualRank::check_idle() const {
    const auto need = [&](bool holds, const char* otherwise) {
        require(holds, fmt::format("{} {}\n{}", to_string(self_), otherwise, describe()));
    };
    machine_.check_invariants();
    // Heartbeats never end.
    need(inbox_.empty() && (packets_.empty() || world_.options.watches), "has events left");
    need(executors_.idle(), "still runs something");
    need(machine_.owner().unfinished() == 0, "has unfinished tasks");
    need(machine_.calls().empty(), "has calls that are not done");
    need(machine_.worker().task_count() == 0, "has tasks at its worker");
    need(machine_.actor_host().call_count() == 0, "has calls at its actors");
    need(!machine_.references().gated(), "waits for an acknowledgement");
    if (!world_.oracle.any_left()) { // some live until the run ends
        need(machine_.worker().idle(), "has a worker that is not idle");
        need(machine_.references().empty(), "still holds actors or groups");
        need(machine_.groups().empty(), "still knows placement groups");
        need(machine_.actor_host().empty() && !executors_.hosts_actors(), "still hosts actors");
        need(machine_.names().empty(), "still knows names of actors");
    }
    need(!machine_.store().fetching(), "is still fetching");
    for (const auto& [loan, value] : machine_.store().loans()) {
        const auto& [reader, transfer] = loan;
        need(peer_(reader).views_.contains({self_, transfer}), "lends what nobody reads");
    }
    need(machine_.exchange().idle(), "has gangs left");
    need(link_.queued_bytes() == 0, "has messages queued");
    const auto* scheduler = machine_.scheduler();
    if (scheduler != nullptr && !world_.oracle.any_left()) {
        need(scheduler->idle(), "has a scheduler that is not idle");
    }
}

std::string VirtualRank::describe() const {
    std::string text = fmt::format(
        "  {}{}: {} unfinished of its own, {} at its worker, {} objects kept{}{}{}\n",
        to_string(self_),
        crashed()                          ? " (crashed)"
        : world_.fate.declared_lost(self_) ? " (taken for lost)"
                                           : "",
        machine_.owner().unfinished(),
        machine_.worker().task_count(),
        machine_.store().object_count(),
        machine_.store().fetching() ? ", fetching" : "",
        machine_.scheduler() != nullptr && !machine_.scheduler()->idle() ? ", scheduler not idle"
                                                                         : "",
        link_.queued_bytes() > 0 ? ", messages queued" : "");
    text += machine_.owner().describe();
    if (machine_.scheduler() != nullptr) {
        const auto status = machine_.scheduler()->describe();
        for (const auto& group : status.groups) {
            text += "    " + status::describe(group) + '\n';
        }
        for (const auto& item : status.queued) {
            text += fmt::format(
                "    queued: {} wants {}\n", to_string(item.oldest), status::why_queued(item));
        }
    }
    return text + machine_.exchange().describe() + executors_.describe();
}

} // namespace muster::sim
