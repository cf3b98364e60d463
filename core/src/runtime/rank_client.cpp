#include "runtime/rank_client.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace muster::runtime {

using detail::SlotState;

namespace {

// A short task or call answers within this time. A thread that sleeps meanwhile lets its core halt,
// and waking that takes longer than the answer; yielding, it keeps the core and hinders nobody.
constexpr std::chrono::microseconds spin_time{50};

// The most that an Amount can count.
constexpr std::uint64_t memory_max =
    std::numeric_limits<std::int64_t>::max() / Amount::units_per_one;

} // namespace

RankClient::RankClient(Config config,
                       const FunctionTable& functions,
                       ExecutorPool& pool,
                       Inbox& inbox,
                       std::function<void()> wake)
    : config_(std::move(config)), functions_(functions), pool_(pool), inbox_(inbox),
      wake_(std::move(wake)) {
}

void RankClient::set_cluster(const wire::AnnounceCluster& cluster) {
    cluster_ = cluster;
}

void RankClient::throw_ended() {
    throw Error(
        "the run has ended: futures and tasks are of no use after muster::run() returns, or "
        "once its driver has",
        ErrorCode::object_lost);
}

ObjectId RankClient::next_id(std::uint64_t count) {
    return make_object_id(config_.self, last_sequence_.fetch_add(count) + 1);
}

bool RankClient::post(LocalEvent event) {
    if (ended_.load(std::memory_order_acquire)) {
        return false;
    }
    if (inbox_.post(std::move(event))) {
        wake_();
    }
    return true;
}

void RankClient::report(rank::Event event) {
    if (inbox_.post(std::move(event))) {
        wake_();
    }
}

ClusterInfo RankClient::cluster() const {
    ClusterInfo info;
    info.ranks = static_cast<std::int32_t>(config_.node_of.size());
    info.nodes = cluster_.nodes;
    info.rank = config_.self;
    info.coordinator = cluster_.coordinator;
    info.coordinator_reason = cluster_.reason;
    for (const auto& group : cluster_.capacities) {
        add(info.capacity, group.capacity, group.ranks);
    }
    return info;
}

void RankClient::check_gang(const TaskOptions& options,
                            const detail::FunctionEntry& function,
                            const std::string& what) const {
    if (!function.is_gang && (options.ranks != 1 || options.raw_mpi)) {
        throw Error(fmt::format("{}: `.ranks` and `.raw_mpi` are for functions whose first "
                                "parameter is a muster::Communicator&",
                                what),
                    ErrorCode::usage);
    }
    if (options.ranks < 1) {
        throw Error(fmt::format("{}: `.ranks` is {}; a gang has at least one", what, options.ranks),
                    ErrorCode::usage);
    }
    if (options.raw_mpi && !config_.no_raw_mpi.empty()) {
        throw Error(fmt::format("{} asks for `.raw_mpi`: {}", what, config_.no_raw_mpi),
                    ErrorCode::infeasible);
    }
}

