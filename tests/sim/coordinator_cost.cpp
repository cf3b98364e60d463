#include "coordinator_cost.hpp"

#include "failure.hpp"
#include "rank/rank_machine.hpp"
#include "wire/codec.hpp"
#include "worker/report_rule.hpp"

#include <muster/base/random.hpp>

#include <malloc.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace muster::sim {
namespace {

constexpr Rank first_coordinator{0};
constexpr Rank owner{1};
constexpr Rank second_coordinator{2};

class Load {
public:
    explicit Load(const CoordinatorLoad& load)
        : load_(load), random_(1),
          machine_(std::make_unique<rank::RankMachine>(config(load, first_coordinator))),
          workers_(static_cast<std::size_t>(load.ranks)), states_(load.tasks) {
        cost_.tasks = load.tasks;
        heap_apart_ = heap_bytes();
        form();
    }

    CoordinatorCost run() {
        load_.shape == CoordinatorLoad::Shape::map ? submit_map() : make_graph();
        while (done_ < load_.tasks) {
            now_ += load_.round;
            finish_tasks();
            require(!inbox_.empty() || !endings_.empty(), "the coordinator has stopped granting");
            turn();
            if (term_ == Term{1} && load_.tasks - done_ <= load_.lost_with_left) {
                lose_coordinator();
            }
        }
        cost_.makespan = now_;
        return cost_;
    }

private:
    struct Task {
        LeaseId lease{};
        std::uint64_t number = 0;
    };

    /// What the owner knows of a task.
    enum class State : std::uint8_t { waiting, ready, granted, done };

    /// Tasks of a class that have ended on a virtual rank.
    struct Unreported {
        std::map<LeaseId, wire::LeaseProgress> leases;
        worker::ReportRule rule;
    };

    /// A virtual rank: starts what it is granted as its CPUs allow, first come, first served.
    struct Worker {
        std::deque<Task> waiting;
        std::vector<Task> running;
        std::map<std::size_t, Unreported> unreported; ///< By class.
    };

    struct Ending {
        Duration when{};
        Rank worker{};
        Task task;

        friend bool operator>(const Ending& a, const Ending& b) { return a.when > b.when; }
    };

    using Clock = std::chrono::steady_clock;

    static rank::RankMachine::Config config(const CoordinatorLoad& load, Rank self) {
        rank::RankMachine::Config config;
        config.self = self;
        config.world_size = load.ranks;
        config.driver = owner;
        config.capacity.cpus = load.cpus_per_rank;
        return config;
    }

    void send(Rank from, const wire::Message& message) {
        Writer writer;
        wire::encode_envelope(writer, term_, message);
        inbox_.emplace_back(from, writer.take());
    }

    void form() {
        send(owner, wire::CoordinatorElected{term_, coordinator_, "", {}});
        enter();
        turn();
        const auto tasks = cost_.tasks;
        cost_ = {};
        cost_.tasks = tasks;
    }

    /// Every rank but the coordinator's, which does so by itself, enters the cluster.
    void enter() {
        for (std::int32_t i = 0; i < load_.ranks; ++i) {
            const Rank rank{i};
            at(rank).unreported.clear();
            if (rank == coordinator_ || !alive(rank)) {
                continue;
            }
            wire::Register message{NodeId{i / 64}, "host", {}, held_by(at(rank))};
            message.capacity.cpus = load_.cpus_per_rank;
            send(rank, message);
        }
    }

    [[nodiscard]] bool alive(Rank rank) const {
        return term_ == Term{1} || rank != first_coordinator;
    }

    Worker& at(Rank rank) { return workers_[static_cast<std::size_t>(index(rank))]; }

    /// What a worker has, as it tells a coordinator that does not know.
    [[nodiscard]] std::vector<wire::HeldClass> held_by(const Worker& worker) {
        std::map<std::size_t, std::map<LeaseId, std::uint64_t>> leases;
        std::map<std::size_t, std::uint64_t> slots;
        for (const Task& task : worker.running) {
            ++leases[task.number % classes_.size()][task.lease];
            ++slots[task.number % classes_.size()];
        }
        for (const Task& task : worker.waiting) {
            ++leases[task.number % classes_.size()][task.lease];
        }
        std::vector<wire::HeldClass> held;
        for (const auto& [one, tasks_of] : leases) {
            held.push_back({classes_[one], slots[one], {}});
            for (const auto& [lease, tasks] : tasks_of) {
                held.back().leases.push_back({lease, tasks, 0});
                cost_.held += tasks;
            }
        }
        return held;
    }

