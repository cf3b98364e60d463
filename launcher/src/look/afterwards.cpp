#include "look/afterwards.hpp"

#include "look/analysis.hpp"
#include "look/view.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace muster::launcher::look {
namespace {

using nlohmann::json;

double seconds(std::int64_t nanoseconds) {
    return static_cast<double>(nanoseconds) * 1e-9;
}

std::string time_of(std::int64_t nanoseconds) {
    return duration(seconds(nanoseconds));
}

/// All that ran of one task.
struct Ran {
    const Slice* first = nullptr;
    const Slice* last = nullptr;
    std::int64_t busy = 0;
};

std::unordered_map<std::uint64_t, Ran> ran_of(const Model& model) {
    std::unordered_map<std::uint64_t, Ran> all;
    all.reserve(model.slices.size());
    for (const Slice& slice : model.slices) { // by begin
        Ran& ran = all[slice.task];
        ran.first = ran.first == nullptr ? &slice : ran.first;
        ran.last = &slice;
        ran.busy += slice.end - slice.begin;
    }
    return all;
}

const char* state_of(const Slice& last) {
    return last.cut_off || last.is(muster::look::ran_suspended) ? "running"
           : last.is(muster::look::ran_failed)                  ? "failed"
                                                                : "done";
}

json describe(const Model& model, const Ran& ran) {
    const Slice& last = *ran.last;
    json task{{"type", "task"},
              {"task", task_name(last.task)},
              {"function", model.function_name(last.function)},
              {"name", model.own_name(last.task)},
              {"state", state_of(last)},
              {"attempts", last.attempt},
              {"rank", last.rank},
              {"seconds", seconds(ran.busy)},
              {"began", seconds(ran.first->begin)},
              {"ended", seconds(last.end)}};
    if (last.is(muster::look::ran_call)) {
        task["call"] = true;
    }
    if (const auto why = model.why_failed.find(last.task);
        why != model.why_failed.end() && last.is(muster::look::ran_failed)) {
        task["why"] = model.own_names[why->second];
    }
    return task;
}

} // namespace

json hello_of(const Model& model) {
    const auto& header = model.ranks.front().header;
    return {{"program", header.program},
            {"pid", header.pid},
            {"host", header.host},
            {"job", header.job},
            {"run", fmt::format("{:016x}", model.run_id)},
            {"ranks", model.world_size}};
}

void list_tasks(const Model& model, const std::function<void(const json& task)>& take) {
    const auto all = ran_of(model);
    std::set<std::uint64_t> listed; // those that have no submission, as members of gangs
    for (const auto& [task, ran] : all) {
        if (model.submission_of(task) == nullptr) {
            listed.insert(task);
        }
    }
    for (const Submitted& one : model.submitted) {
        for (std::uint64_t i = 0; i < one.count; ++i) {
            const std::uint64_t task = one.first + i * one.stride;
            if (const auto ran = all.find(task); ran != all.end()) {
                take(describe(model, ran->second));
            } else {
                take({{"type", "task"},
                      {"task", task_name(task)},
                      {"function", model.function_name(one.function)},
                      {"name", model.own_names[one.name]},
                      {"state", "unstarted"},
                      {"attempts", 0}});
            }
            for (std::uint64_t member = 1; member < one.stride; ++member) {
                if (const auto ran = all.find(task + member); ran != all.end()) {
                    take(describe(model, ran->second));
                }
            }
        }
    }
    for (const std::uint64_t task : listed) {
        take(describe(model, all.at(task)));
    }
}

