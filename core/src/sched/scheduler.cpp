#include "sched/scheduler.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace muster::sched {
namespace {

// Ranks among which the one with most to give back is looked for: of thousands, some will do.
constexpr std::size_t recall_looks_max = 64;

} // namespace

Scheduler::Scheduler(const Config& config)
    : config_(config), ranks_(config.world_size),
      hosts_(static_cast<std::size_t>(config.world_size)),
      blocked_(static_cast<std::size_t>(config.world_size)),
      raw_busy_(static_cast<std::size_t>(config.world_size)),
      none_busy_(static_cast<std::size_t>(config.world_size)),
      actors_(static_cast<std::size_t>(config.world_size)),
      reserved_(static_cast<std::size_t>(config.world_size)),
      contested_(static_cast<std::size_t>(config.world_size)) {
}

void Scheduler::on_register(Rank from, const wire::Register& message, wire::Actions& actions) {
    if (ranks_.at(from).present) {
        return;
    }
    ranks_.insert(from, message.node, message.capacity);
    hosts_[static_cast<std::size_t>(index(from))] = message.host;
    for (const auto& bundle : message.bundles) {
        take_over_bundle(from, bundle, actions);
    }
    for (const auto& held : message.held) {
        take_over(from, held);
    }
    for (const auto& group : message.groups) {
        know_group(group);
    }
    if (++registered_ + static_cast<std::int32_t>(config_.lost.size()) < config_.world_size) {
        return;
    }
    formed_ = true;
    wire::ClusterFormed formed;
    std::map<Resources, std::size_t> groups;
    const auto append = [&](std::uint32_t group) {
        if (formed.alike.empty() || formed.alike.back().group != group) {
            formed.alike.push_back({0, group});
        }
        ++formed.alike.back().ranks;
    };
    for (std::int32_t i = 0; i < ranks_.size(); ++i) {
        const auto& entry = ranks_.at(Rank{i});
        if (!entry.present) {
            append(wire::AlikeRanks::no_group);
            continue;
        }
        const auto [place, is_new] = groups.try_emplace(entry.capacity, formed.capacities.size());
        if (is_new) {
            formed.capacities.push_back(
                {entry.capacity, 0, Rank{i}, hosts_[static_cast<std::size_t>(i)]});
        }
        ++formed.capacities[place->second].ranks;
        append(static_cast<std::uint32_t>(place->second));
        formed.nodes = std::max(formed.nodes, index(entry.node) + 1);
    }
    for (std::int32_t i = 0; i < ranks_.size(); ++i) {
        if (ranks_.at(Rank{i}).present) {
            actions.push_back(wire::SendMessage{Rank{i}, formed});
        }
    }
    settle_groups(actions);
}

// As if this coordinator had granted it all. What of it is charged is what the worker has slots
// for; of tasks that never wait ahead, all.
void Scheduler::take_over(Rank worker, const wire::HeldClass& held) {
    const wire::ClassIndex class_index = intern(held.task_class);
    ClassState& state = classes_[class_index];
    const auto r = static_cast<std::size_t>(index(worker));
    Usage& usage = state.usage[r];
    join_group(class_index);
    const bool in_group = state.definition.placement.is_in_group();
    const std::int32_t bundle = in_group ? state.definition.placement.target : no_bundle;
    for (const auto& [lease, tasks, lent, suspended, devices] : held.leases) {
        const auto count = static_cast<std::int64_t>(tasks);
        leases_.emplace(
            lease,
            Lease{class_index, worker, tasks, static_cast<std::int64_t>(lent), bundle, devices});
        devices_for(state, worker, bundle).take(devices, state.definition.demand.gpus);
        usage.granted += count;
        usage.lent += static_cast<std::int64_t>(lent);
        usage.suspended += static_cast<std::int64_t>(suspended);
        state.granted_total += count;
        count_actors(state, worker, bundle, count);
    }
    raw_busy_[r] = raw_busy_[r] || (state.definition.raw_mpi && usage.granted > 0);
    const auto slots = may_wait_ahead(state.definition)
                           ? std::clamp<std::int64_t>(
                                 static_cast<std::int64_t>(held.slots), usage.lent, usage.granted)
                           : usage.granted;
    change_slots(class_index, worker, slots, bundle);
    change_lent(state, worker, usage.lent, bundle);
}

