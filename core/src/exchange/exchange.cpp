#include "exchange/exchange.hpp"

#include "wire/gang_tags.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace muster::exchange {
namespace {

std::string describe_failure(const wire::GangFailed& message) {
    const auto& record = message.failure;
    return fmt::format("member {} of the gang ({} on {}) {}: {}{}",
                       message.member,
                       to_string(record.rank),
                       record.host,
                       record.kind == wire::FailureRecord::Kind::cancelled ? "was cancelled"
                                                                           : "failed",
                       record.type.empty() ? "" : record.type + ": ",
                       record.message);
}

std::string has_returned(std::int32_t member) {
    return fmt::format("member {} of the gang has returned and receives no more", member);
}

std::string has_sent_all(std::int32_t member) {
    return fmt::format("member {} of the gang has returned and sends no more", member);
}

std::string wrong_size(const wire::GangAddress& address, std::uint64_t sent, std::uint64_t wanted) {
    return fmt::format("member {} sent {} bytes to member {}, which receives {} from it there: "
                       "both must name the same number of elements of the same type",
                       address.from,
                       sent,
                       address.to,
                       wanted);
}

} // namespace

void Exchange::open(LeaseId id,
                    std::vector<Rank> members,
                    std::int32_t member,
                    std::shared_ptr<void> port,
                    wire::Actions& actions) {
    Gang& gang = gangs_[id];
    gang.members = std::move(members);
    const auto [place, is_new] = gang.ports.emplace(member, std::move(port));
    MUSTER_ASSERT(is_new);
    if (gang.failure) {
        actions.push_back(wire::AbortMember{place->second, describe_failure(*gang.failure)});
    }
}

void Exchange::close(LeaseId id, std::int32_t member, wire::Actions& actions) {
    give_up(id, member, "this member has ended", actions);
    gangs_.at(id).ports.erase(member);
}

void Exchange::give_up(LeaseId id,
                       std::int32_t member,
                       const std::string& why,
                       wire::Actions& actions) {
    Gang& gang = gangs_.at(id);
    gang.closed.insert(member);
    settle(id, member, why, actions);
}

void Exchange::turn_away(Gang& gang, std::int32_t member, bool all, wire::Actions& actions) {
    for (auto place = gang.waiting.begin(); place != gang.waiting.end();) {
        if (place->first.to == member && (all || wire::is_of_users(place->first.tag))) {
            for (const Waiting& message : place->second) {
                refuse(message, has_returned(member), actions);
            }
            place = gang.waiting.erase(place);
        } else {
            ++place;
        }
    }
    for (auto place = gang.asked.begin(); place != gang.asked.end();) {
        if (place->first.from == member) {
            actions.push_back(wire::SendMessage{place->second, wire::GangNone{place->first}});
            place = gang.asked.erase(place);
        } else {
            ++place;
        }
    }
}

void Exchange::returned(LeaseId id, std::int32_t member, wire::Actions& actions) {
    Gang& gang = gangs_.at(id);
    gang.returned.insert(member);
    turn_away(gang, member, false, actions);
}

void Exchange::end(LeaseId id, std::int32_t member, bool is_last, wire::Actions& actions) {
    if (closed_.contains(id)) {
        return; // abandoned
    }
    Gang& gang = gangs_[id];
    MUSTER_ASSERT(!gang.ports.contains(member));
    gang.ended.insert(member);
    turn_away(gang, member, true, actions);
    if (!is_last) {
        return;
    }
    MUSTER_ASSERT(gang.ports.empty() && gang.waiting.empty());
    forget(id, gang.failure.has_value());
}

void Exchange::abandon(LeaseId id) {
    const auto place = gangs_.find(id);
    const bool met =
        place != gangs_.end() && !(place->second.ports.empty() && place->second.ended.empty());
    if (!met && !closed_.contains(id)) {
        forget(id, true);
    }
}

std::vector<LeaseId> Exchange::gangs() const {
    std::vector<LeaseId> ids;
    for (const auto& [id, gang] : gangs_) {
        ids.push_back(id);
    }
    return ids;
}

void Exchange::forget(LeaseId id, bool failed) {
    closed_.emplace(id, failed);
    gangs_.erase(id);
    closed_order_.push_back(id);
    if (closed_order_.size() > config_.closed_max) {
        closed_.erase(closed_order_.front());
        closed_order_.pop_front();
    }
}

