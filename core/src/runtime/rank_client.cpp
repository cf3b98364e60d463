#include "runtime/rank_client.hpp"

#include "runtime/standard_error.hpp"
#include "sched/devices.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>

namespace muster::runtime {

using detail::SlotState;

namespace {

// What lone tasks that are submitted faster than they are taken may become one submission of.
constexpr std::size_t joined_tasks_max = 16;

// Submissions of more tasks than these are taken in beside the thread that makes them.
constexpr std::size_t driven_tasks_max = 4;

// Longer than any run takes, and short enough to be added to any time.
constexpr std::chrono::milliseconds time_max = std::chrono::hours{24 * 365 * 100};

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
    auto next = std::make_shared<const wire::AnnounceCluster>(cluster);
    {
        const std::lock_guard lock(cluster_mutex_);
        cluster_ = std::move(next);
    }
    tell_journal_slots();
}

std::shared_ptr<const wire::AnnounceCluster> RankClient::announced() const {
    const std::lock_guard lock(cluster_mutex_);
    return cluster_;
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

bool RankClient::post(LocalEvent&& event) {
    if (ended_.load(std::memory_order_acquire)) {
        return false;
    }
    if (inbox_.post(std::move(event))) {
        wake_();
    }
    return true;
}

bool RankClient::post_and_drive(LocalEvent&& event) {
    if (ended_.load(std::memory_order_acquire)) {
        return false;
    }
    if (inbox_.post(std::move(event)) && !leadership_.drive_if_quiet()) {
        wake_();
    }
    return true;
}

void RankClient::report(rank::Event event) {
    if (inbox_.post(std::move(event))) {
        wake_();
    }
}

void RankClient::report_and_drive(rank::Event event) {
    if (inbox_.post(std::move(event)) && !leadership_.drive_if_quiet()) {
        wake_();
    }
}

ClusterInfo RankClient::cluster() const {
    const auto cluster = announced();
    ClusterInfo info;
    info.ranks = static_cast<std::int32_t>(config_.node_of.size());
    info.nodes = cluster->nodes;
    info.rank = config_.self;
    info.coordinator = cluster->coordinator;
    info.coordinator_reason = cluster->reason;
    for (const auto& group : cluster->capacities) {
        add(info.capacity, group.capacity, group.ranks);
    }
    info.survives_lost_ranks = config_.survives_lost_ranks;
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
    if (options.isolate && function.is_gang) {
        throw Error(fmt::format("{}: `.isolate` is not for gangs, whose members share memory and "
                                "MPI with their ranks; isolate what a member calls, as a task of "
                                "its own",
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
    const auto cluster = announced();
    const Resources& demand = task_class.demand;
    const Placement& placement = task_class.placement;
    if (placement.is_in_group()) {
        check_in_group(task_class, what);
        return;
    }
    const auto allows = [&](const wire::CapacityGroup& group) {
        return fits(demand, group.capacity);
    };
    if (placement.kind != Placement::Kind::on_rank && placement.kind != Placement::Kind::on_node &&
        task_class.ranks <= 1 &&
        std::any_of(cluster->capacities.begin(), cluster->capacities.end(), allows)) {
        return;
    }
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
        if (const auto* group = cluster->group(Rank{static_cast<std::int32_t>(placement.target)})) {
            allowed.push_back(group);
        } else {
            refuse(fmt::format("it is placed on rank {}, which was lost", placement.target));
        }
        break;
    case Placement::Kind::on_node:
        for (std::size_t r = 0; r < config_.node_of.size(); ++r) {
            if (index(config_.node_of[r]) == placement.target) {
                if (const auto* group = cluster->group(Rank{static_cast<std::int32_t>(r)})) {
                    allowed.push_back(group);
                }
            }
        }
        if (allowed.empty()) {
            refuse(placement.target >= 0 && placement.target < cluster->nodes
                       ? fmt::format("it is placed on node {}, all of whose ranks were lost",
                                     placement.target)
                       : fmt::format("it is placed on node {}, but there are only nodes 0 to {}",
                                     placement.target,
                                     cluster->nodes - 1));
        }
        where = fmt::format("any rank of node {}", placement.target);
        break;
    default:
        for (const auto& group : cluster->capacities) {
            allowed.push_back(&group);
        }
        break;
    }
    if (std::any_of(
            allowed.begin(), allowed.end(), [&](const auto* group) { return allows(*group); })) {
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
    const auto cluster = announced();
    std::int64_t ranks = 0;
    for (const auto& group : cluster->capacities) {
        ranks += group.ranks;
    }
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
        const auto* group = cluster->group(Rank{static_cast<std::int32_t>(r)});
        if (allowed && group != nullptr) {
            room +=
                sched::Room::all_of(group->capacity).times_fitting(task_class.demand, per_rank_max);
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

Resources RankClient::demand_of(Amount cpus,
                                Amount gpus,
                                Bytes memory,
                                const std::map<std::string, Amount>& resources,
                                const std::string& what) {
    Resources demand;
    demand.cpus = cpus;
    demand.gpus = gpus;
    for (const auto& [name, amount] : resources) {
        demand.custom.emplace_back(name, amount);
    }
    const auto negative = [](Amount amount) { return amount < Amount{}; };
    if (negative(cpus) || negative(gpus) ||
        std::any_of(resources.begin(), resources.end(), [&](const auto& item) {
            return negative(item.second);
        })) {
        throw Error(what + ": a demand cannot be negative", ErrorCode::usage);
    }
    if (!wire::is_of_devices(gpus)) {
        throw Error(
            fmt::format("{} needs {} GPUs: a task has a part of one GPU (up to 1), or a whole "
                        "number of them",
                        what,
                        to_string(gpus)),
            ErrorCode::usage);
    }
    if (memory.count > memory_max) {
        throw Error(
            fmt::format("{} needs {} memory: more than any rank can have", what, to_string(memory)),
            ErrorCode::infeasible);
    }
    demand.memory = Amount{memory.count};
    return demand;
}

wire::TaskClass RankClient::classify(const detail::FunctionEntry& function,
                                     const TaskOptions& options,
                                     const std::string& what) const {
    wire::TaskClass task_class;
    task_class.function = functions_.id_of(function);
    task_class.demand =
        demand_of(options.cpus, options.gpus, options.memory, options.resources, what);
    task_class.priority = options.priority;
    task_class.placement = options.placement;
    if (const auto* parent = detail::current_task()) {
        task_class.depth = parent->depth + 1;
    }
    check_gang(options, function, what);
    task_class.ranks = function.is_gang ? options.ranks : 0;
    task_class.raw_mpi = options.raw_mpi;
    task_class.isolate = options.isolate;
    if (!options.or_else.empty()) {
        add_alternatives(task_class, options, what);
    }
    check_feasible(task_class, what);
    return task_class;
}

void RankClient::add_alternatives(wire::TaskClass& task_class,
                                  const TaskOptions& options,
                                  const std::string& what) const {
    const Placement& placement = task_class.placement;
    if (task_class.ranks > 0 || placement.is_in_group()) {
        throw Error(what + ": `.or_else` is neither for gangs nor in placement groups",
                    ErrorCode::usage);
    }
    std::vector<Resources> demands{task_class.demand};
    for (const Bundle& other : options.or_else) {
        demands.push_back(demand_of(other.cpus, other.gpus, other.memory, other.resources, what));
    }
    const auto cluster = announced();
    const auto never_fits = [&](const Resources& demand) {
        for (std::size_t r = 0; r < config_.node_of.size(); ++r) {
            const auto rank = static_cast<std::int32_t>(r);
            const bool allowed = placement.kind == Placement::Kind::on_rank
                                     ? placement.target == rank
                                 : placement.kind == Placement::Kind::on_node
                                     ? placement.target == index(config_.node_of[r])
                                     : true;
            const auto* group = allowed ? cluster->group(Rank{rank}) : nullptr;
            if (group != nullptr && fits(demand, group->capacity)) {
                return false;
            }
        }
        return true;
    };
    std::erase_if(demands, never_fits);
    if (!demands.empty()) { // else the first one's error says why
        task_class.demand = demands.front();
    }
    if (demands.size() > 1) {
        task_class.alternatives = std::move(demands);
        task_class.undecided = true;
    }
}

void RankClient::unmap(Rank holder, std::uint64_t transfer) noexcept {
    try {
        if (!ended_.load(std::memory_order_acquire)) {
            inbox_.post_unhurried(rank::Event{rank::ValueUnmapped{holder, transfer}});
        }
    } catch (...) {
        // Out of memory: it stays lent until the run ends.
    }
}

detail::FuturePlace RankClient::submit(const detail::FunctionEntry& function,
                                       const TaskOptions& options,
                                       detail::EncodedTasks tasks) {
    if (ended()) {
        throw_ended();
    }
    const std::string what = std::string("task ") + function.name;
    std::vector<detail::KeyDigest> keys;
    if (options.keyed || !options.key.empty()) {
        keys = digest_keys(function, options, tasks, what);
    }
    owner::Submission submission;
    submission.task_class = classify(function, options, what);
    submission.name = options.name;
    submission.retry = {
        .retries = options.retries,
        .exceptions = options.retry_exceptions,
        .delay = options.retry_delay,
    };
    if (options.timeout.count() < 0 || options.deadline.count() < 0) {
        throw Error(
            fmt::format("task {}: `.timeout` and `.deadline` are lengths of time, and cannot "
                        "be negative",
                        function.name),
            ErrorCode::usage);
    }
    submission.timeout = std::min(options.timeout, time_max);
    submission.deadline = std::min(options.deadline, time_max);
    const std::uint64_t ids = submission.task_class.stride();
    const std::uint64_t count = tasks.tasks.size();
    submission.tasks = std::move(tasks.tasks);
    submission.actors = std::move(tasks.actors);
    if (count == 1 && ids == 1 && keys.empty() && submission.actors.empty()) {
        return submit_lone(std::move(submission));
    }
    submission.first = next_id(count * ids);
    if (!keys.empty() && config_.journal != nullptr) {
        return {submit_keyed(std::move(submission), std::move(keys), function, what)};
    }
    auto block =
        std::make_shared<detail::FutureBlock>(shared_from_this(), submission.first, count, ids);
    if (!keys.empty()) {
        block->set_keys(std::move(keys)); // what depends on it may be keyed, too
    }
    submission.futures = block;
    note_submitted(submission);
    const bool few = count <= driven_tasks_max;
    LocalEvent event = rank::Event{rank::TasksSubmitted{std::move(submission)}};
    if (!(few ? post_and_drive(std::move(event)) : post(std::move(event)))) {
        throw_ended();
    }
    return {std::move(block)};
}

detail::FuturePlace RankClient::submit_lone(owner::Submission submission) {
    const bool traced = trace_lane() != nullptr;
    std::vector<ObjectId> dependencies; // joining takes the task
    if (traced) {
        dependencies = submission.tasks.front().dependencies;
    }
    auto [place, crowded] = inbox_.join(submission);
    if (place.block != nullptr) {
        if (traced) {
            submission.tasks.front().dependencies = std::move(dependencies);
            note_submitted(place.block->id(place.first), submission);
        }
        return place;
    }
    const std::size_t room = crowded ? joined_tasks_max : 1;
    submission.first = next_id(room);
    place.block = std::make_shared<detail::FutureBlock>(shared_from_this(), submission.first, room);
    submission.futures = place.block;
    note_submitted(submission);
    if (!post_and_drive(rank::Event{rank::TasksSubmitted{std::move(submission)}})) {
        throw_ended();
    }
    return place;
}

std::shared_ptr<detail::FutureBlock> RankClient::put(Buffer value, std::vector<ObjectId> actors) {
    const ObjectId id = next_id(1);
    auto block = std::make_shared<detail::FutureBlock>(shared_from_this(), id, 1);
    block->set_stored();
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
        if (!ended_.load(std::memory_order_acquire)) {
            inbox_.post_unhurried(rank::Event{rank::FutureReleased{object}});
        }
    } catch (...) {
        // Out of memory: the object is kept until the run ends.
    }
}

RankClient::Blocked::Blocked(RankClient& client, bool drives)
    : client_(client), task_(detail::current_task()) {
    if (task_ == nullptr) {
        client.outside_waiting_.fetch_add(1);
        is_outside_ = true;
        return;
    }
    if (client.parked_.fetch_add(1) >= client.config_.parked_max) {
        client.parked_.fetch_sub(1);
        task_ = nullptr;
        throw Error(
            fmt::format("{} tasks of rank {} wait in get() already, each holding a thread "
                        "(the limit is MUSTER_PARKED_MAX): co_await the future in a "
                        "muster::Coroutine, which holds none, or pass it as an argument, so "
                        "that the task starts when it is there",
                        client.config_.parked_max,
                        index(client.config_.self)),
            ErrorCode::usage);
    }
    client.pool_.thread_blocks(*task_); // first: who is lent its CPUs looks for them
    if (task_->lends_cpus) {
        post(rank::Event{rank::TaskBlocked{task_->id}});
        if (!drives) {
            hear();
        }
    }
}

void RankClient::Blocked::post(LocalEvent&& event) {
    if (!client_.ended_.load(std::memory_order_acquire)) {
        unheard_ = client_.inbox_.post(std::move(event)) || unheard_;
    }
}

bool RankClient::Blocked::drive_until(
    const std::function<bool()>& done,
    std::optional<std::chrono::steady_clock::time_point> deadline) {
    const bool reached = client_.leadership_.drive_until(done, deadline, unheard_);
    hear();
    return reached;
}

void RankClient::Blocked::hear() {
    if (std::exchange(unheard_, false) && !client_.leadership_.drive_once()) {
        client_.wake_();
    }
}

RankClient::Blocked::~Blocked() {
    if (is_outside_) {
        client_.outside_waiting_.fetch_sub(1);
        return;
    }
    if (task_->lends_cpus) {
        post(rank::Event{rank::TaskResuming{task_->id}});
        hear();
        client_.pool_.wait_resumed(task_->id);
    }
    client_.pool_.thread_resumes(*task_);
    client_.parked_.fetch_sub(1);
}

RankClient::Attached::Attached(RankClient& client, detail::Watcher& watcher)
    : client_(client), watcher_(watcher) {
    const std::lock_guard lock(client_.ending_);
    client_.waiting_watchers_.insert(&watcher_);
    if (client_.ended_) {
        watcher_.end();
    }
}

RankClient::Attached::~Attached() {
    const std::lock_guard lock(client_.ending_);
    client_.waiting_watchers_.erase(client_.waiting_watchers_.find(&watcher_));
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
    const Waiting waiting(*this, block.id(index));
    Blocked blocked(*this, true);
    {
        const std::lock_guard lock(ending_);
        if (ended_) {
            throw_ended();
        }
        waiting_slots_.insert(&slot);
    }
    bool asked = false;
    const auto done = [&] {
        state = slot.state.load(std::memory_order_acquire);
        if (state == SlotState::kept_elsewhere && !asked) {
            asked = true;
            blocked.post(ValueWanted{block.shared_from_this(), index});
        }
        return settled(state);
    };
    while (!blocked.drive_until(std::ref(done))) {
        slot.state.wait(state, std::memory_order_acquire);
    }
    const std::lock_guard lock(ending_);
    waiting_slots_.erase(waiting_slots_.find(&slot));
}

void RankClient::want_value(detail::FutureBlock& block, std::uint64_t index) {
    post(ValueWanted{block.shared_from_this(), index});
}

std::optional<std::size_t>
RankClient::wait_any(detail::CompletionQueue& queue,
                     std::optional<std::chrono::steady_clock::time_point> deadline) {
    // Without waiting first: what is done already costs no lending.
    if (const auto ready = queue.next(std::chrono::steady_clock::time_point::min())) {
        return ready;
    }
    const Waiting waiting(*this, std::nullopt);
    Blocked blocked(*this, true);
    {
        const std::lock_guard lock(ending_);
        if (ended_) {
            throw_ended();
        }
        waiting_watchers_.insert(&queue);
    }
    std::optional<std::size_t> ready;
    const auto done = [&] {
        ready = queue.next(std::chrono::steady_clock::time_point::min());
        return ready || ended_;
    };
    if (!blocked.drive_until(std::ref(done), deadline)) {
        ready = queue.next(deadline);
    }
    {
        const std::lock_guard lock(ending_);
        waiting_watchers_.erase(waiting_watchers_.find(&queue));
    }
    if (!ready && ended_) {
        throw_ended();
    }
    return ready;
}

std::optional<TimePoint> RankClient::end_time() const noexcept {
    const TimePoint end = end_time_.load();
    return end != TimePoint::max() ? std::optional{end} : config_.time_limit;
}

void RankClient::begin_ending(TimePoint end, bool with_hooks) {
    end_time_ = end;
    stopping_ = true;
    if (!with_hooks) {
        return;
    }
    hooks_.begin([this](const std::function<void()>& hook) {
        const detail::CurrentScope scope(*this, nullptr);
        try {
            hook();
        } catch (const std::exception& error) {
            write_line(fmt::format("error: rank {}: an on_deadline hook threw: {}",
                                   index(config_.self),
                                   error.what()));
        } catch (...) {
            write_line(
                fmt::format("error: rank {}: an on_deadline hook threw something that is not "
                            "a std::exception",
                            index(config_.self)));
        }
    });
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
    explanations_.end();
    reports_.end();
    task_lists_.end();
}

} // namespace muster::runtime