wire::ClassIndex Scheduler::intern(const wire::TaskClass& definition) {
    const auto next =
        class_free_.empty() ? static_cast<wire::ClassIndex>(classes_.size()) : class_free_.back();
    const auto [place, is_new] = class_index_.try_emplace(definition, next);
    if (is_new && !class_free_.empty()) {
        class_free_.pop_back();
    } else if (is_new) {
        classes_.emplace_back();
    }
    if (is_new) {
        ClassState& state = classes_[next];
        state.definition = definition;
        state.usage.resize(static_cast<std::size_t>(config_.world_size));
    }
    return place->second;
}

void Scheduler::update_order(wire::ClassIndex index) {
    ClassState& state = classes_[index];
    std::optional<Order> order;
    if (!state.ready.empty()) {
        order = Order{-std::int64_t{state.definition.priority},
                      -std::int64_t{state.definition.depth},
                      state.ready.front().age,
                      index,
                      ObjectId{}};
    } else {
        state.reserved.clear();
    }
    if (order == state.order) {
        return;
    }
    if (state.order) {
        waiting_.erase(*state.order);
    }
    if (order) {
        waiting_.insert(*order);
    }
    state.order = order;
}

void Scheduler::push_ready(wire::ClassIndex index,
                           const wire::Range& range,
                           bool front,
                           std::optional<Rank> near) {
    ClassState& state = classes_[index];
    if (state.ready.empty()) {
        state.all_hungry = true;
    }
    state.ready_count += range.count;
    if (front) {
        state.ready.push_front({range, state.ready.empty() ? 0 : state.ready.front().age, near});
    } else {
        // Joined with the last range where ids go on, as they do when a driver submits one by one;
        // not while other classes wait, since the join would lend its age to younger tasks.
        const bool alone = waiting_.empty() || (waiting_.size() == 1 && state.order);
        if (alone && !state.ready.empty()) {
            auto& last = state.ready.back().range;
            if (advance(last.first, last.count) == range.first &&
                owner_of(last.first) == owner_of(range.first) && state.ready.back().near == near) {
                last.count += range.count;
                return;
            }
        }
        state.ready.push_back({range, ++last_age_, near});
    }
    update_order(index);
}

void Scheduler::on_submit(const wire::Submit& message) {
    const wire::ClassIndex index = intern(message.task_class);
    join_group(index);
    for (std::size_t i = 0; i < message.ranges.size(); ++i) {
        if (message.ranges[i].count > 0) {
            push_ready(index,
                       message.ranges[i],
                       false,
                       i < message.near.size() ? message.near[i] : std::nullopt);
        }
    }
}

void Scheduler::note_surplus(ClassState& state, Rank rank) {
    const Usage& usage = state.usage[static_cast<std::size_t>(muster::index(rank))];
    if (usage.granted > usage.slots) {
        state.surplus.insert(rank);
    } else {
        state.surplus.erase(rank);
    }
}

void Scheduler::change_slots(wire::ClassIndex index,
                             Rank worker,
                             std::int64_t by,
                             std::int32_t bundle) {
    ClassState& state = classes_[index];
    Usage& usage = state.usage[static_cast<std::size_t>(muster::index(worker))];
    const bool had_any = usage.slots > 0;
    usage.slots += by;
    state.slots_total += by;
    if (Bundle* in = find_bundle(state, worker, bundle)) {
        subtract(in->free, state.definition.demand, by);
        in->slots += by;
    } else {
        ranks_.charge(worker, state.definition.demand, by);
        Group* const group = find_group(state.definition);
        // A group that is gone may be asked for again, and knows nothing of its strays by then.
        if (group != nullptr && (by > 0 || group->has_strays(worker))) {
            group->strays[worker] += by;
        }
    }
    if (usage.slots > 0 && !had_any) {
        state.active.insert(worker);
        state.hungry.insert(worker);
    } else if (usage.slots == 0) {
        state.active.erase(worker);
        state.hungry.erase(worker);
    }
    note_surplus(state, worker);
}