void RankClient::check_feasible(const wire::TaskClass& task_class, const std::string& what) const {
    const Resources& demand = task_class.demand;
    const Placement& placement = task_class.placement;
    const auto ranks = static_cast<std::int32_t>(config_.node_of.size());
    const auto refuse = [&](const std::string& why) {
        throw Error(fmt::format("{} needs {}: {}", what, to_string(demand), why),
                    ErrorCode::infeasible);
    };
    std::vector<const wire::CapacityGroup*> allowed;
    std::string where = "any rank";
    switch (placement.kind) {
    case Placement::Kind::on_rank:
        if (placement.target < 0 || placement.target >= ranks) {
            refuse(fmt::format("it is placed on rank {}, but there are only ranks 0 to {}",
                               placement.target,
                               ranks - 1));
        }
        where = fmt::format("rank {}", placement.target);
        allowed.push_back(&cluster_.capacities.at(
            cluster_.group_of.at(static_cast<std::size_t>(placement.target))));
        break;
    case Placement::Kind::on_node:
        for (std::size_t r = 0; r < config_.node_of.size(); ++r) {
            if (index(config_.node_of[r]) == placement.target) {
                allowed.push_back(&cluster_.capacities.at(cluster_.group_of.at(r)));
            }
        }
        if (allowed.empty()) {
            refuse(fmt::format("it is placed on node {}, but there are only nodes 0 to {}",
                               placement.target,
                               cluster_.nodes - 1));
        }
        where = fmt::format("any rank of node {}", placement.target);
        break;
    default:
        for (const auto& group : cluster_.capacities) {
            allowed.push_back(&group);
        }
        break;
    }
    if (std::any_of(allowed.begin(), allowed.end(), [&](const auto* group) {
            return fits(demand, group->capacity);
        })) {
        if (task_class.ranks > 1) {
            check_members_fit(task_class, what);
        }
        return;
    }
    // One kind that nobody has enough of explains most; else no rank has all of them together.
    const auto explain = [&](Amount wanted, auto amount_of, const std::string& name) {
        const wire::CapacityGroup* largest = allowed.front();
        for (const auto* group : allowed) {
            if (amount_of(group->capacity) > amount_of(largest->capacity)) {
                largest = group;
            }
        }
        if (wanted > amount_of(largest->capacity)) {
            refuse(fmt::format("the most {} has is {} of {} (rank {} on {})",
                               where,
                               name == "memory" ? to_string(Bytes{static_cast<std::uint64_t>(
                                                      amount_of(largest->capacity).value())})
                                                : to_string(amount_of(largest->capacity)),
                               name,
                               index(largest->example),
                               largest->host));
        }
    };
    explain(
        demand.cpus, [](const Resources& r) { return r.cpus; }, "cpus");
    explain(
        demand.gpus, [](const Resources& r) { return r.gpus; }, "gpus");
    explain(
        demand.memory, [](const Resources& r) { return r.memory; }, "memory");
    for (const auto& [name, amount] : demand.custom) {
        explain(
            amount,
            [&name = name](const Resources& r) {
                for (const auto& [key, value] : r.custom) {
                    if (key == name) {
                        return value;
                    }
                }
                return Amount{};
            },
            name);
    }
    refuse(fmt::format("no rank has all of it at once; rank {} on {} has {}",
                       index(allowed.front()->example),
                       allowed.front()->host,
                       to_string(allowed.front()->capacity)));
}

void RankClient::check_members_fit(const wire::TaskClass& task_class,
                                   const std::string& what) const {
    // As the scheduler seats them: each on a rank of its own, or all as threads of the only one.
    const auto ranks = static_cast<std::int64_t>(config_.node_of.size());
    const bool share = ranks == 1 && !task_class.raw_mpi;
    const std::int64_t per_rank_max =
        share ? std::min<std::int64_t>(task_class.ranks,
                                       sched::Scheduler::Config{}.slots_per_class_and_rank_max)
              : 1;
    std::int64_t room = 0;
    for (std::size_t r = 0; r < config_.node_of.size(); ++r) {
        const Placement& placement = task_class.placement;
        const bool allowed = placement.kind == Placement::Kind::on_rank
                                 ? placement.target == static_cast<std::int32_t>(r)
                             : placement.kind == Placement::Kind::on_node
                                 ? placement.target == index(config_.node_of[r])
                                 : true;
        if (allowed) {
            room += times_fitting(task_class.demand,
                                  cluster_.capacities.at(cluster_.group_of.at(r)).capacity,
                                  per_rank_max);
        }
    }
    if (room >= task_class.ranks) {
        return;
    }
    throw Error(
        fmt::format(
            "{} needs {} ranks with {} each: {}",
            what,
            task_class.ranks,
            to_string(task_class.demand),
            share ? fmt::format("this run has one rank, with room for {} such members; start "
                                "it with more ranks, as in mpirun -n {}",
                                room,
                                task_class.ranks)
                  : fmt::format(
                        "of the {} ranks that there are, {} can be members of it", ranks, room)),
        ErrorCode::infeasible);
}

