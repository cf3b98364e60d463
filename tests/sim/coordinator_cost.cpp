#include "coordinator_cost.hpp"

#include "failure.hpp"
#include "rank/rank_machine.hpp"
#include "wire/codec.hpp"

#include <muster/base/random.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <queue>
#include <utility>
#include <variant>
#include <vector>

namespace muster::sim {
namespace {

constexpr Rank coordinator{0};
constexpr Rank owner{1};

class Load {
public:
    explicit Load(const CoordinatorLoad& load)
        : load_(load), random_(1), machine_(config(load)),
          workers_(static_cast<std::size_t>(load.ranks)) {
        cost_.tasks = load.tasks;
        form();
    }

    CoordinatorCost run() {
        load_.shape == CoordinatorLoad::Shape::map ? submit_map() : make_graph();
        while (done_ < load_.tasks) {
            now_ += load_.round;
            finish_tasks();
            require(!inbox_.empty() || !endings_.empty(), "the coordinator has stopped granting");
            turn();
        }
        cost_.makespan = now_;
        return cost_;
    }

private:
    struct Task {
        LeaseId lease{};
        std::uint64_t number = 0;
    };

    /// A virtual rank: starts what it is granted as its CPUs allow, first come, first served.
    struct Worker {
        std::deque<Task> waiting;
        std::int32_t running = 0;
    };

    struct Ending {
        Duration when{};
        Rank worker{};
        Task task;

        friend bool operator>(const Ending& a, const Ending& b) { return a.when > b.when; }
    };

    using Clock = std::chrono::steady_clock;

    static rank::RankMachine::Config config(const CoordinatorLoad& load) {
        rank::RankMachine::Config config;
        config.self = coordinator;
        config.world_size = load.ranks;
        config.driver = owner;
        config.capacity.cpus = load.cpus_per_rank;
        return config;
    }

    void send(Rank from, const wire::Message& message) {
        Writer writer;
        wire::encode_envelope(writer, Term{1}, message);
        inbox_.emplace_back(from, writer.take());
    }

    void form() {
        send(owner, wire::CoordinatorElected{Term{1}, coordinator, ""});
        for (std::int32_t i = 1; i < load_.ranks; ++i) {
            wire::Register message{NodeId{i / 64}, "host", {}};
            message.capacity.cpus = load_.cpus_per_rank;
            send(Rank{i}, message);
        }
        turn();
        const auto tasks = cost_.tasks;
        cost_ = {};
        cost_.tasks = tasks;
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
            machine_.on_event(std::move(message), actions_);
        }
        machine_.flush(actions_);
        const auto decided = Clock::now();
        Writer writer;
        for (const auto& action : actions_) {
            if (const auto* order = std::get_if<wire::SendMessage>(&action)) {
                writer.clear();
                wire::encode_envelope(writer, Term{1}, order->message);
            }
        }
        const auto encoded = Clock::now();
        cost_.deciding += decided - decoded;
        cost_.coding += (decoded - began) + (encoded - decided);
        cost_.messages_in += inbox_.size();
        ++cost_.rounds;
        inbox_.clear();
        for (auto& action : actions_) {
            if (auto* order = std::get_if<wire::SendMessage>(&action)) {
                ++cost_.messages_out;
                deliver(*order);
            }
        }
        actions_.clear();
    }

    void deliver(const wire::SendMessage& order) {
        if (const auto* grant = std::get_if<wire::Grant>(&order.message)) {
            Worker& worker = workers_[static_cast<std::size_t>(index(grant->worker))];
            for (std::uint64_t i = 0; i < grant->range.count; ++i) {
                worker.waiting.push_back(
                    {grant->lease, sequence_of(advance(grant->range.first, i)) - 1});
            }
            start_tasks(grant->worker);
        } else if (const auto* recall = std::get_if<wire::Recall>(&order.message)) {
            ++cost_.recalls;
            give_back(order.to, *recall);
        }
    }

    void start_tasks(Rank rank) {
        Worker& worker = workers_[static_cast<std::size_t>(index(rank))];
        while (worker.running < load_.cpus_per_rank && !worker.waiting.empty()) {
            const Duration time{
                random_.between(load_.task_time.count() / 2, load_.task_time.count() * 3 / 2)};
            endings_.push({now_ + time, rank, worker.waiting.front()});
            worker.waiting.pop_front();
            ++worker.running;
        }
    }

    void give_back(Rank rank, const wire::Recall& recall) {
        Worker& worker = workers_[static_cast<std::size_t>(index(rank))];
        wire::Returned returned{recall.task_class, {}};
        while (!worker.waiting.empty() && returned.tasks.size() < recall.count &&
               class_of(worker.waiting.back().number) == recall.task_class) {
            const Task task = worker.waiting.back();
            worker.waiting.pop_back();
            returned.tasks.push_back({task.lease, make_object_id(owner, task.number + 1)});
        }
        send(rank, returned);
    }

    /// What ended since the last round, in one Progress per rank.
    void finish_tasks() {
        std::map<Rank, std::map<LeaseId, wire::LeaseProgress>> reports;
        std::map<std::size_t, std::vector<wire::Range>> ready;
        while (!endings_.empty() && endings_.top().when <= now_) {
            const Ending ending = endings_.top();
            endings_.pop();
            auto& report = reports[ending.worker][ending.task.lease];
            report.lease = ending.task.lease;
            ++report.finished;
            report.busy += load_.task_time;
            --workers_[static_cast<std::size_t>(index(ending.worker))].running;
            start_tasks(ending.worker);
            ++done_;
            settle(ending.task.number, ready);
        }
        for (auto& [task_class, ranges] : ready) {
            send(owner, wire::Submit{classes_[task_class], std::move(ranges)});
        }
        for (const auto& [rank, leases] : reports) {
            wire::Progress progress;
            for (const auto& [lease, report] : leases) {
                progress.leases.push_back(report);
            }
            send(rank, progress);
        }
    }

    void submit_map() {
        classes_.push_back(task_class(0, 0));
        send(owner, wire::Submit{classes_[0], {{make_object_id(owner, 1), load_.tasks}}});
        turn();
    }

    void make_graph() {
        for (std::uint32_t i = 0; i < 8; ++i) {
            classes_.push_back(task_class(i, static_cast<std::int32_t>(i % 2)));
        }
        // Wide enough for all ranks, and never without work in the middle.
        const std::uint64_t reach = 8 * static_cast<std::uint64_t>(load_.ranks);
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
        ready[task % classes_.size()].push_back({make_object_id(owner, task + 1), 1});
    }

    [[nodiscard]] const wire::TaskClass& class_of(std::uint64_t task) const {
        return classes_[task % classes_.size()];
    }

    static wire::TaskClass task_class(std::uint32_t function, std::int32_t priority) {
        return {FunctionId{function}, {1, {}, {}, {}}, priority, 0, {}};
    }

    CoordinatorLoad load_;
    Random random_;
    rank::RankMachine machine_;
    std::vector<Worker> workers_;
    std::vector<wire::TaskClass> classes_;
    std::vector<std::uint8_t> missing_; ///< Of a graph's task: dependencies not done.
    std::vector<std::vector<std::uint64_t>> dependents_;
    std::priority_queue<Ending, std::vector<Ending>, std::greater<>> endings_;
    std::vector<std::pair<Rank, Buffer>> inbox_;
    wire::Actions actions_;
    std::uint64_t done_ = 0;
    Duration now_{};
    CoordinatorCost cost_;
};

} // namespace

CoordinatorCost coordinator_cost(const CoordinatorLoad& load) {
    return Load(load).run();
}

} // namespace muster::sim