json status_of(const Model& model) {
    struct Counts {
        std::uint64_t unstarted = 0;
        std::uint64_t running = 0;
        std::uint64_t done = 0;
        std::uint64_t failed = 0;
        std::uint64_t retried = 0;
    };

    std::map<std::string, Counts> functions;
    json running = json::array();
    list_tasks(model, [&](const json& task) {
        Counts& counts = functions[task.at("function")];
        const std::string state = task.at("state");
        counts.unstarted += state == "unstarted" ? 1U : 0U;
        counts.running += state == "running" ? 1U : 0U;
        counts.done += state == "done" || state == "failed" ? 1U : 0U;
        counts.failed += state == "failed" ? 1U : 0U;
        const auto attempts = task.at("attempts").get<std::uint64_t>();
        counts.retried += attempts > 1 ? attempts - 1 : 0;
        if (state == "running") {
            running.push_back(task);
        }
    });

    struct OfRank {
        std::uint64_t attempts = 0;
        std::uint64_t failed = 0;
        std::uint64_t running = 0;
        std::int64_t busy = 0;
    };

    std::map<std::int32_t, OfRank> of_ranks;
    for (const Slice& slice : model.slices) {
        OfRank& rank = of_ranks[slice.rank];
        rank.busy += slice.end - slice.begin;
        rank.running += slice.cut_off ? 1U : 0U;
        rank.attempts += slice.cut_off || slice.is(muster::look::ran_suspended) ? 0U : 1U;
        rank.failed += slice.is(muster::look::ran_failed) ? 1U : 0U;
    }
    json ranks = json::array();
    for (const TracedRank& rank : model.ranks) {
        const OfRank& of = of_ranks[rank.header.rank];
        ranks.push_back({{"rank", rank.header.rank},
                         {"host", rank.header.host},
                         {"lost", false},
                         {"answered", true},
                         {"cpus", rank.header.cpus},
                         {"cpus_free", rank.header.cpus},
                         {"running", of.running},
                         {"attempts", of.attempts},
                         {"attempts_failed", of.failed},
                         {"busy_seconds", seconds(of.busy)}});
    }
    json listed = json::array();
    for (const auto& [name, counts] : functions) {
        listed.push_back({{"name", name},
                          {"waiting", counts.unstarted},
                          {"ready", 0},
                          {"placed", counts.running},
                          {"done", counts.done},
                          {"failed", counts.failed},
                          {"retried", counts.retried}});
    }
    return {{"seconds", seconds(model.end)},
            {"ranks", ranks},
            {"functions", listed},
            {"running", running},
            {"queued", json::array()},
            {"notes", shortcomings(model)}};
}

std::string explain(const Model& model, std::uint64_t task, bool& known) {
    const auto all = ran_of(model);
    const auto ran = all.find(task);
    const Submitted* const submitted = model.submission_of(task);
    known = ran != all.end() || submitted != nullptr;
    if (!known) {
        return fmt::format("{} is in none of the traces", task_name(task));
    }
    const std::uint32_t function =
        ran != all.end() ? ran->second.last->function : submitted->function;
    std::string text = fmt::format("{} ({})", model.function_name(function), task_name(task));
    if (submitted != nullptr) {
        text += fmt::format(" was submitted at {} by {}",
                            time_of(submitted->at),
                            submitted->parent == 0 ? "the driver"
                                                   : "task " + task_name(submitted->parent));
    }
    if (ran == all.end()) {
        return text + ", and never started";
    }
    const Slice& first = *ran->second.first;
    const Slice& last = *ran->second.last;
    if (const auto ready = ready_at(model, ends_of(model), task)) {
        text += fmt::format(", could start at {}", time_of(*ready));
    }
    text += fmt::format("{} started at {} on rank {}",
                        submitted == nullptr ? "" : ",",
                        time_of(first.begin),
                        first.rank);
    if (last.attempt > 1) {
        text +=
            fmt::format(", was tried {} times, the last time on rank {}", last.attempt, last.rank);
    }
    const std::string state = state_of(last);
    if (state == "running") {
        return text + fmt::format(", and still ran at {}, when its trace ends", time_of(last.end));
    }
    text += fmt::format(
        ", ran for {}, and {}", time_of(ran->second.busy), state == "done" ? "is done" : "failed");
    if (const auto why = model.why_failed.find(task);
        state == "failed" && why != model.why_failed.end()) {
        text += ": " + model.own_names[why->second];
    }
    return text;
}

} // namespace muster::launcher::look
