// The part of the owner that runs gangs: one task, several members.

#include "owner/owner.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

namespace muster::owner {

void Owner::on_gang_grant(const wire::Grant& message, wire::Actions& actions) {
    const TaskId task = message.range.first;
    const Place place = find(task);
    const bool over = place.block == nullptr || place.item().state == State::done;
    if (over) {
        // Cancelled while it was queued.
        wire::Progress declined;
        for (std::size_t m = 0; m < message.members.size(); ++m) {
            declined.leases.push_back({advance(message.lease, m), 1, Duration{}});
        }
        actions.push_back(wire::SendMessage{coordinator_, std::move(declined)});
        return;
    }
    Item& item = place.item();
    MUSTER_ASSERT(item.state == State::submitted && place.member == 0);
    MUSTER_ASSERT(message.members.size() == place.block->task_class.stride());
    item.lease = message.lease;
    grant(place, message.members.front());
    item.gang = std::make_unique<GangRun>();
    item.gang->members = message.members;
    item.gang->ended.resize(message.members.size());
    item.gang->running = static_cast<std::int32_t>(message.members.size());
    const wire::Gang gang{message.lease, message.members, place.block->task_class.raw_mpi};
    const auto devices =
        static_cast<std::ptrdiff_t>(message.devices.size() / message.members.size());
    for (std::size_t m = 0; m < message.members.size(); ++m) {
        wire::Run run;
        const auto own = message.devices.begin() + static_cast<std::ptrdiff_t>(m) * devices;
        run.devices.assign(own, own + devices);
        run.lease = advance(message.lease, m);
        run.task_class = place.block->task_class;
        if (!message.bundles.empty()) {
            run.task_class.placement.target = message.bundles[m];
        }
        run.name = place.block->name;
        run.timeout = place.block->timeout;
        run.tasks.push_back(specify(task, item, message.members[m]));
        run.tasks.front().id = advance(task, m);
        run.gang = gang;
        run.member = static_cast<std::int32_t>(m);
        actions.push_back(wire::SendMessage{message.members[m], std::move(run)});
    }
}

void Owner::on_member_finished(TaskId id, wire::Outcome outcome, wire::Actions& actions) {
    const Place place = find(id);
    const TaskId task{static_cast<std::uint64_t>(id) - place.member};
    GangRun& gang = *place.item().gang;
    if (gang.ended[place.member]) {
        return;
    }
    gang.ended[place.member] = true;
    --gang.running;
    const auto member = static_cast<std::int32_t>(place.member);
    if (outcome.kind == wire::Outcome::Kind::failed) {
        const auto released = [](const wire::Outcome& failed) {
            return failed.failure.front().kind == wire::FailureRecord::Kind::released;
        };
        outcome.failure.front().task = task;
        outcome.failure.front().member = member;
        if (!gang.failure || std::pair{released(outcome), member} <
                                 std::pair{released(gang.failure->second), gang.failure->first}) {
            gang.failure = {member, std::move(outcome)};
        }
    } else if (member == 0) {
        gang.value = std::move(outcome);
    }
    if (gang.running > 0) {
        return;
    }
    if (gang.crossed && !place.item().cancelling) {
        retry(task, place, false, actions);
        return;
    }
    wire::Outcome result =
        gang.failure ? std::move(gang.failure->second) : std::move(gang.value).value();
    if (const auto lost = lost_member(gang, result)) {
        const Rank rank = gang.members[*lost];
        result = failure(wire::FailureRecord::Kind::system,
                         task,
                         place,
                         fmt::format("{} was lost", name_rank(rank)));
        result.failure.front().rank = rank;
        result.failure.front().member = static_cast<std::int32_t>(*lost);
    }
    end_attempt(task, place, std::move(result), actions);
}

// A rank may be lost when its own member has ended: with the gang's value, or before the others
// were through with it, which then were only released.
std::optional<std::size_t> Owner::lost_member(const GangRun& gang,
                                              const wire::Outcome& result) const {
    const bool only_released = result.kind == wire::Outcome::Kind::failed &&
                               result.failure.front().kind == wire::FailureRecord::Kind::released;
    const bool value_lost = result.kept && lost(result.holder);
    for (std::size_t m = 0; (only_released || value_lost) && m < gang.members.size(); ++m) {
        if (lost(gang.members[m])) {
            return m;
        }
    }
    return std::nullopt;
}

} // namespace muster::owner
