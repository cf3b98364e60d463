#include "random_groups.hpp"

#include "random_draws.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace muster::sim {
namespace {

using std::chrono::microseconds;

class GroupMaker {
public:
    GroupMaker(Random& random,
               const SimOptions& world,
               const GroupDraws& draws,
               std::size_t& budget)
        : random_(random), world_(world), draws_(draws), budget_(budget) {}

    void add_group(Program& program) {
        MakeGroup group;
        for (std::int64_t i = random_.between(1, 4); i > 0; --i) {
            group.bundles.push_back(random_bundle(draws_.held));
        }
        group.strategy = static_cast<Strategy>(random_.below(4));
        group.priority =
            random_.chance(0.7) ? 0 : static_cast<std::int32_t>(random_.between(-1, 1));
        program.steps.emplace_back(group);
        if (random_.chance(0.4)) {
            program.steps.emplace_back(AwaitGroup{latest});
        }
        for (std::int64_t i = random_.between(0, 5); i > 0 && budget_ > 0; --i) {
            switch (random_.below(8)) {
            case 0:
                program.steps.emplace_back(compute());
                break;
            case 1:
                add(program, parent_in_group(group.bundles));
                break;
            case 2:
                add(program, user_of_group(group.bundles));
                break;
            case 3:
                if (draws_.method != FunctionId{}) {
                    --budget_;
                    program.steps.emplace_back(tenant_in_group(group.bundles));
                    auto one = std::make_shared<Program>();
                    one->steps.emplace_back(compute());
                    if (budget_ > 0) {
                        --budget_;
                        program.steps.emplace_back(Call{latest, draws_.method, {one, {}, {}, 0}});
                    }
                    program.steps.emplace_back(ReleaseActor{latest});
                }
                break;
            default:
                add(program, leaves_in_group(group.bundles, 20));
            }
        }
        if (random_.chance(0.2)) {
            program.steps.emplace_back(compute());
            program.steps.emplace_back(RemoveGroup{latest});
        }
        program.steps.emplace_back(ReleaseGroup{latest});
    }

private:
    static void add(Program& program, Submit submit) {
        if (!submit.tasks.empty()) { // the budget is used up
            program.steps.emplace_back(std::move(submit));
        }
    }

    Compute compute() { return {log_uniform(random_, microseconds{1}, draws_.task_time_max)}; }

    std::uint32_t retries() {
        return world_.faults.empty() || random_.chance(0.6)
                   ? 3
                   : static_cast<std::uint32_t>(random_.below(3));
    }

