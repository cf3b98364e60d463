// Tasks go where most of what they take is, if that costs no long wait.

#include "sched/scheduler.hpp"

#include <algorithm>

namespace muster::sched {
namespace {

// How far behind the oldest tasks the ones are looked for that are near a rank, and how often these
// may go first.
constexpr std::size_t window = 16;
constexpr std::int32_t passed_over_max = 64;

} // namespace

bool Scheduler::share_node(Rank a, Rank b) const {
    return a == b ||
           (ranks_.at(a).present && ranks_.at(b).present && ranks_.at(a).node == ranks_.at(b).node);
}

bool Scheduler::grant_near(wire::ClassIndex index, wire::Actions& actions) {
    ClassState& state = classes_[index];
    const std::optional<Rank> near = state.ready.front().near;
    if (!near || state.definition.placement.kind != Placement::Kind::automatic ||
        !ranks_.at(*near).present) {
        return false;
    }
    const PlacementView view = this->view(state);
    if (can_open(view, *near)) {
        open_slot(index, *near, actions);
        return true;
    }
    // On a lost rank's node, or where it has no room: what is lent there is as near.
    for (const Rank rank : ranks_.on_node(ranks_.at(*near).node)) {
        if (can_open(view, rank)) {
            open_slot(index, rank, actions);
            return true;
        }
    }
    const auto i = static_cast<std::size_t>(muster::index(*near));
    const Usage& usage = state.usage[i];
    if (may_wait_ahead(state.definition) && !reserved_[i] && !contested_[i] &&
        !contested_everywhere_ &&
        usage.granted < usage.slots + usage.slots * ahead_per_slot(state)) {
        grant(index, *near, 1, actions);
        return true;
    }
    return false;
}

std::size_t Scheduler::choose_ready(ClassState& state, Rank rank) const {
    const auto fits = [&](const ReadyRange& ready) {
        return !ready.near || share_node(*ready.near, rank);
    };
    if (fits(state.ready.front()) || state.passed_over >= passed_over_max) {
        state.passed_over = 0;
        return 0;
    }
    const auto end =
        state.ready.begin() + static_cast<std::ptrdiff_t>(std::min(window, state.ready.size()));
    const auto better = std::find_if(state.ready.begin(), end, fits);
    if (better == end) {
        state.passed_over = 0;
        return 0;
    }
    ++state.passed_over;
    return static_cast<std::size_t>(better - state.ready.begin());
}

} // namespace muster::sched