wire::TaskClass RankClient::classify(const detail::FunctionEntry& function,
                                     const TaskOptions& options,
                                     const std::string& what) const {
    wire::TaskClass task_class;
    task_class.function = functions_.id_of(function);
    task_class.demand.cpus = options.cpus;
    task_class.demand.gpus = options.gpus;
    for (const auto& [name, amount] : options.resources) {
        task_class.demand.custom.emplace_back(name, amount);
    }
    const auto negative = [](Amount amount) { return amount < Amount{}; };
    if (negative(options.cpus) || negative(options.gpus) ||
        std::any_of(options.resources.begin(), options.resources.end(), [&](const auto& item) {
            return negative(item.second);
        })) {
        throw Error(what + ": a demand cannot be negative", ErrorCode::usage);
    }
    if (options.memory.count > memory_max) {
        throw Error(fmt::format("{} needs {} memory: more than any rank can have",
                                what,
                                to_string(options.memory)),
                    ErrorCode::infeasible);
    }
    task_class.demand.memory = Amount{options.memory.count};
    task_class.priority = options.priority;
    task_class.placement = options.placement;
    if (const auto* parent = detail::current_task()) {
        task_class.depth = parent->depth + 1;
    }
    check_gang(options, function, what);
    task_class.ranks = function.is_gang ? options.ranks : 0;
    task_class.raw_mpi = options.raw_mpi;
    check_feasible(task_class, what);
    return task_class;
}

std::shared_ptr<detail::FutureBlock> RankClient::submit(const detail::FunctionEntry& function,
                                                        const TaskOptions& options,
                                                        std::vector<detail::EncodedTask> tasks) {
    if (ended()) {
        throw_ended();
    }
    owner::Submission submission;
    submission.task_class = classify(function, options, std::string("task ") + function.name);
    submission.name = options.name;
    const std::uint64_t ids = submission.task_class.stride();
    submission.first = next_id(tasks.size() * ids);
    submission.tasks.reserve(tasks.size());
    for (auto& task : tasks) {
        for (const ObjectId actor : task.actors) {
            submission.actors.emplace_back(submission.tasks.size(), actor);
        }
        submission.tasks.push_back({std::move(task.arguments), std::move(task.dependencies)});
    }
    auto block = std::make_shared<detail::FutureBlock>(
        shared_from_this(), submission.first, tasks.size(), ids);
    submission.futures = block;
    if (!post(rank::Event{rank::TasksSubmitted{std::move(submission)}})) {
        throw_ended();
    }
    return block;
}

std::shared_ptr<detail::FutureBlock> RankClient::put(Buffer value, std::vector<ObjectId> actors) {
    const ObjectId id = next_id(1);
    auto block = std::make_shared<detail::FutureBlock>(shared_from_this(), id, 1);
    auto& slot = block->slot(0);
    slot.value = value;
    slot.state.store(SlotState::value, std::memory_order_release);
    if (!post(rank::Event{rank::ValuePut{id, std::move(value), nullptr, std::move(actors)}})) {
        throw_ended();
    }
    return block;
}

void RankClient::cancel(ObjectId task) {
    post(rank::Event{rank::CancelRequested{task}});
}

void RankClient::escape(ObjectId object) {
    if (owner_of(object) == config_.self) {
        post(rank::Event{rank::FutureEscaped{object}});
    }
}

std::shared_ptr<detail::FutureBlock> RankClient::borrow(ObjectId object) {
    auto block = std::make_shared<detail::FutureBlock>(shared_from_this(), object, 1);
    if (!post(rank::Event{rank::FutureBorrowed{object, block}})) {
        throw_ended();
    }
    return block;
}

