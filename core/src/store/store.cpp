#include "store/store.hpp"

#include <muster/base/assert.hpp>

#include <limits>

namespace muster::store {
namespace {

/// Numbers of loans that nobody had asked for: this bit, the holder, and a count; even, as the odd
/// ones are the gangs'.
constexpr std::uint64_t unasked = std::uint64_t{1} << 63U;
constexpr unsigned rank_shift = 40;

} // namespace

void Store::keep(ObjectId object, Buffer value) {
    const std::size_t size = value.size();
    if (objects_.emplace(object, std::move(value)).second) {
        size_bytes_ += size;
    }
}

wire::Outcome Store::settle(ObjectId object, Buffer value, std::size_t inline_bytes_max) {
    wire::Outcome outcome;
    outcome.size = value.size();
    if (outcome.size > inline_bytes_max) {
        outcome.kept = true;
        outcome.holder = config_.self;
        keep(object, std::move(value));
    } else {
        outcome.value = std::move(value);
    }
    return outcome;
}

const Buffer* Store::find(ObjectId object) const {
    const auto place = objects_.find(object);
    return place == objects_.end() ? nullptr : &place->second;
}

void Store::drop(const wire::Drop& message) {
    for (const ObjectId object : message.objects) {
        if (const auto place = objects_.find(object); place != objects_.end()) {
            size_bytes_ -= place->second.size();
            objects_.erase(place);
        }
        if (const auto place = fetches_.find(object); place != fetches_.end()) {
            place->second.dropped = true;
        }
    }
}

void Store::fetch(ObjectId object,
                  const From& from,
                  std::uint64_t size,
                  const Waiter& waiter,
                  wire::Actions& actions) {
    MUSTER_ASSERT(from.source != config_.self && from.holder != config_.self);
    const auto [place, is_new] = fetches_.try_emplace(object);
    place->second.waiters.push_back(waiter);
    if (!is_new) {
        return;
    }
    place->second.asked = lost_.contains(from.source) ? from.holder : from.source;
    place->second.holder = from.holder;
    place->second.size = size;
    ask(object, place->second, shares_node(place->second.asked), actions);
}

void Store::ask(ObjectId object, const Pending& pending, bool in_place, wire::Actions& actions) {
    const std::uint64_t transfer = 2 * ++last_transfer_; // odd ones are the gangs'
    transfers_.emplace(transfer, object);
    actions.push_back(wire::SendMessage{pending.asked, wire::Fetch{object, transfer, in_place}});
}

bool Store::shares_node(Rank rank) const {
    const auto node = [&](Rank of) {
        const auto i = static_cast<std::size_t>(index(of));
        return i < config_.nodes.size() ? std::optional(config_.nodes[i]) : std::nullopt;
    };
    return node(rank).has_value() && node(rank) == node(config_.self);
}

std::uint32_t Store::collect(TaskId task,
                             std::vector<wire::Dependency>& dependencies,
                             std::vector<Buffer>& values,
                             wire::Actions& actions) {
    std::uint32_t missing = 0;
    for (std::size_t i = 0; i < dependencies.size(); ++i) {
        auto& dependency = dependencies[i];
        if (!dependency.kept) {
            values[i] = std::move(dependency.value);
        } else if (const Buffer* here = find(dependency.object)) {
            values[i] = *here;
        } else {
            ++missing;
            fetch(dependency.object,
                  {.source = dependency.source, .holder = dependency.holder},
                  dependency.size,
                  {true, task},
                  actions);
        }
    }
    return missing;
}

// The number is the holder's to choose, and must not be one of the reader's or of another holder's.
std::optional<wire::Loan> Store::lend(ObjectId object, Rank reader) {
    const Buffer* value = find(object);
    if (value == nullptr || config_.places == nullptr || lost_.contains(reader) ||
        !shares_node(reader)) {
        return std::nullopt;
    }
    const auto place = config_.places->place_of(*value);
    if (!place) {
        return std::nullopt;
    }
    const std::uint64_t transfer =
        unasked | static_cast<std::uint64_t>(index(config_.self)) << rank_shift | 2 * ++last_loan_;
    loans_.emplace(std::pair(reader, transfer), *value);
    return wire::Loan{transfer, *place};
}

void Store::take_loans(Rank holder,
                       const std::vector<wire::Dependency>& dependencies,
                       wire::Actions& actions) {
    for (const wire::Dependency& dependency : dependencies) {
        if (!dependency.loan) {
            continue;
        }
        const ObjectId object = dependency.object;
        const auto [transfer, where] = *dependency.loan;
        if (objects_.contains(object) || fetches_.contains(object)) {
            actions.push_back(wire::SendMessage{holder, wire::LoanEnded{transfer}});
            continue;
        }
        Pending& pending = fetches_[object];
        pending.asked = holder;
        pending.holder = holder;
        pending.size = dependency.size;
        transfers_.emplace(transfer, object);
        actions.push_back(wire::MapValue{holder, transfer, where});
    }
}

void Store::on_fetch(Rank from, const wire::Fetch& message, wire::Actions& actions) {
    if (const Buffer* value = find(message.object)) {
        answer(from, message, *value, actions);
    } else if (const auto place = fetches_.find(message.object); place != fetches_.end()) {
        place->second.askers.push_back({from, message});
    } else {
        actions.push_back(
            wire::SendMessage{from, wire::FetchFailed{message.object, message.transfer}});
    }
}

void Store::answer(Rank to,
                   const wire::Fetch& message,
                   const Buffer& value,
                   wire::Actions& actions) {
    if (message.in_place && config_.places != nullptr) {
        if (const auto place = config_.places->place_of(value)) {
            loans_.emplace(std::pair(to, message.transfer), value);
            actions.push_back(
                wire::SendMessage{to, wire::FetchLent{message.object, message.transfer, *place}});
            return;
        }
    }
    actions.push_back(wire::SendMessage{to, wire::FetchStarted{message.object, message.transfer}});
    actions.push_back(wire::SendBulk{to, message.transfer, value});
}

void Store::on_fetch_started(const wire::FetchStarted& message, wire::Actions& actions) const {
    const auto place = transfers_.find(message.transfer);
    MUSTER_ASSERT(place != transfers_.end());
    const Pending& pending = fetches_.at(place->second);
    actions.push_back(wire::ReceiveBulk{pending.asked, message.transfer, pending.size});
}

void Store::on_fetch_lent(const wire::FetchLent& message, wire::Actions& actions) const {
    const auto place = transfers_.find(message.transfer);
    MUSTER_ASSERT(place != transfers_.end());
    actions.push_back(
        wire::MapValue{fetches_.at(place->second).asked, message.transfer, message.place});
}

Store::Arrival
Store::on_mapped(std::uint64_t transfer, std::optional<Buffer> value, wire::Actions& actions) {
    const auto place = transfers_.find(transfer);
    if (place == transfers_.end()) {
        return {}; // who lent it is lost
    }
    if (value) {
        return on_bulk_received(transfer, std::move(*value), actions);
    }
    const ObjectId object = place->second;
    transfers_.erase(place);
    const Pending& pending = fetches_.at(object);
    actions.push_back(wire::SendMessage{pending.asked, wire::LoanEnded{transfer}});
    // The owner may have dropped it since: that it was lent is all that kept it.
    ask(object, pending, false, actions);
    return {};
}

void Store::on_unmapped(Rank holder, std::uint64_t transfer, wire::Actions& actions) const {
    actions.push_back(wire::SendMessage{holder, wire::LoanEnded{transfer}});
}

void Store::on_loan_ended(Rank from, const wire::LoanEnded& message) {
    loans_.erase({from, message.transfer});
}

Store::Arrival
Store::on_bulk_received(std::uint64_t transfer, Buffer value, wire::Actions& actions) {
    const auto place = transfers_.find(transfer);
    MUSTER_ASSERT(place != transfers_.end());
    const ObjectId object = place->second;
    transfers_.erase(place);
    auto pending = std::move(fetches_.at(object));
    fetches_.erase(object);
    if (!pending.dropped) {
        keep(object, value);
    }
    for (const auto& [rank, message] : pending.askers) {
        answer(rank, message, value, actions);
    }
    return {object, std::move(value), std::move(pending.waiters), false};
}

std::optional<Store::Arrival> Store::fail(ObjectId object, bool lost, wire::Actions& actions) {
    const auto place = fetches_.find(object);
    Pending& pending = place->second;
    const bool holder_lost = lost_.contains(pending.holder);
    if (pending.asked != pending.holder && !holder_lost) {
        pending.asked = pending.holder;
        ask(object, pending, shares_node(pending.holder), actions);
        return std::nullopt;
    }
    for (const auto& [rank, message] : pending.askers) {
        actions.push_back(
            wire::SendMessage{rank, wire::FetchFailed{message.object, message.transfer}});
    }
    Arrival arrival{object, std::nullopt, std::move(pending.waiters), lost || holder_lost};
    fetches_.erase(place);
    return arrival;
}

Store::Arrival Store::on_fetch_failed(const wire::FetchFailed& message, wire::Actions& actions) {
    const auto place = transfers_.find(message.transfer);
    if (place == transfers_.end()) {
        return {};
    }
    const ObjectId object = place->second;
    transfers_.erase(place);
    return fail(object, false, actions).value_or(Arrival{});
}

std::vector<Store::Arrival> Store::on_lost(Rank rank, wire::Actions& actions) {
    lost_.insert(rank);
    loans_.erase(loans_.lower_bound({rank, 0}),
                 loans_.upper_bound({rank, std::numeric_limits<std::uint64_t>::max()}));
    std::vector<ObjectId> failed;
    for (auto place = transfers_.begin(); place != transfers_.end();) {
        Pending& pending = fetches_.at(place->second);
        std::erase_if(pending.askers, [&](const Asker& asker) { return asker.rank == rank; });
        if (pending.asked == rank) {
            failed.push_back(place->second);
            place = transfers_.erase(place);
        } else {
            ++place;
        }
    }
    std::vector<Arrival> arrivals;
    for (const ObjectId object : failed) {
        if (auto arrival = fail(object, true, actions)) {
            arrivals.push_back(std::move(*arrival));
        }
    }
    return arrivals;
}

} // namespace muster::store
