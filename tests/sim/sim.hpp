#pragma once

#include "program.hpp"
#include "virtual_rank.hpp"
#include "world.hpp"

#include <concepts>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace muster::sim {

/// Names a future held by a test's driver.
struct Future {
    ObjectId id{};
};

/// Describes a task for Sim::submit(): by default one CPU for 100 µs, and no value.
class TaskBuilder {
public:
    TaskBuilder& cpus(Amount amount) {
        return change([&] { kind_.demand.cpus = amount; });
    }

    TaskBuilder& gpus(Amount amount) {
        return change([&] { kind_.demand.gpus = amount; });
    }

    TaskBuilder& demand(Resources all) {
        return change([&] { kind_.demand = std::move(all); });
    }

    TaskBuilder& priority(std::int32_t value) {
        return change([&] { kind_.priority = value; });
    }

    TaskBuilder& placement(Placement value) {
        return change([&] { kind_.placement = value; });
    }

    TaskBuilder& function(std::uint32_t n) {
        return change([&] { kind_.function = FunctionId{n}; });
    }

    TaskBuilder& retries(std::uint32_t times) {
        return change([&] { kind_.retries = times; });
    }

    /// A gang of so many members.
    TaskBuilder& ranks(std::int32_t members) {
        return change([&] { kind_.ranks = members; });
    }

    TaskBuilder& lasting(Duration time) {
        return change([&] { time_ = time; });
    }

    TaskBuilder& returning(std::size_t bytes) {
        return change([&] { result_bytes_ = bytes; });
    }

    TaskBuilder& taking(std::size_t bytes) {
        return change([&] { argument_bytes_ = bytes; });
    }

    TaskBuilder& throwing() {
        return change([&] { throws_ = true; });
    }

    TaskBuilder& stoppable() {
        return change([&] { stoppable_ = true; });
    }

    /// The value is an argument of the task.
    TaskBuilder& after(Future future) {
        return change([&] { dependencies_.push_back(future.id); });
    }

    /// The future itself is part of an argument; the program's table starts with it.
    TaskBuilder& passing(Future future) {
        return change([&] { passed_.push_back(future.id); });
    }

    /// Runs after `lasting`.
    TaskBuilder& then(Step step) {
        return change([&] { steps_.push_back(std::move(step)); });
    }

    /// Submits `count` such tasks and waits for them.
    TaskBuilder& calling(const TaskBuilder& child, std::size_t count);

    [[nodiscard]] ProgramPtr program() const;

    [[nodiscard]] const TaskKind& kind() const { return kind_; }

    [[nodiscard]] Executors::Launch launch() const {
        return {program(), dependencies_, passed_, argument_bytes_};
    }

private:
    template <std::invocable F>
    TaskBuilder& change(F&& f) {
        f();
        return *this;
    }

    TaskKind kind_{{}, {.cpus = 1, .gpus = {}, .memory = {}, .custom = {}}, 0, {}};
    Duration time_ = std::chrono::microseconds{100};
    std::size_t result_bytes_ = 0;
    std::size_t argument_bytes_ = 0;
    bool throws_ = false;
    bool stoppable_ = false;
    std::vector<ObjectId> dependencies_;
    std::vector<ObjectId> passed_;
    std::vector<Step> steps_;
};

inline TaskBuilder task() {
    return {};
}

/// N virtual ranks in one process, driven by one seed in virtual time: the shipped state machines,
/// codec and link, and simulated executors, networks and users.
///
///     Sim sim{{.seed = 7, .ranks = 4, .cpus_per_rank = 2}};
///     const auto future = sim.submit(task().cpus(2));
///     sim.run_until([&] { return sim.running(future); });
///     sim.finish();
///
/// The test is the driver; or, with run_driver(), a Program is. Throws SimFailure, naming the seed,
/// as soon as a machine breaks a promise or nothing happens any more; an invariant broken inside a
/// machine aborts, and the seed is printed.
class Sim {
public:
    /// Starts the ranks and runs until the cluster stands.
    explicit Sim(SimOptions options);
    ~Sim();
    Sim(const Sim&) = delete;
    Sim& operator=(const Sim&) = delete;

