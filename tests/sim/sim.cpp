#include "sim.hpp"

#include "failure.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/random.hpp>

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace muster::sim {
namespace {

// A broken invariant aborts inside the machine; the seed must be known all the same.
std::atomic<std::uint64_t> seed_running{0};

extern "C" void report_seed(int /*signal*/) {
    char text[96];
    const int size = std::snprintf(text,
                                   sizeof text,
                                   "The simulation ran with seed %llu: MUSTER_SIM_SEED=%llu\n",
                                   static_cast<unsigned long long>(seed_running.load()),
                                   static_cast<unsigned long long>(seed_running.load()));
    std::fwrite(text, 1, static_cast<std::size_t>(size), stderr);
}

/// Memory that other ranks of the node can read: simulated ranks share all of theirs, so what they
/// read is found by who lends it.
class SharedValues final : public store::Places {
public:
    [[nodiscard]] std::optional<wire::SharedPlace> place_of(const Buffer& value) const override {
        std::uint64_t whose = 0; // as payloads begin
        std::memcpy(&whose, value.bytes().data(), std::min(sizeof(whose), value.size()));
        if (mix64(whose) % 8 == 0) {
            return std::nullopt;
        }
        return wire::SharedPlace{.arena_bytes = ~std::uint64_t{0}, .size = value.size()};
    }
};

const SharedValues shared_values;

rank::RankMachine::Config machine_config(const World& world, std::int32_t rank) {
    const SimOptions& options = world.options;
    rank::RankMachine::Config config;
    config.self = Rank{rank};
    config.world_size = options.ranks;
    config.driver = options.driver;
    config.node = world.node(Rank{rank});
    config.host = "node" + std::to_string(index(config.node));
    config.capacity = world.capacity(Rank{rank});
    config.preferred_coordinator = options.preferred_coordinator == Rank{rank};
    config.inline_bytes_max = options.inline_bytes_max;
    config.near_bytes_min = options.near_bytes_min;
    for (std::int32_t other = 0; other < options.ranks; ++other) {
        config.nodes.push_back(world.node(Rank{other}));
    }
    config.places = options.shares_memory ? &shared_values : nullptr;
    config.watches = options.watches;
    config.heartbeat_timeout = options.heartbeat_timeout;
    config.driver_timeout = options.driver_timeout;
    return config;
}

} // namespace

TaskBuilder& TaskBuilder::calling(const TaskBuilder& child, std::size_t count) {
    Submit submit{child.kind_, {}};
    const NewTask one{child.program(), {}, {}, child.argument_bytes_};
    submit.tasks.assign(count, one);
    return then(std::move(submit)).then(GetAll{});
}

ProgramPtr TaskBuilder::program() const {
    auto program = std::make_shared<Program>();
    program->steps.emplace_back(Compute{time_});
    program->steps.insert(program->steps.end(), steps_.begin(), steps_.end());
    if (throws_) {
        program->steps.emplace_back(Throw{});
    }
    program->result_bytes = result_bytes_;
    program->stoppable = stoppable_;
    return program;
}

Sim::Sim(SimOptions options) : world_(options), faults_(options.faults) {
    seed_running = options.seed;
    std::signal(SIGABRT, report_seed);
    for (std::int32_t i = 0; i < options.ranks; ++i) {
        ranks_.push_back(std::make_unique<VirtualRank>(
            world_, machine_config(world_, i), [this](Rank rank) -> VirtualRank& {
                return at(rank);
            }));
    }
    for (auto& rank : ranks_) {
        world_.queue.after(Duration{world_.random.between(0, 50'000)},
                           [&rank = *rank] { rank.post(rank::Started{}); });
    }
    run_until([&] { return driver().cluster().has_value(); });
}

Sim::~Sim() = default;

void Sim::fail(const std::string& why) const {
    throw SimFailure(fmt::format("seed {}, after {} events and {} µs: {}\n{}",
                                 world_.options.seed,
                                 world_.queue.events_run(),
                                 now().time_since_epoch() / std::chrono::microseconds{1},
                                 why,
                                 describe()));
}

std::string Sim::describe() const {
    std::string text;
    for (const auto& rank : ranks_) {
        text += rank->describe();
    }
    return text + world_.oracle.describe_open();
}

void Sim::run_event() {
    try {
        inject_faults();
        world_.queue.run_next();
        require(world_.broken.empty(), world_.broken);
    } catch (const SimFailure& failure) {
        fail(failure.what());
    }
    ++world_.statistics.events;
    if (world_.queue.events_run() > world_.options.events_max) {
        fail("far too many events for what there is to do: a livelock");
    }
}

void Sim::run_until(const std::function<bool()>& condition) {
    while (!condition()) {
        if (idle()) {
            fail("nothing happens any more, and what was waited for has not come");
        }
        run_event();
    }
}

void Sim::run_for(Duration time) {
    bool passed = false;
    world_.queue.after(time, [&] { passed = true; });
    run_until([&] { return passed; });
}

void Sim::run_until_idle() {
    while (!idle()) {
        run_event();
    }
}

std::vector<Future> Sim::map(const TaskBuilder& task, std::size_t count) {
    const std::vector<Executors::Launch> tasks(count, task.launch());
    std::vector<Future> futures;
    for (Handle& handle : driver().executors().submit(task.kind(), 0, tasks)) {
        futures.push_back({handle.object()});
        held_.emplace(handle.object(), std::move(handle));
    }
    return futures;
}

Future Sim::put(std::size_t bytes, const std::vector<Future>& contained) {
    std::vector<ObjectId> objects;
    for (const Future future : contained) {
        objects.push_back(future.id);
    }
    Handle handle = driver().executors().put(bytes, objects);
    const Future future{handle.object()};
    held_.emplace(future.id, std::move(handle));
    return future;
}

void Sim::cancel(Future future) {
    driver().executors().cancel(future.id);
}

void Sim::free(Future future) {
    driver().executors().free(future.id);
}

void Sim::release(Future future) {
    const auto place = held_.find(future.id);
    MUSTER_ASSERT(place != held_.end());
    driver().executors().release(place->second);
    held_.erase(place);
}

void Sim::fetch(Future future) {
    driver().executors().want(handle(future));
}

wire::TaskStatus Sim::explain(Future future) {
    const std::uint64_t request = ++last_request_;
    driver().post(rank::ExplainWanted{request, future.id});
    run_until([&] { return driver().explained() && driver().explained()->request == request; });
    return driver().explained()->status;
}

void Sim::run_driver(ProgramPtr program) {
    driver_began_ = world_.queue.events_run();
    driver().executors().run_driver(std::move(program), [this] { driver_done_ = true; });
}

void Sim::finish() {
    world_.faults = false; // none but those meant for the end
    run_until_idle();
    for (auto& [object, handle] : held_) {
        if (handle.slot().state == SlotState::pending) {
            fail(to_string(object) + " was never resolved");
        }
        driver().executors().release(handle);
    }
    held_.clear();
    run_until_idle();
    try {
        check_all_resolved();
        for (const auto& rank : ranks_) {
            if (!rank->crashed()) {
                rank->check_idle();
            }
        }
    } catch (const SimFailure& failure) {
        fail(failure.what());
    }
    shut_down();
}

void Sim::end_early() {
    world_.statistics.took(Path::ended_early);
    world_.faults = false;
    shut_down();
    held_.clear();
}

void Sim::shut_down() {
    shutdown_began_ = world_.queue.events_run();
    driver().post(rank::DriverFinished{0});
    run_until_idle();
    for (const auto& rank : ranks_) {
        if (!rank->crashed() && (!rank->fell_silent() || !rank->closed())) {
            fail("the run ended, and a rank did not close");
        }
    }
    if (!world_.network.bulk_idle()) {
        fail("the run ended, and a bulk transfer waits for its other side");
    }
}

void Sim::check_all_resolved() const {
    world_.oracle.check_end();
}

const Handle& Sim::handle(Future future) const {
    const auto place = held_.find(future.id);
    MUSTER_ASSERT(place != held_.end());
    return place->second;
}

bool Sim::running(Future future) const {
    return world_.oracle.truth(future.id).running();
}

bool Sim::started(Future future) const {
    return !world_.oracle.truth(future.id).attempts.empty();
}

bool Sim::resolved(Future future) const {
    return handle(future).slot().state != SlotState::pending;
}

bool Sim::ok(Future future) const {
    const SlotState state = handle(future).slot().state;
    return state == SlotState::value || state == SlotState::kept_elsewhere;
}

bool Sim::here(Future future) const {
    return handle(future).slot().here();
}

const std::vector<wire::FailureRecord>& Sim::failure(Future future) const {
    return handle(future).slot().failure;
}

Rank Sim::rank_of(Future future) const {
    const auto& attempts = world_.oracle.truth(future.id).attempts;
    MUSTER_ASSERT(!attempts.empty());
    return attempts.back().rank;
}

} // namespace muster::sim