void Scheduler::count_actors(const ClassState& state,
                             Rank worker,
                             std::int32_t bundle,
                             std::int64_t by) {
    if (!state.definition.actor) {
        return;
    }
    Bundle* const in = find_bundle(state, worker, bundle);
    (in != nullptr ? in->actors : actors_[static_cast<std::size_t>(muster::index(worker))]) += by;
}

void Scheduler::change_lent(const ClassState& state,
                            Rank worker,
                            std::int64_t by,
                            std::int32_t bundle) {
    const Resources cpus = wire::lendable(state.definition.demand);
    if (Bundle* in = find_bundle(state, worker, bundle)) {
        in->blocked += by;
        add(in->free, cpus, by);
    } else {
        blocked_[static_cast<std::size_t>(muster::index(worker))] += by;
        ranks_.charge(worker, cpus, -by);
    }
}

void Scheduler::release(wire::ClassIndex index,
                        Rank worker,
                        std::uint64_t count,
                        std::int32_t bundle) {
    ClassState& state = classes_[index];
    Usage& usage = state.usage[static_cast<std::size_t>(muster::index(worker))];
    state.futile.erase(worker);
    usage.granted -= static_cast<std::int64_t>(count);
    count_actors(state, worker, bundle, -static_cast<std::int64_t>(count));
    state.granted_total -= static_cast<std::int64_t>(count);
    MUSTER_ASSERT(usage.granted >= usage.lent);
    if (usage.granted < usage.slots) {
        change_slots(index, worker, usage.granted - usage.slots, bundle);
    }
    // Tasks that lent their CPUs and took them back have left more slots than there are CPUs.
    while (usage.slots > std::max<std::int64_t>(usage.lent, 1) &&
           state.definition.demand.cpus > Amount{} && may_wait_ahead(state.definition) &&
           actors_[static_cast<std::size_t>(muster::index(worker))] == 0 &&
           ranks_.at(worker).bundled.cpus == Amount{} && ranks_.at(worker).free.cpus < Amount{}) {
        change_slots(index, worker, -1);
    }
    note_surplus(state, worker);
    if (usage.slots > 0 && state.ready_count > 0) {
        state.hungry.insert(worker);
    }
}

void Scheduler::on_progress(const wire::Progress& message) {
    for (const auto& report : message.leases) {
        const auto place = leases_.find(report.lease);
        if (place == leases_.end() || report.finished == 0) {
            continue;
        }
        Lease& lease = place->second;
        MUSTER_ASSERT(report.finished <= lease.remaining);
        if (report.busy > Duration{}) {
            auto& average = classes_[lease.task_class].task_time;
            const Duration sample = report.busy / report.finished;
            average = average ? (*average * 3 + sample) / 4 : sample;
        }
        lease.remaining -= report.finished;
        release(lease.task_class, lease.worker, report.finished, lease.bundle);
        if (classes_[lease.task_class].definition.raw_mpi) {
            raw_busy_[static_cast<std::size_t>(index(lease.worker))] = false;
        }
        if (lease.remaining == 0) {
            MUSTER_ASSERT(lease.lent == 0);
            give_back_devices(lease);
            const wire::ClassIndex index = lease.task_class;
            leases_.erase(place);
            forget_if_over(index);
        }
    }
}

