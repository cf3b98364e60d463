#include "random_program.hpp"

#include "random_draws.hpp"
#include "random_groups.hpp"
#include "sched/devices.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace muster::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Makes random programs that cannot deadlock by their own fault.
///
/// A task that holds GPUs, memory or licences while it waits could wait for a task that wants the
/// same; so everything such a task may wait for demands CPUs only, which waiting tasks lend. It
/// gets no futures from outside: whatever it waits for was submitted below it.
///
/// Likewise with actors. A method waits for nothing but tasks of its own that know of nothing else,
/// and lets no call of its own wait for more, since that would hold back the later ones. An actor
/// that takes resources is released by whoever spawned it before it waits for anything. A
/// constructor's handles stay with its actor, so it only gets those of older ones.
///
/// A placement group is released before its maker waits for anything but its place. What holds it
/// until then, tasks and actors in it and tasks with a handle, needs nothing that it keeps from
/// others: it waits for nothing, or only for tasks in the group, and demands nothing outside.
class ProgramMaker {
public:
    ProgramMaker(Random& random, const SimOptions& world, std::size_t tasks_max)
        : random_(random), world_(world) {
        const auto kinds = random_.between(2, 6);
        for (std::int64_t i = random_.between(0, 3); i > 0; --i) {
            add_gang_kind();
        }
        for (std::int64_t i = 0; i < kinds; ++i) {
            any_kinds_.push_back(with_alternatives(random_kind(false)));
            cpu_kinds_.push_back(with_alternatives(random_kind(true)));
        }
        for (std::int64_t i = random_.between(1, 3); i > 0; --i) {
            actor_kinds_.push_back(random_kind(true));
            actor_kinds_.back().demand = {};
            actor_kinds_.back().restarts =
                world_.faults.empty() ? 0 : static_cast<std::uint32_t>(random_.below(3));
            if (actor_kinds_.back().restarts > 0) {
                const std::uint64_t choice = mix64(world_.seed * 4 + actor_kinds_.size());
                actor_kinds_.back().save_every = static_cast<std::uint32_t>(choice % 4);
                actor_kinds_.back().replays = choice % 4 > 0 && choice / 4 % 3 > 0;
            }
            add_concurrency(actor_kinds_.back());
        }
        with_actors_ = random_.chance(0.7);
        with_groups_ = mix64(world_.seed * 8 + 5) % 2 == 0;
        pins_ = random_.chance(0.1);
        for (auto& kind : actor_kinds_) {
            kind.for_job = random_.chance(0.05);
        }
        budget_ = log_uniform_count(random_, 10, tasks_max);
        task_time_max_ = log_uniform(random_, microseconds{20}, milliseconds{3});
    }

