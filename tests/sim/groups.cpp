// The part of Executors that knows of placement groups.

#include "executors.hpp"
#include "failure.hpp"

#include <utility>

namespace muster::sim {

Executors::GroupRef* Executors::local_group(Context& context, Local index) const {
    const std::size_t size = context.groups.size();
    if (size == 0) {
        return nullptr;
    }
    const bool counted_from_end = index > latest / 2;
    const std::size_t place = counted_from_end ? size - 1 - (latest - index) % size : index % size;
    GroupRef& found = context.groups[place];
    return found.group == ObjectId{} ? nullptr : &found;
}

std::optional<Placement>
Executors::place_in(Context& context, const InGroup& in, const TaskKind& kind) const {
    const GroupRef* const ref = local_group(context, in.group);
    if (ref == nullptr) {
        return std::nullopt;
    }
    const auto& bundles = world_.oracle.group(ref->group).made.bundles;
    const auto count = static_cast<std::int32_t>(bundles.size());
    Placement placement{Placement::Kind::in_group, in.bundle < 0 ? -1 : in.bundle % count};
    placement.group = ref->group;
    const std::int64_t members = std::max(kind.ranks, 1);
    std::int64_t room = 0;
    for (std::int32_t b = 0; b < count; ++b) {
        if (placement.target < 0 || placement.target == b) {
            room += sched::Room::all_of(bundles[static_cast<std::size_t>(b)])
                        .times_fitting(kind.demand,
                                       kind.ranks > 0 && world_.options.ranks == 1 ? members : 1);
        }
    }
    return room >= members ? std::optional{placement} : std::nullopt;
}

Executors::Next Executors::perform(Context& context, const MakeGroup& step) {
    if (!world_.group_feasible(step)) {
        return Next::go_on; // as the client would refuse it
    }
    auto block = std::make_shared<FutureBlock>();
    block->first = make_object_id(self_, ++last_sequence_);
    block->slots.resize(1);
    const ObjectId group = block->first;
    world_.oracle.made_group(group, self_, step);
    world_.oracle.actor_held(group, self_, 1);
    wire::GroupSpec spec;
    spec.id = group;
    spec.name = "placement group";
    spec.bundles = step.bundles;
    spec.strategy = step.strategy;
    spec.priority = step.priority;
    spec.depth = context.task ? context.depth + 1 : 0;
    post_(rank::GroupMade{std::move(spec), block});
    context.groups.push_back({group, adopt(std::move(block), 0)});
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const AwaitGroup& step) {
    const GroupRef* const ref = local_group(context, step.group);
    if (ref == nullptr || !ref->ready) {
        return Next::go_on;
    }
    const Handle ready = ref->ready;
    return await(context, ready, true);
}

Executors::Next Executors::perform(Context& context, const RemoveGroup& step) {
    if (const GroupRef* ref = local_group(context, step.group)) {
        world_.oracle.group_removed(ref->group);
        world_.statistics.took(Path::group_removed);
        post_(rank::GroupRemoved{ref->group});
    }
    return Next::go_on;
}

Executors::Next Executors::perform(Context& context, const ReleaseGroup& step) {
    if (GroupRef* ref = local_group(context, step.group)) {
        release_group(*ref);
    }
    return Next::go_on;
}

void Executors::release_group(GroupRef& ref) {
    if (ref.group != ObjectId{}) {
        world_.oracle.actor_held(ref.group, self_, -1);
        post_(rank::ActorReleased{std::exchange(ref.group, ObjectId{})});
    }
    release(ref.ready);
}

} // namespace muster::sim