void Scheduler::on_returned(Rank from, const wire::Returned& message) {
    const wire::ClassIndex index = intern(message.task_class);
    if (classes_[index].recalling == from) {
        classes_[index].recalling.reset();
        if (message.tasks.empty()) {
            classes_[index].futile.insert(from);
        }
    }
    std::vector<TaskId> tasks;
    for (const auto& returned : message.tasks) {
        const auto place = leases_.find(returned.lease);
        if (place == leases_.end()) {
            continue;
        }
        tasks.push_back(returned.task);
        release(place->second.task_class, place->second.worker, 1, place->second.bundle);
        if (--place->second.remaining == 0) {
            give_back_devices(place->second);
            leases_.erase(place);
        }
    }
    // They were first in line once, so they go back to the front, in their old order.
    std::sort(tasks.begin(), tasks.end());
    for (auto last = tasks.rbegin(); last != tasks.rend();) {
        wire::Range range{*last, 1};
        ++last;
        while (last != tasks.rend() && advance(*last, 1) == range.first) {
            range = {*last, range.count + 1};
            ++last;
        }
        push_ready(index, range, true);
    }
}

void Scheduler::on_lent(const wire::Lent& message) {
    const auto place = leases_.find(message.lease);
    if (place == leases_.end()) {
        return;
    }
    Lease& lease = place->second;
    const std::int64_t change = message.resumed ? -1 : 1;
    lease.lent += change;
    MUSTER_ASSERT(lease.lent >= 0);
    Usage& usage = classes_[lease.task_class].usage[static_cast<std::size_t>(index(lease.worker))];
    usage.lent += change;
    usage.suspended += message.suspended ? change : 0;
    if (usage.slots < usage.lent) {
        // A task that was ahead has started on a CPU lent to it, and lends it on.
        change_slots(lease.task_class, lease.worker, 1, lease.bundle);
    }
    change_lent(classes_[lease.task_class], lease.worker, change, lease.bundle);
}

bool Scheduler::feasible(const ClassState& state) const {
    const auto& definition = state.definition;
    if (definition.placement.is_in_group()) {
        return true; // as long as its group is
    }
    const bool share = members_share_ranks(definition);
    const std::int64_t needed = std::max(definition.ranks, 1);
    const Resources& demand = awaited(state);
    std::int64_t room = 0;
    for (std::int32_t i = 0; i < ranks_.size() && room < needed; ++i) {
        if (eligible(ranks_, demand, definition.placement, Rank{i})) {
            room += share ? Room::all_of(ranks_.at(Rank{i}).capacity)
                                .times_fitting(demand, config_.slots_per_class_and_rank_max)
                          : 1;
        }
    }
    return room >= needed;
}

// What could be run when it was submitted may need ranks that are lost.
void Scheduler::turn_away_infeasible(wire::Actions& actions) {
    for (auto place = waiting_.begin(); place != waiting_.end();) {
        const Order order = *place;
        if (std::get<ObjectId>(order) == ObjectId{}) {
            const wire::ClassIndex index = std::get<wire::ClassIndex>(order);
            ClassState& state = classes_[index];
            if (!state.feasible) {
                state.feasible = feasible(state);
            }
            if (!*state.feasible) {
                turn_away(index, {}, actions);
            }
        }
        place = waiting_.upper_bound(order);
    }
}

void Scheduler::turn_away(wire::ClassIndex index,
                          const wire::Infeasible& word,
                          wire::Actions& actions) {
    ClassState& state = classes_[index];
    std::map<Rank, wire::Infeasible> messages;
    for (const auto& ready : state.ready) {
        auto& message = messages.try_emplace(owner_of(ready.range.first), word).first->second;
        message.tasks.push_back(ready.range);
    }
    for (auto& [owner, message] : messages) {
        actions.push_back(wire::SendMessage{owner, std::move(message)});
    }
    state.ready.clear();
    state.ready_count = 0;
    update_order(index);
}

PlacementView Scheduler::view(const ClassState& state) const {
    return {ranks_,
            state.usage,
            state.definition.demand,
            state.definition.placement,
            // An actor keeps its slot for as long as it lives.
            state.definition.actor ? std::numeric_limits<std::int64_t>::max()
                                   : config_.slots_per_class_and_rank_max,
            reserved_};
}

