#include "store/store.hpp"

#include <muster/base/assert.hpp>

namespace muster::store {

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
        outcome.holder = self_;
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
                  Rank holder,
                  std::uint64_t size,
                  const Waiter& waiter,
                  wire::Actions& actions) {
    MUSTER_ASSERT(holder != self_);
    const auto [place, is_new] = fetches_.try_emplace(object);
    place->second.waiters.push_back(waiter);
    if (!is_new) {
        return;
    }
    const std::uint64_t transfer = 2 * ++last_transfer_; // odd ones are the gangs'
    place->second.holder = holder;
    place->second.size = size;
    transfers_.emplace(transfer, object);
    actions.push_back(wire::SendMessage{holder, wire::Fetch{object, transfer}});
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
            fetch(dependency.object, dependency.holder, dependency.size, {true, task}, actions);
        }
    }
    return missing;
}

void Store::on_fetch(Rank from, const wire::Fetch& message, wire::Actions& actions) const {
    if (const Buffer* value = find(message.object)) {
        actions.push_back(
            wire::SendMessage{from, wire::FetchStarted{message.object, message.transfer}});
        actions.push_back(wire::SendBulk{from, message.transfer, *value});
    } else {
        actions.push_back(
            wire::SendMessage{from, wire::FetchFailed{message.object, message.transfer}});
    }
}

void Store::on_fetch_started(const wire::FetchStarted& message, wire::Actions& actions) const {
    const auto place = transfers_.find(message.transfer);
    MUSTER_ASSERT(place != transfers_.end());
    const Pending& pending = fetches_.at(place->second);
    actions.push_back(wire::ReceiveBulk{pending.holder, message.transfer, pending.size});
}

Store::Arrival Store::on_bulk_received(std::uint64_t transfer, Buffer value) {
    const auto place = transfers_.find(transfer);
    MUSTER_ASSERT(place != transfers_.end());
    const ObjectId object = place->second;
    transfers_.erase(place);
    auto pending = std::move(fetches_.at(object));
    fetches_.erase(object);
    if (!pending.dropped) {
        keep(object, value);
    }
    return {object, std::move(value), std::move(pending.waiters), false};
}

Store::Arrival Store::on_fetch_failed(const wire::FetchFailed& message) {
    const auto place = transfers_.find(message.transfer);
    if (place == transfers_.end()) {
        return {};
    }
    const ObjectId object = place->second;
    transfers_.erase(place);
    auto pending = std::move(fetches_.at(object));
    fetches_.erase(object);
    return {object, std::nullopt, std::move(pending.waiters), false};
}

std::vector<Store::Arrival> Store::on_lost(Rank rank) {
    std::vector<Arrival> arrivals;
    for (auto place = transfers_.begin(); place != transfers_.end();) {
        const auto fetch = fetches_.find(place->second);
        if (fetch->second.holder == rank) {
            arrivals.push_back(
                {fetch->first, std::nullopt, std::move(fetch->second.waiters), true});
            fetches_.erase(fetch);
            place = transfers_.erase(place);
        } else {
            ++place;
        }
    }
    return arrivals;
}

} // namespace muster::store
