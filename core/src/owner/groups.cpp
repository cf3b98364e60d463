#include "owner/groups.hpp"

#include <muster/base/assert.hpp>

#include <utility>

namespace muster::owner {
namespace {

constexpr const char* removed = "its placement group was removed";

} // namespace

void Groups::create(wire::GroupSpec spec, wire::Actions& actions) {
    const auto [place, is_new] = groups_.try_emplace(spec.id);
    MUSTER_ASSERT(is_new);
    place->second.spec = std::move(spec);
    actions.push_back(wire::SendMessage{coordinator_, wire::GroupOpen{place->second.spec}});
}

std::vector<wire::GroupSpec> Groups::living() const {
    std::vector<wire::GroupSpec> specs;
    for (const auto& [id, entry] : groups_) {
        if (entry.lives) {
            specs.push_back(entry.spec);
        }
    }
    return specs;
}

void Groups::on_placed(ObjectId group) {
    if (const auto place = groups_.find(group); place != groups_.end()) {
        place->second.spec.placed = true;
    }
}

bool Groups::on_failed(const wire::GroupFailed& message) {
    const auto place = groups_.find(message.group);
    if (place == groups_.end() || !std::exchange(place->second.lives, false)) {
        return false;
    }
    place->second.failure = message.why;
    return true;
}

bool Groups::remove(ObjectId group, wire::Actions& actions) {
    const auto place = groups_.find(group);
    if (place == groups_.end() || !std::exchange(place->second.lives, false)) {
        return false;
    }
    actions.push_back(wire::SendMessage{coordinator_, wire::GroupClosed{group, removed, true}});
    return true;
}

void Groups::on_asked(const wire::GroupAsked& message, wire::Actions& actions) const {
    const auto place = groups_.find(message.group);
    if (place != groups_.end() && place->second.lives) {
        return; // the coordinator knows it by now
    }
    const bool failed = place != groups_.end() && !place->second.failure.empty();
    actions.push_back(wire::SendMessage{
        coordinator_,
        wire::GroupClosed{message.group, failed ? place->second.failure : removed, !failed}});
}

} // namespace muster::owner