std::optional<std::string> Exchange::closed_because(LeaseId id, std::int32_t member) const {
    const auto place = gangs_.find(id);
    if (silent_ || place == gangs_.end()) {
        return silent_ ? "the run has ended" : "the gang has ended";
    }
    if (place->second.failure) {
        return describe_failure(*place->second.failure);
    }
    return place->second.closed.contains(member) ? std::optional{"this member has given up"}
                                                 : std::nullopt;
}

void Exchange::fall_silent(wire::Actions& actions) {
    silent_ = true;
    for (const auto& [id, gang] : gangs_) {
        settle(id, std::nullopt, "the run has ended", actions);
    }
}

void Exchange::send(const wire::GangAddress& address,
                    Buffer data,
                    std::shared_ptr<void> completion,
                    wire::Actions& actions) {
    if (auto why = closed_because(address.gang, address.from)) {
        data = {};
        actions.push_back(wire::SettleMessage{std::move(completion), *std::move(why)});
        return;
    }
    const Rank to = gangs_.at(address.gang).members.at(static_cast<std::size_t>(address.to));
    if (data.size() <= data_bytes_max) {
        // A copy, unless it is one: the sender goes on before its message has left.
        actions.push_back(wire::SendMessage{
            to, wire::GangData{address, completion ? Buffer::copy_of(data.bytes()) : data}});
        data = {};
        actions.push_back(wire::SettleMessage{std::move(completion), {}});
        return;
    }
    const std::uint64_t size = data.size();
    const std::uint64_t offer = ++last_offer_;
    offers_.emplace(offer, Offer{address, to, std::move(data), std::move(completion)});
    actions.push_back(wire::SendMessage{to, wire::GangOffer{address, offer, size}});
}

void Exchange::receive(const wire::GangAddress& address,
                       std::byte* into,
                       std::uint64_t size,
                       std::shared_ptr<void> completion,
                       wire::Actions& actions) {
    if (auto why = closed_because(address.gang, address.to)) {
        actions.push_back(wire::SettleMessage{std::move(completion), *std::move(why)});
        return;
    }
    Gang& gang = gangs_.at(address.gang);
    Receive receive{into, size, std::move(completion)};
    const auto waiting = gang.waiting.find(address);
    if (waiting == gang.waiting.end()) {
        gang.receives[address].push_back(std::move(receive));
        return;
    }
    Waiting message = std::move(waiting->second.front());
    waiting->second.pop_front();
    if (waiting->second.empty()) {
        gang.waiting.erase(waiting);
    }
    take(address, std::move(message), std::move(receive), actions);
}

void Exchange::arrive(const wire::GangAddress& address, Waiting message, wire::Actions& actions) {
    if (const auto closed = closed_.find(address.gang); closed != closed_.end()) {
        if (!closed->second) {
            refuse(message, has_returned(address.to), actions);
        }
        return;
    }
    Gang& gang = gangs_[address.gang];
    if (gang.failure) {
        return;
    }
    if (gang.ended.contains(address.to) ||
        (wire::is_of_users(address.tag) && gang.returned.contains(address.to))) {
        refuse(message, has_returned(address.to), actions);
        return;
    }
    const auto waiting = gang.receives.find(address);
    if (waiting == gang.receives.end()) {
        gang.waiting[address].push_back(std::move(message));
        return;
    }
    Receive receive = std::move(waiting->second.front());
    waiting->second.pop_front();
    if (waiting->second.empty()) {
        gang.receives.erase(waiting);
    }
    take(address, std::move(message), std::move(receive), actions);
}

void Exchange::take(const wire::GangAddress& address,
                    Waiting message,
                    Receive receive,
                    wire::Actions& actions) {
    if (message.size != receive.size) {
        const std::string why = wrong_size(address, message.size, receive.size);
        refuse(message, why, actions, ErrorCode::usage);
        actions.push_back(
            wire::SettleMessage{std::move(receive.completion), why, ErrorCode::usage});
        return;
    }
    if (!message.offer) {
        actions.push_back(wire::PlaceMessage{
            std::move(message.data), receive.into, std::move(receive.completion)});
        return;
    }
    if (message.from == config_.self) {
        auto offer = offers_.extract(*message.offer);
        actions.push_back(wire::PlaceMessage{
            std::move(offer.mapped().data), receive.into, std::move(receive.completion)});
        actions.push_back(wire::SettleMessage{std::move(offer.mapped().completion), {}});
        return;
    }
    const std::uint64_t transfer = 2 * ++last_transfer_ - 1;
    transfers_.emplace(transfer,
                       Transfer{address.gang, address.to, message.from, std::move(receive)});
    actions.push_back(wire::SendMessage{message.from, wire::GangAccept{*message.offer, transfer}});
}