    ProgramPtr driver(bool waits) {
        auto program = std::make_shared<Program>();
        const std::int64_t steps = random_.between(2, 30);
        for (std::int64_t i = 0; i < steps && budget_ > 0; ++i) {
            if (random_.chance(0.08)) {
                add_chain(*program);
            } else if (random_.chance(0.06)) {
                add_large_map(*program);
            } else if (random_.chance(0.1)) {
                add_cancels(*program);
            } else if (random_.chance(0.04)) {
                add_late_tasks(*program);
            } else if (random_.chance(0.08)) {
                add_contended_map(*program);
            } else if (random_.chance(0.05)) {
                add_cancelled_fetches(*program);
            } else if (random_.chance(0.3)) {
                add_gangs(*program, log_uniform_count(random_, 1, 20));
            } else if (with_groups_ && random_.chance(world_.faults.empty() ? 0.15 : 0.4)) {
                add_group(*program, false);
            } else if (with_actors_ && random_.chance(0.5)) {
                add_actor_step(*program, 0, false);
            } else {
                add_step(*program, 0, false, 0.45);
            }
        }
        if (waits && random_.chance(0.7)) {
            program->steps.emplace_back(GetAll{});
        }
        return program;
    }

private:
    TaskKind random_kind(bool cpus_only) {
        TaskKind kind;
        kind.function = FunctionId{++last_function_};
        kind.retries = random_retries();
        kind.retry_exceptions = !world_.faults.empty() && random_.chance(0.1);
        add_limits(kind);
        kind.priority = random_.chance(0.6) ? 0 : static_cast<std::int32_t>(random_.between(-2, 2));
        // Made to fit one rank, so that it is feasible.
        std::size_t target = random_.below(world_.capacities.size());
        while (cpus_only && world_.capacities[target].cpus == Amount{}) {
            target = random_.below(world_.capacities.size());
        }
        const Resources& capacity = world_.capacities[target];
        const std::array<Amount, 6> cpus{0, 0.5, 1, 1, 1, 2};
        kind.demand.cpus = std::min(cpus[random_.below(cpus.size())], capacity.cpus);
        if (!cpus_only) {
            if (random_.chance(0.4)) {
                const std::array<Amount, 5> gpus{0.25, 0.5, 0.6, 1, 2};
                kind.demand.gpus = std::min(gpus[random_.below(gpus.size())], capacity.gpus);
            }
            if (random_.chance(0.3)) {
                kind.demand.memory =
                    std::min(Amount{random_.between(1, 128) << 20}, capacity.memory);
            }
            if (random_.chance(0.2) && !capacity.custom.empty()) {
                kind.demand.custom = capacity.custom;
                kind.demand.custom.front().second = 1;
            }
        }
        switch (random_.below(8)) {
        case 0:
            kind.placement = pack;
            break;
        case 1:
            kind.placement = spread;
            break;
        case 2:
            kind.placement = on_rank(static_cast<int>(target));
            break;
        case 3:
            kind.placement = on_node(index(world_.nodes[target]));
            break;
        default:
            break;
        }
        return kind;
    }

    /// Which may be too much for any rank. CPUs alone, so that what waits for such a task need not
    /// know what it got.
    TaskKind with_alternatives(TaskKind kind) {
        while (random_.chance(0.15)) {
            const std::array<Amount, 4> cpus{0.5, 1, 2, 8};
            kind.or_else.emplace_back().cpus = cpus[random_.below(cpus.size())];
        }
        return kind;
    }

    /// Not of one that is saved: that would be in the middle of a call.
    void add_concurrency(TaskKind& kind) {
        if (kind.save_every == 0 && random_.chance(0.6)) {
            kind.concurrency = static_cast<std::uint32_t>(random_.between(2, 6));
            kind.threads = random_.chance(0.4)
                               ? 1
                               : static_cast<std::uint32_t>(random_.between(1, kind.concurrency));
        }
    }