std::uint64_t Scheduler::grant(wire::ClassIndex index,
                               Rank worker,
                               std::uint64_t count,
                               wire::Actions& actions,
                               std::int32_t bundle) {
    return grant_from(index, index, worker, count, actions, bundle, 0);
}

std::uint64_t Scheduler::grant_from(wire::ClassIndex from,
                                    wire::ClassIndex index,
                                    Rank worker,
                                    std::uint64_t count,
                                    wire::Actions& actions,
                                    std::int32_t bundle,
                                    std::uint32_t alternative) {
    ClassState& source = classes_[from];
    ClassState& state = classes_[index];
    const std::size_t position = choose_ready(source, worker);
    auto& ready = source.ready[position].range;
    const wire::Range range{ready.first, std::min(count, ready.count)};
    ready = {advance(ready.first, range.count), ready.count - range.count};
    if (ready.count == 0) {
        source.ready.erase(source.ready.begin() + static_cast<std::ptrdiff_t>(position));
    }
    source.ready_count -= range.count;
    state.usage[static_cast<std::size_t>(muster::index(worker))].granted +=
        static_cast<std::int64_t>(range.count);
    state.granted_total += static_cast<std::int64_t>(range.count);
    count_actors(state, worker, bundle, static_cast<std::int64_t>(range.count));
    note_surplus(state, worker);
    const LeaseId id = make_lease_id(config_.term, ++last_lease_);
    wire::Grant message{id, range, worker, {}};
    message.alternative = alternative;
    message.devices = take_devices(state, worker, bundle);
    MUSTER_ASSERT(message.devices.empty() || range.count == 1);
    leases_.emplace(id, Lease{index, worker, range.count, 0, bundle, message.devices});
    if (bundle != no_bundle) {
        message.bundles.push_back(bundle);
    }
    actions.push_back(wire::SendMessage{owner_of(range.first), std::move(message)});
    return range.count;
}

void Scheduler::open_slots(wire::ClassIndex index, wire::Actions& actions) {
    ClassState& state = classes_[index];
    while (state.ready_count > 0) {
        if (grant_near(index, actions)) {
            continue;
        }
        const auto rank = pick_rank(view(state));
        if (!rank) {
            return;
        }
        open_slot(index, *rank, actions);
    }
}

void Scheduler::open_slot(wire::ClassIndex index, Rank rank, wire::Actions& actions) {
    const Usage& usage = classes_[index].usage[static_cast<std::size_t>(muster::index(rank))];
    // Tasks waiting there ahead fill the new slot; otherwise one is granted for it.
    if (usage.granted <= usage.slots) {
        grant(index, rank, 1, actions);
    }
    change_slots(index, rank, 1);
}

std::int64_t Scheduler::ahead_per_slot(const ClassState& state) const {
    if (!may_wait_ahead(state.definition)) {
        return 0;
    }
    if (!state.task_time) {
        return 1; // unknown: enough to hide a round trip, and recalled if tasks turn out long
    }
    const Duration ahead_time =
        std::max(config_.ahead_time,
                 config_.ahead_time_per_rank * static_cast<std::int64_t>(state.active.size()));
    const std::int64_t by_time = ahead_time / std::max(*state.task_time, Duration{1});
    // Guided self-scheduling keeps the last tasks of a large batch from sitting on one rank.
    // Source: Polychronopoulos and Kuck, IEEE Trans. Computers C-36(12), 1987.
    const auto fair = static_cast<std::int64_t>(state.ready_count) /
                      (2 * std::max<std::int64_t>(state.slots_total, 1));
    return std::min({by_time, std::max<std::int64_t>(fair, 1), config_.ahead_tasks_max});
}