void Exchange::refuse(const Waiting& message,
                      std::string why,
                      wire::Actions& actions,
                      ErrorCode code) {
    if (message.offer) {
        actions.push_back(wire::SendMessage{
            message.from, wire::GangRefuse{*message.offer, std::move(why), code}});
    }
}

void Exchange::on_data(wire::GangData message, wire::Actions& actions) {
    const std::uint64_t size = message.data.size();
    arrive(message.address, {std::move(message.data), std::nullopt, {}, size}, actions);
}

void Exchange::on_offer(Rank from, const wire::GangOffer& message, wire::Actions& actions) {
    if (from == config_.self && !offers_.contains(message.offer)) {
        return; // given up meanwhile
    }
    arrive(message.address, {{}, message.offer, from, message.size}, actions);
}

void Exchange::ask(const wire::GangAddress& address, wire::Actions& actions) {
    const auto place = gangs_.find(address.gang);
    if (place != gangs_.end() && place->second.receives.contains(address)) {
        const Rank from = place->second.members.at(static_cast<std::size_t>(address.from));
        actions.push_back(wire::SendMessage{from, wire::GangAsk{address}});
    }
}

void Exchange::on_ask(Rank from, const wire::GangAsk& message, wire::Actions& actions) {
    const wire::GangAddress& address = message.address;
    if (const auto closed = closed_.find(address.gang); closed != closed_.end()) {
        if (closed->second) {
            return;
        }
    } else {
        Gang& gang = gangs_[address.gang];
        if (gang.failure) {
            return;
        }
        if (!gang.returned.contains(address.from) && !gang.ended.contains(address.from)) {
            gang.asked.emplace(address, from);
            return;
        }
    }
    actions.push_back(wire::SendMessage{from, wire::GangNone{address}});
}

// Behind all that the member sent: what still waits now, waits in vain.
void Exchange::on_none(const wire::GangNone& message, wire::Actions& actions) {
    const wire::GangAddress& address = message.address;
    const auto place = gangs_.find(address.gang);
    if (place == gangs_.end()) {
        return;
    }
    if (auto receives = place->second.receives.extract(address); !receives.empty()) {
        for (Receive& receive : receives.mapped()) {
            actions.push_back(wire::SettleMessage{
                std::move(receive.completion), has_sent_all(address.from), ErrorCode::aborted});
        }
    }
}

void Exchange::on_accept(Rank from, const wire::GangAccept& message, wire::Actions& actions) {
    auto offer = offers_.extract(message.offer);
    if (offer.empty()) {
        actions.push_back(wire::SendMessage{from, wire::GangWithdrawn{message.transfer}});
        return;
    }
    Offer& accepted = offer.mapped();
    sent_.emplace(std::pair{accepted.to, message.transfer}, std::move(accepted.completion));
    actions.push_back(wire::SendMessage{accepted.to, wire::GangStarted{message.transfer}});
    actions.push_back(wire::SendBulk{accepted.to, message.transfer, std::move(accepted.data)});
}

void Exchange::on_refuse(const wire::GangRefuse& message, wire::Actions& actions) {
    auto offer = offers_.extract(message.offer);
    if (!offer.empty()) {
        offer.mapped().data = {};
        actions.push_back(
            wire::SettleMessage{std::move(offer.mapped().completion), message.why, message.code});
    }
}

void Exchange::on_started(const wire::GangStarted& message, wire::Actions& actions) {
    Transfer& transfer = transfers_.at(message.transfer);
    MUSTER_ASSERT(!transfer.started);
    transfer.started = true;
    actions.push_back(wire::ReceiveBulk{
        transfer.from, message.transfer, transfer.receive.size, transfer.receive.into});
}

void Exchange::on_withdrawn(const wire::GangWithdrawn& message) {
    // Its receive was settled when the gang failed; here too, or it will be: both know of it.
    Transfer& transfer = transfers_.at(message.transfer);
    MUSTER_ASSERT(!transfer.started);
    if (transfer.given_up) {
        transfers_.erase(message.transfer);
    } else {
        transfer.withdrawn = true;
    }
}

void Exchange::on_bulk_received(std::uint64_t number, wire::Actions& actions) {
    auto transfer = transfers_.extract(number);
    MUSTER_ASSERT(!transfer.empty() && transfer.mapped().started);
    if (!transfer.mapped().given_up) {
        actions.push_back(wire::SettleMessage{std::move(transfer.mapped().receive.completion), {}});
    }
}

void Exchange::on_bulk_sent(Rank to, std::uint64_t transfer, wire::Actions& actions) {
    if (auto entry = sent_.extract({to, transfer}); !entry.empty()) {
        actions.push_back(wire::SettleMessage{std::move(entry.mapped()), {}});
    }
}