    /// The first coordinator's rank dies. All others enter the cluster of the second one, with what
    /// they have, and the owner submits anew what nobody has.
    void lose_coordinator() {
        term_ = Term{2};
        coordinator_ = second_coordinator;
        machine_ = std::make_unique<rank::RankMachine>(config(load_, coordinator_));
        inbox_.clear();
        for (const Task& task : std::exchange(at(first_coordinator).waiting, {})) {
            states_[task.number] = State::ready;
        }
        for (const Task& task : std::exchange(at(first_coordinator).running, {})) {
            states_[task.number] = State::ready;
        }
        const Duration before = cost_.deciding + cost_.coding;
        cost_.held = 0;
        send(owner, wire::CoordinatorElected{term_, coordinator_, "", {first_coordinator}});
        turn();
        enter();
        std::map<std::size_t, std::vector<wire::Range>> ready;
        for (std::uint64_t task = 0; task < load_.tasks; ++task) {
            if (states_[task] == State::ready) {
                add_ready(task, ready);
            }
        }
        for (auto& [index, ranges] : ready) {
            send(owner, wire::Submit{classes_[index], std::move(ranges)});
        }
        turn();
        cost_.taking_over = cost_.deciding + cost_.coding - before;
    }

    /// One round of the coordinator's progress loop: decode, decide, encode.
    void turn() {
        const auto began = Clock::now();
        std::vector<rank::MessageReceived> messages;
        messages.reserve(inbox_.size());
        for (const auto& [from, bytes] : inbox_) {
            messages.push_back({from, *wire::decode_envelope(bytes.bytes())});
        }
        const auto decoded = Clock::now();
        for (auto& message : messages) {
            machine_->on_event(std::move(message), actions_);
        }
        machine_->flush(actions_);
        const auto decided = Clock::now();
        encode();
        const auto encoded = Clock::now();
        cost_.deciding += decided - decoded;
        cost_.coding += (decoded - began) + (encoded - decided);
        cost_.messages_in += inbox_.size();
        ++cost_.rounds;
        cost_.memory = std::max(cost_.memory, heap_bytes() - heap_apart_);
        inbox_.clear();
        for (auto& action : actions_) {
            if (auto* order = std::get_if<wire::SendMessage>(&action)) {
                ++cost_.messages_out;
                deliver(*order);
            }
        }
        actions_.clear();
    }

    void encode() const {
        Writer writer;
        for (const auto& action : actions_) {
            if (const auto* order = std::get_if<wire::SendMessage>(&action)) {
                writer.clear();
                wire::encode_envelope(writer, term_, order->message);
            }
        }
    }

    /// Bytes on the heap; 0 if they are not asked for.
    [[nodiscard]] std::int64_t heap_bytes() const {
        if (!load_.measures_memory) {
            return 0;
        }
        const struct mallinfo2 heap = ::mallinfo2();
        return static_cast<std::int64_t>(heap.uordblks + heap.hblkhd);
    }

    void deliver(const wire::SendMessage& order) {
        if (const auto* grant = std::get_if<wire::Grant>(&order.message)) {
            Worker& worker = at(grant->worker);
            for (std::uint64_t i = 0; i < grant->range.count; ++i) {
                const std::uint64_t task = sequence_of(advance(grant->range.first, i)) - 1;
                require(states_[task] == State::ready, "a task was granted that is not ready");
                states_[task] = State::granted;
                worker.waiting.push_back({grant->lease, task});
            }
            start_tasks(grant->worker);
        } else if (const auto* recall = std::get_if<wire::Recall>(&order.message)) {
            ++cost_.recalls;
            give_back(order.to, *recall);
        }
    }

    void start_tasks(Rank rank) {
        Worker& worker = at(rank);
        while (static_cast<std::int32_t>(worker.running.size()) < load_.cpus_per_rank &&
               !worker.waiting.empty()) {
            const Duration time{
                random_.between(load_.task_time.count() / 2, load_.task_time.count() * 3 / 2)};
            endings_.push({now_ + time, rank, worker.waiting.front()});
            worker.running.push_back(worker.waiting.front());
            worker.waiting.pop_front();
        }
    }

    void give_back(Rank rank, const wire::Recall& recall) {
        Worker& worker = at(rank);
        wire::Returned returned{recall.task_class, {}};
        while (!worker.waiting.empty() && returned.tasks.size() < recall.count &&
               class_of(worker.waiting.back().number) == recall.task_class) {
            const Task task = worker.waiting.back();
            worker.waiting.pop_back();
            states_[task.number] = State::ready;
            returned.tasks.push_back({task.lease, make_object_id(owner, task.number + 1)});
        }
        send(rank, returned);
    }

