#include "actor/call_queue.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <utility>

namespace muster::actor {

bool CallQueue::may_send(const Target& target) const {
    return target.host && !target.line.empty() && target.under_way < config_.under_way_max;
}

void CallQueue::activate(ObjectId actor, Target& target) {
    if (!target.active && may_send(target)) {
        target.active = true;
        active_.push_back(actor);
    }
}

void CallQueue::line_up(ObjectId actor, Target& target, ObjectId context, const Lane& lane) {
    if (!lane.empty() && lane.begin()->second) {
        target.line.push_back(context);
        activate(actor, target);
    }
}

void CallQueue::add(ObjectId actor, ObjectId context, TaskId call) {
    Lane& lane = targets_[actor].lanes[context];
    lane.emplace_hint(lane.end(), call, false);
}

void CallQueue::ready(ObjectId actor, ObjectId context, TaskId call) {
    Target& target = targets_.at(actor);
    Lane& lane = target.lanes.at(context);
    const auto place = lane.find(call);
    MUSTER_ASSERT(place != lane.end() && !place->second);
    place->second = true;
    if (place == lane.begin()) {
        line_up(actor, target, context, lane);
    }
}

void CallQueue::unready(ObjectId actor, ObjectId context, TaskId call) {
    Target& target = targets_.at(actor);
    Lane& lane = target.lanes.at(context);
    const auto place = lane.find(call);
    MUSTER_ASSERT(place != lane.end() && place->second);
    place->second = false;
    if (place == lane.begin()) {
        std::erase(target.line, context);
    }
}

void CallQueue::again(ObjectId actor, ObjectId context, TaskId call, bool under_way) {
    Target& target = targets_[actor];
    if (under_way) {
        MUSTER_ASSERT(target.under_way > 0);
        --target.under_way;
    }
    Lane& lane = target.lanes[context];
    if (!lane.empty() && call < lane.begin()->first && lane.begin()->second) {
        std::erase(target.line, context);
    }
    const bool is_new = lane.emplace(call, false).second;
    MUSTER_ASSERT(is_new);
    activate(actor, target);
}

void CallQueue::done(ObjectId actor, ObjectId context, TaskId call) {
    ++done_[{actor, context}];
    leave(actor, context, call);
}

void CallQueue::returned(ObjectId actor, ObjectId context, TaskId call) {
    leave(actor, context, call);
}

void CallQueue::leave(ObjectId actor, ObjectId context, TaskId call) {
    const auto where = targets_.find(actor);
    MUSTER_ASSERT(where != targets_.end());
    Target& target = where->second;
    const auto lane = target.lanes.find(context);
    const auto place = lane == target.lanes.end() ? Lane::iterator{} : lane->second.find(call);
    if (lane == target.lanes.end() || place == lane->second.end()) {
        MUSTER_ASSERT(target.under_way > 0);
        --target.under_way;
        activate(actor, target);
    } else {
        // Cancelled, or failed by a dependency or the constructor.
        const bool was_first = place == lane->second.begin();
        const bool was_ready = place->second;
        lane->second.erase(place);
        if (was_first && was_ready) {
            std::erase(target.line, context);
        }
        if (was_first) {
            line_up(actor, target, context, lane->second);
        }
        if (lane->second.empty()) {
            target.lanes.erase(lane);
        }
    }
    if (target.under_way == 0 && target.lanes.empty()) {
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
        for (const auto& [context, lane] : where->second.lanes) {
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
        const ObjectId context = target.line.front();
        target.line.pop_front();
        const auto place = target.lanes.find(context);
        Lane& lane = place->second;
        while (!lane.empty() && lane.begin()->second && batch.calls.size() < config_.batch_max &&
               target.under_way < config_.under_way_max) {
            batch.calls.push_back(lane.begin()->first);
            lane.erase(lane.begin());
            ++target.under_way;
        }
        line_up(actor, target, context, lane);
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
        MUSTER_ASSERT(target.under_way > 0 || !target.lanes.empty());
        MUSTER_ASSERT(target.active || !may_send(target));
        std::size_t lined_up = 0;
        for (const auto& [context, lane] : target.lanes) {
            MUSTER_ASSERT(!lane.empty());
            const auto times = std::count(target.line.begin(), target.line.end(), context);
            MUSTER_ASSERT(times == (lane.begin()->second ? 1 : 0));
            lined_up += static_cast<std::size_t>(times);
        }
        MUSTER_ASSERT(lined_up == target.line.size());
    }
}

} // namespace muster::actor