void Scheduler::feed(wire::ClassIndex index, Rank rank, wire::Actions& actions) {
    ClassState& state = classes_[index];
    const auto i = static_cast<std::size_t>(muster::index(rank));
    if (reserved_[i] || contested_[i]) {
        return;
    }
    const Usage& usage = state.usage[i];
    const std::int64_t ahead = usage.slots * ahead_per_slot(state);
    // Refilled at half, so that grants come in batches.
    if (usage.granted - usage.slots > ahead / 2) {
        return;
    }
    while (state.ready_count > 0 && usage.granted < usage.slots + ahead) {
        grant(
            index, rank, static_cast<std::uint64_t>(usage.slots + ahead - usage.granted), actions);
    }
}

void Scheduler::top_up(wire::ClassIndex index, wire::Actions& actions) {
    ClassState& state = classes_[index];
    const bool all = std::exchange(state.all_hungry, false);
    const RankSet some = std::exchange(state.hungry, {});
    if (contested_everywhere_) {
        return;
    }
    for (const Rank rank : all ? state.active : some) {
        if (state.ready_count == 0) {
            return; // when there are tasks again, all are asked
        }
        feed(index, rank, actions);
    }
}

void Scheduler::reserve(wire::ClassIndex index) {
    ClassState& state = classes_[index];
    const auto& definition = state.definition;
    const auto blocked = [&](Rank rank) {
        const auto i = static_cast<std::size_t>(muster::index(rank));
        return blocked_[i] > 0 || actors_[i] > 0;
    };
    if (!state.reserved.empty() &&
        (blocked(state.reserved.front()) ||
         !fits_beside_bundles(definition.demand, state.reserved.front()))) {
        state.reserved.clear();
    }
    if (state.reserved.empty()) {
        for (const auto& [free, rank] : ranks_.by_free_cpus()) {
            if (!blocked(rank) && eligible(ranks_, definition.demand, definition.placement, rank) &&
                fits_beside_bundles(definition.demand, rank)) {
                state.reserved.push_back(rank);
                break;
            }
        }
    }
    if (!state.reserved.empty()) {
        reserved_[static_cast<std::size_t>(muster::index(state.reserved.front()))] = true;
    }
    contest(state);
}

void Scheduler::contest(ClassState& state) {
    if (contested_everywhere_) {
        return;
    }
    if (state.eligible.empty()) {
        state.eligible_everywhere = true;
        for (std::int32_t i = 0; i < ranks_.size(); ++i) {
            state.eligible.push_back(
                eligible(ranks_, state.definition.demand, state.definition.placement, Rank{i}));
            state.eligible_everywhere =
                state.eligible_everywhere && (state.eligible.back() || !ranks_.at(Rank{i}).present);
        }
    }
    if (state.eligible_everywhere && !ranks_.has_bundles()) {
        contested_everywhere_ = true;
        return;
    }
    // Where bundles leave too little it waits for their end, and nobody else need.
    for (std::size_t i = 0; i < contested_.size(); ++i) {
        contested_[i] = contested_[i] || (state.eligible[i] &&
                                          fits_beside_bundles(state.definition.demand,
                                                              Rank{static_cast<std::int32_t>(i)}));
    }
}

void Scheduler::dispatch(wire::Actions& actions) {
    if (!formed_) {
        return;
    }
    if (draining_) {
        if (halted_) {
            give_up_ready(actions);
        }
        return;
    }
    ask_for_groups(actions);
    if (!config_.lost.empty()) {
        turn_away_infeasible(actions);
    }
    bool marked = false;
    bool keeps_places = false;
    for (auto place = waiting_.begin(); place != waiting_.end();) {
        // What stands there may move to an older or younger place, or leave: go on behind it.
        const Order stood = *place;
        const ObjectId group = std::get<ObjectId>(stood);
        const wire::ClassIndex index = std::get<wire::ClassIndex>(stood);
        if (group != ObjectId{}) {
            open_group(groups_.at(group), actions);
            // The first that waits with places keeps them.
            if (groups_.at(group).order && groups_.at(group).has_any() &&
                std::exchange(keeps_places, true)) {
                give_up_places(groups_.at(group), actions);
            }
        } else {
            open(index, actions);
        }
        place = waiting_.upper_bound(stood);
        if (place == waiting_.end()) {
            break;
        }
        if (group != ObjectId{} && groups_.at(group).order) {
            reserve_group(groups_.at(group));
            marked = true;
        } else if (group == ObjectId{} && classes_[index].ready_count > 0) {
            reserve_for(index);
            marked = true;
        }
    }
    // While it is known which ranks are reserved: what is recalled for one of those would be
    // granted to where it came from, over and over.
    recall(actions);
    if (marked) {
        clear_marks();
    }
}