void RankClient::release(ObjectId object) noexcept {
    try {
        post(rank::Event{rank::FutureReleased{object}});
    } catch (...) {
        // Out of memory: the object is kept until the run ends.
    }
}

RankClient::Blocked::Blocked(RankClient& client) : client_(client), task_(detail::current_task()) {
    if (task_ == nullptr) {
        return;
    }
    if (client.parked_.fetch_add(1) >= client.config_.parked_max) {
        client.parked_.fetch_sub(1);
        task_ = nullptr;
        throw Error(fmt::format("{} tasks of rank {} wait in get() already, each holding a thread "
                                "(the limit is MUSTER_PARKED_MAX): pass futures as arguments, so "
                                "that a task starts when they are there",
                                client.config_.parked_max,
                                index(client.config_.self)),
                    ErrorCode::usage);
    }
    if (task_->lends_cpus) {
        client.post(rank::Event{rank::TaskBlocked{task_->id}});
    } else if (task_->context != task_->id) {
        client.pool_.call_blocks(); // of an actor
    }
}

RankClient::Blocked::~Blocked() {
    if (task_ == nullptr) {
        return;
    }
    if (task_->lends_cpus) {
        client_.post(rank::Event{rank::TaskResuming{task_->id}});
        client_.pool_.wait_resumed(task_->id);
    } else if (task_->context != task_->id) {
        client_.pool_.call_resumes();
    }
    client_.parked_.fetch_sub(1);
}

void RankClient::wait_value(detail::FutureBlock& block, std::uint64_t index) {
    auto& slot = block.slot(index);
    const auto settled = [](SlotState state) {
        return state != SlotState::pending && state != SlotState::kept_elsewhere;
    };
    SlotState state = slot.state.load(std::memory_order_acquire);
    if (settled(state)) {
        return;
    }
    const Blocked blocked(*this);
    {
        const std::lock_guard lock(ending_);
        if (ended_) {
            throw_ended();
        }
        waiting_slots_.insert(&slot);
    }
    bool asked = false;
    const auto spin_until = std::chrono::steady_clock::now() + spin_time;
    while (!settled(state)) {
        if (state == SlotState::kept_elsewhere && !asked) {
            asked = true;
            post(ValueWanted{block.shared_from_this(), index});
        }
        if (std::chrono::steady_clock::now() < spin_until) {
            ::sched_yield();
        } else {
            slot.state.wait(state, std::memory_order_acquire);
        }
        state = slot.state.load(std::memory_order_acquire);
    }
    const std::lock_guard lock(ending_);
    waiting_slots_.erase(waiting_slots_.find(&slot));
}

std::optional<std::size_t>
RankClient::wait_any(detail::Watcher& watcher,
                     std::optional<std::chrono::steady_clock::time_point> deadline) {
    // Without waiting first: what is done already costs no lending.
    if (const auto ready = watcher.next(std::chrono::steady_clock::time_point::min())) {
        return ready;
    }
    const Blocked blocked(*this);
    {
        const std::lock_guard lock(ending_);
        if (ended_) {
            throw_ended();
        }
        waiting_watchers_.insert(&watcher);
    }
    const auto ready = watcher.next(deadline);
    {
        const std::lock_guard lock(ending_);
        waiting_watchers_.erase(waiting_watchers_.find(&watcher));
    }
    if (!ready && ended_) {
        throw_ended();
    }
    return ready;
}

void RankClient::end() {
    const std::lock_guard lock(ending_);
    ended_.store(true, std::memory_order_release);
    for (auto* slot : waiting_slots_) {
        SlotState state = slot->state.load();
        while ((state == SlotState::pending || state == SlotState::kept_elsewhere) &&
               !slot->state.compare_exchange_weak(state, SlotState::abandoned)) {
        }
        slot->state.notify_all();
    }
    for (auto* watcher : waiting_watchers_) {
        watcher->end();
    }
    calls_.end();
    names_.end();
}

} // namespace muster::runtime