    /// Now and then so little time that some are late.
    void add_limits(TaskKind& kind) {
        if (random_.chance(0.05)) {
            kind.timeout = std::chrono::microseconds{log_uniform_count(random_, 50, 20'000)};
            kind.retry_exceptions = kind.retry_exceptions || random_.chance(0.5);
        }
        if (random_.chance(0.04)) {
            kind.deadline = std::chrono::microseconds{log_uniform_count(random_, 100, 50'000)};
        }
    }

    std::uint32_t random_retries() {
        return world_.faults.empty() || random_.chance(0.6)
                   ? 3
                   : static_cast<std::uint32_t>(random_.below(3));
    }

    /// A gang that some ranks can host together. Often with CPUs alone, so that it meets what
    /// others lend.
    void add_gang_kind() {
        TaskKind kind;
        kind.function = FunctionId{++last_function_};
        kind.retries = random_retries();
        kind.retry_exceptions = !world_.faults.empty() && random_.chance(0.1);
        add_limits(kind);
        kind.priority = random_.chance(0.7) ? 0 : static_cast<std::int32_t>(random_.between(-2, 2));
        const std::array<Amount, 4> cpus{0, 0.5, 1, 1};
        kind.demand.cpus = cpus[random_.below(cpus.size())];
        if (random_.chance(0.2)) {
            kind.demand.memory = Amount{random_.between(1, 64) << 20};
        }
        if (random_.chance(0.2)) {
            const std::array<Amount, 4> gpus{0.25, 0.6, 1, 2};
            kind.demand.gpus = gpus[random_.below(gpus.size())];
        }
        std::int64_t room = 0;
        for (const Resources& capacity : world_.capacities) {
            room +=
                sched::Room::all_of(capacity).times_fitting(kind.demand, world_.ranks == 1 ? 4 : 1);
        }
        if (room > 0) {
            // Where ranks may be lost, seldom of all.
            room -= !world_.faults.empty() && room > 1 && random_.chance(0.7) ? 1 : 0;
            kind.ranks = static_cast<std::int32_t>(random_.between(1, room));
            gang_kinds_.push_back(kind);
        }
    }

    /// What a member waits for must not need the CPUs that it keeps: messages of its own gang.
    void add_gangs(Program& program, std::size_t count) {
        if (gang_kinds_.empty()) {
            return;
        }
        const auto& kind = gang_kinds_[random_.below(gang_kinds_.size())];
        auto member = std::make_shared<Program>();
        for (std::int64_t i = random_.between(0, 5); i > 0; --i) {
            if (random_.chance(0.4)) {
                member->steps.emplace_back(compute());
            } else if (random_.chance(0.08)) {
                member->steps.emplace_back(ThrowOne{static_cast<std::int32_t>(random_.below(64))});
            } else if (random_.chance(0.04)) {
                member->steps.emplace_back(LeaveOne{static_cast<std::int32_t>(random_.below(64))});
            } else {
                member->steps.emplace_back(Pass{random_.chance(0.3) ? 20'000 + random_.below(40'000)
                                                                    : random_.below(400)});
            }
        }
        member->result_bytes = value_bytes();
        member->returned = some_locals(0.2, 2);
        member->stoppable = random_.chance(0.7);
        const auto members = static_cast<std::size_t>(kind.ranks);
        Submit submit{kind, {}};
        for (std::size_t i = 0; i < count && budget_ >= members; ++i, budget_ -= members) {
            submit.tasks.push_back({member, some_locals(0.3, 2), some_locals(0.2, 2), 50});
        }
        if (!submit.tasks.empty()) {
            program.steps.emplace_back(std::move(submit));
        }
        if (random_.chance(0.2)) {
            add_cancels(program);
        }
    }

    static bool holds(const TaskKind& kind) {
        return kind.demand.gpus > Amount{} || kind.demand.memory > Amount{} ||
               !kind.demand.custom.empty();
    }

    Local any_local() { return random_.below(1000); }

    std::vector<Local> some_locals(double chance, std::int64_t most) {
        std::vector<Local> locals;
        if (random_.chance(chance)) {
            for (std::int64_t i = random_.between(1, most); i > 0; --i) {
                locals.push_back(any_local());
            }
        }
        return locals;
    }

    std::size_t value_bytes() {
        switch (random_.below(5)) {
        case 0:
            return log_uniform_count(random_, 1000, 40'000);
        case 1:
            return 0;
        default:
            return random_.below(300);
        }
    }

    Compute compute() { return {log_uniform(random_, microseconds{1}, task_time_max_)}; }

    /// A program of a task at nesting `depth`, and how many tasks it amounts to.
    std::pair<ProgramPtr, std::size_t> task(std::size_t depth, bool held) {
        auto program = std::make_shared<Program>();
        const std::size_t before = budget_;
        program->steps.emplace_back(compute());
        const double submits = depth >= 4 ? 0 : 0.35 / static_cast<double>(depth);
        for (std::int64_t i = random_.between(0, 4); i > 0; --i) {
            add_step(*program, depth, held, submits);
        }
        if (random_.chance(0.4)) {
            program->steps.emplace_back(GetAll{random_.chance(0.7)});
        }
        if (random_.chance(0.04)) {
            program->steps.emplace_back(Throw{});
        }
        program->result_bytes = value_bytes();
        program->returned = some_locals(0.3, 2);
        if (pins_ && !held) {
            program->returned_actors = some_locals(0.1, 2);
        }
        program->unpacks = !held && random_.chance(0.5);
        program->stoppable = random_.chance(0.5);
        const std::size_t weight = 1 + (before - budget_);
        budget_ = before;
        return {std::move(program), weight};
    }

    void add_step(Program& program, std::size_t depth, bool held, double submits) {
        if (with_actors_ && random_.chance(0.25)) {
            add_actor_step(program, depth, held);
            return;
        }
        if (random_.chance(submits)) {
            add_submit(program, depth, held, log_uniform_count(random_, 1, 30));
            return;
        }
        if (!held && random_.chance(0.05)) {
            add_gangs(program, 1);
            return;
        }
        if (with_groups_ && random_.chance(0.05)) {
            add_group(program, held);
            return;
        }
        switch (random_.below(10)) {
        case 0:
        case 1:
            program.steps.emplace_back(compute());
            break;
        case 2:
            program.steps.emplace_back(
                Put{value_bytes(),
                    some_locals(0.3, 3),
                    pins_ && !held ? some_locals(0.2, 2) : std::vector<Local>{}});
            break;
        case 3:
        case 4:
        case 5:
            program.steps.emplace_back(Get{any_local(), random_.chance(0.5), random_.chance(0.8)});
            break;
        case 6:
            program.steps.emplace_back(Cancel{any_local()});
            break;
        case 7:
            program.steps.emplace_back(Release{any_local()});
            break;
        default:
            add_submit(program, depth, held, 1);
        }
    }

    void add_submit(Program& program, std::size_t depth, bool held, std::size_t count) {
        if (depth >= 4 || budget_ == 0) {
            return;
        }
        const auto& kinds = held ? cpu_kinds_ : any_kinds_;
        Submit submit{kinds[random_.below(kinds.size())], {}};
        const bool isolated = !held && holds(submit.kind);
        const auto [child, weight] = task(depth + 1, held || isolated);
        count = std::min(count, budget_ / weight);
        for (std::size_t i = 0; i < count; ++i) {
            submit.tasks.push_back({child,
                                    some_locals(0.4, 3),
                                    isolated ? std::vector<Local>{} : some_locals(0.25, 2),
                                    random_.below(random_.chance(0.1) ? 3000 : 100),
                                    isolated ? std::vector<Local>{} : some_actors(0.4, 3)});
        }
        budget_ -= count * weight;
        if (count > 0) {
            program.steps.emplace_back(std::move(submit));
        }
    }

    std::vector<Local> some_actors(double chance, std::int64_t most) {
        return with_actors_ ? some_locals(chance, most) : std::vector<Local>{};
    }

    FunctionId method() { return FunctionId{1000 + static_cast<std::uint32_t>(random_.below(5))}; }

    std::string any_name() { return std::string(1, static_cast<char>('a' + random_.below(2))); }

    void add_actor_step(Program& program, std::size_t depth, bool held) {
        if (budget_ == 0) {
            return;
        }
        switch (random_.below(held ? 7 : 14)) {
        case 0:
        case 1:
            for (std::int64_t i = random_.between(1, 3); i > 0 && budget_ > 0; --i) {
                add_spawn(program, held);
            }
            break;
        case 2:
        case 3:
        case 4:
            add_calls(program, depth);
            break;
        case 5:
            program.steps.emplace_back(ReleaseActor{any_local()});
            break;
        case 6:
            program.steps.emplace_back(CancelActor{any_local()});
            break;
        case 7:
            add_tenants(program);
            break;
        case 8:
            add_stored_actors(program);
            break;
        case 9:
        case 10:
            program.steps.emplace_back(FindActor{any_name()});
            break;
        case 11:
            add_last_minute_finds(program);
            break;
        case 12:
            add_kill(program);
            break;
        default:
            add_actor_farewell(program);
        }
    }

    void add_spawn(Program& program, bool held) {
        --budget_;
        auto constructor = std::make_shared<Program>();
        constructor->steps.emplace_back(compute());
        add_calls_onward(*constructor, 0);
        if (random_.chance(0.1)) {
            constructor->steps.emplace_back(Throw{});
        }
        constructor->stoppable = random_.chance(0.5);
        Spawn spawn{actor_kinds_[random_.below(actor_kinds_.size())], {constructor, {}, {}, 0}, {}};
        spawn.constructor.passed_actors = some_actors(0.4, 2);
        spawn.constructor.argument_bytes = random_.below(100);
        if (!held && random_.chance(0.4)) {
            spawn.name = any_name();
        } else {
            spawn.constructor.dependencies = some_locals(0.3, 2);
        }
        program.steps.emplace_back(std::move(spawn));
    }

    /// Calls that nobody waits for, in a method or a constructor.
    void add_calls_onward(Program& program, std::size_t depth) {
        while (depth < 3 && budget_ > 0 && random_.chance(0.3)) {
            --budget_;
            program.steps.emplace_back(
                Call{any_local(),
                     method(),
                     {method_program(depth + 1), {}, {}, random_.below(100), some_actors(0.2, 1)},
                     random_.chance(0.1)});
        }
    }

    ProgramPtr method_program(std::size_t depth) {
        auto program = std::make_shared<Program>();
        if (random_.chance(0.7)) {
            program->steps.emplace_back(compute());
        }
        add_calls_onward(*program, depth);
        if (budget_ > 0 && random_.chance(0.15)) {
            --budget_;
            const auto& kind = cpu_kinds_[random_.below(cpu_kinds_.size())];
            auto alone = std::make_shared<Program>();
            alone->steps.emplace_back(compute());
            alone->result_bytes = value_bytes();
            program->steps.emplace_back(Submit{kind, {{alone, {}, {}, 0}}});
            if (depth < 3 && random_.chance(0.4)) {
                program->steps.emplace_back(
                    Call{any_local(), method(), {method_program(3), {latest}, {}, 0}});
            } else {
                program->steps.emplace_back(Get{latest, false, random_.chance(0.8)});
            }
        }
        if (random_.chance(0.05)) {
            program->steps.emplace_back(Throw{});
        }
        program->result_bytes = value_bytes();
        program->returned = some_locals(0.1, 1);
        program->unpacks = random_.chance(0.3);
        program->stoppable = random_.chance(0.5);
        return program;
    }

    void add_calls(Program& program, std::size_t depth) {
        const ProgramPtr one = method_program(std::min<std::size_t>(depth, 2));
        const std::size_t count = std::min(log_uniform_count(random_, 1, 60), budget_);
        const bool all_to_one = random_.chance(0.7);
        const Local actor = any_local();
        for (std::size_t i = 0; i < count; ++i) {
            program.steps.emplace_back(Call{all_to_one ? actor : any_local(),
                                            method(),
                                            {one,
                                             some_locals(0.3, 2),
                                             some_locals(0.1, 2),
                                             random_.below(random_.chance(0.1) ? 3000 : 100),
                                             some_actors(0.2, 2)},
                                            random_.chance(0.1)});
        }
        budget_ -= count;
        while (random_.chance(0.3)) {
            program.steps.emplace_back(Cancel{from_end(random_.below(count + 1))});
        }
    }

    /// Actors that take resources, several times what there is.
    void add_tenants(Program& program) {
        const auto& kind = any_kinds_[random_.below(any_kinds_.size())];
        auto one = std::make_shared<Program>();
        one->steps.emplace_back(compute());
        for (std::int64_t i = random_.between(1, 8); i > 0 && budget_ > 0; --i) {
            --budget_;
            program.steps.emplace_back(Spawn{kind, {one, {}, {}, 0}, {}});
            for (std::int64_t calls = random_.between(0, 4); calls > 0; --calls) {
                program.steps.emplace_back(Call{latest, method(), {one, {}, {}, 0}});
            }
            program.steps.emplace_back(ReleaseActor{latest});
        }
    }

    /// Handles inside a stored object that several tasks take, and that is gone afterwards.
    void add_stored_actors(Program& program) {
        const std::size_t count = std::min<std::size_t>(log_uniform_count(random_, 1, 12), budget_);
        budget_ -= count;
        auto taker = std::make_shared<Program>();
        taker->unpacks = true;
        taker->steps.emplace_back(compute());
        if (random_.chance(0.7)) {
            taker->steps.emplace_back(Call{any_local(), method(), {method_program(3), {}, {}, 0}});
            if (random_.chance(0.5)) {
                taker->steps.emplace_back(Get{latest});
            }
        }
        program.steps.emplace_back(Put{value_bytes(), {}, some_actors(1, 3)});
        const auto& kind = cpu_kinds_[random_.below(cpu_kinds_.size())];
        program.steps.emplace_back(
            Submit{kind, std::vector<NewTask>(count, NewTask{taker, {latest}, {}, 0})});
        program.steps.emplace_back(Release{from_end(count)});
    }

    /// An actor that others look for by name while its only handle goes.
    void add_last_minute_finds(Program& program) {
        const std::string name = any_name();
        const std::size_t count = std::min<std::size_t>(8, budget_);
        budget_ -= count;
        auto finder = std::make_shared<Program>();
        finder->steps.emplace_back(
            Compute{log_uniform(random_, microseconds{1}, microseconds{50})});
        finder->steps.emplace_back(FindActor{name});
        finder->steps.emplace_back(Call{latest, method(), {method_program(3), {}, {}, 0}});
        const auto& kind = cpu_kinds_[random_.below(cpu_kinds_.size())];
        auto nothing = std::make_shared<Program>();
        program.steps.emplace_back(Spawn{actor_kinds_.front(), {nothing, {}, {}, 0}, name});
        program.steps.emplace_back(
            Submit{kind, std::vector<NewTask>(count, NewTask{finder, {}, {}, 0})});
        program.steps.emplace_back(
            Compute{log_uniform(random_, microseconds{10}, microseconds{500})});
        program.steps.emplace_back(ReleaseActor{latest});
    }

    /// An actor is killed while calls of it wait, run, fetch and come; others may have it, too.
    void add_kill(Program& program) {
        if (random_.chance(0.3)) {
            program.steps.emplace_back(KillActor{any_local()});
            return;
        }
        add_spawn(program, false);
        for (std::int64_t i = random_.between(1, 30); i > 0 && budget_ > 0; --i) {
            --budget_;
            program.steps.emplace_back(Call{latest,
                                            method(),
                                            {method_program(2), some_locals(0.2, 1), {}, 0},
                                            random_.chance(0.1)});
        }
        if (random_.chance(0.8)) {
            program.steps.emplace_back(
                Compute{log_uniform(random_, microseconds{1}, microseconds{500})});
        }
        program.steps.emplace_back(KillActor{latest});
        program.steps.emplace_back(Call{latest, method(), {method_program(3), {}, {}, 0}});
    }

    /// The last thing done with an actor is to pass it on.
    void add_actor_farewell(Program& program) {
        --budget_;
        const auto& kind = cpu_kinds_[random_.below(cpu_kinds_.size())];
        auto user = std::make_shared<Program>();
        user->steps.emplace_back(compute());
        user->steps.emplace_back(Call{0, method(), {method_program(3), {}, {}, 0}});
        const Local actor = any_local();
        program.steps.emplace_back(Submit{kind, {{user, {}, {}, 0, {actor}}}});
        program.steps.emplace_back(ReleaseActor{actor});
    }

    void add_group(Program& program, bool held) {
        const GroupDraws draws{with_actors_ ? method() : FunctionId{}, task_time_max_, held};
        muster::sim::add_group(random_, world_, draws, budget_, program);
    }

    void add_chain(Program& program) {
        const auto& kind = any_kinds_[random_.below(any_kinds_.size())];
        const ProgramPtr one = task(4, holds(kind)).first;
        // The latest entry of the table: its size is not known here, so each link depends on a
        // future of its own step, all submitted after the first.
        for (std::size_t i = log_uniform_count(random_, 2, 30); i > 0 && budget_ > 0; --i) {
            --budget_;
            program.steps.emplace_back(Submit{kind, {{one, {latest}, {}, 10}}});
        }
    }

    /// Many in a row, at once or a little later, so that they meet tasks in every state.
    void add_cancels(Program& program) {
        if (random_.chance(0.5)) {
            program.steps.emplace_back(
                Compute{log_uniform(random_, microseconds{1}, microseconds{500})});
        }
        for (std::int64_t i = random_.between(1, 40); i > 0; --i) {
            program.steps.emplace_back(Cancel{any_local()});
        }
    }

    Submit source(std::size_t bytes) {
        auto program = std::make_shared<Program>();
        program->result_bytes = bytes;
        return {any_kinds_[random_.below(any_kinds_.size())], {{std::move(program), {}, {}, 0}}};
    }

    /// Tasks cancelled while they fetch a value that only they need: it may be dropped before its
    /// holder hears of the fetch.
    void add_cancelled_fetches(Program& program) {
        for (std::int64_t i = random_.between(3, 15); i > 0; --i) {
            program.steps.emplace_back(source(5'000));
            const auto& kind = any_kinds_[random_.below(any_kinds_.size())];
            const auto one = std::make_shared<Program>();
            program.steps.emplace_back(Submit{kind, {{one, {latest}, {}, 0}}});
            program.steps.emplace_back(Release{from_end(1)});
            program.steps.emplace_back(
                Compute{log_uniform(random_, microseconds{20}, microseconds{400})});
            program.steps.emplace_back(Cancel{latest});
        }
    }

    void cancel_one_by_one(Program& program, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            program.steps.emplace_back(
                Compute{log_uniform(random_, microseconds{1}, microseconds{30})});
            program.steps.emplace_back(Cancel{from_end(random_.chance(0.2) ? i : count - 1 - i)});
        }
    }

    /// A map over a value that takes long to fetch, cancelled bit by bit.
    /// Attempts that run on for long after they have timed out, where the next one comes to.
    void add_late_tasks(Program& program) {
        auto one = std::make_shared<Program>();
        one->steps.emplace_back(Compute{log_uniform(random_, milliseconds{2}, milliseconds{20})});
        one->stoppable = random_.chance(0.5);
        TaskKind kind = cpu_kinds_[random_.below(cpu_kinds_.size())];
        kind.timeout = log_uniform(random_, microseconds{50}, milliseconds{5});
        kind.retry_exceptions = true;
        const std::size_t count = log_uniform_count(random_, 1, 10);
        program.steps.emplace_back(
            Submit{kind, std::vector<NewTask>(count, NewTask{one, {}, {}, 0})});
    }

    void add_contended_map(Program& program) {
        auto one = std::make_shared<Program>();
        one->steps.emplace_back(Compute{log_uniform(random_, microseconds{50}, milliseconds{2})});
        one->stoppable = true;
        const std::size_t bytes = log_uniform_count(random_, 5'000, 100'000);
        if (random_.chance(0.3)) {
            program.steps.emplace_back(Put{bytes, {}});
        } else {
            program.steps.emplace_back(source(bytes));
        }
        const auto& kind = any_kinds_[random_.below(any_kinds_.size())];
        const auto ranks = static_cast<std::size_t>(world_.ranks);
        const std::size_t count = log_uniform_count(random_, ranks, ranks * 10);
        program.steps.emplace_back(
            Submit{kind, std::vector<NewTask>(count, NewTask{one, {latest}, {}, 0})});
        if (random_.chance(0.5)) {
            program.steps.emplace_back(Release{from_end(count)});
        }
        if (random_.chance(0.4)) {
            cancel_one_by_one(program, count);
            return;
        }
        for (std::int64_t i = random_.between(1, 5); i > 0; --i) {
            add_cancels(program);
        }
    }

    void add_large_map(Program& program) {
        auto one = std::make_shared<Program>();
        one->steps.emplace_back(Compute{log_uniform(random_, microseconds{1}, microseconds{100})});
        one->result_bytes = random_.below(40);
        const auto& kind = any_kinds_[random_.below(any_kinds_.size())];
        const std::size_t count = log_uniform_count(random_, 100, 2000);
        const std::vector<Local> dependencies = some_locals(0.3, 2);
        program.steps.emplace_back(Submit{
            kind, std::vector<NewTask>(count, NewTask{one, dependencies, {}, random_.below(50)})});
        if (random_.chance(0.3)) {
            add_cancels(program);
        }
    }

    Random& random_;
    const SimOptions& world_;
    std::vector<TaskKind> any_kinds_;
    std::vector<TaskKind> cpu_kinds_;
    std::vector<TaskKind> gang_kinds_;
    std::vector<TaskKind> actor_kinds_; ///< These demand nothing.
    bool with_actors_ = false;
    bool with_groups_ = false;
    bool pins_ = false; ///< Results have handles inside.
    std::uint32_t last_function_ = 0;
    std::size_t budget_ = 0; ///< Tasks that may still be planned.
    Duration task_time_max_{};
};

} // namespace

ProgramPtr
random_program(Random& random, const SimOptions& world, std::size_t tasks_max, bool waits) {
    return ProgramMaker(random, world, tasks_max).driver(waits);
}

} // namespace muster::sim