void Scheduler::open(wire::ClassIndex index, wire::Actions& actions) {
    const wire::TaskClass& definition = classes_[index].definition;
    if (definition.placement.is_in_group()) {
        definition.ranks > 0 ? open_gangs_in_group(index, actions) : open_in_group(index, actions);
    } else if (definition.ranks > 0) {
        open_gangs(index, actions);
    } else if (definition.undecided) {
        open_alternatives(index, actions);
    } else {
        open_slots(index, actions);
        if (classes_[index].ready_count > 0) {
            top_up(index, actions);
        }
    }
    update_order(index);
}

void Scheduler::reserve_for(wire::ClassIndex index) {
    const wire::TaskClass& definition = classes_[index].definition;
    if (definition.placement.is_in_group()) {
        reserve_in_group(index);
    } else if (definition.ranks > 0) {
        reserve_gang(index);
    } else if (definition.undecided) {
        reserve_alternative(index);
    } else {
        reserve(index);
    }
}

void Scheduler::clear_marks() {
    reserved_.assign(reserved_.size(), false);
    contested_.assign(contested_.size(), false);
    contested_everywhere_ = false;
    if (!std::exchange(bundles_reserved_, false)) {
        return;
    }
    for (auto& [id, group] : groups_) {
        for (Bundle& bundle : group.bundles) {
            bundle.reserved = false;
        }
    }
}

void Scheduler::recall(wire::Actions& actions) {
    for (wire::ClassIndex index = 0; index < classes_.size(); ++index) {
        ClassState& state = classes_[index];
        if (state.ready_count > 0 || state.granted_total <= state.slots_total ||
            state.definition.ranks > 0) {
            continue;
        }
        // A rank with room starts what waits there ahead by itself; charge it for that.
        std::optional<Rank> room = pick_rank(view(state));
        while (room && state.surplus.contains(*room)) {
            change_slots(index, *room, 1);
            room = pick_rank(view(state));
        }
        if (state.recalling || !room) {
            continue;
        }
        std::optional<Rank> victim;
        std::int64_t most = 0;
        auto next = state.surplus.upper_bound(state.recalled_last);
        for (std::size_t i = 0; i < std::min(state.surplus.size(), recall_looks_max); ++i, ++next) {
            if (next == state.surplus.end()) {
                next = state.surplus.begin();
            }
            const Rank rank = state.recalled_last = *next;
            const Usage& usage = state.usage[static_cast<std::size_t>(muster::index(rank))];
            if (usage.granted - usage.slots > most && !state.futile.contains(rank)) {
                most = usage.granted - usage.slots;
                victim = rank;
            }
        }
        if (!victim) {
            continue;
        }
        state.recalling = victim;
        actions.push_back(wire::SendMessage{
            *victim, wire::Recall{state.definition, static_cast<std::uint32_t>((most + 1) / 2)}});
    }
}

std::vector<Rank> Scheduler::missing_registrations(std::size_t limit) const {
    std::vector<Rank> missing;
    for (std::int32_t i = 0; i < ranks_.size() && missing.size() < limit; ++i) {
        if (!ranks_.at(Rank{i}).present && !config_.lost.contains(Rank{i})) {
            missing.push_back(Rank{i});
        }
    }
    return missing;
}

} // namespace muster::sched