    std::size_t value_bytes() {
        return random_.chance(0.2) ? log_uniform_count(random_, 1000, 40'000) : random_.below(300);
    }

    Resources random_bundle(bool cpus_only) {
        const Resources& capacity = world_.capacities[random_.below(world_.capacities.size())];
        const std::array<Amount, 5> cpus{0, 0.5, 1, 1, 2};
        Resources bundle;
        bundle.cpus = std::min(cpus[random_.below(cpus.size())], capacity.cpus);
        if (!cpus_only && random_.chance(0.3)) {
            const std::array<Amount, 5> gpus{0.25, 0.5, 1, 1, 2};
            bundle.gpus = std::min(gpus[random_.below(gpus.size())], capacity.gpus);
        }
        if (!cpus_only && random_.chance(0.3)) {
            bundle.memory = std::min(Amount{random_.between(1, 128) << 20}, capacity.memory);
        }
        return bundle;
    }

    /// Of tasks, actors or gangs in a group with these bundles.
    TaskKind kind_in(const std::vector<Resources>& bundles) {
        TaskKind kind;
        kind.function = FunctionId{2000 + static_cast<std::uint32_t>(random_.below(4))};
        kind.retries = retries();
        kind.priority = random_.chance(0.8) ? 0 : static_cast<std::int32_t>(random_.between(-1, 1));
        if (random_.chance(0.05)) {
            kind.deadline = std::chrono::microseconds{log_uniform_count(random_, 100, 50'000)};
        }
        const Resources& bundle = bundles[random_.below(bundles.size())];
        kind.demand.cpus = random_.chance(0.3) ? std::min(Amount{0.5}, bundle.cpus) : bundle.cpus;
        if (random_.chance(0.5)) {
            const std::array<Amount, 4> gpus{0.25, 0.5, 1, 2};
            kind.demand.gpus = std::min(gpus[random_.below(gpus.size())], bundle.gpus);
        }
        if (random_.chance(0.5)) {
            kind.demand.memory = bundle.memory;
        }
        return kind;
    }

    InGroup in_latest() {
        return {latest, random_.chance(0.5) ? -1 : static_cast<std::int32_t>(random_.below(4))};
    }

    Submit leaves_in_group(const std::vector<Resources>& bundles, std::size_t most) {
        auto leaf = std::make_shared<Program>();
        leaf->steps.emplace_back(compute());
        if (random_.chance(0.1)) {
            leaf->steps.emplace_back(Throw{});
        }
        leaf->result_bytes = value_bytes();
        leaf->stoppable = random_.chance(0.5);
        Submit submit{kind_in(bundles), {}, in_latest()};
        if (random_.chance(0.25)) {
            submit.kind.ranks = static_cast<std::int32_t>(
                random_.between(1, static_cast<std::int64_t>(bundles.size())));
            submit.kind.function = FunctionId{2100};
            submit.kind.timeout = {};
            auto member = std::make_shared<Program>(*leaf);
            member->steps.emplace_back(Pass{random_.below(400)});
            leaf = std::move(member);
        }
        const std::size_t ids = submit.kind.stride();
        for (std::size_t i = log_uniform_count(random_, 1, most); i > 0 && budget_ >= ids; --i) {
            budget_ -= ids;
            submit.tasks.push_back({leaf, {}, {}, random_.below(100)});
        }
        return submit;
    }

    /// A task in the group whose children are in it, too: it lends its CPUs to them.
    Submit parent_in_group(const std::vector<Resources>& bundles) {
        auto parent = std::make_shared<Program>();
        parent->steps.emplace_back(compute());
        Submit children = leaves_in_group(bundles, 4);
        children.kind.demand.gpus = {};
        children.kind.demand.memory = {};
        children.kind.ranks = 0;
        children.in = InGroup{0, -1};
        for (NewTask& child : children.tasks) {
            auto alone = std::make_shared<Program>();
            alone->steps.emplace_back(compute());
            child.program = alone;
        }
        add(*parent, std::move(children));
        parent->steps.emplace_back(GetAll{});
        Submit submit{kind_in(bundles), {}, in_latest()};
        if (budget_ > 0) {
            --budget_;
            submit.tasks.push_back({parent, {}, {}, 0, {}, {latest}});
        }
        return submit;
    }

    /// A task outside, which anything leaves room for, and which submits to the group.
    Submit user_of_group(const std::vector<Resources>& bundles) {
        auto user = std::make_shared<Program>();
        user->steps.emplace_back(compute());
        Submit in_it = leaves_in_group(bundles, 5);
        in_it.in->group = 0;
        add(*user, std::move(in_it));
        if (random_.chance(0.3)) {
            user->steps.emplace_back(RemoveGroup{0});
        }
        Submit submit{};
        submit.kind.function = FunctionId{2200};
        submit.kind.retries = retries();
        if (budget_ > 0) {
            --budget_;
            submit.tasks.push_back({user, {}, {}, 0, {}, {latest}});
        }
        return submit;
    }

    Spawn tenant_in_group(const std::vector<Resources>& bundles) {
        auto one = std::make_shared<Program>();
        one->steps.emplace_back(compute());
        Spawn spawn{kind_in(bundles), {one, {}, {}, 0}, {}, in_latest()};
        spawn.kind.function = FunctionId{2300};
        spawn.kind.deadline = {};
        spawn.kind.restarts =
            world_.faults.empty() ? 0 : static_cast<std::uint32_t>(random_.below(3));
        return spawn;
    }

    Random& random_;
    const SimOptions& world_;
    const GroupDraws& draws_;
    std::size_t& budget_;
};

} // namespace

void add_group(Random& random,
               const SimOptions& world,
               const GroupDraws& draws,
               std::size_t& budget,
               Program& program) {
    GroupMaker(random, world, draws, budget).add_group(program);
}

} // namespace muster::sim
