#include "actor/call_queue.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace muster::actor {

bool CallQueue::may_send(const Target& target) const {
    const bool has_credits = target.under_way < config_.under_way_max;
    return target.host && (!target.urgent_line.empty() || (!target.line.empty() && has_credits));
}

void CallQueue::activate(ObjectId actor, Target& target) {
    if (!target.active && may_send(target)) {
        target.active = true;
        active_.push_back(actor);
    }
}

void CallQueue::line_up(ObjectId actor, Target& target, CallOrder order, const Lane& lane) {
    if (!lane.empty() && lane.begin()->second) {
        target.line_of(order).push_back(order);
        activate(actor, target);
    }
}

void CallQueue::add(ObjectId actor, CallOrder order, TaskId call) {
    insert(targets_[actor], order, call);
}

void CallQueue::insert(Target& target, CallOrder order, TaskId call) {
    Lane& lane = target.lanes[order];
    if (!lane.empty() && call < lane.begin()->first && lane.begin()->second) {
        std::erase(target.line_of(order), order);
    }
    const std::size_t before = lane.size();
    lane.emplace_hint(lane.end(), call, false); // mostly the last
    MUSTER_ASSERT(lane.size() == before + 1);
}

void CallQueue::ready(ObjectId actor, CallOrder order, TaskId call) {
    Target& target = targets_.at(actor);
    Lane& lane = target.lanes.at(order);
    const auto place = lane.find(call);
    MUSTER_ASSERT(place != lane.end() && !place->second);
    place->second = true;
    if (place == lane.begin()) {
        line_up(actor, target, order, lane);
    }
}

void CallQueue::unready(ObjectId actor, CallOrder order, TaskId call) {
    Target& target = targets_.at(actor);
    Lane& lane = target.lanes.at(order);
    const auto place = lane.find(call);
    MUSTER_ASSERT(place != lane.end() && place->second);
    place->second = false;
    if (place == lane.begin()) {
        std::erase(target.line_of(order), order);
    }
}

void CallQueue::again(ObjectId actor, CallOrder order, TaskId call, bool under_way) {
    Target& target = targets_[actor];
    if (under_way) {
        MUSTER_ASSERT(target.under_way_of(order) > 0);
        --target.under_way_of(order);
    }
    insert(target, order, call);
    activate(actor, target);
}

void CallQueue::done(ObjectId actor, CallOrder order, TaskId call) {
    if (!order.urgent) {
        ++done_[{actor, order.context}];
    }
    leave(actor, order, call);
}

void CallQueue::returned(ObjectId actor, CallOrder order, TaskId call) {
    leave(actor, order, call);
}

void CallQueue::leave(ObjectId actor, CallOrder order, TaskId call) {
    const auto where = targets_.find(actor);
    MUSTER_ASSERT(where != targets_.end());
    Target& target = where->second;
    const auto lane = target.lanes.find(order);
    const auto place = lane == target.lanes.end() ? Lane::iterator{} : lane->second.find(call);
    if (lane == target.lanes.end() || place == lane->second.end()) {
        MUSTER_ASSERT(target.under_way_of(order) > 0);
        --target.under_way_of(order);
        activate(actor, target);
    } else {
        // Cancelled, or failed by a dependency or the constructor.
        const bool was_first = place == lane->second.begin();
        const bool was_ready = place->second;
        lane->second.erase(place);
        if (was_first && was_ready) {
            std::erase(target.line_of(order), order);
        }
        if (was_first) {
            line_up(actor, target, order, lane->second);
        }
        if (lane->second.empty()) {
            target.lanes.erase(lane);
        }
    }
    if (target.under_way == 0 && target.urgent_under_way == 0 && target.lanes.empty()) {
        if (target.active) {
            std::erase(active_, actor);
        }
        targets_.erase(where);
    }
}

void CallQueue::place(ObjectId actor, Rank host) {
    if (const auto where = targets_.find(actor); where != targets_.end()) {
        where->second.host = host;
        activate(actor, where->second);
    }
}

void CallQueue::on_lost(const std::map<Rank, std::string>& lost) {
    for (auto& [actor, target] : targets_) {
        if (target.host && lost.contains(*target.host)) {
            target.host.reset();
            if (std::exchange(target.active, false)) {
                std::erase(active_, actor);
            }
        }
    }
}

std::vector<TaskId> CallQueue::unsent(ObjectId actor) const {
    std::vector<TaskId> calls;
    if (const auto where = targets_.find(actor); where != targets_.end()) {
        for (const auto& [order, lane] : where->second.lanes) {
            for (const auto& [call, ready] : lane) {
                calls.push_back(call);
            }
        }
    }
    return calls;
}

std::optional<SendableCalls> CallQueue::take_sendable() {
    while (!active_.empty()) {
        const ObjectId actor = active_.front();
        active_.pop_front();
        Target& target = targets_.at(actor);
        target.active = false;
        if (!may_send(target)) {
            continue;
        }
        SendableCalls batch{actor, *target.host, {}};
        auto& line = target.urgent_line.empty() ? target.line : target.urgent_line;
        const CallOrder order = line.front();
        line.pop_front();
        const std::uint32_t room = order.urgent ? std::numeric_limits<std::uint32_t>::max()
                                                : config_.under_way_max - target.under_way;
        const std::size_t most = std::min<std::size_t>(room, config_.batch_max);
        const auto place = target.lanes.find(order);
        MUSTER_ASSERT(place != target.lanes.end());
        Lane& lane = place->second;
        while (!lane.empty() && lane.begin()->second && batch.calls.size() < most) {
            batch.calls.push_back(lane.begin()->first);
            lane.erase(lane.begin());
            ++target.under_way_of(order);
        }
        line_up(actor, target, order, lane);
        if (lane.empty()) {
            target.lanes.erase(place);
        }
        activate(actor, target);
        return batch;
    }
    return std::nullopt;
}

std::vector<DoneCalls> CallQueue::take_done() {
    std::vector<DoneCalls> calls;
    for (const auto& [key, count] : std::exchange(done_, {})) {
        calls.push_back({key.first, key.second, count});
    }
    return calls;
}

void CallQueue::check_invariants() const {
    for (const auto& [actor, target] : targets_) {
        MUSTER_ASSERT(target.under_way <= config_.under_way_max);
        MUSTER_ASSERT(target.under_way > 0 || target.urgent_under_way > 0 || !target.lanes.empty());
        MUSTER_ASSERT(target.active || !may_send(target));
        std::size_t lined_up = 0;
        for (const auto& [order, lane] : target.lanes) {
            MUSTER_ASSERT(!lane.empty());
            const auto& line = order.urgent ? target.urgent_line : target.line;
            const auto times = std::count(line.begin(), line.end(), order);
            MUSTER_ASSERT(times == (lane.begin()->second ? 1 : 0));
            lined_up += static_cast<std::size_t>(times);
        }
        MUSTER_ASSERT(lined_up == target.line.size() + target.urgent_line.size());
    }
}

} // namespace muster::actor