void Exchange::settle(LeaseId id,
                      std::optional<std::int32_t> member,
                      const std::string& why,
                      wire::Actions& actions) {
    const auto concerns = [&](std::int32_t whose) { return !member || whose == *member; };
    Gang& gang = gangs_.at(id);
    for (auto place = gang.receives.begin(); place != gang.receives.end();) {
        if (concerns(place->first.to)) {
            for (Receive& receive : place->second) {
                actions.push_back(wire::SettleMessage{std::move(receive.completion), why});
            }
            place = gang.receives.erase(place);
        } else {
            ++place;
        }
    }
    for (auto place = offers_.begin(); place != offers_.end();) {
        Offer& offer = place->second;
        if (offer.address.gang == id && concerns(offer.address.from)) {
            offer.data = {};
            actions.push_back(wire::SettleMessage{std::move(offer.completion), why});
            place = offers_.erase(place);
        } else {
            ++place;
        }
    }
    for (auto& [number, transfer] : transfers_) {
        // One that has begun ends by itself: both ends are alive.
        if (transfer.gang == id && concerns(transfer.member) && !transfer.started &&
            !transfer.given_up) {
            transfer.given_up = true;
            transfer.receive.into = nullptr;
            actions.push_back(wire::SettleMessage{std::move(transfer.receive.completion), why});
        }
    }
    std::erase_if(transfers_, [](const auto& entry) {
        return entry.second.withdrawn && entry.second.given_up;
    });
}

void Exchange::on_failed(const wire::GangFailed& message, wire::Actions& actions) {
    if (closed_.contains(message.gang)) {
        return;
    }
    Gang& gang = gangs_[message.gang];
    if (gang.failure) {
        return;
    }
    gang.failure = message;
    const std::string why = describe_failure(message);
    for (const auto& [member, port] : gang.ports) {
        actions.push_back(wire::AbortMember{port, why});
    }
    gang.waiting.clear();
    gang.asked.clear();
    settle(message.gang, std::nullopt, why, actions);
}

void Exchange::on_lost(Rank rank, wire::Actions& actions) {
    const std::string why = fmt::format("{} was lost", to_string(rank));
    for (auto place = transfers_.begin(); place != transfers_.end();) {
        Transfer& transfer = place->second;
        if (transfer.from != rank) {
            ++place;
            continue;
        }
        if (!transfer.given_up) {
            actions.push_back(wire::SettleMessage{std::move(transfer.receive.completion), why});
        }
        place = transfers_.erase(place);
    }
    for (auto place = sent_.begin(); place != sent_.end();) {
        if (place->first.first == rank) {
            actions.push_back(wire::SettleMessage{std::move(place->second), why});
            place = sent_.erase(place);
        } else {
            ++place;
        }
    }
}

const wire::GangFailed* Exchange::failure(LeaseId id) const {
    const auto place = gangs_.find(id);
    return place != gangs_.end() && place->second.failure ? &*place->second.failure : nullptr;
}

bool Exchange::idle() const {
    return gangs_.empty() && offers_.empty() && transfers_.empty() && sent_.empty();
}

std::string Exchange::describe() const {
    std::string text;
    for (const auto& [id, gang] : gangs_) {
        text += fmt::format("    gang {}: {} members here, {} ended, {} receives, {} messages{}\n",
                            to_string(id),
                            gang.ports.size(),
                            gang.closed.size(),
                            gang.receives.size(),
                            gang.waiting.size(),
                            gang.failure ? ", failed" : "");
    }
    if (!offers_.empty() || !transfers_.empty() || !sent_.empty()) {
        text += fmt::format("    {} offers, {} transfers to here, {} from here\n",
                            offers_.size(),
                            transfers_.size(),
                            sent_.size());
    }
    return text;
}

void Exchange::check_invariants() const {
    for (const auto& [id, gang] : gangs_) {
        for (const auto& [address, receives] : gang.receives) {
            MUSTER_ASSERT(!receives.empty() && !gang.waiting.contains(address));
            MUSTER_ASSERT(gang.ports.contains(address.to) && !gang.failure);
        }
        for (const auto& [address, messages] : gang.waiting) {
            MUSTER_ASSERT(!messages.empty() && !gang.ended.contains(address.to));
        }
    }
    for (const auto& [number, transfer] : transfers_) {
        MUSTER_ASSERT(is_own(number));
        MUSTER_ASSERT(transfer.given_up == (transfer.receive.completion == nullptr));
    }
}

} // namespace muster::exchange
