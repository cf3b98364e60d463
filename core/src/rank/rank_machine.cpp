#include "rank/rank_machine.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <iterator>
#include <type_traits>

namespace muster::rank {
namespace {

template <class T, class... Ts>
constexpr bool is_one_of = (std::is_same_v<T, Ts> || ...);

// Orders of a coordinator, and reports to one: both count only within their term.
template <class M>
constexpr bool from_coordinator = is_one_of<M,
                                            wire::ClusterFormed,
                                            wire::Infeasible,
                                            wire::Grant,
                                            wire::Recall,
                                            wire::NameAnswer,
                                            wire::NotStarted,
                                            wire::GroupPlaced,
                                            wire::GroupFailed,
                                            wire::GroupAsked,
                                            wire::BundleTake,
                                            wire::BundleFree>;
template <class M>
constexpr bool to_coordinator = is_one_of<M,
                                          wire::Register,
                                          wire::Submit,
                                          wire::Progress,
                                          wire::Returned,
                                          wire::Lent,
                                          wire::NameClaim,
                                          wire::NameWanted,
                                          wire::NameFreed,
                                          wire::NameHeld,
                                          wire::GroupOpen,
                                          wire::GroupClosed,
                                          wire::BundleTaken>;

// Between an owner and a worker, and only of use within the term.
template <class M>
constexpr bool within_term =
    from_coordinator<M> || to_coordinator<M> || std::is_same_v<M, wire::Confirm>;

// What a silent rank still sends and takes: the farewell, and the end of fetches under way.
template <class M>
constexpr bool when_silent = is_one_of<M,
                                       wire::Fetch,
                                       wire::FetchStarted,
                                       wire::FetchFailed,
                                       wire::FetchLent,
                                       wire::GangAccept,
                                       wire::GangStarted,
                                       wire::GangWithdrawn,
                                       wire::CoordinatorElected,
                                       wire::Heartbeat,
                                       wire::Expelled,
                                       wire::Shutdown,
                                       wire::Goodbye,
                                       wire::Leave>;

// What this rank's threads report while a handle is not acknowledged waits; a further handle does
// not, since it ends nothing.
template <class E>
constexpr bool may_be_held = !is_one_of<E,
                                        Started,
                                        MessageReceived,
                                        BulkReceived,
                                        ValueMapped,
                                        ValueUnmapped,
                                        ActorBorrowed,
                                        ExecutorsStopped,
                                        EndTold,
                                        ActivityChanged,
                                        StatusRequested,
                                        RunningCounted,
                                        ReportWanted,
                                        ExplainWanted,
                                        TaskLookedFor,
                                        TasksAsked>;

std::string list_ranks(const std::vector<Rank>& ranks) {
    std::string text;
    for (const Rank rank : ranks) {
        text += (text.empty() ? "" : ", ") + std::to_string(index(rank));
    }
    return text;
}

} // namespace

Event::Event(const Event& other) = default;
Event::Event(Event&& other) noexcept = default;
Event& Event::operator=(const Event& other) = default;
Event& Event::operator=(Event&& other) noexcept = default;
Event::~Event() = default;

RankMachine::RankMachine(const Config& config)
    : config_(config), election_({config.self, config.world_size, config.driver}),
      ending_({.self = config.self,
               .world_size = config.world_size,
               .driver = config.driver,
               .limit = config.time_limit,
               .lead = config.time_lead}),
      gather_({.world_size = config.world_size}),
      owner_({.self = config.self,
              .host = config.host,
              .inline_bytes_max = config.inline_bytes_max,
              .nodes = config.places == nullptr ? std::vector<NodeId>{} : config.nodes,
              .near_bytes_min = config.near_bytes_min,
              .lender = &store_}),
      worker_({.self = config.self,
               .host = config.host,
               .capacity = config.capacity,
               .inline_bytes_max = config.inline_bytes_max}),
      store_({.self = config.self, .nodes = config.nodes, .places = config.places}),
      exchange_({.self = config.self}), references_(config.self),
      actor_host_(
          {.self = config.self, .host = config.host, .inline_bytes_max = config.inline_bytes_max}),
      heartbeats_({.self = config.self,
                   .world_size = config.world_size,
                   .driver = config.driver,
                   .enabled = config.watches,
                   .timeout = config.heartbeat_timeout,
                   .driver_timeout = config.driver_timeout}),
      doomed_gangs_(config.heartbeat_timeout),
      clock_probe_({.enabled = config.compares_clocks && config.self != config.driver,
                    .driver = config.driver}) {
}

void RankMachine::advance(TimePoint now, wire::Actions& actions) {
    now_ = now;
    ending_.advance(now, pending_);
    clock_probe_.advance(now, pending_);
    gather_.advance(now, election_.coordinator(), election_.term(), pending_);
    const auto due = owner_.next_timer();
    owner_.on_time(now, pending_);
    if (!leaving_) {
        const auto silent = heartbeats_.on_time(now, pending_);
        if (!silent.empty() && config_.self == config_.driver) {
            for (const Rank rank : silent) {
                pending_.push_back(wire::SendMessage{rank, wire::Expelled{}});
            }
            election_.on_lost(silent, pending_);
        } else if (!silent.empty()) {
            pending_.push_back(wire::EndRank{fmt::format(
                "{} has not been heard of for {} s: without the driver's rank there is "
                "no run",
                to_string(config_.driver),
                std::chrono::duration_cast<std::chrono::seconds>(config_.driver_timeout).count())});
        }
    }
    end_with_doomed_gang(now);
    drain(actions);
    take_held(actions);
    if (due && *due <= now) {
        flush(actions); // what became ready then is to be sent, though nothing else may happen
    }
}

std::optional<TimePoint> RankMachine::next_timer() const {
    std::optional<TimePoint> next;
    for (const auto& timer : {owner_.next_timer(),
                              leaving_ ? std::nullopt : heartbeats_.next_timer(),
                              leaving_ ? std::nullopt : doomed_gangs_.next_timer(),
                              ending_.next_timer(),
                              silent_ ? std::nullopt : clock_probe_.next_timer(),
                              gather_.next_timer()}) {
        next = timer && (!next || *timer < *next) ? timer : next;
    }
    return next;
}

void RankMachine::on_event(Event&& event, wire::Actions& actions) {
    if (gated() && std::visit([]<class E>(const E&) { return may_be_held<E>; }, event)) {
        held_.push_back(std::move(event));
        return;
    }
    take(event, actions);
    take_held(actions);
}

// Whoever is silent does not acknowledge a handle any more, and announces nothing either.
bool RankMachine::gated() const {
    return references_.gated() && !silent_;
}

void RankMachine::take_held(wire::Actions& actions) {
    while (!held_.empty() && !gated()) {
        Event next = std::move(held_.front());
        held_.pop_front();
        take(next, actions);
    }
}

void RankMachine::take(Event& event, wire::Actions& actions) {
    // The farewell and fetches under way are all that counts once the run is over; what tasks do in
    // their last moments (those that waited were woken without their answer) concerns nobody.
    if (!silent_ || std::holds_alternative<MessageReceived>(event) ||
        std::holds_alternative<BulkReceived>(event) || std::holds_alternative<BulkSent>(event) ||
        std::holds_alternative<ValueMapped>(event) || std::holds_alternative<GangSend>(event) ||
        std::holds_alternative<GangReceive>(event) ||
        std::holds_alternative<ExecutorsStopped>(event) || std::holds_alternative<EndTold>(event)) {
        std::visit([&](auto& fact) { apply(std::move(fact)); }, event);
    }
    drain(actions);
}

void RankMachine::flush(wire::Actions& actions) {
    if (silent_) {
        return;
    }
    // What this rank tells itself may be all that happens in a round, and asks for another.
    bool more = true;
    while (more) {
        send_calls();
        owner_.flush(pending_);
        worker_.flush(pending_);
        actor_host_.flush(pending_);
        more = !pending_.empty();
        drain(actions);
        if (scheduler_) {
            scheduler_->dispatch(pending_);
            more = more || !pending_.empty();
            drain(actions);
        }
    }
}

void RankMachine::drain(wire::Actions& actions) {
    std::size_t done = 0;
    settle_actors();
    for (const ObjectId object : owner_.take_wanted()) {
        apply(FutureWanted{object});
    }
    do {
        // Handling a message to ourselves may append to pending_, so it is walked by index.
        for (; done < pending_.size(); ++done) {
            auto* send = std::get_if<wire::SendMessage>(&pending_[done]);
            if (send != nullptr && send->to == config_.self) {
                wire::Message message = std::move(send->message);
                receive(config_.self, election_.term(), std::move(message));
                settle_actors();
                for (const ObjectId object : owner_.take_wanted()) {
                    apply(FutureWanted{object});
                }
            } else if (send == nullptr) {
                actions.push_back(std::move(pending_[done]));
            } else if (!lost_.contains(send->to) &&
                       (!silent_ || std::visit([]<class M>(const M&) { return when_silent<M>; },
                                               send->message))) {
                heartbeats_.sent(send->to);
                actions.push_back(std::move(pending_[done]));
            }
        }
        // Behind the word of its failure, so that others hear of that first.
        for (const auto& ended : worker_.take_ended_members()) {
            exchange_.end(ended.gang, ended.member, ended.is_last, pending_);
        }
    } while (done < pending_.size());
    pending_.clear();
}

void RankMachine::apply(Started) {
    election_.start({config_.self, config_.capacity.cpus, config_.preferred_coordinator}, pending_);
}

void RankMachine::apply(MessageReceived event) {
    if (lost_.contains(event.from)) {
        return;
    }
    heartbeats_.heard(event.from);
    receive(event.from, event.envelope.term, std::move(event.envelope.message));
}

void RankMachine::receive(Rank from, Term term, wire::Message message) {
    std::visit(
        [&]<class M>(M& content) {
            if constexpr (within_term<M>) {
                if (term > election_.term()) {
                    early_.push_back({from, {term, std::move(content)}});
                    return;
                }
                if (term < election_.term()) {
                    return;
                }
            }
            if constexpr (from_coordinator<M>) {
                if (from != election_.coordinator()) {
                    return;
                }
            }
            if constexpr (to_coordinator<M>) {
                if (!scheduler_) {
                    return;
                }
            }
            if constexpr (!when_silent<M>) {
                if (silent_) {
                    return;
                }
            }
            handle(from, content);
        },
        message);
}

void RankMachine::handle(Rank /*from*/, wire::Bid& message) {
    election_.on_bid(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::CoordinatorElected& message) {
    if (!election_.on_elected(message)) {
        return;
    }
    const auto lost = lose(message.lost);
    if (!silent_) { // else the run is over, and that nothing comes from them is all there is to
                    // know
        enter_term(message, lost);
    }
    for (const auto& [rank, host] : lost) {
        for (const auto& arrival : store_.on_lost(rank, pending_)) {
            arrived(arrival);
        }
    }
    leave_if_all_said_goodbye();
    say_goodbye_if_done();
    auto early = std::move(early_);
    early_.clear();
    for (auto& item : early) {
        if (!lost_.contains(item.from)) {
            receive(item.from, item.envelope.term, std::move(item.envelope.message));
        }
    }
}

std::vector<owner::LostRank> RankMachine::lose(const std::vector<Rank>& ranks) {
    std::vector<owner::LostRank> lost;
    for (const Rank rank : ranks) {
        const auto i = static_cast<std::size_t>(index(rank));
        std::string host = i < config_.hosts.size() ? config_.hosts[i] : std::string();
        if (!lost_.try_emplace(rank, host).second) {
            continue;
        }
        lost.push_back({rank, std::move(host)});
        heartbeats_.forget(rank);
        ending_.forget(rank);
        exchange_.on_lost(rank, pending_);
        pending_.push_back(wire::ForgetRank{rank});
    }
    return lost;
}

void RankMachine::enter_term(const wire::CoordinatorElected& message,
                             const std::vector<owner::LostRank>& lost) {
    elected_ = message;
    scheduler_.reset();
    names_ = {};
    names_waiting_.clear();
    if (message.coordinator == config_.self) {
        scheduler_ = std::make_unique<sched::Scheduler>(
            sched::Scheduler::Config{.self = config_.self,
                                     .term = message.term,
                                     .world_size = config_.world_size,
                                     .lost = {message.lost.begin(), message.lost.end()}});
        follow_ending();
    }
    for (const auto& word : worker_.gangs_without(lost_)) {
        exchange_.on_failed(word, pending_);
        worker_.on_gang_failed(word, pending_);
        if (worker_.has_raw_gang(word.gang) && config_.self != config_.driver) {
            doomed_gangs_.add(word.gang, word.failure.rank);
        }
    }
    worker_.on_term(message.term, message.coordinator, lost_, pending_);
    groups_.on_term(message.coordinator);
    for (const LeaseId gang : exchange_.gangs()) {
        abandon_if_past(gang);
    }
    pending_.push_back(wire::SendMessage{message.coordinator,
                                         wire::Register{config_.node,
                                                        config_.host,
                                                        config_.capacity,
                                                        worker_.held(),
                                                        worker_.held_bundles(),
                                                        groups_.living()}});
    references_.on_term(message.coordinator, lost_, pending_);
    if (!lost.empty()) {
        interrupt_calls();
        actor_host_.on_lost(lost_, pending_);
    }
    owner_.on_term(message.coordinator, lost, pending_);
    resend_names();
}

void RankMachine::handle(Rank /*from*/, wire::Heartbeat&) {
}

void RankMachine::handle(Rank /*from*/, wire::Expelled&) {
    pending_.push_back(wire::EndRank{fmt::format(
        "the driver's rank took {} for lost: it was silent for longer than {} s "
        "(MUSTER_HEARTBEAT_TIMEOUT), and others have taken over its work",
        to_string(config_.self),
        std::chrono::duration_cast<std::chrono::seconds>(config_.heartbeat_timeout).count())});
}

void RankMachine::handle(Rank from, wire::Register& message) {
    scheduler_->on_register(from, message, pending_);
    if (scheduler_->formed()) {
        for (auto& waiting : std::exchange(names_waiting_, {})) {
            receive(waiting.from, waiting.envelope.term, std::move(waiting.envelope.message));
        }
    }
}

void RankMachine::handle(Rank /*from*/, wire::ClusterFormed& message) {
    pending_.push_back(wire::AnnounceCluster{election_.term(),
                                             election_.coordinator(),
                                             elected_.reason,
                                             std::move(message.capacities),
                                             std::move(message.alike),
                                             message.nodes});
}

void RankMachine::handle(Rank /*from*/, wire::Submit& message) {
    scheduler_->on_submit(message);
}

void RankMachine::handle(Rank /*from*/, wire::Infeasible& message) {
    owner_.on_infeasible(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::Grant& message) {
    owner_.on_grant(message, pending_);
}

void RankMachine::handle(Rank from, wire::Run& message) {
    for (const auto& task : message.tasks) {
        store_.take_loans(from, task.dependencies, pending_);
    }
    if (term_of(message.lease) < election_.term()) {
        return; // its owner will ask, and hear that it is not here
    }
    const LeaseId gang = message.gang.id;
    const bool is_gang = !message.gang.members.empty();
    worker_.on_run(from, std::move(message), store_, pending_);
    if (const auto* failed = is_gang ? exchange_.failure(gang) : nullptr) {
        worker_.on_gang_failed(*failed, pending_);
    }
}

void RankMachine::handle(Rank from, wire::Finished& message) {
    owner_.on_finished(std::move(message), pending_, from);
}

void RankMachine::handle(Rank /*from*/, wire::Progress& message) {
    scheduler_->on_progress(message);
}

void RankMachine::handle(Rank from, wire::Recall& message) {
    worker_.on_recall(from, message, pending_);
}

void RankMachine::handle(Rank from, wire::Returned& message) {
    scheduler_->on_returned(from, message);
}

void RankMachine::handle(Rank /*from*/, wire::Lent& message) {
    scheduler_->on_lent(message);
}

void RankMachine::handle(Rank from, wire::Confirm& message) {
    worker_.on_confirm(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::NotHere& message) {
    owner_.on_not_here(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::Cancel& message) {
    owner_.cancel(message.task, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::Free& message) {
    owner_.free(message.object, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::Stop& message) {
    if (actor_host_.on_stop(message, pending_)) {
        return;
    }
    // A member that waits for another is released before it is asked to stop.
    wire::Actions stop;
    if (const auto cancelled = worker_.on_stop(message, stop)) {
        exchange_.on_failed(*cancelled, pending_);
    }
    pending_.insert(
        pending_.end(), std::make_move_iterator(stop.begin()), std::make_move_iterator(stop.end()));
}

void RankMachine::handle(Rank from, wire::Subscribe& message) {
    owner_.on_subscribe(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::ObjectReady& message) {
    owner_.on_object_ready(message, pending_);
}

void RankMachine::handle(Rank from, wire::Fetch& message) {
    store_.on_fetch(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::FetchStarted& message) {
    store_.on_fetch_started(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::FetchFailed& message) {
    arrived(store_.on_fetch_failed(message, pending_));
}

void RankMachine::handle(Rank /*from*/, wire::FetchLent& message) {
    store_.on_fetch_lent(message, pending_);
}

void RankMachine::handle(Rank from, wire::LoanEnded& message) {
    store_.on_loan_ended(from, message);
}

void RankMachine::handle(Rank /*from*/, wire::Drop& message) {
    store_.drop(message);
}

// Members start under leases of their coordinator's term only: one that has not started here by the
// next term never will, and its owner may be lost, too, which would have told of its end.
void RankMachine::abandon_if_past(LeaseId gang) {
    if (term_of(gang) < election_.term() && !worker_.has_gang(gang)) {
        exchange_.abandon(gang);
    }
}

void RankMachine::handle(Rank /*from*/, wire::GangData& message) {
    abandon_if_past(message.address.gang);
    exchange_.on_data(std::move(message), pending_);
}

void RankMachine::handle(Rank from, wire::GangOffer& message) {
    abandon_if_past(message.address.gang);
    exchange_.on_offer(from, message, pending_);
}

void RankMachine::handle(Rank from, wire::GangAccept& message) {
    exchange_.on_accept(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::GangRefuse& message) {
    exchange_.on_refuse(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::GangStarted& message) {
    exchange_.on_started(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::GangWithdrawn& message) {
    exchange_.on_withdrawn(message);
    say_goodbye_if_done();
}

void RankMachine::handle(Rank from, wire::GangAsk& message) {
    abandon_if_past(message.address.gang);
    exchange_.on_ask(from, message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::GangNone& message) {
    exchange_.on_none(message, pending_);
}

void RankMachine::handle(Rank /*from*/, wire::GangFailed& message) {
    // The members are released before they are asked to stop, so that they can say why.
    abandon_if_past(message.gang);
    exchange_.on_failed(message, pending_);
    worker_.on_gang_failed(message, pending_);
}

void RankMachine::apply(ValuePut event) {
    for (const ObjectId actor : event.actors) {
        references_.hold(actor, pending_);
    }
    owner_.put(event.object,
               std::move(event.futures),
               store_.settle(event.object, std::move(event.value), config_.inline_bytes_max),
               pending_,
               event.actors);
}

wire::Outcome RankMachine::settle(ObjectId object, wire::Outcome outcome) {
    return outcome.kind == wire::Outcome::Kind::value
               ? store_.settle(object, std::move(outcome.value), config_.inline_bytes_max)
               : std::move(outcome);
}

void RankMachine::apply(TasksDecided event) {
    for (const TaskId task : event.run) {
        owner_.decide(task, std::nullopt, pending_);
    }
    for (auto& [task, outcome] : event.done) {
        if (owner_.is_withheld(task)) { // else nobody would drop what is kept
            owner_.decide(task, settle(task, std::move(outcome)), pending_);
        }
    }
}

void RankMachine::apply(FutureWanted event) {
    const wire::Outcome* outcome = owner_.outcome(event.object);
    if (outcome == nullptr) {
        if (!owner_.want(event.object)) {
            deliver_lost(event.object);
        }
        return;
    }
    if (outcome->kind == wire::Outcome::Kind::failed || !outcome->kept) {
        pending_.push_back(wire::DeliverValue{event.object, *outcome});
    } else if (const Buffer* here = store_.find(event.object)) {
        wire::Outcome answer;
        answer.value = *here;
        answer.size = here->size();
        pending_.push_back(wire::DeliverValue{event.object, std::move(answer)});
    } else if (outcome->holder == config_.self) {
        deliver_lost(event.object);
    } else {
        owner_.note_copy(event.object, config_.self);
        store_.fetch(event.object,
                     {.source = outcome->holder, .holder = outcome->holder},
                     outcome->size,
                     {false, {}},
                     pending_);
    }
}

void RankMachine::deliver_lost(ObjectId object) {
    wire::FailureRecord record;
    record.kind = wire::FailureRecord::Kind::object_lost;
    record.message =
        fmt::format("the result of {} is not where it was kept any more", to_string(object));
    record.task = object;
    record.rank = config_.self;
    record.host = config_.host;
    wire::Outcome lost;
    lost.kind = wire::Outcome::Kind::failed;
    lost.failure.push_back(std::move(record));
    pending_.push_back(wire::DeliverValue{object, std::move(lost)});
}

void RankMachine::arrived(const store::Store::Arrival& arrival) {
    if (silent_) {
        say_goodbye_if_done();
        return;
    }
    for (const auto& waiter : arrival.waiters) {
        if (waiter.is_task) {
            if (!actor_host_.on_dependency(waiter.task, arrival.object, arrival.value, pending_)) {
                worker_.on_dependency(waiter.task, arrival.object, arrival.value, pending_);
            }
        } else if (arrival.lost_with_holder) {
            apply(FutureWanted{arrival.object}); // it may be elsewhere now, or be made anew
        } else if (arrival.value) {
            wire::Outcome answer;
            answer.value = *arrival.value;
            answer.size = arrival.value->size();
            pending_.push_back(wire::DeliverValue{arrival.object, std::move(answer)});
        } else {
            deliver_lost(arrival.object);
        }
    }
}

void RankMachine::apply(BulkReceived event) {
    if (exchange::Exchange::is_own(event.transfer)) {
        exchange_.on_bulk_received(event.transfer, pending_);
        say_goodbye_if_done();
        return;
    }
    arrived(store_.on_bulk_received(event.transfer, std::move(event.value), pending_));
}

void RankMachine::apply(ValueMapped event) {
    arrived(store_.on_mapped(event.transfer, std::move(event.value), pending_));
}

void RankMachine::apply(ValueUnmapped event) {
    store_.on_unmapped(event.holder, event.transfer, pending_);
}

void RankMachine::apply(BulkSent event) {
    exchange_.on_bulk_sent(event.to, event.transfer, pending_);
}

void RankMachine::apply(GangOpened event) {
    exchange_.open(
        event.gang, std::move(event.members), event.member, std::move(event.port), pending_);
}

void RankMachine::apply(GangGivenUp event) {
    exchange_.give_up(event.gang, event.member, event.why, pending_);
}

void RankMachine::apply(GangReturned event) {
    exchange_.returned(event.gang, event.member, pending_);
}

void RankMachine::apply(GangClosed event) {
    exchange_.close(event.gang, event.member, pending_);
}

void RankMachine::apply(GangSend event) {
    exchange_.send(event.address, std::move(event.data), std::move(event.completion), pending_);
}

void RankMachine::apply(GangReceive event) {
    exchange_.receive(event.address, event.into, event.size, std::move(event.completion), pending_);
}

void RankMachine::apply(GangAsked event) {
    exchange_.ask(event.address, pending_);
}

void RankMachine::apply(FutureReleased event) {
    owner_.release(event.object, pending_);
}

void RankMachine::apply(FutureEscaped event) {
    owner_.pin(event.object);
}

void RankMachine::apply(FutureBorrowed event) {
    owner_.borrow(event.object, std::move(event.futures), pending_);
}

void RankMachine::apply(CancelRequested event) {
    owner_.cancel(event.task, pending_);
}

void RankMachine::apply(ValueFreed event) {
    owner_.free(event.object, pending_);
}

void RankMachine::apply(SlotReturned event) {
    worker_.on_slot_returned(event.task_class);
}

void RankMachine::apply(TasksTakenBack event) {
    worker_.on_taken_back(event.tasks, event.recalled, pending_);
}

void RankMachine::apply(TaskBlocked event) {
    // So that what the task submitted goes out before its CPUs are offered.
    owner_.flush(pending_);
    worker_.on_blocked(event.task, event.suspended, pending_);
}

void RankMachine::apply(TaskResuming event) {
    worker_.on_resuming(event.task);
}

std::string RankMachine::start_waits_for() const {
    constexpr std::size_t named_max = 8;
    if (!election_.decided()) {
        return config_.self == config_.driver
                   ? "bids of ranks " + list_ranks(election_.missing_bids(named_max))
                   : "the election by rank " + std::to_string(index(config_.driver));
    }
    if (scheduler_ && !scheduler_->formed()) {
        return "registration of ranks " + list_ranks(scheduler_->missing_registrations(named_max));
    }
    return {};
}

void RankMachine::check_invariants() const {
    owner_.check_invariants();
    worker_.check_invariants();
    exchange_.check_invariants();
    references_.check_invariants();
    calls_.check_invariants();
    actor_host_.check_invariants();
    if (scheduler_) {
        scheduler_->check_invariants();
    }
}

} // namespace muster::rank