    /// What ended since the last round; a rank that has something to report sends one Progress.
    void finish_tasks() {
        std::set<Rank> reporting;
        std::map<std::size_t, std::vector<wire::Range>> ready;
        while (!endings_.empty() && endings_.top().when <= now_) {
            const Ending ending = endings_.top();
            endings_.pop();
            if (!alive(ending.worker)) {
                continue;
            }
            reporting.insert(ending.worker);
            Worker& worker = at(ending.worker);
            auto& report = worker.unreported[class_number(ending.task)].leases[ending.task.lease];
            report.lease = ending.task.lease;
            ++report.finished;
            report.busy += load_.task_time;
            std::erase_if(worker.running,
                          [&](const Task& task) { return task.number == ending.task.number; });
            states_[ending.task.number] = State::done;
            start_tasks(ending.worker);
            ++done_;
            settle(ending.task.number, ready);
        }
        for (auto& [task_class, ranges] : ready) {
            send(owner, wire::Submit{classes_[task_class], std::move(ranges)});
        }
        for (const Rank rank : reporting) {
            report_progress(rank);
        }
    }

    void report_progress(Rank rank) {
        Worker& worker = at(rank);
        wire::Progress progress;
        for (auto& [number, unreported] : worker.unreported) {
            const auto ahead = std::count_if(
                worker.waiting.begin(),
                worker.waiting.end(),
                [&, number = number](const Task& task) { return class_number(task) == number; });
            if (unreported.leases.empty() ||
                !unreported.rule.due(static_cast<std::uint32_t>(ahead))) {
                continue;
            }
            for (const auto& [lease, report] : std::exchange(unreported.leases, {})) {
                progress.leases.push_back(report);
            }
        }
        if (!progress.leases.empty()) {
            send(rank, progress);
        }
    }

    [[nodiscard]] std::size_t class_number(const Task& task) const {
        return task.number % classes_.size();
    }

    void submit_map() {
        classes_.push_back(task_class(0, 0));
        states_.assign(load_.tasks, State::ready);
        send(owner, wire::Submit{classes_[0], {{make_object_id(owner, 1), load_.tasks}}});
        turn();
    }

    void make_graph() {
        for (std::uint32_t i = 0; i < 8; ++i) {
            classes_.push_back(task_class(i, static_cast<std::int32_t>(i % 2)));
        }
        // Wide enough for all ranks, and never without work in the middle.
        const std::uint64_t reach = 8 * static_cast<std::uint64_t>(load_.ranks);
        const std::int64_t heap_before = heap_bytes();
        missing_.resize(load_.tasks);
        dependents_.resize(load_.tasks);
        std::map<std::size_t, std::vector<wire::Range>> ready;
        for (std::uint64_t i = 0; i < load_.tasks; ++i) {
            if (i < reach) {
                add_ready(i, ready);
                continue;
            }
            missing_[i] = 2;
            for (int k = 0; k < 2; ++k) {
                dependents_[i - reach / 2 - random_.below(reach / 2)].push_back(i);
            }
        }
        heap_apart_ += heap_bytes() - heap_before;
        for (auto& [index, ranges] : ready) {
            send(owner, wire::Submit{classes_[index], std::move(ranges)});
        }
        turn();
    }

    void settle(std::uint64_t task, std::map<std::size_t, std::vector<wire::Range>>& ready) {
        if (load_.shape == CoordinatorLoad::Shape::map) {
            return;
        }
        for (const std::uint64_t dependent : dependents_[task]) {
            if (--missing_[dependent] == 0) {
                add_ready(dependent, ready);
            }
        }
    }

    void add_ready(std::uint64_t task, std::map<std::size_t, std::vector<wire::Range>>& ready) {
        states_[task] = State::ready;
        auto& ranges = ready[task % classes_.size()];
        const ObjectId id = make_object_id(owner, task + 1);
        if (!ranges.empty() && advance(ranges.back().first, ranges.back().count) == id) {
            ++ranges.back().count;
        } else {
            ranges.push_back({id, 1});
        }
    }

    [[nodiscard]] const wire::TaskClass& class_of(std::uint64_t task) const {
        return classes_[task % classes_.size()];
    }

    static wire::TaskClass task_class(std::uint32_t function, std::int32_t priority) {
        return {FunctionId{function}, {1, {}, {}, {}}, priority, 0, {}};
    }

    CoordinatorLoad load_;
    Random random_;
    Term term_{1};
    Rank coordinator_ = first_coordinator;
    std::unique_ptr<rank::RankMachine> machine_;
    std::vector<Worker> workers_;
    std::vector<State> states_; ///< Of the tasks.
    std::vector<wire::TaskClass> classes_;
    std::vector<std::uint8_t> missing_; ///< Of a graph's task: dependencies not done.
    std::vector<std::vector<std::uint64_t>> dependents_;
    std::priority_queue<Ending, std::vector<Ending>, std::greater<>> endings_;
    std::vector<std::pair<Rank, Buffer>> inbox_;
    wire::Actions actions_;
    std::uint64_t done_ = 0;
    Duration now_{};
    std::int64_t heap_apart_ = 0; ///< What is not the coordinator's, nor on its way.
    CoordinatorCost cost_;
};

} // namespace

CoordinatorCost coordinator_cost(const CoordinatorLoad& load) {
    return Load(load).run();
}

} // namespace muster::sim