    // The driver's calls.
    Future submit(const TaskBuilder& task) { return map(task, 1).front(); }

    std::vector<Future> map(const TaskBuilder& task, std::size_t count);
    Future put(std::size_t bytes, const std::vector<Future>& contained = {});
    void cancel(Future future);
    /// As muster::free(), but that the future is left.
    void free(Future future);
    void release(Future future);
    /// Asks for the bytes of a value kept elsewhere.
    void fetch(Future future);
    /// What has become of its task, in its own words; runs until that is answered.
    [[nodiscard]] wire::TaskStatus explain(Future future);
    void run_driver(ProgramPtr program);

    [[nodiscard]] bool driver_done() const { return driver_done_; }

    // Virtual time.
    void run_until(const std::function<bool()>& condition);
    void run_for(Duration time);
    /// Until nothing is left to happen; where ranks watch one another, until nothing but that has
    /// happened for longer than it takes them to notice a loss.
    void run_until_idle();

    // Faults, besides those of the options. The driver's rank cannot crash.
    void crash(Rank rank);
    void freeze(Rank rank, Duration length);
    void freeze_all(Duration length);
    /// Releases what the test holds, runs until idle, checks that nothing is left anywhere, and
    /// ends the run by the shutdown protocol.
    void finish();
    /// Ends the run as it is: the driver returns while tasks may be running.
    void end_early();

    // What is known of a future.
    [[nodiscard]] bool running(Future future) const;
    [[nodiscard]] bool started(Future future) const;
    [[nodiscard]] bool resolved(Future future) const;
    [[nodiscard]] bool ok(Future future) const;
    [[nodiscard]] bool here(Future future) const;
    [[nodiscard]] const std::vector<wire::FailureRecord>& failure(Future future) const;
    /// The rank that ran it.
    [[nodiscard]] Rank rank_of(Future future) const;

    [[nodiscard]] TimePoint now() const { return world_.queue.now(); }

    [[nodiscard]] std::int32_t ranks() const { return world_.options.ranks; }

    [[nodiscard]] VirtualRank& at(Rank rank) {
        return *ranks_[static_cast<std::size_t>(index(rank))];
    }

    [[nodiscard]] const VirtualRank& at(Rank rank) const {
        return *ranks_[static_cast<std::size_t>(index(rank))];
    }

    [[nodiscard]] const Oracle& oracle() const { return world_.oracle; }

    [[nodiscard]] const Statistics& statistics() const { return world_.statistics; }

    [[nodiscard]] std::uint64_t times(Path path) const { return world_.statistics.times(path); }

private:
    VirtualRank& driver() { return at(world_.options.driver); }

    [[nodiscard]] const Handle& handle(Future future) const;
    void run_event();
    [[nodiscard]] bool idle() const;
    void inject_faults();
    void inject(const Fault& fault);
    /// How many events have run in the fault's phase; none if it has not begun, or is over.
    [[nodiscard]] std::optional<std::uint64_t> events_since(Fault::When when) const;
    /// Ranks that may crash, and of those the ones that `whom` describes.
    [[nodiscard]] std::vector<Rank> candidates() const;
    [[nodiscard]] std::vector<Rank> candidates(Fault::Whom whom) const;
    void shut_down();
    void check_all_resolved() const;
    [[nodiscard]] std::string describe() const;
    [[noreturn]] void fail(const std::string& why) const;

    World world_;
    std::vector<std::unique_ptr<VirtualRank>> ranks_;
    std::map<ObjectId, Handle> held_;
    std::vector<Fault> faults_;                 ///< Still to come.
    std::optional<std::uint64_t> driver_began_; ///< Events run then, and so on.
    std::optional<std::uint64_t> shutdown_began_;
    std::uint64_t last_request_ = 0;
    bool driver_done_ = false;
};

} // namespace muster::sim
